package loadgen

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// graded is a target whose request i has its first content after (i + 1) × 100 ms and then two more tokens, 40 ms apart
// for even i and 60 for odd i. Request 2 fails at its end.
func graded(ctx context.Context, i int, r *Record) error {
	time.Sleep(time.Duration(i+1) * 100 * time.Millisecond)
	r.Chunk(Chunk{})
	for range 2 {
		time.Sleep(time.Duration(40+20*(i%2)) * time.Millisecond)
		r.Chunk(Chunk{})
	}
	r.Counted, r.Output = true, 3
	if i == 2 {
		return errors.New("lost")
	}
	return nil
}

// Of 10 requests, 0, 1, 3 and 4 meet the limit of TTFT, 0, 4, 6 and 8 that of TPOT, and 0 and 4 both. Request 2 would
// have met both, had it not failed.
func TestGoodputByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		objectives := []Objective{{TTFT, 500}, {TPOT, 50}}
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 10, Objectives: objectives}, TargetFunc(graded))
		for name, want := range map[string]float64{
			GoodputThroughput:    2 / 6.5, // the sum of 100 … 1,000 ms, and 10 × 100 ms
			Attainment:           20,
			AttainmentName(TTFT): 40,
			AttainmentName(TPOT): 40,
		} {
			near(t, name, figure(t, r, name), want)
			if f, _ := r.Figure(name); f.N != 10 || f.Better != HigherIsBetter {
				t.Errorf("%+v", f)
			}
		}
		if r.Goodput == nil || r.Goodput.Met != 2 {
			t.Errorf("goodput %+v", r.Goodput)
		}
		// Where nothing meets the objectives, the goodput is 0, which it is known to be.
		r = mustMeasure(t, Level{Concurrency: 1, Requests: 2, Objectives: []Objective{{E2E, 1}}}, TargetFunc(graded))
		near(t, "goodput of nothing", figure(t, r, GoodputThroughput), 0)
		// Without objectives there is none.
		r = mustMeasure(t, Level{Concurrency: 1, Requests: 2}, TargetFunc(graded))
		if _, ok := r.Figure(Attainment); ok || r.Goodput != nil {
			t.Errorf("goodput %+v of no objectives", r.Goodput)
		}
	})
}

// Where arrivals are held back, each by 1 s more than the one before, E2E sees nothing of it and response does.
func TestGoodputFromSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := Level{Arrivals: constant(1), Concurrency: 1, Requests: 10,
			Objectives: []Objective{{E2E, 2500}, {Response, 5500}}}
		r := mustMeasure(t, level, always(2*time.Second))
		near(t, "attainment by E2E", figure(t, r, AttainmentName(E2E)), 100)
		near(t, "attainment by response", figure(t, r, AttainmentName(Response)), 40) // 2, 3, 4 and 5 s
	})
	level := Level{Concurrency: 1, Requests: 1, Objectives: []Objective{{Response, 1}}}
	if err := (&Generator{}).Validate(level); err == nil {
		t.Error("a closed loop has no response")
	}
}

// A metric of which more is better has a floor; a user's own metrics have objectives too; a request without the metric
// does not meet it, but for the TPOT of one token.
func TestObjectiveKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := Metric{Name: "shade", Unit: "%", Better: LowerIsBetter,
			Of: func(r *Record) (float64, bool) { return float64(r.Index), r.Index < 3 }}
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			time.Sleep(time.Second)
			if i < 4 { // 4 and 5 come whole
				r.Chunk(Chunk{})
			}
			time.Sleep(time.Duration(i) * 10 * time.Millisecond)
			r.Done = r.Now()
			r.Output, r.Counted = 2, i != 1 // 1 is not counted
			if i == 3 {
				r.Output = 1
			}
			return nil
		})
		g := &Generator{Target: target, Metrics: []Metric{own}}
		for _, c := range []struct {
			objective Objective
			met       int
		}{
			{Objective{"shade", 2}, 3},
			{Objective{"shade", 1.5}, 2},
			{Objective{Interactivity, 50}, 3},   // 0 (all tokens at once), 2 (50 tok/s), 3 (one token)
			{Objective{Interactivity, 50.1}, 2}, // 0, 3
			{Objective{TPOT, 20}, 3},            // the same
			{Objective{TPOT, 19.9}, 2},
			{Objective{TTFT, 1000}, 4},
			{Objective{E2E, 1030}, 4},
		} {
			r, err := g.Measure(t.Context(), Level{Concurrency: 1, Requests: 6, Objectives: []Objective{c.objective}})
			if err != nil || r.Goodput.Met != c.met || r.Goodput.Objectives[0] != c.met {
				t.Errorf("%v: %v, %+v, want %d", c.objective, err, r.Goodput, c.met)
				continue
			}
			// Not knowing how many tokens a request had spoils what depends on it.
			for _, w := range r.Warnings {
				if w.Code == WarnTokensUnknown && w.SpoilsFigure(Attainment) != (c.objective.Metric == TPOT ||
					c.objective.Metric == Interactivity) {
					t.Errorf("%v: %v spoils %v", c.objective, w.Code, w.Spoils)
				}
			}
		}
	})
}

func TestObjectivesRefused(t *testing.T) {
	level := func(o ...Objective) Level { return Level{Concurrency: 1, Requests: 1, Objectives: o} }
	for name, c := range map[string]struct {
		level Level
		say   string
	}{
		"no name":        {level(Objective{"", 1}), "the name of a metric"},
		"no limit":       {level(Objective{TTFT, 0}), "ttft:0: want a limit above 0"},
		"below":          {level(Objective{TTFT, -5}), "above 0"},
		"no number":      {level(Objective{TTFT, math.NaN()}), "above 0"},
		"infinite":       {level(Objective{TTFT, math.Inf(1)}), "above 0"},
		"twice":          {level(Objective{TTFT, 1}, Objective{TTFT, 2}), "each metric once"},
		"unknown":        {level(Objective{"ttfb", 1}), "ttfb:1: want a metric that each request has: ttft,"},
		"pooled":         {level(Objective{ITL, 1}), "that each request has"},
		"neither better": {level(Objective{"hue", 1}), "that each request has"},
	} {
		g := &Generator{Target: always(0), Metrics: []Metric{{Name: "hue",
			Of: func(*Record) (float64, bool) { return 0, true }}}}
		_, err := g.Measure(t.Context(), c.level)
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "objective" || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, want %q", name, err, c.say)
		}
		if again := g.Validate(c.level); again == nil || again.Error() != err.Error() {
			t.Errorf("%s: Validate says %v, Measure %v", name, again, err)
		}
	}
}
