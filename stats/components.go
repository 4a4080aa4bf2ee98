package stats

import (
	"fmt"
	"math"
)

// Components says how much of the variation arises where: between restarts of a server, between runs of one server,
// between requests of one run.
type Components struct {
	// Mean is the mean of everything, with its interval over the outermost units, the only independent ones.
	Mean Interval `json:"mean"`
	// Levels are the levels of nesting in the order in which the samples are indexed, the outermost first.
	Levels []Component `json:"levels"`
	// Warnings: ComponentDropped for each level that is.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Component is the variation at one level of nesting. Variances are in the unit of the samples, squared.
type Component struct {
	Unit        string  `json:"unit"`        // what is repeated at this level, such as "run"
	Repetitions int     `json:"repetitions"` // how often, within one unit of the level above
	S2          float64 `json:"s2"`          // S²: the variance of this level's means, averaged over the units above
	Unbiased    float64 `json:"unbiased"`    // S² less what of it comes from the level below; negative by chance
	// T²: the variance that this level adds of its own; Unbiased, but never below 0
	T2 float64 `json:"t2"`
	// Dropped says that Unbiased is not above 0: what is seen at this level is no more than the levels below bring
	// about.
	Dropped bool `json:"dropped"`
}

// VarianceComponents separates the variation of nested samples by level, after Kalibera & Jones (2013). x is indexed
// [restart][run][request], or by two levels such as [restart][run]; units names the levels in that order, as in
//
//	VarianceComponents(x, 0.95, "run with restart", "run", "request")
//
// With level 1 the innermost and rᵢ repetitions at level i, Sᵢ² is the variance of the means of level i's units within
// one unit of the level above, averaged over those. T₁² = S₁² and Tᵢ² = Sᵢ² − Sᵢ₋₁²/rᵢ₋₁ is what level i adds of its
// own. By chance that may be negative; the component then counts as 0 and is dropped, with the warning
// ComponentDropped.
//
// The interval of the mean is that of [MeanInterval] over the means of the outermost units, with as many degrees of
// freedom as there are of them less one, however many requests each has, and with its coverage: requests
// share the restart that they came from.
//
// The samples must be balanced: a part that differs in length from the first of its level is ErrLengthMismatch with its
// place. No part of any level is ErrEmpty, one is ErrTooFew. NaN or an infinity is ErrNotFinite with its place, a
// number of units other than that of levels ErrLengthMismatch, a confidence not strictly between 0 and 1 ErrOutOfRange,
// a variance beyond the largest float64 ErrOverflow, and one below the smallest ErrOutOfRange.
func VarianceComponents[T [][]float64 | [][][]float64](x T, confidence float64, units ...string) (Components, error) {
	if err := checkConfidence(confidence); err != nil {
		return Components{}, err
	}
	var flat []float64
	var sizes []int
	var err error
	switch x := any(x).(type) {
	case [][]float64:
		flat, sizes, err = flattenTwo(x, nil)
	case [][][]float64:
		flat, sizes, err = flattenThree(x)
	}
	if err != nil {
		return Components{}, err
	}
	if len(units) != len(sizes) {
		return Components{}, &LengthError{Arg: "units", Len: len(units), Err: ErrLengthMismatch,
			Remedy: fmt.Sprintf("name the %d levels of x, the outermost first", len(sizes))}
	}
	return nestedComponents(flat, sizes, confidence, units)
}

// nestedComponents works its way out from the samples, in order in flat: at each level the means of the one below.
func nestedComponents(flat []float64, sizes []int, confidence float64, units []string) (Components, error) {
	c := Components{Levels: make([]Component, len(sizes))}
	means := flat
	for d := len(sizes) - 1; d >= 0; d-- {
		var above []float64
		var sum compensated
		for group := means; len(group) > 0; group = group[sizes[d]:] {
			_, _, mean, sd := moments(group[:sizes[d]])
			above = append(above, mean)
			variance := float64(sd * sd)
			if sd > 0 && variance < 0x1p-1022 {
				return Components{}, &ValueError{Arg: "x", Index: make([]int, len(sizes)), Value: flat[0], Err: ErrOutOfRange,
					Remedy: "the squares of such differences are no float64s: give the samples in a smaller unit"}
			}
			sum.add(variance)
		}
		s2 := sum.value() / float64(len(above))
		if math.IsNaN(s2) || math.IsInf(s2, 0) {
			return Components{}, nestedOverflow(flat, sizes)
		}
		level := Component{Unit: units[d], Repetitions: sizes[d], S2: s2, Unbiased: s2}
		if d+1 < len(sizes) {
			below := c.Levels[d+1]
			level.Unbiased = s2 - float64(below.S2/float64(below.Repetitions))
		}
		level.T2 = max(level.Unbiased, 0)
		level.Dropped = !(level.Unbiased > 0)
		c.Levels[d] = level
		if d == 0 {
			break
		}
		means = above
	}
	for _, level := range c.Levels {
		if level.Dropped {
			c.Warnings = append(c.Warnings, componentDropped(level))
		}
	}
	v, err := MeanInterval(means, confidence, units[0])
	if err != nil {
		return Components{}, nestedOverflow(flat, sizes) // nothing else can be wrong with finite means
	}
	v.Method = "Student's t on the means of the outermost units (Kalibera & Jones 2013)"
	c.Mean = v
	return c, nil
}

func componentDropped(level Component) Warning {
	return Warning{ComponentDropped, fmt.Sprintf(
		"the variance component of level %q is estimated as %.4g, which is not above 0: it is dropped", level.Unit,
		level.Unbiased)}
}

// nestedOverflow is overflowError with the place in the nested samples.
func nestedOverflow(flat []float64, sizes []int) error {
	at := 0
	for i, v := range flat {
		if math.Abs(v) > math.Abs(flat[at]) {
			at = i
		}
	}
	index := make([]int, len(sizes))
	for i, d := at, len(sizes)-1; d >= 0; d-- {
		index[d] = i % sizes[d]
		i /= sizes[d]
	}
	return &ValueError{Arg: "x", Index: index, Value: flat[at], Err: ErrOverflow, Remedy: "use a larger unit"}
}

// flattenTwo returns the samples in order and the sizes of the levels; at is where in the argument x is.
func flattenTwo(x [][]float64, at []int) (flat []float64, sizes []int, err error) {
	if err := checkParts(len(x), at); err != nil {
		return nil, nil, err
	}
	for i, part := range x {
		place := append(append([]int(nil), at...), i)
		if err := checkParts(len(part), place); err != nil {
			return nil, nil, err
		}
		if len(part) != len(x[0]) {
			return nil, nil, ragged(len(part), len(x[0]), place)
		}
		for j, v := range part {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, nil, &ValueError{Arg: "x", Index: append(place, j), Value: v, Err: ErrNotFinite,
					Remedy: "find out why it was not measured; dropping it would bias the rest"}
			}
		}
		flat = append(flat, part...)
	}
	return flat, []int{len(x), len(x[0])}, nil
}

