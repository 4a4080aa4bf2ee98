package stats

import (
	"fmt"
	"math"
)

// Objective is a limit on one figure, with what the runs of an experiment measured of it at each level. Either Values
// or Counts is given, and Min, Max or both.
type Objective struct {
	// Name is what the figure is called in words, such as "p99 TTFT".
	Name string
	// Min and Max are the limits, in the unit of Values, or as shares of 1 for Counts. 0: no limit on that side.
	Min, Max float64
	// Values[i][j] is the figure of run i at level j, above 0. The limit is on its geometric mean over runs, which is
	// the median of a lognormal figure. Not for shares, which vary as counts do: five runs of 20 requests of which all
	// met are five times 1, without any spread, and say nothing of one request in 100 that will not.
	Values [][]float64
	// Counts[i][j] says how many requests met something in run i at level j. The limit is on their share of all.
	Counts [][]Count
}

// Count is how many of the requests that were issued met what was asked of them.
type Count struct {
	Met    int `json:"met"`
	Issued int `json:"issued"`
}

// runs is how many there are.
func (o Objective) runs() int { return max(len(o.Values), len(o.Counts)) }

// interval is that of the figure at level j.
func (o Objective) interval(j int, confidence float64, unit string) (Interval, error) {
	if o.Counts != nil {
		column := make([]Count, len(o.Counts))
		for i, run := range o.Counts {
			column[i] = run[j]
		}
		return ShareInterval(column, confidence, unit)
	}
	column := make([]float64, len(o.Values))
	for i, run := range o.Values {
		column[i] = run[j]
	}
	return LogMeanInterval(column, confidence, unit)
}

// kept says that the whole interval is inside the limits, and broken that it is wholly outside; neither is undecided.
func (o Objective) kept(v Interval) bool {
	return v.Defined() && (o.Max == 0 || v.Below(o.Max)) && (o.Min == 0 || v.Above(o.Min))
}

func (o Objective) broken(v Interval) bool {
	return o.Max != 0 && v.Above(o.Max) || o.Min != 0 && v.Below(o.Min)
}

// String writes the objective without its data, such as "p99 TTFT ≤ 500".
func (o Objective) String() string {
	name := o.Name
	if name == "" {
		name = "the figure"
	}
	switch {
	case o.Min != 0 && o.Max != 0:
		return fmt.Sprintf("%s ≤ %s ≤ %s", level(o.Min), name, level(o.Max))
	case o.Max != 0:
		return fmt.Sprintf("%s ≤ %s", name, level(o.Max))
	}
	return fmt.Sprintf("%s ≥ %s", name, level(o.Min))
}

// check names places by what the objective is in the arguments, such as "objectives[1]".
func (o Objective) check(arg string, levels, runs int) error {
	for _, limit := range []struct {
		name  string
		value float64
	}{{".Min", o.Min}, {".Max", o.Max}} {
		switch v := limit.value; {
		case math.IsNaN(v) || math.IsInf(v, 0):
			return &ValueError{Arg: arg + limit.name, Value: v, Err: ErrNotFinite,
				Remedy: "give the limit in the unit of the figure"}
		case v < 0 || o.Counts != nil && v >= 1:
			return &ValueError{Arg: arg + limit.name, Value: v, Err: ErrOutOfRange,
				Remedy: "give a limit above 0, for counts a share below 1 such as 0.99, or 0 for none"}
		}
	}
	if o.Min == 0 && o.Max == 0 || o.Max != 0 && o.Min >= o.Max {
		return &ValueError{Arg: arg + ".Max", Value: o.Max, Err: ErrOutOfRange, Remedy: "give a limit, Max above Min"}
	}
	if (o.Values == nil) == (o.Counts == nil) {
		return &LengthError{Arg: arg + ".Values", Len: len(o.Values), Err: ErrLengthMismatch,
			Remedy: "give either Values or Counts, of at least one run"}
	}
	if n := o.runs(); n == 0 || runs > 0 && n != runs {
		return &LengthError{Arg: arg, Len: n, Err: ErrLengthMismatch,
			Remedy: "give the same runs for every figure, one at least"}
	}
	for i, run := range o.Values {
		if len(run) != levels {
			return raggedRun(arg+".Values", i, len(run), levels)
		}
		for j, v := range run {
			if err := checkLoggable(arg+".Values", v, i, j); err != nil {
				return err
			}
		}
	}
	for i, run := range o.Counts {
		if len(run) != levels {
			return raggedRun(arg+".Counts", i, len(run), levels)
		}
		for j, c := range run {
			if err := c.check(arg+".Counts", i, j); err != nil {
				return err
			}
		}
	}
	return nil
}

func raggedRun(arg string, run, n, levels int) error {
	return &LengthError{Arg: arg, Index: []int{run}, Len: n, Err: ErrLengthMismatch,
		Remedy: fmt.Sprintf("give one value for each of the %d levels, or leave the run out whole", levels)}
}
