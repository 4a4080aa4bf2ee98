package stats

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
)

// The worked example: five runs of six levels, computed by hand from the rule.
var (
	kneeLevels = []float64{10, 50, 100, 200, 400, 800}
	kneeRuns   = [][]float64{
		{200, 840, 1405, 1760, 1835, 1790},
		{188, 880, 1330, 1850, 1760, 1835},
		{205, 815, 1440, 1705, 1810, 1745},
		{195, 905, 1365, 1800, 1870, 1815},
		{191, 850, 1420, 1835, 1785, 1850},
	}
)

func TestKneeWorkedExample(t *testing.T) {
	r, err := Knee(kneeLevels, kneeRuns)
	if err != nil {
		t.Fatal(err)
	}
	if r.Kind != KneeBracketed || r.Low != 100 || r.High != 400 || r.bracket() != "(100, 400]" {
		t.Errorf("%v %v %v %v", r.Kind, r.Low, r.High, r)
	}
	if !slices.Equal(r.Peak, []float64{200, 400, 800}) {
		t.Errorf("peak %v", r.Peak)
	}
	if r.N != 5 || r.DF != 4 || r.Unit != "run" || r.Method == "" || len(r.Assumptions) == 0 || r.Warnings != nil {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"below at 100", r.Tests[2].Below, -11.3183177265},
		{"below at 200", r.Tests[3].Below, 4.05220931759},
		{"reaches at 200", r.Tests[3].Reaches, 1.8074891365},
		{"reaches at 400", r.Tests[4].Reaches, 3.1659443778},
	} {
		if !near(c.got, c.want, 1e-10) {
			t.Errorf("%s: %.12g, want %.12g", c.name, c.got, c.want)
		}
	}
	if got := r.Tests[5].Reaches; !math.IsInf(got, 1) {
		t.Errorf("the highest level reaches what is above it vacuously: %v", got)
	}
	if want := "of the tested levels, with 95 % confidence: 100 gives less than 95 % of the peak (T = −11.32 < " +
		"−3.00); 400 reaches 95 % of every higher level (T ≥ 3.17 > 2.13)"; r.Reason != want {
		t.Errorf("reason %q, want %q", r.Reason, want)
	}
	if got := roundTrip(t, r); !strings.Contains(got, `"kind":"bracketed","low":100,"high":400`) {
		t.Error(got)
	}

	var peaks []float64
	for _, j := range newPairs(kneeRuns).best {
		peaks = append(peaks, kneeLevels[j])
	}
	if !slices.Equal(peaks, []float64{800, 400, 800, 800, 400}) {
		t.Errorf("peaks chosen by the other runs: %v", peaks)
	}

	r, err = Knee(kneeLevels, kneeRuns[:3])
	if err != nil || r.Kind != KneeAbove || r.Low != 100 || !math.IsNaN(r.High) ||
		r.bracket() != "> 100, saturation not shown" {
		t.Errorf("first three runs: %v, %v", r, err)
	}
	if got := roundTrip(t, r); !strings.Contains(got, `"low":100,"high":null`) {
		t.Error(got)
	}
}

// Tables with the answers of a second implementation, testdata/vectors.py.
func TestKneeSecondImplementation(t *testing.T) {
	var cases []struct {
		Shape  string
		Levels []float64
		Runs   [][]float64
		Answer string
		Peak   []float64
		Below  []number
		Reach  []number `json:"reaches"`
	}
	readJSON(t, "testdata/knee.json", &cases)
	if len(cases) != 30 {
		t.Fatalf("%d tables", len(cases))
	}
	same := func(got float64, want number) bool {
		return got == float64(want) || near(got, float64(want), 1e-8)
	}
	for i, c := range cases {
		r, err := Knee(c.Levels, c.Runs)
		if err != nil || r.bracket() != c.Answer || !slices.Equal(r.Peak, c.Peak) {
			t.Errorf("%d, %s: %v, peak %v, %v; want %s, peak %v", i, c.Shape, r, r.Peak, err, c.Answer, c.Peak)
			continue
		}
		for j, test := range r.Tests {
			if r.Warnings != nil && math.Abs(test.Below) <= math.Abs(float64(c.Below[j])) { // rounding is allowed for
				continue
			}
			if !same(test.Below, c.Below[j]) || !same(test.Reaches, c.Reach[j]) {
				t.Errorf("%d, %s, level %v: %+v, want %v and %v", i, c.Shape, test.Level, test, c.Below[j], c.Reach[j])
			}
		}
	}
}

