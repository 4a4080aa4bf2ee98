package program

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/protocol"
)

// A Broker is a NATS server in this process, for workers that are its children.
type Broker interface {
	URL() string
	Connect(...nats.Option) (*nats.Conn, error)
	Close() error
}

// StartBroker starts one. Programs that coordinate set it, so that those that do not are smaller by it.
var StartBroker func() (Broker, error)

// FleetAccess is where a fleet's messages go: the flags that coordinators and workers share.
type FleetAccess struct {
	Name     string
	tokenEnv string
	server   fleet.Server
}

// Register registers the flags.
func (a *FleetAccess) Register(flags *flag.FlagSet) {
	flags.StringVar(&a.Name, "fleet-name", fleet.DefaultFleet, "`name` of the fleet, of several on one NATS server")
	flags.StringVar(&a.tokenEnv, "fleet-token-env", "", "`name` of the environment variable that holds the NATS "+
		"server's token")
	flags.StringVar(&a.server.NKeySeed, "fleet-nkey", "", "`file` with the seed of the NKey that the NATS server knows")
	flags.StringVar(&a.server.Credentials, "fleet-credentials", "", "`file` of NATS credentials (.creds)")
	flags.StringVar(&a.server.CAFile, "fleet-ca-file", "", "`file` of PEM certificates to trust for the NATS server, "+
		"beside those that the system trusts")
	flags.StringVar(&a.server.CertFile, "fleet-cert", "", "`file` of our own certificate, for a NATS server that asks "+
		"for one")
	flags.StringVar(&a.server.KeyFile, "fleet-key", "", "`file` of its key")
	flags.BoolVar(&a.server.Plain, "fleet-plain", false, "speak without TLS to a NATS server on another machine")
}

// Connect connects to the NATS server at url.
func (a *FleetAccess) Connect(ctx context.Context, url, name string) (*nats.Conn, error) {
	server := a.server
	server.URL, server.Name = url, name
	if a.tokenEnv != "" {
		if server.Token = os.Getenv(a.tokenEnv); server.Token == "" {
			return nil, Usagef("-fleet-token-env %s: that environment variable is not set", a.tokenEnv)
		}
	}
	conn, err := fleet.Connect(ctx, server)
	if errors.Is(err, nats.ErrNoServers) {
		err = fmt.Errorf("%w: nobody answers there; start nats-server with JetStream, or use -fleet N on one machine, which "+
			"needs none", err)
	}
	return conn, err
}

