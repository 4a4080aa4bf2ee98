package stats

import (
	"fmt"
	"math"
	"strings"
)

// CapacityResult bounds the largest load at which all objectives are met. The zero CapacityResult is not resolved.
type CapacityResult struct {
	// Low is included and High excluded, both in the unit of the levels and always one of them: up to Low the
	// objectives are shown to be met, and at High one is shown to be missed. A side that is open is undefined.
	Low, High float64
	// Reason says in words what decided the answer or what kept it open.
	Reason string
	// Intervals[o][j] is the 95 % interval for the figure of objective o at level j, in its unit. Low rests on these;
	// High on wider ones, see Capacity.
	Intervals [][]Interval
	// Next holds the level whose measurement would tell more, as in KneeResult: the geometric middle of Low and High,
	// twice the highest level where no level was shown to miss an objective, half the lowest where it was not shown to
	// meet all.
	Next []float64
	// Method, N, Unit, Assumptions and Warnings have the meanings that they have in Interval. N counts the runs. Unit
	// is "run", for the caller to change into what its runs are.
	Method      string
	N           int
	Unit        string
	Assumptions []string
	Warnings    []Warning
}

// Capacity bounds the largest tested level up to which all objectives are met at once, such as "p99 TTFT of at most 500
// ms, and 99 % of the requests within their limits". A level counts only if all levels under it meet them too: that a
// figure rises with load is not assumed, and a level that happens to do well beyond one that does not is no capacity.
//
//   - Low is the last level, scanning from the lowest, of those whose 95 % intervals are all inside the limits. A wrong
//     claim needs every level and objective to look better than it is, so each is tested at 2.5 % without correction.
//   - High is the lowest level of which one interval is outside its limit. A wrong claim needs only one of L levels and
//     K objectives to look worse than it is, so here the confidence is 1 − 0.05/LK.
//
// The intervals are those of [LogMeanInterval] for Values, so that they hold for figures that are skewed as latencies
// are, and for Counts Clopper & Pearson's on the effective number of requests (Korn & Graubard 1998). In the package's
// simulations, with one or all levels at the limit or a trace beyond, Low was too high in at most 2.8 % of the
// experiments and High too low in at most 2.5 %, for normal figures and for lognormal ones whose logarithms have an SD
// of up to 0.5. A share at its limit was wrongly called met, or missed, in at most 1.1 % where requests are
// independent. What a restart does to all of its requests at once may not show in a few runs: where the requests of a
// run are correlated by 0.01 or 0.05, a share at 0.99 was wrongly called met in up to 4.8 and 18 %.
//
// One run has no spread, and neither have runs that agree to the last digit: they decide nothing. Levels must be
// positive, finite and strictly increasing, figures above 0, and runs complete; what is not is an error that names the
// place. No levels is ErrEmpty, and so is no objective.
func Capacity(levels []float64, objectives ...Objective) (CapacityResult, error) {
	if err := checkObjectives(levels, objectives, 0); err != nil {
		return CapacityResult{}, err
	}
	if len(objectives) == 0 {
		return CapacityResult{}, &LengthError{Arg: "objectives", Err: ErrEmpty, Remedy: "give what is to be met"}
	}
	r := CapacityResult{
		Low: math.NaN(), High: math.NaN(), N: objectives[0].runs(), Unit: "run",
		Method: "an interval at each level: met up to Low (at 97.5 % each), missed at High (at 97.5 % over all levels)",
		Assumptions: []string{
			"runs are independent of each other, without drift",
			"the mean logarithm of each figure is approximately normal at each level",
		},
	}
	met, missed := len(levels), len(levels) // how many from the lowest are met; the first that is missed
	var limits []string
	for _, o := range objectives {
		limits = append(limits, o.String())
		var at []Interval
		for j := range levels {
			v, err := o.interval(j, 0.95, r.Unit)
			if err != nil {
				return CapacityResult{}, err
			}
			wide, err := o.interval(j, 1-0.05/float64(len(levels)*len(objectives)), r.Unit)
			if err != nil {
				return CapacityResult{}, err
			}
			at = append(at, v)
			r.warn(v, o, levels[j])
			if !o.kept(v) {
				met = min(met, j)
			}
			if o.broken(wide) {
				missed = min(missed, j)
			}
		}
		r.Intervals = append(r.Intervals, at)
	}

	goal := strings.Join(limits, ", ")
	whole, top := wholeLevels(levels), len(levels)-1
	low := fmt.Sprintf("the lowest level, %s, is not shown to keep %s", level(levels[0]), goal)
	if met > 0 {
		r.Low = levels[met-1]
		low = fmt.Sprintf("up to %s every level keeps %s", level(r.Low), goal)
	}
	high := "no level is shown not to"
	if missed <= top {
		r.High = levels[missed]
		high = level(r.High) + " does not"
	}
	r.Reason = "of the tested levels, with 95 % confidence: " + low + "; " + high
	switch {
	case met > 0 && missed <= top:
		if x := between(r.Low, r.High, whole); !math.IsNaN(x) {
			r.Next = []float64{x}
		}
	case met > 0:
		r.Next = doubled(levels[top])
	case missed <= top:
		r.Next = halve(levels[0], whole)
	}
	return r, nil
}

