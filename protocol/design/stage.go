package design

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A stage is a plan within a design of several: its runs follow those of the stages before.
type stage struct {
	number int // from 1
	before int // runs of the stages before it
	plan   protocol.Plan

	change func(*protocol.Step) // of a pilot: makes a step what it is there; nil: nothing
}

// stageOf makes a stage of a design's plan: with levels of its own, prompts that no other stage has, and no budget for
// all, which is the design's.
func stageOf(plan protocol.Plan, number, before int, levels []float64) stage {
	plan.LevelBudget = levelBudget(plan)
	plan.Budget = 0
	plan.Prime = plan.Prime && number == 1
	if len(plan.Rates) > 0 {
		plan.Rates = levels
	} else {
		plan.Levels = whole(levels)
	}
	plan.Seed = rand.NewPCG(plan.Seed, 1<<62+uint64(number)).Uint64() >> 11
	return stage{number: number, before: before, plan: plan}
}

// levelShare is how much of a budget its levels get where no more than one sweep is made. The rest is for what cannot be
// known beforehand: starts of the server, warmups and further stages.
const levelShare = 0.5

func levelBudget(plan protocol.Plan) time.Duration {
	if plan.LevelBudget > 0 || plan.Budget == 0 {
		return plan.LevelBudget
	}
	each := levelShare * float64(plan.Budget) / float64(max(plan.Runs, 1)*max(len(plan.Levels), usualLevels))
	return max(time.Duration(each), time.Second)
}

func whole(levels []float64) (out []int) {
	for _, l := range levels {
		out = append(out, int(math.Round(l)))
	}
	return out
}

// levelsOf are the levels of a plan, or its rates.
func levelsOf(plan protocol.Plan) []float64 {
	if len(plan.Rates) > 0 {
		return plan.Rates
	}
	var out []float64
	for _, l := range plan.Levels {
		out = append(out, float64(l))
	}
	return out
}

// replays reports whether a plan's load is a trace, which cannot be another than it is.
func replays(plan protocol.Plan) bool { return plan.Arrivals.Process == loadgen.TraceArrivals }

// unsearchable is the error of a design that chooses loads, for a plan whose load is a trace.
func unsearchable(plan protocol.Plan) error {
	return invalid("arrivals", plan.Arrivals, "levels or rates, which a search chooses: a trace has its own times")
}

// usualLevels is how many levels a sweep has, about, that finds its own.
const usualLevels = 8

// own are the measurements of the stage, with runs counted from 1.
func (s stage) own(done []protocol.Measurement) []protocol.Measurement {
	own := s.measured(done)
	for i := range own {
		own[i].Step.Run -= s.before
	}
	return own
}

// next is the stage's next step, or [io.EOF].
func (s stage) next(done []protocol.Measurement) (protocol.Step, error) {
	step, err := s.plan.Next(s.own(done))
	if err != nil {
		return step, err
	}
	if step.Restart && s.before > 0 {
		step.Cooldown = s.plan.Cooldown
	}
	step.Run += s.before
	step.Stage = s.number
	if s.change != nil {
		s.change(&step)
	}
	return step, nil
}

// over reports whether nothing is left of the stage.
func (s stage) over(done []protocol.Measurement) bool {
	_, err := s.next(done)
	return errors.Is(err, io.EOF)
}

// measured are the measurements of the stage, as they stand.
func (s stage) measured(done []protocol.Measurement) []protocol.Measurement {
	return slices.DeleteFunc(slices.Clone(done), func(m protocol.Measurement) bool { return m.Step.Stage != s.number })
}

// analysis is that of the stage alone.
func (s stage) analysis(done []protocol.Measurement) *protocol.Analysis {
	return protocol.Analyze(&protocol.Experiment{Measurements: s.measured(done), Complete: true})
}

// spent is how long all has taken, and the longest of the runs.
func spent(done []protocol.Measurement) (all, longest time.Duration) {
	runs := map[int]time.Duration{}
	for _, m := range done {
		all += m.Took
		runs[m.Step.Run] += m.Took
		longest = max(longest, runs[m.Step.Run])
	}
	return all, longest
}

// overBudget says that another run would go beyond a budget, if it took as long as the longest so far; "": it would not.
// A run that has begun is ended.
func overBudget(budget time.Duration, next protocol.Step, done []protocol.Measurement) string {
	if budget == 0 || len(done) == 0 || next.Run <= 1 || done[len(done)-1].Step.Run >= next.Run {
		return ""
	}
	all, longest := spent(done)
	if all+longest <= budget {
		return ""
	}
	return number.Sprintf("after %v another run, of up to %v, would have gone beyond the budget of %v",
		all.Round(time.Second), longest.Round(time.Second), budget)
}

// figure is a measurement's, NaN-free; ok is false where there is none.
func figure(m protocol.Measurement, name string) (value float64, ok bool) {
	f, ok := m.Result.Figure(name)
	return f.Value, ok
}

func invalid(field string, value any, want string) error {
	return &loadgen.InvalidError{Field: field, Value: value, Want: want}
}
