package stats

import (
	"fmt"
	"math"
	"slices"
)

// KneeStage is one stage of a refinement: complete runs of exactly two levels, the one to decide on and the peak of the
// sweep. Runs[i][j] is the throughput of run i at Levels[j], as in [Knee], in the same unit.
type KneeStage struct {
	Levels []float64   `json:"levels"`
	Runs   [][]float64 `json:"runs"`
}

// KneeStep is what one stage of a refinement decided.
type KneeStep struct {
	// Level is the level that was decided on.
	Level float64
	// T is the paired statistic of Level against 95 % of the peak; undefined where every run gives the same difference.
	T float64
	// N and DF are the runs of the stage and the degrees of freedom of T.
	N  int
	DF float64
	// Low and High are the ends after the stage. If neither is Level, the stage did not decide.
	Low, High float64
}

// KneeRefinement is how far a knee has been narrowed, and what to measure next.
type KneeRefinement struct {
	// Low is excluded and High included, in the unit of the levels. Undefined unless the sweep bracketed the knee.
	Low, High float64
	// Peak is the level with the highest mean in the sweep, which every refining run measures again. Undefined as
	// above.
	Peak float64
	// Next holds the two levels, in order, that each run of the next stage measures. It is nil when the refinement is
	// over, or cannot begin.
	Next []float64
	// Reason says in words why it goes on, is over or cannot begin.
	Reason string
	// Steps holds what the stages decided, in order.
	Steps []KneeStep
	// Sweep is the answer of Knee that was refined.
	Sweep KneeResult
}

// RefineKnee narrows the bracket that [Knee] gives for levels and runs by further runs at levels in between. It is
// called with the stages measured so far, none at first, and answers with the levels that each run of the next stage
// must measure, until it says that the refinement is over; so that a program needs no memory but what it has measured.
//
// A refining run is a run of its own, and throughputs can be compared only within a run. So every refining run measures
// the peak of the sweep, p, again, beside the new level x. x is the geometric middle of Low and of High or p, whichever
// is less: never above the peak, because throughput that falls short of the peak beyond it shows no knee there. With T
// as in Knee over the runs of the stage alone:
//
//   - T(z_x − z_p − ln 0.95) > t(0.95): x reaches the share, High moves to x;
//   - T(z_x − z_p − ln 0.95) < −t(0.98): x falls short of it, Low moves to x;
//   - otherwise the refinement is over. More runs at x would be a second look at the same question, which spoils the
//     confidence of both, so a stage after that is an error. So it is without any spread, which decides nothing.
//
// Simulated with 3, 5 or 10 runs in the sweep and in each stage, on four shapes, the final range held the true knee in
// at least 98.4 % of the experiments, and in at least 97.6 % of those whose sweep bracketed it. Of these the median
// ratio High/Low was 1.1 for a hard cap with a coefficient of variation of 1 % and 1.2 with 4 %, 1.4 for a hyperbola
// with a cap and for a curve that falls beyond its peak at 1 %, and 1.2 to 2.0 for a hyperbola: where throughput bends
// slowly, runs and not levels decide how sharp the knee is. It took 1 to 4 stages.
//
// Errors are those of Knee, with the place in stages. A stage without p is ErrNotMeasured; a stage of other than two
// levels is ErrLengthMismatch; one whose level is not strictly between the ends and below the peak, or which comes
// after the refinement was over, is ErrOutOfRange; one of fewer than three runs is ErrTooFew.
func RefineKnee(levels []float64, runs [][]float64, stages ...KneeStage) (KneeRefinement, error) {
	sweep, err := Knee(levels, runs)
	if err != nil {
		return KneeRefinement{}, err
	}
	f := KneeRefinement{Low: math.NaN(), High: math.NaN(), Peak: math.NaN(), Sweep: sweep}
	if sweep.Kind != KneeBracketed {
		f.Reason = "there is no bracket to narrow: the sweep gave " + sweep.String()
		if len(stages) > 0 {
			return KneeRefinement{}, &LengthError{Arg: "stages", Len: len(stages), Err: ErrOutOfRange,
				Remedy: f.Reason + "; extend the sweep by what its Next and NextRuns say"}
		}
		return f, nil
	}
	f.Low, f.High, f.Peak = sweep.Low, sweep.High, levels[newPairs(runs).peak()]
	whole := wholeLevels(levels)
	f.plan(whole)
	for i, s := range stages {
		if f.Next == nil {
			return KneeRefinement{}, &LengthError{Arg: "stages", Len: len(stages), Err: ErrOutOfRange,
				Remedy: fmt.Sprintf("leave out those from stages[%d] on: %s", i, f.Reason)}
		}
		x, err := f.checkStage(i, s)
		if err != nil {
			return KneeRefinement{}, err
		}
		if err := f.step(s, x, whole); err != nil {
			return KneeRefinement{}, err
		}
	}
	return f, nil
}

