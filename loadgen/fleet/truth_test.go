package fleet

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// An open loop's arrivals are those of the whole schedule, each by the one clock.
func TestOpenLoopKeepsTheWholeSchedule(t *testing.T) {
	t.Parallel()
	trace := make([]time.Duration, 90)
	for i := range trace {
		trace[i] = time.Duration(i*i) * 100 * time.Microsecond
	}
	for _, l := range []loadgen.Level{
		{Arrivals: loadgen.Arrivals{Process: loadgen.PoissonArrivals, Rate: 200}, Requests: 150, Seed: 4},
		{Arrivals: loadgen.Arrivals{Process: loadgen.TraceArrivals, Trace: trace}},
	} {
		scheduled := func(measure func(g *loadgen.Generator) *loadgen.Result) (map[int]time.Duration, *loadgen.Result) {
			at := map[int]time.Duration{}
			r := measure(&loadgen.Generator{Observers: []loadgen.Observer{{Record: func(r *loadgen.Record,
				_ *loadgen.Error) {
				at[r.Index] = r.Scheduled
			}}}})
			return at, r
		}
		target := takes(4 * time.Millisecond)
		want, one := scheduled(func(g *loadgen.Generator) *loadgen.Result {
			g.Target = target
			r, err := g.Measure(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			return r
		})
		f := newField(t)
		f.workers(3, target)
		got, r := scheduled(func(g *loadgen.Generator) *loadgen.Result {
			return f.measure(f.coordinator(3),
				Job{Level: l}, g)
		})
		if len(got) != len(want) || r.Accounting.Issued != one.Accounting.Issued {
			t.Errorf("%s: %d arrivals, want %d", l.Load(), len(got), len(want))
		}
		for i, at := range want {
			if got[i] != at {
				t.Errorf("%s: request %d is due at %v, want %v", l.Load(), i, got[i], at)
			}
		}
		if r.Open.Offered != one.Open.Offered {
			t.Errorf("%s: offered %v, want %v", l.Load(), r.Open.Offered, one.Open.Offered)
		}
	}
}

// Clocks that are seconds off, and go too fast or too slow, are found out to the error that is stated, and the workers
// start together all the same.
func TestClocksThatAreOff(t *testing.T) {
	t.Parallel()
	f := newField(t)
	off := []time.Duration{5 * time.Second, -5 * time.Second, 0}
	rate := []float64{100e-6, -100e-6, 0}
	clocks := make([]clock, len(off))
	for i := range off {
		clocks[i] = newClock()
		clocks[i].bend = func(d time.Duration) time.Duration {
			return d + off[i] + time.Duration(rate[i]*float64(d))
		}
		f.worker(fmt.Sprint("w", i), takes(10*time.Millisecond), func(w *Worker) { w.clock = clocks[i] })
	}
	c := f.coordinator(3)
	r := f.measure(c, Job{Level: loadgen.Level{Concurrency: 6, Duration: 2 * time.Second}}, nil)
	common := c.lead.time
	for i, p := range r.Parts {
		g := p.Generator
		if g.Before == nil || g.After == nil {
			t.Fatalf("%+v", g)
		}
		at := clocks[i].now().Sub(common.now()) // both drift on, by less than is allowed for below
		for _, o := range []*loadgen.ClockOffset{g.Before, g.After} {
			if d := (o.Offset - at).Abs(); d > o.Error+5*time.Second*200/1e6 {
				t.Errorf("worker %d is %v ± %v ahead, in truth %v", i, o.Offset, o.Error, at)
			}
		}
		truth := time.Duration(rate[i] * float64(2*time.Second)) // and as much again for what is around the level
		if d := (g.Drift - truth).Abs(); d > g.Before.Error+g.After.Error+truth.Abs() {
			t.Errorf("worker %d drifted by %v, in truth %v; %v %v", i, g.Drift, truth, g.Before, g.After)
		}
		if i > 0 && (p.Start-r.Parts[0].Start).Abs() > time.Second {
			t.Errorf("worker %d started %v apart", i, p.Start-r.Parts[0].Start)
		}
	}
	if r.Steady == nil || r.Steady.Occupied < 5 {
		t.Errorf("no common window: %+v", r.Steady)
	}
}

// Where the way there takes longer than the way back, the offset is wrong by half the difference, which no clock can
// tell; the error that is stated covers it, and figures over a window of such a size are spoiled.
func TestAsymmetricPath(t *testing.T) {
	t.Parallel()
	f := newField(t)
	const slow = 100 * time.Millisecond
	f.worker("near", takes(10*time.Millisecond), nil)
	f.worker("far", takes(10*time.Millisecond), func(w *Worker) {
		var err error
		if w.Conn, err = Connect(f.ctx, Server{URL: "unix://" + delaying(t, f.broker.URL(), slow)}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Conn.Close)
	})
	r := f.measure(f.coordinator(2), Job{Level: loadgen.Level{Concurrency: 4, Duration: time.Second}}, nil)
	far := r.Parts[0].Generator.Before // "far" comes first by its name
	if far.Offset.Abs() < slow/4 || far.Error < slow/2 || far.Offset.Abs() > far.Error {
		t.Errorf("offset %v ± %v, of clocks that agree, over a way that takes %v longer", far.Offset, far.Error, slow)
	}
	if !codes(r)[WarnStartSpread] || !r.Valid() {
		t.Errorf("a start that may be %v apart is not warned of: %v", far.Error, r.Warnings)
	}
}

// delaying is a socket from which bytes reach the one at url late, and come back at once.
func delaying(t *testing.T, url string, by time.Duration) string {
	path := t.TempDir() + "/s"
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); listener.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", strings.TrimPrefix(url, "unix://"))
			if err != nil {
				t.Error(err)
				return
			}
			context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			wait.Go(func() { _, _ = io.Copy(in, out); in.Close() })
			wait.Go(func() {
				type late struct {
					at    time.Time
					bytes []byte
				}
				queue := make(chan late, 1000)
				wait.Go(func() {
					for l := range queue {
						time.Sleep(time.Until(l.at))
						if _, err := out.Write(l.bytes); err != nil {
							break
						}
					}
					out.Close()
					for range queue {
					}
				})
				defer close(queue)
				for {
					b := make([]byte, 64<<10)
					n, err := in.Read(b)
					if err != nil {
						return
					}
					queue <- late{time.Now().Add(by), b[:n]}
				}
			})
		}
	})
	return path
}
