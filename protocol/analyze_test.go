package protocol

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/stats"
)

// measured makes an experiment from throughputs, a row for each run, with the warnings that a level's code gives it.
func measured(levels []int, prompts Prompts, runs [][]float64, warnings map[int]loadgen.Warning) *Experiment {
	e := &Experiment{Complete: true}
	for i, run := range runs {
		for j, x := range run {
			c := levels[j]
			m := Measurement{
				Step: Step{Run: i + 1, Seq: j, Spec: workload.Spec{Input: 8, Output: 4},
					Level: loadgen.Level{Concurrency: c, Requests: prompts.At(c)}},
				Instance: fmt.Sprint("instance ", i+1),
			}
			for _, name := range []string{loadgen.TotalThroughput, loadgen.SteadyTotalThroughput} {
				m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: name, Unit: "tok/s",
					Better: loadgen.HigherIsBetter, Value: x, N: 10})
			}
			if w, ok := warnings[c]; ok {
				m.Result.Warnings = []loadgen.Warning{w}
			}
			e.Measurements = append(e.Measurements, m)
		}
	}
	return e
}

// The runs and levels of a published worked example, with its answer.
var (
	exampleLevels = []int{10, 50, 100, 200, 400, 800}
	exampleRuns   = [][]float64{
		{200, 840, 1405, 1760, 1835, 1790}, {188, 880, 1330, 1850, 1760, 1835}, {205, 815, 1440, 1705, 1810, 1745},
		{195, 905, 1365, 1800, 1870, 1815}, {191, 850, 1420, 1835, 1785, 1850},
	}
)

func TestAnalyze(t *testing.T) {
	a := Analyze(measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns, nil))
	if a.Unit != UnitRestart || a.Runs != 5 || len(a.Warnings) != 0 {
		t.Errorf("unit %q, %d runs, warnings %v", a.Unit, a.Runs, a.Warnings)
	}
	if got := a.Knee.String(); got != "(100, 400]" {
		t.Errorf("knee %s, want (100, 400]: %s", got, a.Knee.Reason)
	}
	if want := []float64{200, 400, 800}; !slices.Equal(a.Knee.Peak, want) {
		t.Errorf("peak %v, want %v", a.Knee.Peak, want)
	}
	if a.Knee.Unit != UnitRestart {
		t.Errorf("the knee's unit is %q", a.Knee.Unit)
	}
	// 200, 188, 205, 195, 191: mean 195.8, s² 46.7, t(.975; 4) = 2.7764451051977987.
	e, err := figureAt(a, 10, loadgen.TotalThroughput)
	if err != nil {
		t.Fatal(err)
	}
	half := 2.7764451051977987 * math.Sqrt(46.7/5)
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"mean", e.Summary.Mean, 195.8}, {"SD", e.Summary.SD, math.Sqrt(46.7)},
		{"CoV", e.Summary.CoV, math.Sqrt(46.7) / 195.8},
		{"low", e.Interval.Low, 195.8 - half}, {"high", e.Interval.High, 195.8 + half}, {"df", e.Interval.DF, 4},
	} {
		if math.Abs(c.got-c.want) > 1e-10*c.want {
			t.Errorf("%s %v, want %v", c.what, c.got, c.want)
		}
	}
	if e.Interval.Unit != UnitRestart || !slices.Equal(e.Values, []float64{200, 188, 205, 195, 191}) {
		t.Errorf("%+v", e)
	}
	if _, err := figureAt(a, 11, loadgen.TotalThroughput); err == nil {
		t.Error("there is a figure at a concurrency that was not measured")
	}
	if _, err := figureAt(a, 10, "no such figure"); err == nil {
		t.Error("there is a figure that was not measured")
	}
}

// One run's histogram is enough for an estimate to say so, and stamps of all runs but the discarded ones are counted.
func TestAnalyzeKeepsHowItWasMeasured(t *testing.T) {
	e := measured([]int{1, 2}, Prompts{Count: 10}, [][]float64{{10, 20}, {11, 21}}, nil)
	for i := range e.Measurements {
		e.Measurements[i].Result.Stamps = loadgen.Stamps{Kernel: 100, Client: i}
	}
	e.Measurements[1].Result.Figures[0].Method = loadgen.MethodHDR // concurrency 2, the first run
	e.Measurements = append(e.Measurements, Measurement{Step: Step{Run: 2, Discard: true},
		Result: loadgen.Result{Stamps: loadgen.Stamps{Client: 1000}}})
	a := Analyze(e)
	if want := (loadgen.Stamps{Kernel: 400, Client: 0 + 1 + 2 + 3}); a.Stamps != want {
		t.Errorf("stamps %+v, want %+v", a.Stamps, want)
	}
	for concurrency, want := range map[int]string{1: "", 2: loadgen.MethodHDR} {
		if x, err := figureAt(a, concurrency, loadgen.TotalThroughput); err != nil || x.Method != want {
			t.Errorf("method %q at %d, want %q: %v", x.Method, concurrency, want, err)
		}
		if x, err := figureAt(a, concurrency, loadgen.SteadyTotalThroughput); err != nil || x.Method != "" {
			t.Errorf("method %q at %d of a figure that is exact: %v", x.Method, concurrency, err)
		}
	}
}