// warn keeps what an interval is warned of, with its place.
func (r *CapacityResult) warn(v Interval, o Objective, at float64) {
	for _, w := range v.Warnings {
		name := o.Name
		if name == "" {
			name = "the figure"
		}
		r.Warnings = append(r.Warnings, Warning{w.Code, fmt.Sprintf("%s at %s: %s", name, level(at), w.Text)})
	}
}

// checkObjectives refuses objectives that are not of these levels, or of other numbers of runs than each other and
// runs.
func checkObjectives(levels []float64, objectives []Objective, runs int) error {
	if err := checkKnee("levels", "runs", levels, nil); err != nil {
		return err
	}
	if len(levels) == 0 {
		return &LengthError{Arg: "levels", Err: ErrEmpty, Remedy: "give the levels that were measured"}
	}
	for k, o := range objectives {
		if err := o.check(fmt.Sprintf("objectives[%d]", k), len(levels), runs); err != nil {
			return err
		}
		runs = o.runs()
	}
	return nil
}

// String returns the answer with the codes of its warnings, such as "[100, 200)", "≥ 800, limit not reached",
// "< 10 (resolution-limited)" or "not resolved".
func (r CapacityResult) String() string { return withWarnings(r.bracket(), r.Warnings) }

func (r CapacityResult) bracket() string {
	switch {
	case r.Low < r.High:
		return "[" + level(r.Low) + ", " + level(r.High) + ")"
	case r.Low > 0:
		return "≥ " + level(r.Low) + ", limit not reached"
	case r.High > 0:
		return "< " + level(r.High)
	default:
		return "not resolved"
	}
}

type capacityJSON struct {
	Low         number       `json:"low"`
	High        number       `json:"high"`
	Reason      string       `json:"reason"`
	Intervals   [][]Interval `json:"intervals,omitempty"`
	Next        []float64    `json:"next,omitempty"`
	Method      string       `json:"method"`
	N           int          `json:"n"`
	Unit        string       `json:"unit"`
	Assumptions []string     `json:"assumptions,omitempty"`
	Warnings    []Warning    `json:"warnings,omitempty"`
}

// MarshalJSON writes the answer with null for a side that is open.
func (r CapacityResult) MarshalJSON() ([]byte, error) {
	if r.Low == 0 { // the zero CapacityResult has zeros for bounds, which no level is
		r.Low = math.NaN()
	}
	if r.High == 0 {
		r.High = math.NaN()
	}
	return marshal(capacityJSON{number(r.Low), number(r.High), r.Reason, r.Intervals, r.Next,
		r.Method, r.N, r.Unit, r.Assumptions, r.Warnings})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (r *CapacityResult) UnmarshalJSON(b []byte) error {
	j := capacityJSON{Low: undefined, High: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*r = CapacityResult{float64(j.Low), float64(j.High), j.Reason, j.Intervals, j.Next, j.Method, j.N, j.Unit,
		j.Assumptions, j.Warnings}
	return nil
}
