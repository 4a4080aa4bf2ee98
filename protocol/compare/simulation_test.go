package compare_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/compare"
	"github.com/servegauge/servegauge/stats"
)

// A simulation runs in the ordinary test at a size that takes a second or so. The tables of docs/validation/verdicts.md
// are what this prints:
//
//	go test ./protocol/compare -run Simulation -v -timeout 60m -long
var long = flag.Bool("long", false, "simulate as often as the documented rates were")

// draws is how many a simulation makes.
func draws(short, longer int) int {
	if *long {
		return longer
	}
	return short
}

// tally counts outcomes.
type tally struct{ of, none, regression, undecided, falseWorse, falseBetter int }

func (c *tally) add(r *compare.Result) {
	c.of++
	switch r.Outcome {
	case compare.NoRegression:
		c.none++
	case compare.Regression:
		c.regression++
	default:
		c.undecided++
	}
	for _, f := range r.Figures {
		if f.Verdict.Kind == stats.Slower {
			c.falseWorse++
			break
		}
	}
	for _, f := range r.Figures {
		if f.Verdict.Kind == stats.Faster {
			c.falseBetter++
			break
		}
	}
}

func (c *tally) String() string {
	part := func(n int) string {
		v, err := stats.ProportionInterval(n, c.of, 0.95, "comparison")
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%.2f %% [%.2f, %.2f]", 100*v.Estimate, 100*v.Low, 100*v.High)
	}
	return fmt.Sprintf("%d comparisons: no regression %s, regression %s, undecided %s; some figure worse %s, "+
		"better %s", c.of,
		part(c.none), part(c.regression), part(c.undecided), part(c.falseWorse), part(c.falseBetter))
}

// Lognormal runs of three figures at four loads: how often the whole of a comparison is wrong.
func TestSimulationOfFamilies(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	side := func(at time.Time, n int, cv, by, only float64) *compare.Side {
		e := &protocol.Experiment{Complete: true, Time: at}
		for run := range n {
			shared := rng.NormFloat64() * cv / math.Sqrt2 // half of the variance is the run's own
			for k, c := range []int{1, 4, 16, 64} {
				m := protocol.Measurement{Step: protocol.Step{Run: run + 1, Seq: k,
					Level: loadgen.Level{Concurrency: c, Requests: 1000}}, Instance: fmt.Sprint(at, run)}
				for _, name := range []string{"output_tokens_per_s", "ttft_p50", "e2e_p50"} {
					f := loadgen.Figure{Name: name, Unit: "ms", Better: loadgen.LowerIsBetter, N: 1000}
					value := 100 * math.Exp(shared+rng.NormFloat64()*cv/math.Sqrt2)
					if name == "ttft_p50" && k == 0 {
						value *= only
					}
					if f.Value = value * by; name == "output_tokens_per_s" {
						f.Unit, f.Better, f.Value = "tok/s", loadgen.HigherIsBetter, value/by
					}
					m.Result.Figures = append(m.Result.Figures, f)
				}
				e.Measurements = append(e.Measurements, m)
			}
		}
		return compare.Of(at.String(), e)
	}
	for _, c := range []struct {
		n, m     int
		cv       float64
		by, only float64 // how much worse all of B is, and one figure of twelve
	}{
		{3, 3, 0.01, 1, 1}, {5, 5, 0.01, 1, 1}, {10, 10, 0.01, 1, 1}, {5, 5, 0.04, 1, 1}, {10, 3, 0.01, 1, 1},
		{5, 5, 0.01, 1, 1.02}, {10, 10, 0.01, 1, 1.02}, // one figure at the margin: "no regression" would be false
		{5, 5, 0.01, 1.02, 1}, {5, 5, 0.01, 1.05, 1}, {5, 5, 0.01, 1, 1.05},
	} {
		var all tally
		for range draws(4, 400) {
			r, err := compare.Compare(side(monday, c.n, c.cv, 1, 1), side(tuesday, c.m, c.cv, c.by, c.only),
				compare.Options{Margin: 0.02})
			if err != nil {
				t.Fatal(err)
			}
			all.add(r)
		}
		t.Logf("%d and %d runs, CoV %g %%, B worse by %.3g %%, one figure by %.3g %%: %v", c.n, c.m, 100*c.cv,
			100*(c.by-1), 100*(c.only-1), &all)
		false1, false2 := all.falseWorse+all.falseBetter, all.none
		if c.by == 1 && c.only == 1 && float64(false1) > 0.05*float64(all.of)+3*math.Sqrt(0.05*float64(all.of)) {
			t.Errorf("%+v: equal servers are called different %d times of %d", c, false1, all.of)
		}
		if c.only == 1.02 && float64(false2) > 0.055*float64(all.of)+3*math.Sqrt(0.05*float64(all.of)) {
			t.Errorf("%+v: a server worse by the margin is called no worse %d times of %d", c, false2, all.of)
		}
	}
}

// wire takes each write with content for a chunk.
type wire struct {
	record *loadgen.Record
	header http.Header
	status int
}

