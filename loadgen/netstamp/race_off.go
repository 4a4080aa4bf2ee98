//go:build !race && linux && (amd64 || arm64)

package netstamp

func observe(uintptr) {}
