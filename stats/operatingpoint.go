package stats

import (
	"fmt"
	"math"
	"strings"
)

// OperatingPoint is the tested level at which a system gives most while it keeps its limits, by [BestOperatingPoint].
type OperatingPoint struct {
	// Level is the lowest of Best, where waiting is least; undefined where no level is shown to keep the limits.
	Level float64
	// Throughput is that at Level, the geometric mean over runs, at 95 %. It was chosen from the same runs, as one of
	// Best.
	Throughput Interval
	// Best holds the levels, in order, that keep all limits and were not shown to give less than another that does: it
	// contains the best of these with 95 % confidence.
	Best []float64
	// Kept, Undecided and Broken hold all levels, in order: those shown to keep every limit, those shown to break one,
	// and those between.
	Kept, Undecided, Broken []float64
	// Reason says in words what decided.
	Reason string
	// Method, N, Unit, Assumptions and Warnings have the meanings that they have in Interval. N counts the runs. Unit
	// is "run", for the caller to change into what its runs are.
	Method      string
	N           int
	Unit        string
	Assumptions []string
	Warnings    []Warning
}

// BestOperatingPoint answers at which of the tested levels throughput is highest under limits, such as a p99 TTFT of at
// most 500 ms. throughput[i][j] is that of run i at levels[j], in any unit, and the objectives are of the same runs.
//
// A level keeps the limits where the interval of every objective is inside, at a confidence of 1 − 0.05/L, so that of L
// levels none is wrongly taken to keep them in 97.5 % of the experiments. It breaks them where one of K is outside at 1 −
// 0.05/LK, since one is enough to be wrong. Unlike [Capacity] it does not ask the levels below to keep them. Of those that do, all are Best whose log throughput no other exceeds by a paired t test at 95 %
// in all.
//
// Errors are those of Capacity; a throughput is checked as by [Knee]. One run, or runs without spread, show nothing.
func BestOperatingPoint(levels []float64, throughput [][]float64, objectives ...Objective) (OperatingPoint, error) {
	if err := checkKnee("levels", "throughput", levels, throughput); err != nil {
		return OperatingPoint{}, err
	}
	if len(throughput) == 0 {
		return OperatingPoint{}, &LengthError{Arg: "throughput", Err: ErrEmpty, Remedy: "give that of at least one run"}
	}
	if err := checkObjectives(levels, objectives, len(throughput)); err != nil {
		return OperatingPoint{}, err
	}
	p := OperatingPoint{
		Level: math.NaN(), N: len(throughput), Unit: "run",
		Throughput: Interval{Estimate: math.NaN(), Low: math.NaN(), High: math.NaN()},
		Method: "limits by an interval at each level (97.5 % over all levels); the best by paired t on log " +
			"throughput",
		Assumptions: []string{
			"runs are independent of each other, without drift",
			"mean logarithms are approximately normal at each level",
		},
	}
	kept, err := p.sort(levels, objectives)
	if err != nil || len(kept) == 0 {
		p.Reason = fmt.Sprintf("of the tested levels none is shown to keep %s", limitsOf(objectives))
		return p, err
	}
	return p, p.choose(levels, throughput, kept, limitsOf(objectives))
}

// sort puts every level where it belongs, and returns the indices of those that keep the limits.
func (p *OperatingPoint) sort(levels []float64, objectives []Objective) (kept []int, err error) {
	for j, l := range levels {
		keeps, breaks := true, false
		for _, o := range objectives {
			v, err := o.interval(j, 1-0.05/float64(len(levels)), p.Unit)
			if err != nil {
				return nil, err
			}
			wide, err := o.interval(j, 1-0.05/float64(len(levels)*len(objectives)), p.Unit)
			if err != nil {
				return nil, err
			}
			keeps, breaks = keeps && o.kept(v), breaks || o.broken(wide)
			for _, w := range v.Warnings {
				p.Warnings = append(p.Warnings, Warning{w.Code, fmt.Sprintf("%s at %s: %s", o, level(l), w.Text)})
			}
		}
		switch {
		case breaks:
			p.Broken = append(p.Broken, l)
		case keeps:
			p.Kept, kept = append(p.Kept, l), append(kept, j)
		default:
			p.Undecided = append(p.Undecided, l)
		}
	}
	return kept, nil
}

// choose fills in the best of the levels with these indices.
func (p *OperatingPoint) choose(levels []float64, throughput [][]float64, kept []int, limits string) error {
	table := make([][]float64, len(throughput))
	for i, run := range throughput {
		for _, j := range kept {
			table[i] = append(table[i], run[j])
		}
	}
	t := newPairs(table)
	if coarse := t.coarseLevels(p.Kept); len(coarse) > 0 {
		p.Warnings = append(p.Warnings, resolutionLimitedAt(coarse))
	}
	worse := math.Inf(1)
	if len(throughput) > 1 && len(kept) > 1 {
		var err error
		if worse, err = studentQuantile(kneePeakTail/float64(len(kept)-1), float64(len(throughput)-1)); err != nil {
			return err
		}
	}
	at := -1
	for k := range kept {
		if t.mayBePeak(k, worse) {
			p.Best = append(p.Best, p.Kept[k])
			if at < 0 {
				at = k
			}
		}
	}
	column := make([]float64, len(table))
	for i, run := range table {
		column[i] = run[at]
	}
	var err error
	if p.Throughput, err = LogMeanInterval(column, 0.95, p.Unit); err != nil {
		return err
	}
	p.Level = p.Best[0]
	p.Reason = fmt.Sprintf("of the tested levels %s keep %s, and none of them is shown to give more than %s",
		levelNames(p.Kept), limits, levelNames(p.Best))
	return nil
}

func limitsOf(objectives []Objective) string {
	if len(objectives) == 0 {
		return "no limit"
	}
	var all []string
	for _, o := range objectives {
		all = append(all, o.String())
	}
	return strings.Join(all, ", ")
}

// String returns the answer with the codes of its warnings, such as "200 (6735 [6396, 7074])" or "not resolved".
func (p OperatingPoint) String() string {
	if !(p.Level > 0) { // undefined, or the zero value
		return withWarnings("not resolved", p.Warnings)
	}
	return withWarnings(fmt.Sprintf("%s, giving %s", level(p.Level), p.Throughput), p.Warnings)
}

type operatingPointJSON struct {
	Level       number    `json:"level"`
	Throughput  Interval  `json:"throughput"`
	Best        []float64 `json:"best,omitempty"`
	Kept        []float64 `json:"kept,omitempty"`
	Undecided   []float64 `json:"undecided,omitempty"`
	Broken      []float64 `json:"broken,omitempty"`
	Reason      string    `json:"reason"`
	Method      string    `json:"method"`
	N           int       `json:"n"`
	Unit        string    `json:"unit"`
	Assumptions []string  `json:"assumptions,omitempty"`
	Warnings    []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes the answer with null for what is undefined.
func (p OperatingPoint) MarshalJSON() ([]byte, error) {
	if !(p.Level > 0) {
		p.Level = math.NaN()
	}
	return marshal(operatingPointJSON{number(p.Level), p.Throughput, p.Best, p.Kept, p.Undecided, p.Broken,
		p.Reason,
		p.Method, p.N, p.Unit, p.Assumptions, p.Warnings})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (p *OperatingPoint) UnmarshalJSON(b []byte) error {
	j := operatingPointJSON{Level: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*p = OperatingPoint{float64(j.Level), j.Throughput, j.Best, j.Kept, j.Undecided, j.Broken, j.Reason,
		j.Method, j.N, j.Unit, j.Assumptions, j.Warnings}
	return nil
}
