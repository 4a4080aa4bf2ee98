package server

// Podman is a container that exists, by its name, as [Docker] is.
func Podman(name string, o Options) Control { return container("podman", name, o) }
