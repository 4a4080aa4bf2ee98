package stats

import (
	"fmt"
	"math"
)

// RepetitionPlan is what to measure after a pilot, by [Components.Plan]. All slices are in the order of
// Components.Levels, the outermost level first.
type RepetitionPlan struct {
	// Optimal is the formula's number of repetitions at each level, before rounding up. It is NaN at the outermost
	// level, whose number follows from the precision and not from costs, and at a level whose component is dropped. It
	// is +Inf at the level that takes over as the outermost, where the component of the outermost is dropped.
	Optimal []float64
	// Best is the design with the optimal repetitions, and as many outermost units as are predicted to be enough.
	Best Design
	// AsPilot is the design with the pilot's own repetitions, and Stein's number of outermost units.
	AsPilot Design
	// HalfWidth is what both aim at, in the unit of the samples.
	HalfWidth float64
}

// Design is a number of repetitions at each level, and what it costs.
type Design struct {
	Repetitions []int   `json:"repetitions"` // within one unit of the level above, the outermost level first
	Cost        float64 `json:"cost"`        // of all of it, in the unit of the costs
}

// Plan answers how often to repeat at each level, given what a repetition there costs, for the mean to be known to ±
// halfWidth (in the unit of the samples) at the confidence of c.Mean. costs is in any one unit, the outermost level
// first, and without what is inside: with 100, 20 and 3 a restart costs 100 s, a run in it another 20 s, and each
// request 3 s.
//
// The optimum is that of Kalibera & Jones (2013), rᵢ = ⌈√((cᵢ₊₁/cᵢ)(Tᵢ²/Tᵢ₊₁²))⌉ with level 1 the innermost: repeat
// where variation arises, in proportion to how cheap it is. A level whose component is dropped is measured once, and
// what it costs is added to the level above. If that happens to the outermost the formula sets no limit to the level
// which takes its place, and the plan keeps the pilot's number there, as few restarts that look alike do not show that
// all are. Where the formula wants less than one repetition of a level, the ones inside it are more than the cheapest
// design would have, as they are optimal for a level that was repeated less than once.
//
// Two designs come of it. AsPilot has the pilot's repetitions and the number of outermost units that [SteinRuns] gives
// for their means, the pilot's included: continue the pilot to that number, and [SteinInterval] over the means keeps
// what it promises. Best is usually cheaper, but its number of outermost units is a prediction from estimated
// components and promises nothing: begin it with a pilot of its own.
//
// Costs and halfWidth must be positive and finite, else ErrOutOfRange with the index; as many costs as levels, else
// ErrLengthMismatch. More than 2,147,483,647 repetitions of something is ErrOutOfRange, too. Components of no levels
// are ErrEmpty.
func (c Components) Plan(costs []float64, halfWidth float64) (RepetitionPlan, error) {
	if err := c.checkPlan(costs, halfWidth); err != nil {
		return RepetitionPlan{}, err
	}
	p := RepetitionPlan{HalfWidth: halfWidth}
	best, err := c.optimum(&p, costs)
	if err != nil {
		return RepetitionPlan{}, err
	}
	var variance float64 // of the mean of one outermost unit
	units := 1.0
	for d, level := range c.Levels {
		if d > 0 {
			units *= float64(best[d])
		}
		variance += float64(level.T2 / units)
	}
	if best[0], err = c.outermost(variance, halfWidth); err != nil {
		return RepetitionPlan{}, err
	}
	best[0] = max(best[0], 2) // one would have no interval

	pilot := make([]int, len(c.Levels))
	for d, level := range c.Levels {
		pilot[d] = level.Repetitions
	}
	n, err := c.outermost(c.Levels[0].S2, halfWidth)
	if err != nil {
		return RepetitionPlan{}, err
	}
	pilot[0] = max(pilot[0], n)
	p.Best, p.AsPilot = newDesign(best, costs), newDesign(pilot, costs)
	if math.IsInf(p.Best.Cost, 0) || math.IsInf(p.AsPilot.Cost, 0) {
		return RepetitionPlan{}, &ValueError{Arg: "costs", Index: []int{0}, Value: costs[0], Err: ErrOverflow,
			Remedy: "give the costs in a larger unit"}
	}
	return p, nil
}

