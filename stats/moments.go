package stats

import (
	"math"
)

// Summary describes one sample. All fields but N are in the unit of the samples, CoV has none.
//
// A quantity that the sample does not determine is NaN: it fails every comparison, stays undefined through arithmetic,
// and is null in JSON, from which it reads back as NaN. It is never 0.
type Summary struct {
	// N is the number of samples.
	N int
	// Mean is Σx/N, and always Min ≤ Mean ≤ Max.
	Mean float64
	// SD is the sample standard deviation, √(Σ(x − Mean)²/(N − 1)). Undefined for N = 1. It is 0 for identical samples,
	// with the warning ResolutionLimited.
	SD float64
	// CoV is the coefficient of variation, SD/|Mean|, a fraction and not a percentage. Undefined for N = 1, for a mean
	// of 0, and for samples of both signs whose mean is within one standard error, SD/√N, of 0: there a ratio to the
	// mean is a ratio to noise. Samples of one sign have a CoV of √N at most, where all but one of them are 0, so for
	// times and rates that are not all 0 it is defined from N = 2 on.
	CoV float64
	// Min and Max are the extremes.
	Min, Max float64
	// Warnings qualify the numbers above; nil if there are none.
	Warnings []Warning
}

// Summarize returns the moments of x, in any order and not changing it.
//
// Two passes of compensated sums (Neumaier 1974): the first for the mean, the second over the samples shifted by it, d
// = x − mean, with a correction for the rounding of that mean: s² = (Σd² − (Σd)²/n)/(n − 1) (Chan, Golub & LeVeque
// 1983). That reaches the certified digits of NIST's Statistical Reference Datasets where the input itself can hold
// them. For streams there is [Accumulator].
//
// No samples is ErrEmpty. One sample has a mean and nothing else. NaN or an infinity is ErrNotFinite with its index. A
// standard deviation beyond the largest float64 is ErrOverflow.
func Summarize(x []float64) (Summary, error) {
	// Shifting by the first sample was rejected, because the mean then loses digits when it is small beside that
	// sample.
	lo, hi, err := checkedExtremes("x", x)
	if err != nil {
		return Summary{}, err
	}
	mean, sd := momentsWithin(x, lo, hi)
	if math.IsInf(sd, 0) {
		return Summary{}, overflowError(x)
	}
	return describe(len(x), lo, hi, mean, sd), nil
}

// describe adds to the moments what follows from them.
func describe(n int, lo, hi, mean, sd float64) Summary {
	s := Summary{N: n, Mean: mean, SD: sd, CoV: math.NaN(), Min: lo, Max: hi}
	switch {
	case n == 1:
		s.Warnings = []Warning{singleSample()}
		return s
	case lo == hi:
		s.Warnings = []Warning{resolutionLimited()}
	}
	oneSign := lo >= 0 || hi <= 0
	nearZero := !oneSign && math.Abs(mean) <= sd/math.Sqrt(float64(n))
	if mean != 0 && !nearZero {
		s.CoV = sd / math.Abs(mean)
	}
	return s
}

// moments computes on samples known to be finite and at least one; sd is NaN for one.
func moments(x []float64) (lo, hi, mean, sd float64) {
	lo, hi, _ = checkedExtremes("x", x)
	mean, sd = momentsWithin(x, lo, hi)
	return lo, hi, mean, sd
}

// momentsWithin is moments for samples whose extremes are known.
//
// Explicit conversions to float64 forbid fusing a product into a sum, which arm64 would do and amd64 would not: the
// result is the same bits on both.
func momentsWithin(x []float64, lo, hi float64) (mean, sd float64) {
	scale, exp := unitScale(lo, hi)
	n := float64(len(x))
	shift := scaledMean(x, scale)
	// Rounding may put the mean a last bit outside the samples, 0.1 three times for instance: put it back.
	mean = min(max(math.Ldexp(shift, exp), lo), hi)
	if len(x) == 1 {
		return mean, math.NaN()
	}
	if lo == hi {
		return mean, 0
	}

	// The deviations would add up to 0, had the mean not been rounded. Where that matters, when the spread is a few of
	// its last digits, they are short numbers and their plain sum is exact. The sum is in two variables, because a
	// struct that a method changes is kept in memory, which takes twice as long.
	sum, lost, rest := 0.0, 0.0, 0.0
	for _, v := range x {
		d := float64(v*scale) - shift
		var more float64
		sum, more = twoSum(sum, float64(d*d))
		lost += more
		rest += d
	}
	variance := (sum + lost - float64(float64(rest*rest)/n)) / (n - 1)
	return mean, math.Ldexp(math.Sqrt(max(variance, 0)), exp)
}

