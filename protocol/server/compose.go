package server

import (
	"bytes"
	"os/exec"

	"github.com/servegauge/servegauge/protocol"
)

// Compose is a service of a compose project, which is found as compose finds it: in the working directory, or by
// COMPOSE_FILE and COMPOSE_PROJECT_NAME. All containers of the service are stopped and started, and nothing else is.
func Compose(service string, o Options) Control {
	o = o.withDefaults()
	compose := []string{"docker", "compose"}
	if exec.Command("docker", "compose", "version").Run() != nil {
		if _, err := exec.LookPath("docker-compose"); err == nil { // the older program of its own
			compose = []string{"docker-compose"}
		}
	}
	with := func(args ...string) []string { return append(append([]string{}, compose...), args...) }
	return Control{
		Kind: "compose", Name: service, URL: o.URL, Probe: o.Probe, Grace: o.Grace,
		Start: with("up", "-d", "--no-deps", "--no-recreate", service),
		Stop:  with("stop", "-t", seconds(o.Grace), service),
		Kill:  with("kill", service),
		// Compose says which containers there are, and docker what they are. Where there are none nothing is printed.
		Inspect: append([]string{"sh", "-c",
			`set -e; ids=$("$@"); [ -z "$ids" ] || exec docker container inspect $ids`, "sh"},
			with("ps", "-a", "-q", service)...),
		Wait: append([]string{"sh", "-c", `exec docker wait $("$@")`, "sh"}, with("ps", "-q", service)...),
		Logs: with("logs", "--no-color", "--tail", "50", service),
		Identity: func(text []byte) (protocol.Identity, error) {
			if len(bytes.TrimSpace(text)) == 0 {
				return protocol.Identity{}, &EndedError{State: absent}
			}
			return containerIdentity("compose", text)
		},
		Asked: asked(map[string]string{"service": service}),
	}
}
