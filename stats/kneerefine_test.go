package stats

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestRefineKnee(t *testing.T) {
	levels := []float64{10, 100, 400, 800}
	sweep := [][]float64{{100, 1000, 2000, 1990}, {101, 990, 2020, 2000}, {99, 1010, 1980, 2005}}
	at := func(x, share float64, n int) KneeStage { // x gives that share of what 400 gives, in runs of unlike speed
		s := KneeStage{Levels: []float64{x, 400}}
		for i := range n {
			speed := 1 + float64(i)/10
			s.Runs = append(s.Runs, []float64{2000 * speed * share * (1 + 0.001*float64(i%3-1)), 2000 * speed})
		}
		return s
	}
	for _, c := range []struct {
		name   string
		stages []KneeStage
		want   string
		next   []float64
		reason string
	}{
		{"begins in the middle", nil, "(100, 400]", []float64{200, 400},
			"200 is the geometric middle; 400 is the peak"},
		{"up", []KneeStage{at(200, 0.9, 3)}, "(200, 400]", []float64{283, 400}, "283 is"},
		{"down", []KneeStage{at(200, 1, 3)}, "(100, 200]", []float64{141, 400}, "141 is"},
		{"down, then up", []KneeStage{at(200, 1, 3), at(141, 0.7, 5)}, "(141, 200]", []float64{168, 400}, "168 is"},
		{"a level that was not asked for", []KneeStage{at(399, 0.9, 3)}, "(399, 400]", nil,
			"over: no level is left between 399 and 400"},
		{"undecided", []KneeStage{at(200, 0.95, 4)}, "(100, 400]", nil,
			"over: 200 is too near to 95 % of the peak for 4 runs to tell"},
	} {
		f, err := RefineKnee(levels, sweep, c.stages...)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if f.String() != c.want || !slices.Equal(f.Next, c.next) || !strings.HasPrefix(f.Reason,
			c.reason) || f.Peak != 400 ||
			len(f.Steps) != len(c.stages) || f.Sweep.String() != "(100, 400]" {
			t.Errorf("%s: %v, next %v, %q; %+v", c.name, f, f.Next, f.Reason, f)
		}
		roundTrip(t, f)
	}

	// By hand: at 90, 91 and 89 % of the peak, d = ln 0.9/0.95 and so on, mean −0.0541085, SD 0.0111127, T = −8.43345.
	f, err := RefineKnee(levels, sweep, KneeStage{Levels: []float64{200, 400}, Runs: [][]float64{{90, 100}, {182, 200},
		{267, 300}}})
	if err != nil {
		t.Fatal(err)
	}
	step := f.Steps[0]
	if step.Level != 200 || step.N != 3 || step.DF != 2 || step.Low != 200 || step.High != 400 || !near(step.T,
		-8.43345, 1e-4) {
		t.Errorf("%+v", step)
	}
}

// The statistic on both sides of its limits on 2 degrees of freedom, 2.920 upwards and 4.849 downwards.
func TestRefineKneeLimits(t *testing.T) {
	levels := []float64{10, 100, 400, 800}
	sweep := [][]float64{{100, 1000, 2000, 1990}, {101, 990, 2020, 2000}, {99, 1010, 1980, 2005}}
	for _, c := range []struct {
		stat float64
		want string
	}{{2.93, "(100, 200]"}, {2.91, "(100, 400]"}, {-4.84, "(100, 400]"}, {-4.86, "(200, 400]"}} {
		s := KneeStage{Levels: []float64{200, 400}}
		mean := math.Copysign(0.02, c.stat)
		for _, i := range []float64{-1, 0, 1} {
			speed := 10 + i
			s.Runs = append(s.Runs, []float64{0.95 * math.Exp(mean+i*mean*math.Sqrt(3)/c.stat) * speed, speed})
		}
		f, err := RefineKnee(levels, sweep, s)
		if err != nil || f.String() != c.want || !near(f.Steps[0].T, c.stat, 1e-9) {
			t.Errorf("T %v: %v, %+v, %v; want %s", c.stat, f, f.Steps, err, c.want)
		}
	}
}