// The order in which levels are run does not change the knee.
func TestKneeOfShuffledLevels(t *testing.T) {
	order := []int{3, 0, 5, 1, 4, 2}
	levels := make([]int, 6)
	runs := make([][]float64, len(exampleRuns))
	for i, j := range order {
		levels[i] = exampleLevels[j]
		for k := range runs {
			runs[k] = append(runs[k], exampleRuns[k][j])
		}
	}
	if a := Analyze(measured(levels, Prompts{PerConcurrency: 10}, runs, nil)); a.Knee.String() != "(100, 400]" {
		t.Errorf("knee %s", a.Knee)
	}
}

// From a flagged level neither knee nor peak is claimed, and its figures cannot be had without an error.
func TestFlaggedLevels(t *testing.T) {
	capped := loadgen.Warning{Code: loadgen.WarnPromptCapped, Message: "at most 100", Spoils: []string{loadgen.All}}
	warnings := map[int]loadgen.Warning{}
	for _, c := range []int{200, 400, 800} {
		warnings[c] = capped
	}
	a := Analyze(measured(exampleLevels, Prompts{Count: 100}, exampleRuns, warnings))
	// What is below 95 % of the peak of the whole levels is below that of a higher one; nothing else is claimed.
	if a.Knee.Kind != stats.KneeAbove || a.Knee.Low != 50 || !math.IsNaN(a.Knee.High) || a.Knee.Peak != nil {
		t.Errorf("knee %s, peak %v", a.Knee, a.Knee.Peak)
	}
	for _, want := range []string{"left out: prompt-capped at 100 (levels 200, 400 and 800)",
		"nothing is known of the levels above 100"} {
		if !strings.Contains(a.Knee.Reason, want) {
			t.Errorf("reason %q, want %q", a.Knee.Reason, want)
		}
	}
	for _, c := range []int{50, 100} {
		warnings[c] = loadgen.Warning{Code: loadgen.WarnShortWindow, Spoils: []string{loadgen.Steady}}
	}
	a = Analyze(measured(exampleLevels, Prompts{Count: 100}, exampleRuns, warnings))
	if a.Knee.Kind != stats.KneeNotResolved || !strings.Contains(a.Knee.Reason, "prompt-capped at 100") {
		t.Errorf("with one whole level the knee is %s: %s", a.Knee, a.Knee.Reason)
	}
	e, err := figureAt(a, 400, loadgen.TotalThroughput)
	var spoiled *SpoiledError
	if !errors.As(err, &spoiled) || !slices.Equal(spoiled.Codes, []string{loadgen.WarnPromptCapped}) ||
		e.Summary.N != 5 {
		t.Errorf("%+v %v", e, err)
	}
	if got := warningCodes(a.Warnings); !slices.Equal(got, []string{WarnOneCondition}) ||
		!strings.Contains(a.Warnings[0].Message,
			"levels 100, 200, 400 and 800 are 4 repeats of one condition, 100 in flight") {
		t.Errorf("warnings %v", a.Warnings)
	}

	// What spoils only the makespan leaves the knee alone, which stands on the steady window.
	ramp := loadgen.Warning{Code: loadgen.WarnRampDominated, Spoils: []string{loadgen.TotalThroughput}}
	a = Analyze(measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns, map[int]loadgen.Warning{800: ramp}))
	if a.Knee.String() != "(100, 400]" {
		t.Errorf("knee %s: %s", a.Knee, a.Knee.Reason)
	}
	if _, err := figureAt(a, 800, loadgen.TotalThroughput); !errors.As(err, &spoiled) {
		t.Errorf("error %v", err)
	}
	if _, err := figureAt(a, 800, loadgen.SteadyTotalThroughput); err != nil {
		t.Error(err)
	}
}

