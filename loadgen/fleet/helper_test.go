package fleet

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet/broker"
)

const testURL = "http://127.0.0.1:1"

// A field is a broker, and those who are connected to it.
type field struct {
	*testing.T
	broker *broker.Broker
	ctx    context.Context
	wait   sync.WaitGroup
}

func newField(t *testing.T) *field {
	t.Helper()
	b, err := broker.Start()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &field{T: t, broker: b, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		f.wait.Wait()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *field) connect() *nats.Conn {
	f.Helper()
	conn, err := Connect(f.ctx, Server{URL: f.broker.URL()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(conn.Close)
	return conn
}

// worker starts one. stop has it leave.
func (f *field) worker(name string, target loadgen.TargetFunc, change func(*Worker)) (stop func()) {
	f.Helper()
	w := &Worker{Conn: f.connect(), Name: name, Allow: []string{testURL},
		Target: func(context.Context, Job, Files) (loadgen.Target, error) { return target, nil }}
	if change != nil {
		change(w)
	}
	ctx, cancel := context.WithCancel(f.ctx)
	done := make(chan struct{})
	f.wait.Go(func() {
		defer close(done)
		if err := w.Run(ctx); err != nil {
			f.Error(err)
		}
	})
	stop = func() { cancel(); <-done }
	f.Cleanup(stop) // before its connection is closed
	return stop
}

func (f *field) workers(n int, target loadgen.TargetFunc) {
	for i := range n {
		f.worker(fmt.Sprintf("w%02d", i), target, nil)
	}
}

func (f *field) coordinator(n int) *Coordinator {
	c := &Coordinator{Conn: f.connect(), Workers: n, InMemory: true, Gather: 10 * time.Second}
	f.Cleanup(func() {
		if err := c.Close(); err != nil {
			f.Error(err)
		}
	})
	return c
}

func (f *field) measure(c *Coordinator, j Job, g *loadgen.Generator) *loadgen.Result {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.ctx, time.Minute)
	defer cancel()
	j.URL = testURL
	r, err := c.Measure(ctx, j, g)
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// takes is a target whose requests take so long, with two chunks. A level of several workers has to last for some tenths
// of a second: on a busy machine one begins that much later than another, and none is there at the same time with it.
func takes(d time.Duration) loadgen.TargetFunc {
	return func(ctx context.Context, i int, r *loadgen.Record) error {
		for range 2 {
			select {
			case <-time.After(d / 2):
			case <-ctx.Done():
				return ctx.Err()
			}
			r.Chunk(loadgen.Chunk{Tokens: 1})
		}
		r.Counted, r.Input, r.Output = true, 10, 2
		return nil
	}
}

func codes(r *loadgen.Result) map[string]bool {
	out := map[string]bool{}
	for _, w := range r.Warnings {
		out[w.Code] = true
	}
	return out
}

// underWay has f called once, a little after 20 requests are over.
func underWay(g *loadgen.Generator, f func()) *loadgen.Generator {
	n := 0
	g.Observers = append(g.Observers, loadgen.Observer{Record: func(*loadgen.Record, *loadgen.Error) {
		if n++; n == 20 {
			time.AfterFunc(300*time.Millisecond, f)
		}
	}})
	return g
}