// checkStage returns the index of the level that stage i decides on.
func (f *KneeRefinement) checkStage(i int, s KneeStage) (x int, err error) {
	levelsArg, runsArg := fmt.Sprintf("stages[%d].Levels", i), fmt.Sprintf("stages[%d].Runs", i)
	if err := checkKnee(levelsArg, runsArg, s.Levels, s.Runs); err != nil {
		return 0, err
	}
	p := slices.Index(s.Levels, f.Peak)
	switch {
	case p < 0:
		return 0, &ValueError{Arg: levelsArg, Value: f.Peak, Err: ErrNotMeasured,
			Remedy: "each refining run must measure the peak of the sweep again, because throughputs compare only " +
				"within a run"}
	case len(s.Levels) != 2:
		return 0, &LengthError{Arg: levelsArg, Len: len(s.Levels), Err: ErrLengthMismatch,
			Remedy: "give two levels, the one to decide on and the peak, and the columns of Runs with them"}
	}
	x = 1 - p
	if l := s.Levels[x]; !(f.Low < l && l < f.top()) {
		return 0, &ValueError{Arg: levelsArg, Index: []int{x}, Value: l, Err: ErrOutOfRange,
			Remedy: fmt.Sprintf("give a level between %s and %s, the upper end or the peak, both excluded",
				level(f.Low), level(f.top()))}
	}
	if len(s.Runs) < kneeMinRuns {
		return 0, &LengthError{Arg: runsArg, Len: len(s.Runs), Err: ErrTooFew,
			Remedy: fmt.Sprintf("measure at least %d complete runs, or leave the stage out until then", kneeMinRuns)}
	}
	return x, nil
}

// step moves an end by a stage that was checked, and plans the next.
func (f *KneeRefinement) step(s KneeStage, x int, whole bool) error {
	df := float64(len(s.Runs) - 1)
	below, err := studentQuantile(kneeLowerTail, df)
	if err != nil {
		return err
	}
	reaches, err := studentQuantile(kneeUpperTail, df)
	if err != nil {
		return err
	}
	d := make([]float64, len(s.Runs))
	for i, run := range s.Runs {
		d[i] = math.Log(run[x]) - math.Log(run[1-x]) - math.Log(kneeShare)
	}
	p := newPairs(s.Runs)
	p.d = d
	step := KneeStep{Level: s.Levels[x], T: p.t(p.coarse[0] + p.coarse[1]), N: len(s.Runs), DF: df}
	decided := true
	switch {
	case step.T > reaches:
		f.High = step.Level
	case step.T < -below:
		f.Low = step.Level
	default:
		decided = false
	}
	step.Low, step.High = f.Low, f.High
	f.Steps = append(f.Steps, step)
	f.plan(whole)
	if !decided {
		f.Next = nil
		if math.IsNaN(step.T) {
			f.Reason = fmt.Sprintf("over: every run gives the same difference between %s and the peak, which "+
				"decides nothing (%s)",
				level(step.Level), ResolutionLimited)
			return nil
		}
		f.Reason = fmt.Sprintf("over: %s is too near to 95 %% of the peak for %d runs to tell "+
			"(T = %s, decided below −%.2f or above %.2f)", level(step.Level), step.N, statistic(step.T), below, reaches)
	}
	return nil
}

// top is the end of where the knee may be refined: it is not above the peak.
func (f *KneeRefinement) top() float64 { return min(f.High, f.Peak) }

// plan sets what to measure between the ends.
func (f *KneeRefinement) plan(whole bool) {
	x := between(f.Low, f.top(), whole)
	if math.IsNaN(x) {
		f.Next, f.Reason = nil, fmt.Sprintf("over: no level is left between %s and %s", level(f.Low), level(f.top()))
		if f.Peak < f.High {
			f.Reason += ", the peak of the sweep"
		}
		return
	}
	f.Next = []float64{x, f.Peak}
	f.Reason = fmt.Sprintf("%s is the geometric middle; %s is the peak of the sweep, to compare with", level(x),
		level(f.Peak))
}

// String returns the range with the codes of the sweep's warnings, such as "(100, 141]", or "not resolved".
func (f KneeRefinement) String() string {
	r := KneeResult{Warnings: f.Sweep.Warnings}
	if f.Low < f.High { // false for NaN and for the zero value
		r.Kind, r.Low, r.High = KneeBracketed, f.Low, f.High
	}
	return r.String()
}

type kneeStepJSON struct {
	Level number `json:"level"`
	T     number `json:"t"`
	N     int    `json:"n"`
	DF    number `json:"df"`
	Low   number `json:"low"`
	High  number `json:"high"`
}

// MarshalJSON writes an infinite statistic as null, and names it in the member "unbounded".
func (s KneeStep) MarshalJSON() ([]byte, error) {
	return marshal(kneeStepJSON{number(s.Level), number(s.T), s.N, number(s.DF), number(s.Low), number(s.High)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *KneeStep) UnmarshalJSON(b []byte) error {
	j := kneeStepJSON{Level: undefined, T: undefined, DF: undefined, Low: undefined, High: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*s = KneeStep{float64(j.Level), float64(j.T), j.N, float64(j.DF), float64(j.Low), float64(j.High)}
	return nil
}

type kneeRefinementJSON struct {
	Low    number     `json:"low"`
	High   number     `json:"high"`
	Peak   number     `json:"peak"`
	Next   []float64  `json:"next,omitempty"`
	Reason string     `json:"reason"`
	Steps  []KneeStep `json:"steps,omitempty"`
	Sweep  KneeResult `json:"sweep"`
}

// MarshalJSON writes null for what is undefined.
func (f KneeRefinement) MarshalJSON() ([]byte, error) {
	if !(f.Low < f.High) { // the zero value has zeros
		f.Low, f.High, f.Peak = math.NaN(), math.NaN(), math.NaN()
	}
	return marshal(kneeRefinementJSON{number(f.Low), number(f.High), number(f.Peak), f.Next,
		f.Reason, f.Steps, f.Sweep})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (f *KneeRefinement) UnmarshalJSON(b []byte) error {
	j := kneeRefinementJSON{Low: undefined, High: undefined, Peak: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*f = KneeRefinement{float64(j.Low), float64(j.High), float64(j.Peak), j.Next, j.Reason, j.Steps, j.Sweep}
	return nil
}
