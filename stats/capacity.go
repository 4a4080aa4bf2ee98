package stats

import (
	"encoding/json"
	"fmt"
	"math"
)

// CapacityResult bounds the largest load at which an objective is met. The zero CapacityResult is not resolved.
type CapacityResult struct {
	// Low is included and High excluded, both in the unit of the levels and always one of them: up to Low the objective is
	// shown to be met, and at High to be missed. A side that is open is undefined.
	Low, High float64
	// Reason says in words what decided the answer or what kept it open.
	Reason string
	// Levels holds the 95 % interval for the mean at each level, in order, in the unit of the metric. Low rests on these;
	// High on wider ones, see CapacityBelow.
	Levels []Interval
	// Next holds the level whose measurement would tell more, as in KneeResult: the geometric middle of Low and High, twice
	// the highest level where no level was shown to miss the objective, half the lowest where it was not shown to be met.
	Next []float64
	// Method, N, Unit and Assumptions have the meanings that they have in Interval. N counts the runs.
	Method      string
	N           int
	Unit        string
	Assumptions []string
}

// CapacityBelow bounds the largest tested level up to which the mean of a metric is at most limit, such as "p99 TTFT of at
// most 500 ms". runs[i][j] is the metric of run i at levels[j], in the unit of limit. A level counts only if all levels under
// it meet the objective too: that the metric rises with load is not assumed, and a level that happens to do well beyond
// one that does not is no capacity.
//
//   - Low is the last level, scanning from the lowest, of those whose 95 % intervals ([MeanInterval]) all lie below limit.
//     A wrong claim needs every level to look better than it is, so each is tested at 2.5 % without correction.
//   - High is the lowest level whose interval lies above limit. A wrong claim needs only one of the L levels to look worse
//     than it is, so here the confidence is 1 − 0.05/L.
//
// Together they contain the truth with a confidence of at least 95 %, as far as Student's t covers the mean; in the package's
// simulations, with one or all levels at the limit or a trace beyond, it was 97 % or more.
//
// One run has no spread, and gives an answer that is not resolved. Levels must be positive, finite and strictly increasing,
// the metric and limit finite, and runs complete; what is not is an error that names the place. No levels is ErrEmpty, and
// so is no runs.
func CapacityBelow(levels []float64, runs [][]float64, limit float64) (CapacityResult, error) {
	return capacity(levels, runs, limit, Interval.Below, Interval.Above, "at most")
}

// CapacityAbove is [CapacityBelow] for a metric that must be at least limit, such as an attainment or a speed for each user.
func CapacityAbove(levels []float64, runs [][]float64, limit float64) (CapacityResult, error) {
	return capacity(levels, runs, limit, Interval.Above, Interval.Below, "at least")
}

func capacity(levels []float64, runs [][]float64, limit float64, met, missed func(Interval, float64) bool, sense string) (
	CapacityResult, error) {
	if err := checkCapacity(levels, runs, limit); err != nil {
		return CapacityResult{}, err
	}
	r := CapacityResult{
		Low: math.NaN(), High: math.NaN(), N: len(runs), Unit: "run",
		Method: "Student's t at each level: met up to Low (at 97.5 % each), missed at High (at 97.5 % over all levels)",
		Assumptions: []string{
			"runs are independent of each other, without drift",
			"the mean over runs is approximately normal at each level",
		},
	}
	a, b := -1, len(levels)
	column := make([]float64, len(runs))
	for j := range levels {
		for i := range runs {
			column[i] = runs[i][j]
		}
		v, err := MeanInterval(column, 0.95, r.Unit)
		if err != nil {
			return CapacityResult{}, err
		}
		wide, err := MeanInterval(column, 1-0.05/float64(len(levels)), r.Unit)
		if err != nil {
			return CapacityResult{}, err
		}
		r.Levels = append(r.Levels, v)
		if a == j-1 && met(v, limit) {
			a = j
		}
		if b == len(levels) && missed(wide, limit) {
			b = j
		}
	}

	goal := fmt.Sprintf("%s %s", sense, level(limit))
	whole, top := wholeLevels(levels), len(levels)-1
	low := fmt.Sprintf("the lowest level, %s, is not shown to give %s", level(levels[0]), goal)
	if a >= 0 {
		r.Low = levels[a]
		low = fmt.Sprintf("up to %s every level gives %s", level(r.Low), goal)
	}
	high := "no level is shown not to"
	if b <= top {
		r.High = levels[b]
		high = level(r.High) + " does not"
	}
	r.Reason = low + "; " + high
	switch {
	case a >= 0 && b <= top:
		if x := between(r.Low, r.High, whole); !math.IsNaN(x) {
			r.Next = []float64{x}
		}
	case a >= 0:
		r.Next = doubled(levels[top])
	case b <= top:
		r.Next = halve(levels[0], whole)
	}
	return r, nil
}

func checkCapacity(levels []float64, runs [][]float64, limit float64) error {
	if err := checkKnee("levels", "runs", levels, nil); err != nil {
		return err
	}
	if len(levels) == 0 {
		return &LengthError{Arg: "levels", Err: ErrEmpty, Remedy: "give the levels that were measured"}
	}
	if len(runs) == 0 {
		return &LengthError{Arg: "runs", Err: ErrEmpty, Remedy: "give the metric of at least one run"}
	}
	if math.IsNaN(limit) || math.IsInf(limit, 0) {
		return &ValueError{Arg: "limit", Value: limit, Err: ErrNotFinite, Remedy: "give the limit in the unit of the metric"}
	}
	for i, run := range runs {
		if len(run) != len(levels) {
			return &LengthError{Arg: "runs", Index: []int{i}, Len: len(run), Err: ErrLengthMismatch,
				Remedy: fmt.Sprintf("give one value for each of the %d levels, or leave the run out whole", len(levels))}
		}
		for j, y := range run {
			if math.IsNaN(y) || math.IsInf(y, 0) {
				return &ValueError{Arg: "runs", Index: []int{i, j}, Value: y, Err: ErrNotFinite,
					Remedy: "a level that failed in one run leaves that run incomplete: leave the run or the level out whole"}
			}
		}
	}
	return nil
}

// String returns the answer alone, such as "[100, 200)", "≥ 800, limit not reached", "< 10" or "not resolved".
func (r CapacityResult) String() string {
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
	Low         number     `json:"low"`
	High        number     `json:"high"`
	Reason      string     `json:"reason"`
	Levels      []Interval `json:"levels,omitempty"`
	Next        []float64  `json:"next,omitempty"`
	Method      string     `json:"method"`
	N           int        `json:"n"`
	Unit        string     `json:"unit"`
	Assumptions []string   `json:"assumptions,omitempty"`
}

// MarshalJSON writes the answer with null for a side that is open.
func (r CapacityResult) MarshalJSON() ([]byte, error) {
	if r.Low == 0 { // the zero CapacityResult has zeros for bounds, which no level is
		r.Low = math.NaN()
	}
	if r.High == 0 {
		r.High = math.NaN()
	}
	return json.Marshal(capacityJSON{number(r.Low), number(r.High), r.Reason, r.Levels, r.Next,
		r.Method, r.N, r.Unit, r.Assumptions})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (r *CapacityResult) UnmarshalJSON(b []byte) error {
	j := capacityJSON{Low: undefined, High: undefined}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*r = CapacityResult{float64(j.Low), float64(j.High), j.Reason, j.Levels, j.Next, j.Method, j.N, j.Unit, j.Assumptions}
	return nil
}
