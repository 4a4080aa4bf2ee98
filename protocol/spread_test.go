package protocol

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// steadyRun is a run at a mean rate of tokens/s, whose bins of 100 ms vary by so much each.
func steadyRun(run int, rate, sd float64, random *rand.Rand) Measurement {
	const bins = 200
	t := &loadgen.Timeline{Width: 100 * time.Millisecond, InFlight: make([]float64, bins), Input: make([]int, bins), Output: make([]int, bins)}
	for i := range bins {
		t.Output[i] = int(math.Round((rate + sd*random.NormFloat64()) / 10))
	}
	m := Measurement{Step: Step{Run: run, Level: loadgen.Level{Concurrency: 8}}, Instance: string(rune('a' + run))}
	m.Result = loadgen.Result{
		Timeline: t, Steady: &loadgen.Window{From: 1950 * time.Millisecond, To: 18 * time.Second},
		Figures: []loadgen.Figure{{Name: loadgen.SteadyTotalThroughput, Value: rate, Better: loadgen.HigherIsBetter}},
	}
	return m
}

// What is put in between the runs and within them is found there.
func TestSpread(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const runs, between, within = 40, 200.0, 1000.0 // within: of a bin, of which a batch has 20
	var group []Measurement
	for run := range runs {
		group = append(group, steadyRun(run+1, 10_000+between*random.NormFloat64(), within, random))
	}
	s := newSpread(group, 75*time.Second, UnitRestart)
	if s == nil || len(s.Components.Levels) != 2 || s.Batch != 2*time.Second {
		t.Fatalf("%+v", s)
	}
	runSD, batchSD := math.Sqrt(s.Components.Levels[0].T2), math.Sqrt(s.Components.Levels[1].T2)
	if math.Abs(runSD/between-1) > .3 {
		t.Errorf("between the runs %v, want about %v", runSD, between)
	}
	if want := within / math.Sqrt(20); math.Abs(batchSD/want-1) > .15 {
		t.Errorf("within the runs %v, want about %v", batchSD, want)
	}
	if s.Plan == nil || s.Plan.AsPilot.Repetitions[1] != spreadBatches {
		t.Errorf("plan %+v", s.Plan)
	}
	// A window that is too short, tokens that were not counted, a single run: nothing is claimed.
	short := steadyRun(1, 10_000, 1, random)
	short.Result.Steady.To = 5 * time.Second
	uncounted := steadyRun(1, 10_000, 1, random)
	uncounted.Result.Tokens.Uncounted = 1
	bare := Measurement{}
	for name, group := range map[string][]Measurement{
		"short": {group[0], short}, "uncounted": {uncounted, group[0]}, "bare": {bare, group[0]}, "one": group[:1], "none": nil,
	} {
		if s := newSpread(group, 0, UnitRestart); s != nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// A drift over the runs is found, of the throughput and of TTFT alone, and scatter of both is not taken for one.
func TestRunDrift(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	analyze := func(throughput, ttft float64) *Analysis {
		e := &Experiment{Complete: true}
		for run := range 8 {
			part := float64(run) / 7
			rate := 10_000 * (1 + throughput*part) * (1 + .004*random.NormFloat64())
			m := steadyRun(run+1, rate, 100, random)
			m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: loadgen.MeanName(loadgen.TTFT),
				Value: 200 * (1 + ttft*part) * (1 + .03*random.NormFloat64()), Better: loadgen.LowerIsBetter})
			e.Measurements = append(e.Measurements, m)
		}
		return Analyze(e)
	}
	for _, c := range []struct {
		throughput, ttft float64
		says, saysNot    string
	}{
		{-.05, 0, "the steady throughput changed by −", "TTFT"},
		{0, 1.5, "mean TTFT changed by +", "throughput"}, // as the page has it: 4.6 s fresh, and 11.6 after an hour
		{-.05, 1.5, "the steady throughput changed by −", "none of it"},
	} {
		a := analyze(c.throughput, c.ttft)
		if a.Drift == nil || a.TTFTDrift == nil || math.Abs(a.Drift.Total.Estimate-c.throughput) > .02 ||
			math.Abs(a.TTFTDrift.Total.Estimate-math.Log1p(c.ttft)) > .25 {
			t.Errorf("%+v: %+v, %+v", c, a.Drift, a.TTFTDrift)
		}
		if codes := warningCodes(a.Warnings); len(codes) == 0 || codes[0] != WarnRunDrift ||
			!strings.Contains(a.Warnings[0].Message, c.says) || strings.Contains(a.Warnings[0].Message, c.saysNot) {
			t.Errorf("%+v: %v", c, a.Warnings)
		}
	}
	found := 0
	for range 400 {
		if a := analyze(0, 0); len(a.Warnings) > 0 {
			found++
		}
	}
	if found > 33 { // 5 %, and three standard deviations of chance
		t.Errorf("%d of 400 experiments without a drift had one", found)
	}
}