func (w *wire) Header() http.Header    { return w.header }
func (w *wire) WriteHeader(status int) { w.status = status }
func (w *wire) Flush()                 {}
func (w *wire) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"servegauge"`)) {
		w.record.Chunk(loadgen.Chunk{Tokens: 1})
	}
	return len(b), nil
}

// simulated is an experiment on servers that are by so much slower than the truth, in virtual time and without a
// network between. Each start of a server is faster or slower by 1 %, as starts are.
func simulated(t *testing.T, at time.Time, seed uint64, runs int, slower float64) *protocol.Experiment {
	rng := rand.New(rand.NewPCG(seed, 7))
	e := &protocol.Experiment{Complete: true, Time: at}
	synctest.Test(t, func(t *testing.T) {
		for run := range runs {
			by := slower * math.Exp(0.01*rng.NormFloat64())
			s := &loadgentest.Simulated{MaxSequences: 6, PrefillRate: 3200 / by, DecodeRate: 200 / by, Noise: 0.05,
				Seed: rng.Uint64()}
			for k, c := range []int{4, 8} {
				spec := workload.Spec{Input: 32, Output: 8}
				body := `{"prompt":[1` + strings.Repeat(",1", spec.Input-1) +
					`],"stream":true,"ignore_eos":true,"max_tokens":8}`
				g := loadgen.Generator{Target: loadgen.TargetFunc(func(ctx context.Context, _ int,
					r *loadgen.Record) error {
					q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions",
						strings.NewReader(body))
					w := &wire{record: r, header: http.Header{}}
					s.ServeHTTP(w, q)
					if r.Done = r.LastArrival(); w.status != http.StatusOK && w.status != 0 {
						return &loadgen.Error{Class: loadgen.ClassStatus, Status: w.status}
					}
					r.Counted, r.Input, r.Output = true, spec.Input, spec.Output
					return nil
				})}
				l := loadgen.Level{Concurrency: c, Requests: 10 * c, Warmup: c}
				result, err := g.Measure(context.Background(), l)
				if err != nil {
					t.Fatal(err)
				}
				result.Warnings = nil // of the client, which virtual time makes no sense of
				e.Measurements = append(e.Measurements, protocol.Measurement{Result: *result,
					Instance: fmt.Sprint(at, run),
					Step:     protocol.Step{Run: run + 1, Seq: k, Spec: spec, Level: l}})
			}
		}
	})
	return e
}

// Two simulated servers that are equal, and one that is 5 % slower; and limits on a figure whose truth is known from
// all experiments together.
func TestSimulationOfServers(t *testing.T) {
	pairs := draws(1, 50)
	var pool []*protocol.Analysis
	seed := uint64(0)
	next := func(at time.Time, runs int, slower float64) *compare.Side {
		seed++
		e := simulated(t, at, seed, runs, slower)
		side := compare.Of(at.String(), e)
		if slower == 1 && runs == 5 {
			pool = append(pool, side.Parts[0].Analysis)
		}
		return side
	}
	for _, c := range []struct {
		runs   int
		slower float64
	}{{5, 1}, {3, 1}, {5, 1.05}} {
		var all tally
		for range pairs {
			r, err := compare.Compare(next(monday, c.runs, 1), next(tuesday, c.runs, c.slower),
				compare.Options{Margin: 0.03})
			if err != nil {
				t.Fatal(err)
			}
			all.add(r)
		}
		t.Logf("%d runs a side, B slower by %.3g %%: %v", c.runs, 100*(c.slower-1), &all)
		if c.slower == 1 && all.falseWorse+all.falseBetter > pairs/10+3 {
			t.Errorf("equal servers are called different: %v", &all)
		}
	}

	truth := map[int]float64{}
	for _, a := range pool {
		for _, p := range a.Points {
			e, err := p.Figure("e2e_p50")
			if err != nil {
				t.Fatal(err)
			}
			truth[p.Concurrency] += e.Summary.Mean / float64(len(pool))
		}
	}
	for _, by := range []float64{0.98, 1, 1.02} {
		count := map[protocol.Decision]int{}
		for _, a := range pool {
			for c, mean := range truth {
				count[a.Judge(protocol.Limit{At: protocol.Load{Concurrency: c}, Figure: "e2e_p50",
					Max: by * mean})[0].Decision]++
			}
		}
		all := len(pool) * len(truth)
		part := func(d protocol.Decision) string {
			v, err := stats.ProportionInterval(count[d], all, 0.95, "judgement")
			if err != nil {
				return err.Error()
			}
			return fmt.Sprintf("%.2f %% [%.2f, %.2f]", 100*v.Estimate, 100*v.Low, 100*v.High)
		}
		t.Logf("limit at %.2f of the truth, 5 runs, %d judgements: holds %s, broken %s, undecided %s", by, all,
			part(protocol.Holds), part(protocol.Broken), part(protocol.Undecided))
		if wrong := count[protocol.Holds]; by < 1 && wrong > all/20 {
			t.Errorf("a limit that is broken holds %d times of %d", wrong, all)
		}
	}
}
