package stats

import (
	"math"
	"slices"
)

// What was measured was read off something with steps: a clock, a counter, a column rounded for print. Where the spread
// is small beside the steps it is no measure of the error, because every run is rounded the same way. Two rules follow,
// and everything in this package that bounds or tests a mean keeps both:
//
//   - Without any spread nothing is decided: bounds and tests are undefined, with the warning ResolutionLimited.
//   - Samples of which more than half are one value are coarse: their mean may be off by half a step on top of what
//     their spread shows, so bounds are that much wider and tests that much weaker, with the same warning.
//
// More than half, because normal values whose SD is above half a step have less than that at any one, and rounding then
// moves their mean by less than 0.003 steps. Reading the step off the decimals was rejected: a count over 60 s has
// steps of 1/60.

// coarseness returns by how much rounding may have moved the mean of x: half the step of coarse samples, and 0 for
// others. The step is not known, but is at most the distance from the common value to the nearest other one in x or
// near, the values that were measured the same way; +Inf if there is none.
func coarseness(x []float64, near ...[]float64) float64 {
	common, ok := majority(x)
	if !ok {
		return 0
	}
	step := math.Inf(1)
	for _, values := range append(near, x) {
		for _, v := range values {
			if v != common {
				step = min(step, math.Abs(v-common))
			}
		}
	}
	return step / 2
}

// logCoarseness is coarseness of the mean logarithm.
func logCoarseness(x []float64, near ...[]float64) float64 {
	half := coarseness(x, near...)
	if half == 0 {
		return 0
	}
	common, _ := majority(x)
	return -math.Log1p(-min(half/common, 1))
}

// majority returns the value that more than half of x have. One sample has none: there is nothing it could agree with.
func majority(x []float64) (common float64, ok bool) {
	if len(x) < 2 {
		return 0, false
	}
	votes := 0 // Boyer & Moore: what more than half have is left over when unlike ones cancel
	for _, v := range x {
		switch {
		case votes == 0:
			common, votes = v, 1
		case v == common:
			votes++
		default:
			votes--
		}
	}
	count := 0
	for _, v := range x {
		if v == common {
			count++
		}
	}
	return common, count > len(x)/2
}

// lastDigit is the distance from |v| to the next float64, the resolution of the number itself.
func lastDigit(v float64) float64 {
	v = math.Abs(v)
	if v == math.MaxFloat64 {
		return v - math.Nextafter(v, 0)
	}
	return math.Nextafter(v, math.Inf(1)) - v
}

func hasWarning(ws []Warning, code string) bool {
	return slices.ContainsFunc(ws, func(w Warning) bool { return w.Code == code })
}

// withCoarse adds that the samples are coarse, unless ws has the code for a stronger reason.
func withCoarse(ws []Warning, what string) []Warning {
	if hasWarning(ws, ResolutionLimited) {
		return ws
	}
	return append(ws, Warning{ResolutionLimited,
		"more than half of " + what + " are one value: half a step of the measurement is allowed for on either side"})
}