// repeat gives n identical runs: every difference is without spread, s_d = 0.
func repeat(n int, run ...float64) [][]float64 {
	runs := make([][]float64, n)
	for i := range runs {
		runs[i] = slices.Clone(run)
	}
	return runs
}

// The tests on both sides of their limits, the t quantiles 4.849 (2 %), 2.920 (5 %) and 4.303 (2.5 %, one of two tests
// of a peak) on 2 degrees of freedom.
func TestKneeLimits(t *testing.T) {
	// threeRuns have differences of log throughput, between the first level and factor times the last, whose mean is
	// mean and whose statistic is stat. Levels in between are too low to matter.
	threeRuns := func(levels int, factor, mean, stat float64) [][]float64 {
		h := mean * math.Sqrt(3) / stat
		var runs [][]float64
		for _, d := range []float64{mean - h, mean, mean + h} {
			speed := 1 + 0.1*float64(len(runs)) // so that no two runs agree, which would be for want of resolution
			run := []float64{100 * factor * math.Exp(d) * speed, 40 * speed, 100 * speed}
			runs = append(runs, append(run[:levels-1:levels-1], 100*speed))
		}
		return runs
	}
	for _, c := range []struct {
		name   string
		levels []float64
		runs   [][]float64
		kind   KneeKind
		peak   []float64
	}{
		{"hardly below the share", []float64{1, 2}, threeRuns(2, kneeShare, -0.3, -4.86), KneeAbove, []float64{2}},
		{"hardly not below the share", []float64{1, 2}, threeRuns(2, kneeShare, -0.3, -4.84), KneeNotResolved,
			[]float64{2}},
		{"hardly reaches the share", []float64{1, 2}, threeRuns(2, kneeShare, 0.02, 2.93), KneeAtMost, []float64{2}},
		{"hardly fails to reach the share", []float64{1, 2}, threeRuns(2, kneeShare, 0.02, 2.91), KneeNotResolved,
			[]float64{2}},
		{"hardly worse than the best of 2", []float64{1, 2}, threeRuns(2, 1, -0.03, -2.93), KneeNotResolved,
			[]float64{2}},
		{"hardly as good as the best of 2", []float64{1, 2}, threeRuns(2, 1, -0.03, -2.91), KneeNotResolved,
			[]float64{1, 2}},
		{"hardly worse than the best of 3", []float64{1, 2, 3}, threeRuns(3, 1, -0.03, -4.32), KneeAtMost,
			[]float64{3}},
		{"hardly as good as the best of 3", []float64{1, 2, 3}, threeRuns(3, 1, -0.03, -4.29), KneeAtMost, []float64{1,
			3}},
	} {
		r, err := Knee(c.levels, c.runs)
		if err != nil || r.Kind != c.kind || !slices.Equal(r.Peak, c.peak) {
			t.Errorf("%s: %v, peak %v, tests %v, %v; want %v, peak %v", c.name, r, r.Peak, r.Tests, err, c.kind, c.peak)
		}
	}
}

// Runs that differ only by their own speed have the same differences but for rounding, which must not pass for a
// spread.
func TestKneeIgnoresTheSpeedOfARun(t *testing.T) {
	shape := []float64{95, 100, 100, 70}
	var runs [][]float64
	for _, speed := range []float64{1, 1.1, 0.7, 3.3, 1 / 3.0} {
		run := make([]float64, len(shape))
		for j, y := range shape {
			run[j] = speed * y
		}
		runs = append(runs, run)
	}
	r, err := Knee([]float64{1, 2, 4, 8}, runs)
	if err != nil || r.String() != "not resolved (resolution-limited)" || !slices.Equal(r.Peak, []float64{1, 2, 4, 8}) {
		t.Errorf("%v, peak %v, tests %v, warnings %v, %v", r, r.Peak, r.Tests, r.Warnings, err)
	}
}

