package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/probe"
	"github.com/servegauge/servegauge/protocol/server"
)

// evidence are the flags about what is known of the server: before each level, at each start, and while it is loaded.
type evidence struct {
	replicas   int
	resetCache bool
	envinfo    string
	view       bool
	client     bool
}

// Register registers the flags.
func (e *evidence) Register(flags *flag.FlagSet) {
	flags.IntVar(&e.replicas, "replicas", 0, "how many `engines` or replicas serve behind the URL: each must have its "+
		"share of each level; 0: as many as the server's metrics tell apart")
	flags.BoolVar(&e.resetCache, "reset-cache", false, "empty the server's prefix cache before each level (POST "+
		"/reset_prefix_cache)")
	flags.StringVar(&e.envinfo, "server-envinfo", "", "`command` that prints the environment of the server's host at "+
		"each start, such as 'ssh HOST envinfo -json'; not given: that host is this one where -url is, and else "+
		"unknown")
	flags.BoolVar(&e.view, "server-view", true, "watch the server's /metrics and this host's GPUs while a level runs, "+
		"where there are any")
	flags.BoolVar(&e.client, "client-check", true, "measure first what this client can do at the plan's shape and "+
		"concurrency, against servers that answer at once and at a pace")
}

// validate refuses what contradicts itself.
func (e *evidence) validate() error {
	switch {
	case e.replicas < 0:
		return Usagef("-replicas %d: want a number of engines, or 0: as many as the server's metrics tell apart",
			e.replicas)
	case e.replicas > 0 && !e.view:
		return Usagef("-replicas %d with -server-view=false: the server's metrics are where their shares are "+
			"seen; want "+
			"one of them", e.replicas)
	}
	return nil
}

// apply sets what the flags say in a runner.
func (e *evidence) apply(r *protocol.Runner, load *Load, unique bool) {
	config := load.client.Config
	client, header := inspecting(config)
	r.Inspect = server.Inspect(client, header)
	if e.envinfo != "" {
		asked := r.Inspect
		r.Inspect = func(ctx context.Context, i *protocol.Instance) (*envinfo.Environment, error) {
			return e.elsewhere(ctx, i, asked)
		}
	}
	if e.view {
		r.Probes = append(r.Probes,
			optional{"server", probe.ServerView{Client: client, Header: header, Unique: unique, Engines: e.replicas}},
			optional{"gpus", here{probe.GPUs{}}})
	}
	if e.resetCache {
		r.Before = func(ctx context.Context, i *protocol.Instance, _ protocol.Step) error {
			at := config
			at.URL = i.URL
			api, err := openai.NewAPI(at)
			if err != nil {
				return err
			}
			return api.ResetCache(ctx)
		}
	}
	if e.client {
		r.Calibration = protocol.Calibration{
			Instant: &Simulation{Echo: true, FlushEach: true},
			Paced:   &Simulation{Echo: true, FirstToken: 20 * time.Millisecond, Gap: 10 * time.Millisecond},
		}
	}
}

// environmentTime bounds a command that prints an environment, and environmentSize what it prints.
const (
	environmentTime = time.Minute
	environmentSize = 16 << 20
)

// elsewhere reads the environment of the server's host by the user's command, and puts what the server says of itself
// into it.
func (e *evidence) elsewhere(
	ctx context.Context, i *protocol.Instance,
	asked func(context.Context, *protocol.Instance) (*envinfo.Environment, error),
) (*envinfo.Environment, error) {
	own, ownErr := asked(ctx, i)
	ctx, cancel := context.WithTimeout(ctx, environmentTime)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-c", e.envinfo)
	var out, complaint bytes.Buffer
	command.Stdout, command.Stderr = &limited{&out, environmentSize}, &limited{&complaint, 1 << 10}
	command.WaitDelay = time.Second
	if err := command.Run(); err != nil {
		return own, errors.Join(ownErr, fmt.Errorf("-server-envinfo: %w: %s", err, oneLine(complaint.String())))
	}
	var there envinfo.Environment
	if err := json.Unmarshal(out.Bytes(), &there); err != nil {
		return own, errors.Join(ownErr, fmt.Errorf("-server-envinfo: what it printed is no environment, as "+
			"envinfo -json "+
			"prints one: %w", err))
	}
	if own != nil {
		there.Server = own.Server
		there.Containers = append(there.Containers, own.Containers...)
	}
	return &there, ownErr
}

// limited takes so many bytes, and ends the writer with the next.
type limited struct {
	to   *bytes.Buffer
	room int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.room {
		return 0, errors.New("it prints too much")
	}
	l.room -= len(p)
	return l.to.Write(p)
}

// optional is a probe of what may not be there: then it says so once, in its reading, and nothing else.
type optional struct {
	name string
	protocol.Probe
}

// Watch implements [protocol.Probe].
func (o optional) Watch(
	ctx context.Context, i *protocol.Instance, s protocol.Step,
) (func() (protocol.Reading, error), error) {
	stop, err := o.Probe.Watch(ctx, i, s)
	if err == nil {
		return stop, nil
	}
	return func() (protocol.Reading, error) { return protocol.Reading{Name: o.name, Error: err.Error()}, nil }, nil
}

// here is a probe of this host, which tells of the server only where that runs here.
type here struct{ protocol.Probe }

// errElsewhere keeps the GPUs of the client's host from being taken for the server's.
var errElsewhere = errors.New("the server does not run on this host, as far as its URL tells")

// Watch implements [protocol.Probe].
func (h here) Watch(
	ctx context.Context, i *protocol.Instance, s protocol.Step,
) (func() (protocol.Reading, error), error) {
	if !local(i.URL) {
		return nil, errElsewhere
	}
	if i.Path != nil {
		if path := i.Path(ctx); path.MayLeaveHost() { // a tunnel ends at a loopback address too
			return nil, fmt.Errorf("%w: %s takes the connections, and may pass them on to another", errElsewhere,
				path.Via)
		}
	}
	return h.Probe.Watch(ctx, i, s)
}

// local reports whether a URL is of this host: by a loopback address, or one of its interfaces'.
func local(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	if u.Hostname() == "localhost" {
		return true
	}
	ip := net.ParseIP(u.Hostname())
	if ip == nil {
		return false
	}
	if ip.IsLoopback() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if own, ok := a.(*net.IPNet); ok && own.IP.Equal(ip) {
			return true
		}
	}
	return false
}