// Nothing is measured above the peak or at it: beyond it throughput may fall, and says nothing of the knee.
func TestRefineKneeStaysBelowThePeak(t *testing.T) {
	f := KneeRefinement{Low: 100, High: 400, Peak: 200}
	if f.plan(true); !slices.Equal(f.Next, []float64{141, 200}) {
		t.Errorf("next %v", f.Next)
	}
	f = KneeRefinement{Low: 100, High: 400, Peak: 101}
	if f.plan(true); f.Next != nil || f.Reason != "over: no level is left between 100 and 101, the peak of the sweep" {
		t.Errorf("next %v, %q", f.Next, f.Reason)
	}
	f = KneeRefinement{Low: 100, High: 400, Peak: 50} // runs that disagree
	if f.plan(true); f.Next != nil {
		t.Errorf("next %v, %q", f.Next, f.Reason)
	}

	// The issue's: throughput falls from 150 on, and the sweep brackets the knee in (100, 400].
	levels := []float64{100, 150, 400, 800}
	sweep := [][]float64{{50, 80, 80, 78}, {50.2, 100, 80.3, 78}, {49.9, 125, 79.8, 78.1}}
	r, err := RefineKnee(levels, sweep)
	if err != nil || r.Sweep.bracket() != "(100, 400]" || r.Peak != 150 || !slices.Equal(r.Next, []float64{122, 150}) {
		t.Errorf("%v, %v, %v: %s", r, r.Next, err, r.Reason)
	}
	if !slices.Equal(r.Sweep.Next, []float64{122}) {
		t.Errorf("the sweep's next is %v", r.Sweep.Next)
	}
	_, err = RefineKnee(levels, sweep, KneeStage{[]float64{150, 200}, [][]float64{{100, 90}, {101, 90.5}, {99, 89.4}}})
	wantError(t, "beyond the peak", err, ErrOutOfRange, "stages[0].Levels[1] = 200")
	r, err = RefineKnee(levels, sweep, KneeStage{r.Next, [][]float64{{70, 100}, {71, 101}, {70, 99}}})
	if err != nil || r.Low != 122 || r.High != 400 {
		t.Errorf("%v, %v", r, err)
	}
}

// Every run giving the same difference decides nothing.
func TestRefineKneeWithoutSpread(t *testing.T) {
	levels := []float64{10, 100, 400, 800}
	sweep := [][]float64{{100, 1000, 2000, 1990}, {101, 990, 2020, 2000}, {99, 1010, 1980, 2005}}
	f, err := RefineKnee(levels, sweep, KneeStage{[]float64{200, 400}, repeat(3, 1.8, 2)})
	if err != nil || f.String() != "(100, 400]" || f.Next != nil || !strings.Contains(f.Reason,
		"decides nothing (resolution-limited)") {
		t.Errorf("%v, %v: %s", f, err, f.Reason)
	}
}

func TestRefineKneeWithoutABracket(t *testing.T) {
	f, err := RefineKnee(kneeLevels, kneeRuns[:3])
	if err != nil || f.Next != nil || f.String() != "not resolved" || !math.IsNaN(f.Low) || !math.IsNaN(f.Peak) ||
		f.Reason != "there is no bracket to narrow: the sweep gave > 100, saturation not shown" {
		t.Errorf("%+v, %v", f, err)
	}
	roundTrip(t, f)
	if got := (KneeRefinement{}).String(); got != "not resolved" {
		t.Errorf("the zero refinement is %q", got)
	}
}