// In the first two runs the second and third level have the same mean of logarithms, because 105 · 120 = 100 · 126, but
// not in the last bit. The lower level must be the peak that they choose for the third run.
func TestKneeTiesGoToTheLowestLevel(t *testing.T) {
	runs := [][]float64{{10, 105, 100, 50}, {10, 120, 126, 50}, {10, 90, 99, 50}}
	if got := newPairs(runs).best[2]; got != 1 {
		t.Errorf("best in the first two runs: index %d", got)
	}
	exact := [][]float64{{10, 100, 100, 50}, {10, 100, 100, 50}, {10, 90, 99, 50}}
	if got := newPairs(exact).best[2]; got != 1 {
		t.Errorf("best in the first two runs: index %d", got)
	}
}

// The ends on made-up statistics, each beyond 3 or within. The contradiction takes runs that disagree wildly about the
// peak.
func TestKneeEnds(t *testing.T) {
	for _, c := range []struct {
		name           string
		below, reaches []float64
		a, b           int
		moved          bool
	}{
		{"bracketed", []float64{-9, -9, 0, 9}, []float64{-9, 0, 9, 9}, 1, 2, false},
		{"several levels between", []float64{-9, 0, 0, 9}, []float64{-9, 0, 0, 9}, 0, 3, false},
		{"the scan stops at the first failure", []float64{0, -9, -9, 9}, []float64{-9, 0, 9, 9}, -1, 2, false},
		{"the lowest that passes, though one above fails", []float64{-9, 0, 0, 9}, []float64{0, 9, 0, 9}, 0, 1, false},
		{"bounds are excluded", []float64{-9, -3, 0, 9}, []float64{-9, 3, 3, 9}, 0, 3, false},
		{"neither", []float64{0, 0, 0, 0}, []float64{0, 0, 0, 9}, -1, 3, false},
		{"contradiction", []float64{-9, -9, -9, 9}, []float64{0, 9, 9, 9}, 0, 1, true},
		{"contradiction at the lowest", []float64{-9, 0, 0, 9}, []float64{9, 9, 9, 9}, -1, 0, true},
		{"even the highest falls short", []float64{-9, -9, -9, -9}, []float64{0, 0, 0, 9}, 2, 3, true},
	} {
		var tests []KneeTest
		for j := range c.below {
			tests = append(tests, KneeTest{Below: c.below[j], Reaches: c.reaches[j]})
		}
		if a, b, moved := kneeEnds(tests, 3, 3); a != c.a || b != c.b || moved != c.moved {
			t.Errorf("%s: %d, %d, %v; want %d, %d, %v", c.name, a, b, moved, c.a, c.b, c.moved)
		}
	}
}

func TestKneeNotResolved(t *testing.T) {
	for _, c := range []struct {
		name   string
		levels []float64
		runs   [][]float64
		reason string
		peak   []float64
	}{
		{"no levels", nil, nil, "at least 2 levels, there are 0", nil},
		{"one level", []float64{8}, repeat(5, 100), "at least 2 levels, there are 1", []float64{8}},
		{"no runs", kneeLevels, nil, "at least 3 complete runs, there are 0", kneeLevels},
		{"two runs", kneeLevels, kneeRuns[:2], "at least 3 complete runs, there are 2", kneeLevels},
		{"noise", []float64{1, 2}, [][]float64{{100, 140}, {150, 90}, {70, 120}},
			"no lower end: at the lowest level, 1", []float64{1, 2}},
	} {
		r, err := Knee(c.levels, c.runs)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if r.Kind != KneeNotResolved || r.bracket() != "not resolved" || !math.IsNaN(r.Low) || !math.IsNaN(r.High) ||
			!strings.Contains(r.Reason, c.reason) || !slices.Equal(r.Peak, c.peak) {
			t.Errorf("%s: %+v", c.name, r)
		}
		roundTrip(t, r)
	}
}