func flattenThree(x [][][]float64) (flat []float64, sizes []int, err error) {
	if err := checkParts(len(x), nil); err != nil {
		return nil, nil, err
	}
	for i, part := range x {
		below, s, err := flattenTwo(part, []int{i})
		if err != nil {
			return nil, nil, err
		}
		if sizes == nil {
			sizes = append([]int{len(x)}, s...)
		}
		if s[0] != sizes[1] {
			return nil, nil, ragged(s[0], sizes[1], []int{i})
		}
		if s[1] != sizes[2] {
			return nil, nil, ragged(s[1], sizes[2], []int{i, 0})
		}
		flat = append(flat, below...)
	}
	return flat, sizes, nil
}

func checkParts(n int, place []int) error {
	switch n {
	case 0:
		return &LengthError{Arg: "x", Index: place, Err: ErrEmpty, Remedy: "give at least two"}
	case 1:
		return &LengthError{Arg: "x", Index: place, Len: 1, Err: ErrTooFew,
			Remedy: "one shows no variation; repeat it, or leave the level out"}
	}
	return nil
}

func ragged(n, want int, place []int) error {
	return &LengthError{Arg: "x", Index: place, Len: n, Err: ErrLengthMismatch,
		Remedy: fmt.Sprintf("the parts before it have %d; make all alike, by measuring what is missing", want)}
}