func (c Components) checkPlan(costs []float64, halfWidth float64) error {
	if len(c.Levels) == 0 {
		return &LengthError{Arg: "c.Levels", Err: ErrEmpty, Remedy: "let VarianceComponents estimate them from a pilot"}
	}
	if len(costs) != len(c.Levels) {
		return &LengthError{Arg: "costs", Len: len(costs), Err: ErrLengthMismatch,
			Remedy: fmt.Sprintf("give one for each of the %d levels, the outermost first", len(c.Levels))}
	}
	for i, cost := range costs {
		if !(cost > 0 && cost <= math.MaxFloat64) {
			return &ValueError{Arg: "costs", Index: []int{i}, Value: cost, Err: ErrOutOfRange,
				Remedy: "give what one repetition of this level costs, above 0 and finite"}
		}
	}
	return checkHalfWidth(halfWidth)
}

// optimum fills in p.Optimal and returns the numbers to use, that of the outermost level still to be set.
func (c Components) optimum(p *RepetitionPlan, costs []float64) ([]int, error) {
	p.Optimal = make([]float64, len(c.Levels))
	repetitions := make([]int, len(c.Levels))
	// What one more repetition of a level costs, with the single one of each dropped level directly inside it.
	whole := append([]float64(nil), costs...)
	for d := len(c.Levels) - 1; d > 0; d-- {
		if c.Levels[d].Dropped {
			whole[d-1] += whole[d]
		}
	}
	above := -1 // the last level seen that is not dropped
	for d, level := range c.Levels {
		p.Optimal[d], repetitions[d] = math.NaN(), 1
		if level.Dropped {
			continue
		}
		switch {
		case above >= 0:
			r := math.Sqrt(whole[above]/whole[d]) * math.Sqrt(level.T2/c.Levels[above].T2)
			if !(r <= math.MaxInt32) {
				return nil, &ValueError{Arg: "costs", Index: []int{d}, Value: costs[d], Err: ErrOutOfRange,
					Remedy: fmt.Sprintf("more than %d repetitions would be optimal; check the costs, or leave out "+
						"the level above",
						math.MaxInt32)}
			}
			p.Optimal[d], repetitions[d] = r, max(1, int(math.Ceil(r)))
		case d > 0:
			p.Optimal[d], repetitions[d] = math.Inf(1), level.Repetitions
		}
		above = d
	}
	return repetitions, nil
}

// outermost is Stein's number for means of this variance, with the pilot's degrees of freedom.
func (c Components) outermost(variance, halfWidth float64) (int, error) {
	_, n, err := steinCount(math.Sqrt(variance), halfWidth, c.Mean.Confidence, c.Levels[0].Repetitions)
	return n, err
}

func newDesign(repetitions []int, costs []float64) Design {
	d := Design{Repetitions: repetitions}
	units := 1.0
	for i, r := range repetitions {
		units *= float64(r)
		d.Cost += float64(units * costs[i])
	}
	return d
}

type repetitionPlanJSON struct {
	Optimal   []number `json:"optimal"`
	Best      Design   `json:"best"`
	AsPilot   Design   `json:"as_pilot"`
	HalfWidth number   `json:"half_width"`
}

// MarshalJSON writes the plan with null for what is undefined.
func (p RepetitionPlan) MarshalJSON() ([]byte, error) {
	j := repetitionPlanJSON{Best: p.Best, AsPilot: p.AsPilot, HalfWidth: number(p.HalfWidth)}
	for _, r := range p.Optimal {
		j.Optimal = append(j.Optimal, number(r))
	}
	return marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes. What is null is undefined.
func (p *RepetitionPlan) UnmarshalJSON(b []byte) error {
	j := repetitionPlanJSON{HalfWidth: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*p = RepetitionPlan{Best: j.Best, AsPilot: j.AsPilot, HalfWidth: float64(j.HalfWidth)}
	for _, r := range j.Optimal {
		p.Optimal = append(p.Optimal, float64(r))
	}
	return nil
}