func TestKneeErrors(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		levels []float64
		runs   [][]float64
		kind   error
		place  string
	}{
		{"levels fall", []float64{1, 3, 2}, nil, ErrNotSorted, "levels[2] = 2"},
		{"a level twice", []float64{1, 1}, nil, ErrNotSorted, "levels[1] = 1"},
		{"level 0", []float64{0, 1}, nil, ErrOutOfRange, "levels[0] = 0"},
		{"level NaN", []float64{1, nan}, nil, ErrNotFinite, "levels[1] = NaN"},
		{"run incomplete", []float64{1, 2}, [][]float64{{1, 2}, {1}}, ErrLengthMismatch, "runs[1] has length 1"},
		{"throughput 0", []float64{1, 2}, [][]float64{{1, 2}, {1, 0}}, ErrOutOfRange, "runs[1][1] = 0"},
		{"throughput negative", []float64{1, 2}, [][]float64{{-1, 2}}, ErrOutOfRange, "runs[0][0] = -1"},
		{"throughput NaN", []float64{1, 2}, [][]float64{{1, 2}, {1, 2}, {nan, 2}}, ErrNotFinite, "runs[2][0] = NaN"},
		{"throughput infinite", []float64{1, 2}, [][]float64{{1, math.Inf(1)}}, ErrNotFinite, "runs[0][1] = +Inf"},
	} {
		_, err := Knee(c.levels, c.runs)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.place) {
			t.Errorf("%s: %v; want %v at %q", c.name, err, c.kind, c.place)
		}
	}
}

func TestKneeKindText(t *testing.T) {
	for kind, want := range map[KneeKind]string{
		KneeNotResolved: "not-resolved", KneeBracketed: "bracketed", KneeAbove: "above", KneeAtMost: "at-most",
	} {
		if kind.String() != want {
			t.Errorf("%v, want %s", kind, want)
		}
		var back KneeKind
		if err := back.UnmarshalText([]byte(want)); err != nil || back != kind {
			t.Errorf("%s: %v, %v", want, back, err)
		}
	}
	if _, err := KneeKind(-1).MarshalText(); err == nil {
		t.Error("an unknown kind was written")
	}
	if got := KneeKind(9).String(); got != "KneeKind(9)" {
		t.Error(got)
	}
	if err := new(KneeKind).UnmarshalText([]byte("elbow")); err == nil {
		t.Error("an unknown kind was read")
	}
	b, err := json.Marshal(KneeResult{})
	if err != nil || !strings.Contains(string(b), `"kind":"not-resolved","low":null,"high":null`) {
		t.Errorf("the zero result: %s, %v", b, err)
	}
}

func FuzzKnee(f *testing.F) {
	flat := func(runs [][]float64) []byte { return seed(slices.Concat(runs...)...) }
	f.Add(uint8(6), flat(kneeRuns))
	f.Add(uint8(4), flat(repeat(3, 10, 20, 40, 40)))
	f.Add(uint8(2), seed(1, math.MaxFloat64, math.SmallestNonzeroFloat64, 1, 1, 1))
	f.Add(uint8(1), seed(hostile[len(hostile)-2]...))
	f.Fuzz(func(t *testing.T, m uint8, b []byte) {
		levels := make([]float64, m%9)
		for j := range levels {
			levels[j] = float64(j + 1)
		}
		var runs [][]float64
		if m%9 > 0 {
			runs = slices.Collect(slices.Chunk(samples(b), len(levels)))
		}
		r, err := Knee(levels, runs)
		if err != nil {
			return
		}
		if r.Reason == "" || len(r.Peak) == 0 && len(levels) > 0 {
			t.Errorf("%+v", r)
		}
		for _, test := range r.Tests {
			if test.Level <= 0 {
				t.Errorf("%+v", r)
			}
		}
		low, high := math.IsNaN(r.Low), math.IsNaN(r.High)
		if low != (r.Kind == KneeAtMost || r.Kind == KneeNotResolved) || high != (r.Kind == KneeAbove ||
			r.Kind == KneeNotResolved) || r.Low >= r.High {
			t.Errorf("%+v", r)
		}
		roundTrip(t, r)
	})
}