// A flag in one run of five is enough: the mean has that run in it.
func TestFlagInOneRun(t *testing.T) {
	e := measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns, nil)
	e.Measurements[2*6+3].Result.Warnings = []loadgen.Warning{{Code: loadgen.WarnConcurrencyNotReached,
		Spoils: []string{loadgen.Steady}}}
	a := Analyze(e)
	if want := "left out: concurrency-not-reached at level 200"; !strings.HasSuffix(a.Knee.Reason, want) ||
		a.Knee.String() != "(100, 400]" {
		t.Errorf("knee %s: %q, want %q", a.Knee, a.Knee.Reason, want)
	}
	for _, test := range a.Knee.Tests {
		if test.Level == 200 {
			t.Error("a level that is left out was tested")
		}
	}
	if w := a.Points[3].Warnings; len(w) != 1 || !slices.Equal(w[0].Runs, []int{3}) {
		t.Errorf("warnings %+v", w)
	}
}

func TestReplicateUnit(t *testing.T) {
	for _, c := range []struct {
		name  string
		ids   func(run, seq int) string
		want  string
		warns bool
	}{
		{"a restart each", func(run, _ int) string { return fmt.Sprint(run) }, UnitRestart, false},
		{"one server", func(int, int) string { return "the same" }, UnitWithinServer, true},
		{"no evidence", func(int, int) string { return "" }, UnitWithinServer, true},
		{"two runs on one", func(run, _ int) string { return fmt.Sprint(max(run, 2)) }, UnitWithinServer, true},
		{"a restart inside a run", func(run, seq int) string { return fmt.Sprint(run, seq) }, UnitRestart, false},
	} {
		e := measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns, nil)
		for i := range e.Measurements {
			m := &e.Measurements[i]
			m.Instance = c.ids(m.Step.Run, m.Step.Seq)
		}
		a := Analyze(e)
		if a.Unit != c.want || slices.Contains(warningCodes(a.Warnings), WarnWithinServer) != c.warns {
			t.Errorf("%s: unit %q, warnings %v", c.name, a.Unit, a.Warnings)
		}
		if several := c.name == "a restart inside a run"; slices.Contains(warningCodes(a.Warnings),
			WarnSeveralStarts) != several {
			t.Errorf("%s: warnings %v", c.name, a.Warnings)
		}
		if estimate, _ := figureAt(a, 10, loadgen.TotalThroughput); estimate.Interval.Unit != c.want {
			t.Errorf("%s: the interval is over %q", c.name, estimate.Interval.Unit)
		}
	}
}

// Too little data is said, and never an interval of no width.
func TestFewRuns(t *testing.T) {
	one := Analyze(measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns[:1], nil))
	e, err := figureAt(one, 10, loadgen.TotalThroughput)
	if err != nil || e.Interval.Defined() || !math.IsNaN(e.Summary.SD) || e.Summary.Mean != 200 {
		t.Errorf("%+v %v", e, err)
	}
	if one.Knee.Kind != stats.KneeNotResolved || !slices.Contains(warningCodes(one.Warnings), WarnSingleRun) {
		t.Errorf("knee %s, warnings %v", one.Knee, one.Warnings)
	}
	three := Analyze(measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns[:3], nil))
	if got := three.Knee.String(); !strings.HasPrefix(got, "> 100") {
		t.Errorf("knee of the first three runs %s, want > 100", got)
	}
	if none := Analyze(&Experiment{}); none.Knee.Kind != stats.KneeNotResolved || len(none.Points) != 0 {
		t.Errorf("%+v", none)
	}
}

// A run that was cut off counts in the levels that it has, and not in the knee, which compares levels within runs.
func TestIncompleteRun(t *testing.T) {
	e := measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns, nil)
	e.Measurements = e.Measurements[:4*6+2]
	e.Complete = false
	a := Analyze(e)
	if p := a.Points[1]; len(p.Runs) != 5 {
		t.Errorf("level 50 has runs %v", p.Runs)
	}
	if p := a.Points[2]; len(p.Runs) != 4 {
		t.Errorf("level 100 has runs %v", p.Runs)
	}
	if a.Knee.N != 4 || !slices.Contains(warningCodes(a.Warnings), WarnIncomplete) {
		t.Errorf("knee over %d runs, warnings %v", a.Knee.N, a.Warnings)
	}
}

// A discarded step is in no point, and a load that a run measures twice is two points: the run is the replicate.
func TestPoints(t *testing.T) {
	e := measured([]int{4}, Prompts{Count: 40}, [][]float64{{1}, {2}}, nil)
	warmup := e.Measurements[0]
	warmup.Step.Discard = true
	again := e.Measurements[0]
	again.Step.Seq = 1
	e.Measurements = append([]Measurement{warmup}, append(e.Measurements, again)...)
	a := Analyze(e)
	if len(a.Points) != 2 || !slices.Equal(a.Points[0].Runs, []int{1, 2}) || !slices.Equal(a.Points[1].Runs, []int{1}) {
		t.Errorf("%+v", a.Points)
	}
}