// extremes are the smallest and the largest of x, which has at least one sample.
func extremes(x []float64) (lo, hi float64) {
	lo, hi = x[0], x[0]
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// unitScale returns the power of two, 2^−exp, that brings the largest sample near 1, so that no square overflows and
// none that matters underflows. It costs no rounding. Clamped, because 2^1074 is not a float64 though 2^-1074 is.
func unitScale(lo, hi float64) (scale float64, exp int) {
	_, exp = math.Frexp(max(math.Abs(lo), math.Abs(hi)))
	exp = min(max(exp, -1000), 1000)
	return math.Ldexp(1, -exp), exp
}

// scaledMean is the mean of the scaled samples.
func scaledMean(x []float64, scale float64) float64 {
	sum, lost := 0.0, 0.0
	for _, v := range x {
		var more float64
		sum, more = twoSum(sum, float64(v*scale))
		lost += more
	}
	return (sum + lost) / float64(len(x))
}

// compensated is a running sum and the rounding error it has made so far (Neumaier 1974). Unlike Kahan's it is right
// also when a term is larger than the sum.
type compensated struct{ sum, lost float64 }

func (c *compensated) add(v float64) {
	sum, err := twoSum(c.sum, v)
	c.sum = sum
	c.lost += err
}

func (c *compensated) value() float64 { return c.sum + c.lost }

// checkSample is the entry to everything that takes samples; arg is what they are called there.
func checkSample(arg string, x []float64) error {
	if len(x) == 0 {
		return &LengthError{Arg: arg, Err: ErrEmpty, Remedy: "give at least one sample"}
	}
	for i, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return &ValueError{Arg: arg, Index: []int{i}, Value: v, Err: ErrNotFinite,
				Remedy: "find out why it was not measured; dropping it would bias the rest"}
		}
	}
	return nil
}

// checkedExtremes is checkSample, and the extremes of the samples from the same pass.
func checkedExtremes(arg string, x []float64) (lo, hi float64, err error) {
	if len(x) == 0 {
		return 0, 0, checkSample(arg, x)
	}
	lo, hi = x[0], x[0]
	for _, v := range x {
		// Branches that are hardly ever taken cost less here than the min and max of the language, which look for NaN
		// and −0.
		if !(math.Abs(v) <= math.MaxFloat64) {
			return 0, 0, checkSample(arg, x)
		}
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	return lo, hi, nil
}

// overflowError blames the sample furthest from 0.
func overflowError(x []float64) error {
	at := 0
	for i, v := range x {
		if math.Abs(v) > math.Abs(x[at]) {
			at = i
		}
	}
	return &ValueError{Arg: "x", Index: []int{at}, Value: x[at], Err: ErrOverflow, Remedy: "use a larger unit"}
}

type summaryJSON struct {
	N        int       `json:"n"`
	Mean     number    `json:"mean"`
	SD       number    `json:"sd"`
	CoV      number    `json:"cov"`
	Min      number    `json:"min"`
	Max      number    `json:"max"`
	Warnings []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes the summary with null for what is undefined.
func (s Summary) MarshalJSON() ([]byte, error) {
	if s.N == 0 { // the zero Summary, of no samples
		s = Summary{Mean: math.NaN(), SD: math.NaN(), CoV: math.NaN(), Min: math.NaN(), Max: math.NaN()}
	}
	return marshal(summaryJSON{
		N: s.N, Mean: number(s.Mean), SD: number(s.SD), CoV: number(s.CoV),
		Min: number(s.Min), Max: number(s.Max), Warnings: s.Warnings,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A field that is null or absent is undefined.
func (s *Summary) UnmarshalJSON(b []byte) error {
	j := summaryJSON{Mean: undefined, SD: undefined, CoV: undefined, Min: undefined, Max: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*s = Summary{
		N: j.N, Mean: float64(j.Mean), SD: float64(j.SD), CoV: float64(j.CoV),
		Min: float64(j.Min), Max: float64(j.Max), Warnings: j.Warnings,
	}
	return nil
}
