package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// The server's own view stands beside the client's, with its gaps; energy, headroom, spread and drift each have a line or a table,
// and what nobody could watch is named.
func TestEvidenceText(t *testing.T) {
	e := experiment([]int{4, 16}, protocol.Prompts{PerConcurrency: 100})
	e.Starts = []protocol.Start{{URL: "http://127.0.0.1:8000", Path: &protocol.Path{Known: true, Via: "ssh"}}}
	e.Clients = []protocol.ClientCheck{{Concurrency: 16, Requests: 5000, Chunks: 100_000,
		Errors: []loadgen.Figure{{Name: loadgen.MeanName(loadgen.TTFTError), Value: 0.12}}}}
	for i := range e.Measurements {
		m := &e.Measurements[i]
		c := float64(m.Step.Level.Concurrency)
		figure := func(name string, v float64) loadgen.Figure { return loadgen.Figure{Name: name, Value: v, N: 1000} }
		m.Result.Figures = append(m.Result.Figures, figure(loadgen.MeanName(loadgen.TTFT), 10*c))
		m.Readings = []protocol.Reading{{Name: "server", Figures: []loadgen.Figure{
			figure("server_running_mean", c/2), figure("server_running_peak", c+float64(m.Step.Run)),
			figure("server_kv_usage_mean", 25), figure("server_kv_usage_peak", 50), figure(loadgen.MeanName("server_ttft"), 9*c),
		}}, {Name: "energy", Figures: []loadgen.Figure{figure(protocol.Energy, 4000), figure(protocol.EnergyPerToken, 0.25)}},
			{Name: "gpus", Error: "no GPU\x1b[31m"}}
		if m.Step.Run == 2 && c == 16 {
			m.Readings[0].Error = "3 of 60 samples failed, the last one with: refused"
		}
	}
	a := protocol.Analyze(e)
	for i := range a.Points {
		components, err := stats.VarianceComponents([][]float64{{990, 1010, 1000}, {1090, 1110, 1100}, {890, 910, 900}}, 0.95, "run", "part")
		if err != nil {
			t.Fatal(err)
		}
		plan, err := components.Plan([]float64{60, 5}, 0.01*components.Mean.Estimate)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			a.Points[i].Spread = &protocol.Spread{Batch: 5 * time.Second, Components: components, Plan: &plan, Precision: 0.01}
		}
	}
	var out bytes.Buffer
	if err := Text(&out, a); err != nil {
		t.Fatal(err)
	}
	golden(t, "server.txt", out.Bytes())
}

// The levels of an open loop are told apart by their rates.
func TestRates(t *testing.T) {
	e := experiment([]int{4, 16}, protocol.Prompts{Count: 700})
	for i := range e.Measurements {
		l := &e.Measurements[i].Step.Level
		l.Arrivals = loadgen.Arrivals{Process: loadgen.PoissonArrivals, Rate: float64(l.Concurrency) / 2}
		l.Concurrency = 0
	}
	var out bytes.Buffer
	if err := Text(&out, protocol.Analyze(e)); err != nil {
		t.Fatal(err)
	}
	for _, rate := range []float64{2, 8} {
		if !strings.Contains(out.String(), fmt.Sprintf("  poisson %g/s  ", rate)) {
			t.Errorf("no line of %g/s:\n%s", rate, out.String())
		}
	}
}

// A plan says what it will do before it does it: the order, the budgets, what is tried again and about how long it takes.
func TestPlanBounds(t *testing.T) {
	p := protocol.MultiRun().Corrected()
	p.Order, p.Budget, p.Retry = protocol.Latin, 2*time.Hour, protocol.Retry{Times: 2, Causes: []string{"server-died"}}
	var out bytes.Buffer
	if err := PlanText(&out, p, nil, nil); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"order        latin", "budget       2h0m0s", "no more after 2m19s", "up to 2, for server-died", "at most", "the page's 11,200"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q:\n%s", want, out.String())
		}
	}
}

// What several generators sustain, and which of them was nearest to its limit, is said also where nobody measured them
// together.
func TestHeadroomOfGenerators(t *testing.T) {
	used := time.Second
	worst := &loadgen.Part{Generator: &loadgen.GeneratorIdentity{Name: "w\x1b1"}, Client: &loadgen.ClientWatch{Elapsed: time.Second,
		CPUTime: &used, CPUsAllowed: 2}}
	a := &protocol.Analysis{Points: []protocol.Point{
		{Load: protocol.Load{Concurrency: 4}, Headroom: &protocol.Headroom{Requests: 9, Chunks: 12}},
		{Load: protocol.Load{Concurrency: 8}, Headroom: &protocol.Headroom{Requests: 7, Chunks: 3}, Worst: worst},
	}}
	if got := headroom(a); !strings.Contains(got, "at least 3.0 × what it needed") || !strings.HasSuffix(got, "8") {
		t.Error(got)
	}
	if got := generators(a); !strings.Contains(got, "at 8, was ") || !strings.Contains(got, "1.00 of 2.00 CPUs") || strings.Contains(got, "\x1b") {
		t.Error(got)
	}
	if headroom(&protocol.Analysis{}) != "" || generators(&protocol.Analysis{}) != "" {
		t.Error("something is said of nobody")
	}
}