// The whole way, on real time: a seed-shaped plan with too few prompts is flagged at every level that they cap.
func TestPromptCappedEndToEnd(t *testing.T) {
	plan := Plan{Name: "capped", Runs: 3, Restart: true, Input: 8, Output: 4, Levels: []int{2, 30, 40},
		Prompts: Prompts{Count: 20}, Seed: 1}
	runner := &Runner{Server: &fakeServer{t: t}, Client: always(loadgen.TargetFunc(func(_ context.Context, _ int,
		r *loadgen.Record) error {
		time.Sleep(5 * time.Millisecond)
		r.Counted, r.Input, r.Output = true, 8, 4
		return nil
	}))}
	e, err := runner.Run(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	a := Analyze(e)
	for _, c := range []int{30, 40} {
		var spoiled *SpoiledError
		if _, err := figureAt(a, c, loadgen.TotalThroughput); !errors.As(err, &spoiled) ||
			!slices.Contains(spoiled.Codes, loadgen.WarnPromptCapped) {
			t.Errorf("concurrency %d: %v", c, err)
		}
	}
	if want := "prompt-capped at 20 (levels 30 and 40)"; !strings.Contains(a.Knee.Reason, want) ||
		a.Knee.Kind != stats.KneeNotResolved {
		t.Errorf("knee %s: %q", a.Knee, a.Knee.Reason)
	}
}

// A level that was cut short in one run does not spoil the others, and the report says that it is left out.
func TestCutShortLevelIsLeftOut(t *testing.T) {
	e := measured(exampleLevels, Prompts{PerConcurrency: 10}, exampleRuns, nil)
	e.Measurements = e.Measurements[:4*6+2]
	e.Complete = false
	last := &e.Measurements[len(e.Measurements)-1].Result
	last.CutShort = true
	last.Warnings = []loadgen.Warning{{Code: loadgen.WarnCutShort, Spoils: []string{loadgen.All}}}
	a := Analyze(e)
	estimate, err := figureAt(a, 50, loadgen.TotalThroughput)
	if err != nil || !slices.Equal(estimate.Runs, []int{1, 2, 3, 4}) {
		t.Errorf("%+v %v", estimate, err)
	}
	if !slices.Contains(warningCodes(a.Warnings), WarnCutShortLeftOut) || a.Knee.N != 4 ||
		a.Knee.Kind == stats.KneeNotResolved {
		t.Errorf("warnings %v, knee %s over %d runs: %s", a.Warnings, a.Knee, a.Knee.N, a.Knee.Reason)
	}
	// Where it is all that there is, it is shown, and flagged.
	e.Measurements = e.Measurements[len(e.Measurements)-1:]
	if a := Analyze(e); len(a.Points) != 1 || a.Valid() {
		t.Errorf("%+v", a)
	}
}

// Points that differ in more than their concurrency have no knee in common, and are no repeats of each other.
func TestPointsThatDiffer(t *testing.T) {
	for name, change := range map[string]func(*Step){
		"arm":    func(s *Step) { s.Arm = "B" },
		"input":  func(s *Step) { s.Input++ },
		"output": func(s *Step) { s.Output++ },
	} {
		e := measured([]int{4, 8}, Prompts{Count: 2}, [][]float64{{1, 2}, {1, 2}, {1, 2}}, nil)
		for i := range e.Measurements {
			m := &e.Measurements[i]
			if m.Step.Level.Concurrency == 8 {
				change(&m.Step)
			}
			if name == "arm" {
				m.Instance += m.Step.Arm // each arm has a server of its own
			}
		}
		a := Analyze(e)
		if a.Knee.Kind != stats.KneeNotResolved || !strings.Contains(a.Knee.Reason, "differ in more") {
			t.Errorf("%s: knee %s: %s", name, a.Knee, a.Knee.Reason)
		}
		if len(a.Warnings) != 0 || a.Unit != UnitRestart || len(a.Points) != 2 {
			t.Errorf("%s: %d points, unit %q, warnings %v", name, len(a.Points), a.Unit, a.Warnings)
		}
	}
}

// figureAt is a figure of the only point at a concurrency.
func figureAt(a *Analysis, concurrency int, name string) (Estimate, error) {
	p, err := a.Point(Load{Concurrency: concurrency})
	if err != nil {
		return Estimate{}, err
	}
	return p.Figure(name)
}
