package protocol

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A Server is something that can be started anew for each run. Package server has the kinds that there are.
type Server interface {
	// Start starts an instance. It does not wait until the instance is ready, which the [Runner] does. On an error
	// nothing is left running.
	Start(ctx context.Context) (*Instance, error)
}

// A Vacancy is a [Server] that can tell beforehand whether there is room for it to start, such as whether its port is
// taken. The [Runner] asks before anything else, so that a long check of the client does not end in an error that was
// there from the beginning. What Start would end by itself is no hindrance.
type Vacancy interface {
	Server
	Vacant(ctx context.Context) error
}

// An Instance is a server that has been started. It is a struct so that it can grow, and so that whoever makes one
// says only what is known: every field but URL may be left out.
type Instance struct {
	// URL is where it answers, or will.
	URL string

	// Identity asks who answers there now. It is asked once the instance is ready, and before and after each level.
	// An error says that it is not, or not surely, the instance that was started. nil: nothing tells.
	Identity func(context.Context) (Identity, error)

	// Exited is closed when the instance has ended by itself, so that nobody waits for it or measures what is not
	// there. nil: that cannot be told.
	Exited <-chan struct{}

	// Err says how it ended, once Exited is closed. nil: that is not known.
	Err func() error

	// Log is the end of what it printed. nil: not known.
	Log func() string

	// Stop ends it and returns when it has gone. It is called once. nil: the instance is not ours to stop.
	Stop func(context.Context) (Stop, error)

	// Path says what lies between here and the server. It is asked once the instance is ready. nil: not known.
	Path func(context.Context) Path

	// Asked is what was asked for, as JSON: a command line or a configuration, without secrets. Beside it stands in the
	// journal what the server says of itself. nil: nothing.
	Asked json.RawMessage

	// Pinned is the digest that the server's image should have, or its beginning: "sha256:236900d573". "": none is.
	Pinned string

	// Warnings are about this start: what an earlier program had left, what ran already. nil: none.
	Warnings []loadgen.Warning
}

// An Identity tells an instance from any other.
type Identity struct {
	Kind string `json:"kind"` // of the server: "docker", "process", …

	// Proof is what no other instance has: a container's start, a process id and its start. "": nothing proves that
	// this is another instance than before, and intervals over runs are within-server.
	Proof string `json:"proof,omitempty"`

	Container string `json:"container,omitempty"` // id of its container or name of its pod; "": none
	Host      string `json:"host,omitempty"`      // where it runs; "": not known, or here
	PIDs      []int  `json:"pids,omitempty"`      // of its first processes, there; none: not known
}

// Same reports whether two identities are of one instance, as far as can be told: what one of them does not know
// speaks for no difference. Of processes the first is compared, since workers come and go.
func (i Identity) Same(j Identity) bool {
	differ := func(a, b string) bool { return a != "" && b != "" && a != b }
	if differ(i.Proof, j.Proof) || differ(i.Container, j.Container) || differ(i.Host, j.Host) {
		return false
	}
	return i.Proof != "" || len(i.PIDs) == 0 || len(j.PIDs) == 0 || i.PIDs[0] == j.PIDs[0]
}

// A Path is what lies between the client and the server.
type Path struct {
	// Via is what takes the connections at the URL, where that is not the server itself: "docker-proxy", "kubectl",
	// "ssh". "": the server, as far as can be told.
	Via string `json:"via,omitempty"`

	// Known says that it was found out who takes the connections. It is not where that is another host, or another
	// user's process.
	Known bool `json:"known"`

	// RoundTrip is the least time that a TCP connection took to open, of several; 0: none could be opened.
	RoundTrip time.Duration `json:"round_trip_ns,omitempty"`
}

// containerProxies pass connections on to containers of the same host. Whatever else stands at a port may have its
// server anywhere: ssh, kubectl port-forward, a gateway.
var containerProxies = []string{"docker-proxy", "rootlessport", "rootlesskit", "slirp4netns", "pasta", "pasta.avx2",
	"conmon"}

// MayLeaveHost reports whether what takes the connections may pass them on to another host than the one of the URL.
func (p Path) MayLeaveHost() bool { return p.Via != "" && !slices.Contains(containerProxies, p.Via) }

// WarnProxied says that the client measured through something that is not the server.
const WarnProxied = "proxied"

// Warning says that there is something in between, nil where nothing is known to be.
func (p Path) Warning() []loadgen.Warning {
	if p.Via == "" {
		return nil
	}
	return []loadgen.Warning{{Code: WarnProxied, Message: fmt.Sprintf(
		"%s takes the connections and passes them on to the server, and is measured with it: it takes a part of the "+
			"throughput of small messages, and arrivals are stamped behind it; let the server take them itself "+
			"(--network=host)",
		p.Via)}}
}

// A Stop is an end of the server, as far as the journal is told of it.
type Stop struct {
	Run      int           `json:"run"`
	Arm      string        `json:"arm,omitempty"`
	Instance string        `json:"instance,omitempty"` // [Identity.Proof]
	Took     time.Duration `json:"took_ns"`            // until it had gone

	ExitCode  *int `json:"exit_code,omitempty"`  // nil: not known
	OOMKilled bool `json:"oom_killed,omitempty"` // the kernel ended it for want of memory
	Killed    bool `json:"killed,omitempty"`     // it did not end within its grace, and was killed

	Warnings []loadgen.Warning `json:"warnings,omitempty"` // what it left behind
}

// A ServerError says which part of a server's life went wrong. Commands and their output may hold secrets; the journal
// gets neither.
type ServerError struct {
	Phase   string // "start", "stop", "readiness", "identity"
	Command string // what was run; "" where nothing was
	Output  string // the end of what it printed
	Err     error  // what went wrong, in words that hold neither
}

func (e *ServerError) Error() string {
	s := "server " + e.Phase
	if e.Command != "" {
		s += fmt.Sprintf(" (%s)", e.Command)
	}
	s += ": " + e.Err.Error()
	if e.Output != "" {
		s += "; it last said: " + e.Output
	}
	return s
}

func (e *ServerError) Unwrap() error { return e.Err }

// rest waits for d, or until ctx is done or stop is closed.
func rest(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-stop:
		return ErrStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
