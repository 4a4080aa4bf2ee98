package server

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"

	"github.com/servegauge/servegauge/protocol"
)

// A holder is a process of this host that takes the connections at a port.
type holder struct {
	pid   int
	ticks uint64 // hundredths of a second from the boot to its start; 0: not known
	name  string // of its program, as the kernel has it
}

func (h holder) String() string { return fmt.Sprintf("process %d (%s)", h.pid, h.name) }

// proof names the process so that no other has the same name, also not after its id was used again.
func (h holder) proof() string {
	return fmt.Sprintf("listener %d started %.2f s after boot", h.pid, float64(h.ticks)/100)
}

// forwarders are the programs that take connections for a server, by their names as the kernel has them (15 bytes).
var forwarders = []string{
	"docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "pasta.avx2", "conmon", "kubectl",
	"ssh", "sshd", "socat", "nginx", "haproxy", "envoy", "traefik", "caddy", "litellm",
}

// holdersOf finds who takes the connections at a URL of this host, the oldest first. known is false where that is
// another host, another system than Linux, or a process whose files may not be read.
func holdersOf(rawURL string) (holders []holder, known bool) {
	host, port, err := net.SplitHostPort(hostPort(rawURL))
	if err != nil || !local(host) {
		return nil, false
	}
	number, err := net.LookupPort("tcp", port)
	if err != nil {
		return nil, false
	}
	holders, known = listeners(number)
	slices.SortFunc(holders, func(a, b holder) int {
		return cmp.Or(cmp.Compare(a.ticks, b.ticks), a.pid-b.pid)
	})
	return holders, known
}

// local reports whether a host is this one. A name is looked up only where it is that of the loopback.
func local(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	if ip == nil {
		return false
	}
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(addresses, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		return ok && network.IP.Equal(ip)
	})
}

// foreign is an error where a process that is not of an instance takes the connections at its URL. The instance is its
// first processes and whatever they started. What forwards connections says nothing about who is behind it.
func foreign(rawURL string, pids []int) error {
	holders, known := holdersOf(rawURL)
	if !known || len(pids) == 0 {
		return nil
	}
	for _, h := range holders {
		ours := slices.ContainsFunc(pids, func(pid int) bool { return descends(h.pid, pid) })
		if ours || slices.Contains(forwarders, h.name) {
			continue
		}
		return fmt.Errorf("at %s answers %s, which is not the server that was started (process %d)",
			protocol.PublicURL(rawURL), h, pids[0])
	}
	return nil
}

// path says what lies between here and a URL.
func path(ctx context.Context, rawURL string) protocol.Path {
	p := protocol.Path{RoundTrip: roundTrip(ctx, rawURL)}
	holders, known := holdersOf(rawURL)
	p.Known = known && len(holders) > 0
	for _, h := range holders {
		if slices.Contains(forwarders, h.name) {
			p.Via = h.name
		}
	}
	return p
}

// listenerIdentity is that of a server of which nothing is known but its URL. Behind something that forwards, the
// listener is not the server and proves nothing.
func listenerIdentity(kind, rawURL string) protocol.Identity {
	id := protocol.Identity{Kind: kind}
	holders, known := holdersOf(rawURL)
	if !known || len(holders) == 0 {
		return id
	}
	for _, h := range holders {
		id.PIDs = append(id.PIDs, h.pid)
	}
	if h := holders[0]; !slices.Contains(forwarders, h.name) && h.ticks != 0 {
		id.Proof = h.proof()
	}
	return id
}
