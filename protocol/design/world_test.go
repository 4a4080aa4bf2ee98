package design_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/stats"
)

var long = flag.Bool("long", false, "simulate as often as the documented rates were")

// A world is a server of which the truth is known: what each figure really is at a load. A run of it is that, times
// what the start of the server and the moment add to it.
type world struct {
	truth  func(protocol.Load) map[string]float64 // of an arm at a load
	cov    float64                                // of each value, lognormal
	shared float64                                // of that variance, the part that is the start's own
	drift  float64                                // of the logarithm, from each start to the next
	rng    *rand.Rand

	starts int
	start  float64 // what the present start adds, as a logarithm
	took   time.Duration
}

// measure is what a step shows there.
func (w *world) measure(s protocol.Step) protocol.Measurement {
	if s.Restart || w.starts == 0 {
		w.starts++
		w.start = w.cov*math.Sqrt(w.shared)*w.rng.NormFloat64() + w.drift*float64(w.starts)
	}
	l := protocol.Load{Arm: s.Arm, Input: s.Input, Output: s.Output, Concurrency: s.Level.Concurrency,
		Rate: s.Level.Arrivals.Rate, Arrivals: s.Level.Arrivals.Process}
	m := protocol.Measurement{Step: s, Instance: fmt.Sprint("start ", w.starts), Took: w.took}
	for name, x := range w.truth(l) {
		better, unit := loadgen.LowerIsBetter, "ms"
		if strings.Contains(name, "per_s") {
			better, unit = loadgen.HigherIsBetter, "tok/s"
		}
		x *= math.Exp(w.start + w.cov*math.Sqrt(1-w.shared)*w.rng.NormFloat64())
		m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: name, Unit: unit, Value: x, Better: better,
			N: s.Level.Requests})
	}
	m.Result.Accounting.Completed = s.Level.Requests
	return m
}

// carryOut has a design carried out in a world. Now and then it is read from JSON and taken up again, as after an
// interruption, which must make no difference.
func carryOut(t testing.TB, d protocol.Design, w *world) []protocol.Measurement {
	t.Helper()
	var done []protocol.Measurement
	for {
		step, err := d.Next(done)
		if errors.Is(err, io.EOF) {
			return done
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(done) > 10_000 {
			t.Fatalf("it does not end: %+v", step)
		}
		if len(done)%7 == 3 {
			again, err := reread(t, d).Next(done)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(step) {
				t.Fatalf("taken up again it goes on with %+v, %v, and not with %+v", again, err, step)
			}
		}
		done = append(done, w.measure(step))
	}
}

// reread is a design as its journal has it.
func reread(t testing.TB, d protocol.Design) protocol.Planned {
	t.Helper()
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := design.Read(strings.NewReader(string(text)))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return again
}

// throughput is a world in which nothing but the throughput over concurrency is known.
func throughput(curve func(c float64) float64) func(protocol.Load) map[string]float64 {
	return func(l protocol.Load) map[string]float64 {
		return map[string]float64{protocol.KneeFigure: curve(float64(l.Concurrency))}
	}
}

// plan is what a run is in these tests.
func plan(runs int, levels ...int) protocol.Plan {
	return protocol.Plan{
		Name: "test", Runs: runs, Restart: true, Warmup: 4, Input: 8, Output: 4, Levels: levels,
		Prompts: protocol.Prompts{PerConcurrency: 10}, Seed: 7,
	}
}

// A share of experiments, with what may really stand behind it.
type share struct{ n, of int }

func (s *share) count(yes bool) {
	if s.of++; yes {
		s.n++
	}
}

func (s share) String() string {
	v, err := stats.ProportionInterval(s.n, s.of, 0.95, "experiment")
	if err != nil {
		return "of none"
	}
	return fmt.Sprintf("%d of %d, %.2f %% (Clopper–Pearson %.2f to %.2f %%)", s.n, s.of, 100*v.Estimate, 100*v.Low,
		100*v.High)
}

// surelyBelow reports whether the share is shown to be below a bound: the test of a simulation fails only then.
func (s share) surelyBelow(t testing.TB, bound float64) bool {
	t.Helper()
	v, err := stats.ProportionInterval(s.n, s.of, 0.99, "experiment")
	if err != nil {
		t.Fatal(err)
	}
	return v.Below(bound)
}

func (s share) surelyAbove(t testing.TB, bound float64) bool {
	t.Helper()
	v, err := stats.ProportionInterval(s.n, s.of, 0.99, "experiment")
	if err != nil {
		t.Fatal(err)
	}
	return v.Above(bound)
}
