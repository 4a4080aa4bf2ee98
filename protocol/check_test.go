package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/stats"
)

// runsOf makes an analysis of one point at a concurrency, of which each run has a value of a figure.
func runsOf(concurrency int, figure loadgen.Figure, values ...float64) *Experiment {
	e := &Experiment{Complete: true}
	for i, v := range values {
		f := figure
		f.Value = v
		e.Measurements = append(e.Measurements, Measurement{
			Step: Step{Run: i + 1, Spec: workload.Spec{Input: 8, Output: 4},
				Level: loadgen.Level{Concurrency: concurrency, Requests: 100}},
			Instance: fmt.Sprint(i),
			Result: loadgen.Result{Accounting: loadgen.Accounting{Issued: figure.N, Completed: figure.N},
				Figures: []loadgen.Figure{f}},
		})
	}
	return e
}

var ttftP50 = loadgen.Figure{Name: "ttft_p50", Unit: "ms", Better: loadgen.LowerIsBetter, N: 100}

func mustParse(t *testing.T, text string) []Limit {
	t.Helper()
	limits, err := ParseLimits(text)
	if err != nil {
		t.Fatal(err)
	}
	return limits
}

// A = {6808, 6512, 7011, 6390, 6955} has the 95 % interval [6395.9, 7074.5] of its mean 6735.2, by R.
func TestLimitHoldsWhereTheWholeIntervalDoes(t *testing.T) {
	a := Analyze(runsOf(8, ttftP50, 6808, 6512, 7011, 6390, 6955))
	for _, c := range []struct {
		limit string
		want  Decision
		runs  int // that would decide
		says  string
	}{
		{"ttft_p50<7075ms", Holds, 0, ""},
		{"ttft_p50<7.075s", Holds, 0, ""},
		{"ttft_p50@8<7075ms", Holds, 0, "at concurrency 8: 6,735 ms [6,396, 7,074] at 95 %"},
		{"ttft_p50@8x4:8<7075ms", Holds, 0, ""},
		{"ttft_p50@9x4:8<7075ms", Undecided, 0, "no point is at"},
		// (2.776 · 273.25 / (0.7 · 338.8))² = 10.2
		{"ttft_p50<7074ms", Undecided, 6, "the bound is inside the interval"},
		{"ttft_p50<6736ms", Undecided, 0, "the bound is inside the interval"}, // on the mean: no number of runs
		{"ttft_p50<6396ms", Undecided, 6, "the bound is inside the interval"},
		{"ttft_p50<6395ms", Broken, 0, ""},
		{"ttft_p50>6395ms", Holds, 0, ""},
		{"ttft_p50>=7075ms", Broken, 0, ""},
		{"ttft_p50>7000ms", Undecided, 6, "the bound is inside the interval"},
		{"ttft_p50@16<7075ms", Undecided, 0, "no point is at concurrency 16; there are concurrency 8"},
		{"ttft_p55<7075ms", Undecided, 0, "ttft_p50 is meant?"},
		{"ttft_p50>1tok/s", Undecided, 0, "ttft_p50 is in ms, and the limit in tok/s"},
	} {
		limits, err := ParseLimits(c.limit)
		if err != nil { // a unit that the grammar knows to be wrong
			limits = []Limit{{Figure: "ttft_p50", Min: 1, Unit: "tok/s"}}
		}
		j := a.Judge(limits...)
		if len(j) != 1 || j[0].Decision != c.want || !strings.Contains(j[0].String(), c.says) ||
			c.want == Undecided && ((j[0].RunsToDecide > 0) != (c.runs > 0) || j[0].RunsToDecide < c.runs) {
			t.Errorf("%s: %v, want %v and %d runs or more: %s", c.limit, j, c.want, c.runs, c.says)
		}
		if breaches := a.Check(limits...); (len(breaches) == 0) != (c.want == Holds) {
			t.Errorf("%s: %v", c.limit, breaches)
		}
	}
	j := a.Judge(mustParse(t, "ttft_p50<7074ms")...)[0]
	if want := 11; j.RunsToDecide != want { // ⌈(2.7764 · 273.248 / (0.7 · (7074 − 6735.2)))²⌉ = ⌈10.23⌉
		t.Errorf("%d runs would decide, want %d", j.RunsToDecide, want)
	}
	// Where it is decided, fewer may do: t(.975; n − 1) · 273.248 / √n is 2455, 679 and 435 for n = 2, 3 and 4.
	for limit, want := range map[string]int{
		"ttft_p50<11000ms": 2, "ttft_p50<8000ms": 3, "ttft_p50<7400ms": 4, "ttft_p50<7100ms": 5, "ttft_p50<5000ms": 3,
	} {
		if j := a.Judge(mustParse(t, limit)...)[0]; j.RunsToDecide != want || j.Decision == Undecided {
			t.Errorf("%v: %d runs would have decided, want %d", j, j.RunsToDecide, want)
		}
	}
}