func TestRefineKneeErrors(t *testing.T) {
	levels := []float64{10, 100, 400, 800}
	sweep := [][]float64{{100, 1000, 2000, 1990}, {101, 990, 2020, 2000}, {99, 1010, 1980, 2005}}
	good := KneeStage{[]float64{200, 400}, [][]float64{{1.8, 2}, {1.81, 2.02}, {1.79, 2.01}}}
	undecided := KneeStage{[]float64{200, 400}, [][]float64{{1.9, 2}, {1.91, 2}, {1.89, 2}}}
	for _, c := range []struct {
		name   string
		stages []KneeStage
		kind   error
		text   string
	}{
		{"no peak", []KneeStage{{[]float64{200, 800}, repeat(3, 1, 2)}}, ErrNotMeasured,
			"stages[0].Levels = 400: level not measured"},
		{"the peak alone", []KneeStage{{[]float64{400}, repeat(3, 2)}}, ErrLengthMismatch,
			"stages[0].Levels has length 1"},
		{"two levels beside it", []KneeStage{{[]float64{200, 300, 400}, repeat(3, 1, 1, 2)}}, ErrLengthMismatch,
			"stages[0].Levels has length 3"},
		{"outside the ends", []KneeStage{good, {[]float64{150, 400}, repeat(3, 1, 2)}}, ErrOutOfRange,
			"stages[1].Levels[0] = 150"},
		{"at an end", []KneeStage{{[]float64{100, 400}, repeat(3, 1, 2)}}, ErrOutOfRange, "stages[0].Levels[0] = 100"},
		{"two runs", []KneeStage{{[]float64{200, 400}, repeat(2, 1, 2)}}, ErrTooFew, "stages[0].Runs has length 2"},
		{"incomplete", []KneeStage{{[]float64{200, 400}, [][]float64{{1, 2}, {1}}}}, ErrLengthMismatch,
			"stages[0].Runs[1] has length 1"},
		{"NaN", []KneeStage{{[]float64{200, 400}, [][]float64{{1, math.NaN()}}}}, ErrNotFinite,
			"stages[0].Runs[0][1] = NaN"},
		{"after the end", []KneeStage{undecided, good}, ErrOutOfRange,
			"leave out those from stages[1] on: over: 200 is too near"},
	} {
		_, err := RefineKnee(levels, sweep, c.stages...)
		wantError(t, c.name, err, c.kind, c.text)
	}
	_, err := RefineKnee(kneeLevels, kneeRuns[:3], good)
	wantError(t, "no bracket", err, ErrOutOfRange, "the sweep gave > 100")
	_, err = RefineKnee([]float64{2, 1}, nil)
	wantError(t, "sweep", err, ErrNotSorted, "levels[1] = 1")
}

func FuzzRefineKnee(f *testing.F) {
	f.Add(200.0, seed(1.8, 2, 1.81, 2, 1.79, 2), seed(1, 2, 1, 2, 1, 2.1))
	f.Add(399.0, seed(1.8, 2, 1.81, 2, 1.79, 2), seed())
	f.Add(math.NaN(), seed(math.MaxFloat64, math.SmallestNonzeroFloat64, 1, 1, 1, 1), seed(math.Inf(1)))
	f.Fuzz(func(t *testing.T, x float64, first, second []byte) {
		sweep := [][]float64{{100, 1000, 2000, 1990}, {101, 990, 2020, 2000}, {99, 1010, 1980, 2005}}
		stages := []KneeStage{
			{[]float64{x, 400}, slices.Collect(slices.Chunk(samples(first), 2))},
			{[]float64{283, 400}, slices.Collect(slices.Chunk(samples(second), 2))},
		}
		for n := range len(stages) + 1 {
			r, err := RefineKnee([]float64{10, 100, 400, 800}, sweep, stages[:n]...)
			if err != nil {
				return
			}
			if !(100 <= r.Low && r.Low < r.High && r.High <= 400) || len(r.Steps) != n || r.Reason == "" {
				t.Errorf("%+v", r)
			}
			roundTrip(t, r)
		}
	})
}
