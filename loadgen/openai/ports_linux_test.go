package openai

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// Where no local port is free the error says what to do. The range is of one port, for the connections of this test.
func TestNoLocalPort(t *testing.T) {
	const localPortRange = 51 // IP_LOCAL_PORT_RANGE, from linux/in.h
	before := dialer.Control
	defer func() { dialer.Control = before }()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	var refused error
	dialer.Control = func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			refused = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, localPortRange, port<<16|port)
		})
	}
	_, config, _ := serveWith(t, false)
	target := targetFor(t, config)
	err = target.Open(t.Context(), 1)
	if refused != nil {
		t.Skipf("this kernel has no range of ports for a socket: %v", refused)
	}
	if err != nil {
		t.Fatal(err)
	}
	l, _, err := target.lines.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for _, err := range []error{target.Open(t.Context(), 1), target.Do(t.Context(), 0, new(loadgen.Record))} {
		var e *loadgen.Error
		if !errors.As(err, &e) || e.Class != loadgen.ClassDial || !errors.Is(err, syscall.EADDRNOTAVAIL) ||
			!strings.Contains(err.Error(), "net.ipv4.ip_local_port_range") {
			t.Errorf("%v", err)
		}
	}
}
