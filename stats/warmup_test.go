package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// windowsOf draws windows whose throughput and TTFT are off their final values by the shares that off gives for each.
func windowsOf(rng *rand.Rand, n int, cov, correlation float64, off func(i int) (throughput,
	ttft float64)) []WarmupWindow {
	var windows []WarmupWindow
	var x, y float64
	for i := range n {
		if fresh := math.Sqrt(1 - correlation*correlation); i == 0 {
			x, y = rng.NormFloat64(), rng.NormFloat64()
		} else {
			x, y = correlation*x+fresh*rng.NormFloat64(), correlation*y+fresh*rng.NormFloat64()
		}
		a, b := off(i)
		windows = append(windows, WarmupWindow{1000 * (1 + a) * math.Exp(cov*x), 0.2 * (1 + b) * math.Exp(3*cov*y)})
	}
	return windows
}

func TestWarmup(t *testing.T) {
	steady := func(int) (float64, float64) { return 0, 0 }
	cold := func(i int) (float64, float64) { return -0.5 * math.Exp(-float64(i)/4), 2 * math.Exp(-float64(i)/4) }
	for _, c := range []struct {
		name      string
		off       func(int) (float64, float64)
		from, til int
	}{{"warm", steady, 16, 60}, {"cold", cold, 20, 120}} {
		var w Warmup
		rng := rand.New(rand.NewPCG(16, 1))
		for _, o := range windowsOf(rng, 200, 0.02, 0, c.off) {
			before := w.SteadyAfter
			state, err := w.Add(o)
			if err != nil || state.Steady != (w.SteadyAfter > 0) || before > 0 && !state.Steady || state.Reason == "" {
				t.Fatalf("%s: %+v, %v", c.name, state, err)
			}
			if n := len(w.Windows); n == 1 || n == 200 {
				roundTrip(t, state)
			}
		}
		if w.SteadyAfter < c.from || w.SteadyAfter > c.til || len(w.Windows) != 200 {
			t.Errorf("%s: steady after %d of %d", c.name, w.SteadyAfter, len(w.Windows))
		}
		// The same windows give the same answers, from the start and from a warmup that was written down on the way.
		var again Warmup
		for i, o := range w.Windows {
			if i == 10 {
				b, err := json.Marshal(again)
				if err != nil {
					t.Fatal(err)
				}
				again = Warmup{}
				if err := json.Unmarshal(b, &again); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := again.Add(o); err != nil {
				t.Fatal(err)
			}
		}
		if again.SteadyAfter != w.SteadyAfter || !slices.Equal(again.Windows, w.Windows) {
			t.Errorf("%s: replayed: %d, not %d", c.name, again.SteadyAfter, w.SteadyAfter)
		}
	}
}

func TestWarmupEdges(t *testing.T) {
	var same Warmup
	for range 100 { // alike to the last digit: a clock, and no server
		if state, err := same.Add(WarmupWindow{1000, 0.2}); err != nil || state.Steady {
			t.Fatalf("%+v, %v", state, err)
		}
	}
	var idle Warmup
	rng := rand.New(rand.NewPCG(16, 2))
	for i, o := range windowsOf(rng, 120, 0.01, 0, func(int) (float64, float64) { return 0, 0 }) {
		if i == 10 {
			o = WarmupWindow{}
		}
		state, err := idle.Add(o)
		if err != nil || i < 26 && state.Steady || i == 20 && !strings.Contains(state.Reason,
			"nothing was finished in window 11") {
			t.Fatalf("%d: %+v, %v", i, state, err)
		}
	}
	if idle.SteadyAfter == 0 {
		t.Error("a window in which nothing was finished is never out of sight")
	}
	for _, c := range []struct {
		w    Warmup
		o    WarmupWindow
		kind error
		text string
	}{
		{Warmup{}, WarmupWindow{math.NaN(), 1}, ErrNotFinite, "o.Throughput = NaN"},
		{Warmup{}, WarmupWindow{1, math.Inf(1)}, ErrNotFinite, "o.TTFT = +Inf"},
		{Warmup{}, WarmupWindow{-1, 1}, ErrOutOfRange, "o.Throughput = -1"},
		{Warmup{ThroughputTolerance: 1}, WarmupWindow{1, 1}, ErrOutOfRange, "w.ThroughputTolerance = 1"},
		{Warmup{TTFTTolerance: -0.1}, WarmupWindow{1, 1}, ErrOutOfRange, "w.TTFTTolerance = -0.1"},
	} {
		_, err := c.w.Add(c.o)
		wantError(t, c.text, err, c.kind, c.text)
		if len(c.w.Windows) != 0 {
			t.Errorf("%s: the window was kept", c.text)
		}
	}
}

// How often it says steady while throughput is still 5 % or TTFT 10 % off its final value, and how long it takes after
// they are within that.
func TestWarmupSimulation(t *testing.T) {
	type course struct {
		name string
		off  func(i int) (float64, float64)
	}
	courses := []course{{"warm from the start", func(int) (float64, float64) { return 0, 0 }}}
	for _, depth := range []float64{0.1, 0.3, 0.6} {
		for _, tau := range []float64{1, 2, 4, 8, 16} {
			courses = append(courses, course{fmt.Sprintf("exponential, %g at first, time constant %g", depth, tau),
				func(i int) (float64, float64) {
					left := depth * math.Exp(-float64(i)/tau)
					return -left, 3 * left
				}})
		}
		for _, at := range []int{1, 2, 4, 8} {
			courses = append(courses, course{fmt.Sprintf("step of %g after %d", depth, at), func(i int) (float64,
				float64) {
				if i < at {
					return -depth, 3 * depth
				}
				return 0, 0
			}})
		}
		for _, over := range []float64{5, 10, 20} {
			courses = append(courses, course{fmt.Sprintf("ramp of %g over %g", depth, over), func(i int) (float64,
				float64) {
				left := depth * max(0, 1-float64(i)/over)
				return -left, 3 * left
			}})
		}
	}
	// What it is known not to see: the figures are logged, and no bar holds them.
	barred := len(courses)
	courses = append(courses,
		course{"exponential, 0.1 at first, time constant 32", func(i int) (float64, float64) {
			left := 0.1 * math.Exp(-float64(i)/32)
			return -left, 3 * left
		}},
		course{"step of 0.3 after 20", func(i int) (float64, float64) {
			if i < 20 {
				return -0.3, 0.9
			}
			return 0, 0
		}})
	const longest = 300
	size := draws(3, 200)
	for _, cov := range []float64{0.01, 0.03, 0.05} {
		for _, correlation := range []float64{0, 0.3} {
			var extra []int
			var never, all int
			worst, at := 0.0, ""
			for k, c := range courses {
				within := 0 // the first window from which on both are near their final values
				for i := range longest {
					if x, y := c.off(i); math.Abs(x) > warmupThroughputShare || math.Abs(y) > warmupTTFTShare {
						within = i + 1
					}
				}
				rng := rand.New(rand.NewPCG(17, uint64(k)))
				early := 0
				for range size {
					var w Warmup
					for _, o := range windowsOf(rng, longest, cov, correlation, c.off) {
						state, err := w.Add(o)
						if err != nil {
							t.Fatal(err)
						}
						if state.Steady {
							break
						}
					}
					if w.SteadyAfter > 0 && w.SteadyAfter < within {
						early++
					}
					switch {
					case k >= barred:
						continue
					case w.SteadyAfter == 0:
						never++
					default:
						extra = append(extra, w.SteadyAfter-within)
					}
					all++
				}
				if k >= barred {
					t.Logf("simulation: warmup, CoV %g %%, correlation %g, not seen: %s: too early %.3f", 100*cov,
						correlation,
						c.name, float64(early)/float64(size))
					continue
				}
				if share := float64(early) / float64(size); share > worst {
					worst, at = share, c.name
				}
				if *long || early > 2 {
					falseAtMost(t, fmt.Sprintf("warmup: steady too early, CoV %g %%, correlation %g, %s", 100*cov,
						correlation, c.name),
						early, size, 0.05)
				}
			}
			slices.Sort(extra)
			t.Logf("simulation: warmup, CoV %g %%, correlation %g: too early at worst %.3f (%s), extra windows "+
				"median %d, 90 %% %d, "+
				"not within %d windows %.4f", 100*cov, correlation, worst, at, extra[len(extra)/2],
				extra[len(extra)*9/10], longest,
				float64(never)/float64(all))
			if extra[len(extra)/2] > 80 {
				t.Errorf("CoV %v: takes %d windows", cov, extra[len(extra)/2])
			}
		}
	}
}