// A limit is on the bound itself or not, as it is written.
func TestLimitOnTheBound(t *testing.T) {
	v := stats.Interval{Estimate: 2, Low: 1, High: 3, Confidence: 0.95, N: 5}
	for _, c := range []struct {
		limit string
		want  Decision
	}{
		{"x<3", Undecided}, {"x<=3", Holds}, {"x>1", Undecided}, {"x>=1", Holds},
		{"x<1", Broken}, {"x<=1", Undecided}, {"x>3", Broken}, {"x>=3", Undecided},
	} {
		l := mustParse(t, c.limit)[0]
		if got := l.decide(v, l.Min, l.Max); got != c.want {
			t.Errorf("%s of [1, 3]: %v, want %v", c.limit, got, c.want)
		}
	}
	both := Limit{Figure: "x", Min: 0.5, Max: 3.5}
	if got := both.decide(v, both.Min, both.Max); got != Holds {
		t.Errorf("%v: %v", both, got)
	}
	if got := both.decide(stats.Interval{Estimate: 5, Low: 4, High: 6, Confidence: 0.95}, both.Min,
		both.Max); got != Broken {
		t.Errorf("%v: %v", both, got)
	}
	for _, none := range []stats.Interval{{}, {Low: math.NaN(), High: math.NaN(), Confidence: 0.95},
		{Low: 3, High: 3, Confidence: 0.95}} {
		if got := both.decide(none, both.Min, both.Max); got != Undecided {
			t.Errorf("%v decides: %v", none, got)
		}
	}
	open := stats.Interval{Estimate: 5, Low: 4, High: math.Inf(1), Confidence: 0.95}
	if got := (Limit{Figure: "x", Max: 3}).decide(open, 0, 3); got != Broken {
		t.Errorf("of an interval that is open above, 3 is %v", got)
	}
	if got := (Limit{Figure: "x", Max: 1e300}).decide(open, 0, 1e300); got != Undecided {
		t.Errorf("of an interval that is open above, 1e300 is %v", got)
	}
}

func TestWhatCannotBeUsedIsUndecided(t *testing.T) {
	spoiled := runsOf(8, ttftP50, 100, 101, 102)
	spoiled.Measurements[1].Result.Warnings = []loadgen.Warning{{Code: "client-bound", Spoils: []string{"ttft_p50"}}}
	for _, c := range []struct {
		name string
		e    *Experiment
		says string
	}{
		{"spoiled in one run", spoiled, "it must not be used: client-bound"},
		{"without a spread", runsOf(8, ttftP50, 100, 100, 100), "its runs show no spread"},
		{"one run", runsOf(8, ttftP50, 100), "one run has no spread"},
		{"no numbers", runsOf(8, ttftP50, 100, math.NaN(), 101), "it has no interval"},
		{"nothing at all", &Experiment{}, "no point"},
	} {
		a := Analyze(c.e)
		got := a.Check(Limit{Figure: "ttft_p50", Max: 1000})
		if len(got) != 1 || got[0].Decision != Undecided || !strings.Contains(got[0].Error(), c.says) {
			t.Errorf("%s: %v, want undecided: %s", c.name, got, c.says)
		}
		if text, err := json.Marshal(got); err != nil {
			t.Errorf("%s: %s, %v", c.name, text, err)
		}
	}
	a := Analyze(runsOf(8, ttftP50, 100, 101, 102))
	for _, l := range []Limit{{}, {Figure: "ttft_p50"}, {Figure: "ttft_p50", Max: math.NaN()},
		{Figure: "ttft_p50", Min: 3, Max: 2}} {
		if got := a.Check(l); len(got) != 1 || got[0].Decision != Undecided || got[0].Reason == "" {
			t.Errorf("%+v: %v", l, got)
		}
	}
	var missing *FigureError
	if _, err := a.Points[0].Figure("ttft_p5"); !errors.As(err, &missing) || missing.Nearest != "ttft_p50" ||
		len(missing.Have) != 1 {
		t.Errorf("%+v", missing)
	}
}

