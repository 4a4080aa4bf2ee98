package fleet

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/internal/secret"
	"github.com/servegauge/servegauge/loadgen"
)

// A Coordinator has a fleet measure levels. One at a time does: it takes a lease on the fleet with its first level, and
// gives it back with Close.
type Coordinator struct {
	Conn  *nats.Conn // of [Connect], for instance; it stays the caller's
	Fleet string     // zero: [DefaultFleet]

	// Workers is how many there are to be, at least 1: a number and no "as many as there are", so that the load is not
	// another one because a machine was late. Of more than these the first by name take part, and at a concurrency below
	// it the first so many ([loadgen.Result.Generators]).
	Workers int

	// Gather is how long to wait until so many are there, before each level. Zero: a minute.
	Gather time.Duration

	// Prepare is how long a worker may take to make its target, in which it may have to ask the server. Zero: 10 minutes.
	Prepare time.Duration

	// InMemory keeps levels and results in the NATS server's memory, as where that is in this process. Zero: on its disk.
	InMemory bool

	// Told, if not nil, is told in words what the fleet does. Calls do not overlap.
	Told func(string)

	mu      sync.Mutex // held while a level is measured
	lead    *lead      // nil: not yet
	telling sync.Mutex
}

// MostWorkers is how many a fleet may have: an order names them all, and goes to each of them twice a second.
const MostWorkers = 1024

const (
	defaultGather  = time.Minute
	defaultPrepare = 10 * time.Minute
	armLimit       = time.Minute
)

func (c *Coordinator) tell(format string, args ...any) {
	if c.Told == nil {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	c.Told(fmt.Sprintf(format, args...))
}

func (c *Coordinator) validate(j *Job, g *loadgen.Generator) error {
	switch {
	case c.Conn == nil:
		return &loadgen.InvalidError{Field: "conn", Value: nil, Want: "a connection to a NATS server"}
	case c.Workers < 1 || c.Workers > MostWorkers:
		return &loadgen.InvalidError{Field: "workers", Value: c.Workers, Want: "how many there are, 1 to 1,024"}
	case !c.InMemory && secret.Scrub(j.URL) != j.URL: // the NATS server would keep it on its disk
		return &loadgen.InvalidError{Field: "url", Value: fmt.Sprintf("%.200q", secret.Scrub(j.URL)), Want: "one without a secret " +
			"in it: what lets a worker in is in its own environment"}
	case len(g.Metrics) > 0:
		return &loadgen.InvalidError{Field: "metrics", Value: len(g.Metrics), Want: "none here: a func does not travel; " +
			"workers have Metrics of their own"}
	}
	return j.validate(j.shards(c.Workers))
}

// leads takes the fleet over, once. c.mu is held.
func (c *Coordinator) leads(ctx context.Context) (*lead, error) {
	if c.lead != nil {
		if err := c.lead.deposed(); err != nil {
			return nil, err
		}
		return c.lead, nil
	}
	n, err := namesOf(c.Fleet)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname()
	l, err := takeLead(ctx, c, n, fmt.Sprintf("%.100s/%d", host, os.Getpid()))
	if err != nil {
		return nil, err
	}
	c.lead = l
	return l, nil
}

// Share puts a file where workers find it that do not have it on their disks, and returns its SHA-256, by which they open
// it ([Files]): what requests come from, such as a dataset or a trace. It is opened twice, and may have 256 MiB.
func (c *Coordinator) Share(ctx context.Context, name string, open func() (io.ReadCloser, error)) (sha256 string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.leads(ctx)
	if err != nil {
		return "", err
	}
	return l.store.share(ctx, name, open)
}

// Close gives the fleet back, so that another may coordinate it. Its workers wait for whoever does.
func (c *Coordinator) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lead == nil {
		return nil
	}
	l := c.lead
	c.lead = nil
	return l.close()
}