// ConnectSoon is Connect of one that may come before the NATS server does: it tries for a minute, and says so.
func (a *FleetAccess) ConnectSoon(ctx context.Context, url, name string) (*nats.Conn, error) {
	told := false
	for until := time.Now().Add(time.Minute); ; {
		conn, err := a.Connect(ctx, url, name)
		if !errors.Is(err, nats.ErrNoServers) || time.Now().After(until) {
			return conn, err
		}
		if !told {
			told = true
			fmt.Fprintf(os.Stderr, "waiting for a minute: %v\n", oneLine(err.Error()))
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Fleet are the flags of programs that have a level measured by several generators.
type Fleet struct {
	access  FleetAccess
	where   string
	workers int
}

// Register registers the flags.
func (f *Fleet) Register(flags *flag.FlagSet) {
	flags.StringVar(&f.where, "fleet", "", "several generators that behave as one: a `number` of child processes on "+
		"this machine, or the nats://, tls:// URL of a NATS server with JetStream, where -workers present themselves "+
		"(fleet worker); none: this process alone")
	flags.IntVar(&f.workers, "workers", 0, "with -fleet URL: how many `workers` there have to be")
	f.access.Register(flags)
}

// Used tells whether there is to be one.
func (f *Fleet) Used() bool { return f.where != "" }

// Validate refuses what contradicts itself, and what a fleet cannot do of a load.
func (f *Fleet) Validate(load *Load) error {
	n, err := strconv.Atoi(f.where)
	switch local := err == nil; {
	case f.where != "" && load.audit != 0:
		return Usagef("-audit %d with -fleet: answers are checked by the process that has them all; want one of the two, "+
			"such as a run with -audit by one process beside that of the fleet", load.audit)
	case f.where == "" && f.workers != 0:
		return Usagef("-workers %d: want -fleet URL with it", f.workers)
	case f.where == "":
	case local && (n < 1 || n > 1024):
		return Usagef("-fleet %d: want a number of child processes from 1 to 1024", n)
	case local && f.workers != 0:
		return Usagef("-workers %d with -fleet %d: want one of them", f.workers, n)
	case local && StartBroker == nil:
		return Usagef("-fleet %d: this program has no NATS server of its own; give the URL of one", n)
	case !local && !strings.Contains(f.where, "://"):
		return Usagef("-fleet %q: want a number of child processes, or the nats:// or tls:// URL of a NATS server", f.where)
	case !local && f.workers < 1:
		return Usagef("-fleet %s: want -workers N with it, how many there have to be: with as many as are there the load "+
			"would be another each time", f.where)
	}
	return nil
}

// start starts what the flags say: a coordinator, and its workers where they are children. close ends them.
func (f *Fleet) start(ctx context.Context, load *Load) (c *fleet.Coordinator, close func(), err error) {
	told := func(s string) { fmt.Fprintln(os.Stderr, "fleet:", oneLine(s)) }
	n, err := strconv.Atoi(f.where)
	if err != nil {
		conn, err := f.access.Connect(ctx, f.where, "servegauge coordinator")
		if err != nil {
			return nil, nil, err
		}
		c = &fleet.Coordinator{Conn: conn, Fleet: f.access.Name, Workers: f.workers, Told: told}
		return c, func() { _ = c.Close(); conn.Close() }, nil
	}
	server, err := StartBroker()
	if err != nil {
		return nil, nil, err
	}
	conn, err := server.Connect()
	if err != nil {
		_ = server.Close()
		return nil, nil, err
	}
	children, err := startWorkers(n, server.URL(), load)
	if err != nil {
		conn.Close()
		_ = server.Close()
		return nil, nil, err
	}
	c = &fleet.Coordinator{Conn: conn, Workers: n, InMemory: true, Told: told}
	return c, func() {
		_ = c.Close()
		children.stop()
		conn.Close()
		_ = server.Close()
	}, nil
}

// apply has a runner's levels measured by the fleet. close ends it.
func (f *Fleet) apply(ctx context.Context, r *protocol.Runner, load *Load) (close func(), err error) {
	if err := load.mayTravel(); err != nil {
		return nil, err
	}
	c, close, err := f.start(ctx, load)
	if err != nil {
		return nil, err
	}
	options, err := load.travelling(func(name string, open func() (io.ReadCloser, error)) (string, error) {
		return c.Share(ctx, name, open)
	})
	if err != nil {
		close()
		return nil, err
	}
	unlimited := map[string]bool{}
	if _, err := strconv.Atoi(f.where); err != nil { // workers elsewhere cannot load servers here: each says what it sustains
		r.Calibration = protocol.Calibration{}
	} else if r.Calibration.Instant != nil {
		r.Calibration.Instant = noted{r.Calibration.Instant, unlimited}
	}
	r.Measure = func(
		ctx context.Context, i *protocol.Instance, s protocol.Step, g *loadgen.Generator,
	) (*loadgen.Result, error) {
		return c.Measure(ctx, fleet.Job{URL: i.URL, Spec: s.Spec, Level: s.Level, Options: options,
			Gauge: unlimited[i.URL], ID: levelID(ctx, r.Dir, i, s)}, g)
	}
	return close, nil
}

// A noted server has its URLs noted.
type noted struct {
	protocol.Server
	urls map[string]bool
}

// Start implements [protocol.Server].
func (n noted) Start(ctx context.Context) (*protocol.Instance, error) {
	i, err := n.Server.Start(ctx)
	if err == nil {
		n.urls[i.URL] = true
		if stop := i.Stop; stop != nil { // its port may be another's then
			i.Stop = func(ctx context.Context) (protocol.Stop, error) { delete(n.urls, i.URL); return stop(ctx) }
		}
	}
	return i, err
}

// levelID names a step for a program that is started again in the middle of it: by the experiment, of which the first
// line of the journal is like no other, the step, and the start of the server. "": nothing is saved, so that nothing is
// taken up.
func levelID(ctx context.Context, dir string, i *protocol.Instance, s protocol.Step) string {
	if dir == "" {
		return ""
	}
	journal, err := os.Open(filepath.Join(dir, protocol.JournalFile))
	if err != nil {
		return ""
	}
	defer journal.Close()
	begin, err := bufio.NewReader(journal).ReadString('\n')
	if err != nil {
		return ""
	}
	proof := ""
	if i.Identity != nil {
		identity, err := i.Identity(ctx)
		if err != nil {
			return ""
		}
		proof = identity.Proof
	}
	step, err := json.Marshal(s)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{begin, string(step), proof, i.URL}, "\x00")))
	return hex.EncodeToString(sum[:])
}