// A limit without a load is for every one, and holds where it holds at each.
func TestLimitOfSeveralPoints(t *testing.T) {
	e := runsOf(8, ttftP50, 100, 101, 102)
	for _, m := range runsOf(16, ttftP50, 900, 905, 903).Measurements {
		m.Step.Seq = 1
		e.Measurements = append(e.Measurements, m)
	}
	a := Analyze(e)
	if got := a.Check(mustParse(t, "ttft_p50<1000ms")...); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := a.Check(mustParse(t, "ttft_p50<500ms")...); len(got) != 1 || got[0].Load.Concurrency != 16 ||
		got[0].Decision != Broken {
		t.Errorf("%v", got)
	}
	if got := a.Check(mustParse(t, "ttft_p50@8<500ms")...); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := a.Judge(mustParse(t, "ttft_p50<500ms")...); len(got) != 2 {
		t.Errorf("%v", got)
	}
}

// A share is judged by counts: runs that all have 100 % have no spread, and still say how far from it they may be.
func TestSharesAreCounted(t *testing.T) {
	attainment := loadgen.Figure{Name: loadgen.Attainment, Unit: "%", Better: loadgen.HigherIsBetter, N: 100}
	for _, c := range []struct {
		n      int
		values []float64
		limit  string
		want   Decision
	}{
		{100, []float64{100, 100, 100, 100, 100}, "attainment>=95%", Holds},
		{100, []float64{100, 100, 100, 100, 100}, "attainment>=99%", Undecided}, // of 500, at most one in 67
		{5000, []float64{100, 100, 100, 100, 100}, "attainment>=99%", Holds},
		{100, []float64{90, 91, 89, 90, 92}, "attainment>=99%", Broken},
		{20, []float64{100, 100, 100}, "attainment>=99%", Undecided},
		{100, []float64{100}, "attainment>=95%", Holds}, // Clopper and Pearson's bound of 100 of 100 is 96.4 %
		{100, []float64{100}, "attainment>=97%", Undecided},
		{100, []float64{80}, "attainment>=95%", Broken},
		{0, []float64{100}, "attainment>=50%", Undecided}, // of how many is not said
	} {
		attainment.N = c.n
		a := Analyze(runsOf(8, attainment, c.values...))
		j := a.Judge(mustParse(t, c.limit)...)[0]
		if j.Decision != c.want {
			t.Errorf("%v of %d: %v, want %v", c.values, c.n, j, c.want)
		}
		if one := len(c.values) == 1 && c.n > 0; one != strings.Contains(j.Reason, "within one run") {
			t.Errorf("%v of %d: %v", c.values, c.n, j)
		}
	}
}

// A quantile of one run has its interval by order statistics: the p90 of 100 lies between the 84th and the 96th.
func TestQuantileOfOneRun(t *testing.T) {
	e := runsOf(8, loadgen.Figure{Name: "ttft_p90", Unit: "ms", N: 100}, 90.1)
	r := &e.Measurements[0].Result
	r.Figures = append(r.Figures, loadgen.Figure{Name: "ttft_p99", Unit: "ms", N: 100, Value: 99},
		loadgen.Figure{Name: "itl_p50", Unit: "ms", N: 100, Value: 50},
		loadgen.Figure{Name: "ttft_mean", Unit: "ms", N: 100, Value: 50.5},
		loadgen.Figure{Name: "ttft_p90_issued", Unit: "ms", N: 100, Value: 90.1})
	r.Distributions = map[string]*loadgen.Distribution{"ttft": {}, "itl": {}}
	for i := range 100 {
		r.Distributions["ttft"].Add(float64(100 - i))
		r.Distributions["itl"].Add(float64(i))
	}
	check := func(a *Analysis, limit string, want Decision) {
		t.Helper()
		j := a.Judge(mustParse(t, limit)...)[0]
		if j.Decision != want || want != Undecided && !strings.Contains(j.Reason, "within one run") {
			t.Errorf("%s: %v, want %v", limit, j, want)
		}
	}
	text, err := json.Marshal(Analyze(e))
	if err != nil {
		t.Fatal(err)
	}
	read := &Analysis{}
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	for _, a := range []*Analysis{Analyze(e), read} {
		check(a, "ttft_p90<97ms", Holds)
		check(a, "ttft_p90<96ms", Undecided)
		check(a, "ttft_p90<83ms", Broken)
		check(a, "ttft_p90_issued<97ms", Holds)
		check(a, "ttft_p99<10s", Undecided) // 100 requests do not bound a p99 above,
		check(a, "ttft_p99<80ms", Broken)   // but below
		check(a, "itl_p50<10s", Undecided)  // gaps of one request are alike
		check(a, "ttft_mean<10s", Undecided)
	}
	r.Accounting.Failed = 1
	check(Analyze(e), "ttft_p90_issued<97ms", Undecided)
	check(Analyze(e), "ttft_p90<97ms", Holds)
}
