package stats

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
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
	if r.Kind != KneeBracketed || r.Low != 100 || r.High != 400 || r.String() != "(100, 400]" {
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
	if want := "100 gives less than 95 % of the peak (T = -11.32 < −3.00); 400 reaches 95 % of every higher level (T ≥ 3.17 > 2.13)"; r.Reason != want {
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
	if err != nil || r.Kind != KneeAbove || r.Low != 100 || !math.IsNaN(r.High) || r.String() != "> 100, saturation not shown" {
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
		if err != nil || r.String() != c.Answer || !slices.Equal(r.Peak, c.Peak) {
			t.Errorf("%d, %s: %v, peak %v, %v; want %s, peak %v", i, c.Shape, r, r.Peak, err, c.Answer, c.Peak)
			continue
		}
		for j, test := range r.Tests {
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

func TestKneeWithoutSpread(t *testing.T) {
	levels := []float64{1, 2, 4, 8}
	inf := math.Inf(1)
	for _, c := range []struct {
		name    string
		run     []float64
		want    string
		peak    []float64
		below   []float64
		reaches []float64
	}{
		{"cap", []float64{10, 20, 40, 40}, "(2, 4]", []float64{4, 8}, []float64{-inf, -inf, inf, inf}, []float64{-inf, -inf, inf, inf}},
		{"linear", []float64{10, 20, 40, 80}, "> 4, saturation not shown", []float64{8}, []float64{-inf, -inf, -inf, inf}, []float64{-inf, -inf, -inf, inf}},
		{"flat, all tied", []float64{10, 10, 10, 10}, "≤ 1", levels, []float64{inf, inf, inf, inf}, []float64{inf, inf, inf, inf}},
		{"falling", []float64{40, 30, 20, 10}, "≤ 1", []float64{1}, []float64{inf, -inf, -inf, -inf}, []float64{inf, inf, inf, inf}},
		{"exactly at the share", []float64{95, 100, 100, 100}, "≤ 2", []float64{2, 4, 8}, []float64{0, inf, inf, inf}, []float64{0, inf, inf, inf}},
		{"at the share of an odd peak", []float64{0.95 * 7.3, 7.3, 7.3, 7.3}, "≤ 2", []float64{2, 4, 8}, []float64{0, inf, inf, inf}, []float64{0, inf, inf, inf}},
	} {
		r, err := Knee(levels, repeat(3, c.run...))
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != c.want || !slices.Equal(r.Peak, c.peak) {
			t.Errorf("%s: %v, peak %v; want %s, peak %v", c.name, r, r.Peak, c.want, c.peak)
		}
		for j, test := range r.Tests {
			if test.Below != c.below[j] || test.Reaches != c.reaches[j] {
				t.Errorf("%s: level %v: %v and %v, want %v and %v", c.name, test.Level, test.Below, test.Reaches, c.below[j], c.reaches[j])
			}
		}
		if got := warned(r.Warnings); !slices.Equal(got, []string{ResolutionLimited}) {
			t.Errorf("%s: warnings %v", c.name, got)
		}
		roundTrip(t, r)
	}
}

// Runs that differ only by their own speed have the same differences but for rounding; the answer must not hang on that.
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
	if err != nil || r.String() != "≤ 2" || r.Tests[0].Below != 0 || !slices.Equal(r.Peak, []float64{2, 4}) || r.Warnings != nil {
		t.Errorf("%v, peak %v, tests %v, warnings %v, %v", r, r.Peak, r.Tests, r.Warnings, err)
	}
}

// In the first two runs the second and third level have the same mean of logarithms, because 105 · 120 = 100 · 126, but not
// in the last bit. The lower level must be the peak that they choose for the third run.
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

// The ends on made-up statistics, each beyond 3 or within. The contradiction takes runs that disagree wildly about the peak.
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
		{"noise", []float64{1, 2}, [][]float64{{100, 140}, {150, 90}, {70, 120}}, "no lower end: at the lowest level, 1", []float64{1, 2}},
	} {
		r, err := Knee(c.levels, c.runs)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if r.Kind != KneeNotResolved || r.String() != "not resolved" || !math.IsNaN(r.Low) || !math.IsNaN(r.High) ||
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

// holds reports whether the answer is consistent with a knee at truth.
func holds(r KneeResult, truth float64) bool {
	switch r.Kind {
	case KneeBracketed:
		return r.Low < truth && truth <= r.High
	case KneeAbove:
		return r.Low < truth
	case KneeAtMost:
		return truth <= r.High
	default:
		return true
	}
}

// The claims of Knee's comment on known truths. 4,000 draws a cell: the standard error is 0.2 % at the limits of 98.6 and
// 1.6 %, and three of them are allowed. Half of the variance in every second cell is the run's own.
func TestKneeSimulation(t *testing.T) {
	levels := []float64{10, 50, 100, 200, 400, 800}
	capped := []float64{100, 500, 1000, 2000, 2000, 2000} // the knee is at 200
	flat := []float64{2000, 2000, 2000, 2000, 2000, 2000} // and here at 10
	const draws, slack = 4000, 0.006
	for _, c := range []struct {
		name     string
		means    []float64
		truth    float64
		cov      float64
		n        int
		shared   float64 // share of the variance that is the run's own
		resolved float64 // at least this share of the answers is bracketed, or the rule buys coverage with silence
	}{
		{"cap, 1 %, n = 3", capped, 200, 0.01, 3, 0, 0.93},
		{"cap, 4 %, n = 5", capped, 200, 0.04, 5, 0.5, 0.67},
		{"cap, 12 %, n = 5", capped, 200, 0.12, 5, 0, 0.18},
		{"flat, 1 %, n = 5", flat, 10, 0.01, 5, 0, 0},
		{"flat, 4 %, n = 3", flat, 10, 0.04, 3, 0.5, 0},
		{"flat, 12 %, n = 5", flat, 10, 0.12, 5, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(c.n)))
			runs := repeat(c.n, c.means...)
			var covered, bracketed, raised int
			for range draws {
				for _, run := range runs {
					own := c.cov * math.Sqrt(c.shared) * rng.NormFloat64()
					for j, mean := range c.means {
						run[j] = mean * math.Exp(own+c.cov*math.Sqrt(1-c.shared)*rng.NormFloat64())
					}
				}
				r, err := Knee(levels, runs)
				if err != nil {
					t.Fatal(err)
				}
				if holds(r, c.truth) {
					covered++
				}
				if r.Kind == KneeBracketed {
					bracketed++
				}
				if r.Kind == KneeBracketed || r.Kind == KneeAbove {
					raised++
				}
			}
			coverage := float64(covered) / draws
			resolved := float64(bracketed) / draws
			t.Logf("coverage %.4f, bracketed %.4f", coverage, resolved)
			if c.truth == levels[0] {
				if rate := float64(raised) / draws; rate > 0.016+slack {
					t.Errorf("a knee above the lowest level in %.4f of flat experiments", rate)
				}
				return
			}
			if coverage < 0.986-slack {
				t.Errorf("coverage %.4f", coverage)
			}
			if resolved < c.resolved-0.02 {
				t.Errorf("bracketed in only %.4f, want %.2f", resolved, c.resolved)
			}
		})
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
			if math.IsNaN(test.Below) || math.IsNaN(test.Reaches) {
				t.Errorf("%+v", r)
			}
		}
		low, high := math.IsNaN(r.Low), math.IsNaN(r.High)
		if low != (r.Kind == KneeAtMost || r.Kind == KneeNotResolved) || high != (r.Kind == KneeAbove || r.Kind == KneeNotResolved) || r.Low >= r.High {
			t.Errorf("%+v", r)
		}
		roundTrip(t, r)
	})
}
