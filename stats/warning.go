package stats

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Warning qualifies a number that could be computed but should not be read without it. Warnings are data: they travel
// in the JSON beside the number, and nothing in this package prints.
type Warning struct {
	Code string `json:"code"` // one of the constants below, for programs
	Text string `json:"text"` // one sentence, for people
}

// The codes of the warnings.
const (
	// SingleSample: there is one sample, so nothing is known about spread.
	SingleSample = "single-sample"
	// ResolutionLimited: all samples are identical, or more than half of them are. The true spread is then near or
	// below the resolution of the measurement, or the quantity is a constant; a spread of 0 says nothing about the
	// system, and decides nothing.
	ResolutionLimited = "resolution-limited"
	// UnitUnnamed: the caller did not say what was replicated, so nobody can tell which variation the interval covers.
	UnitUnnamed = "unit-unnamed"
	// DenominatorNearZero: a mean that is divided by is not shown to differ from 0, so the ratio has no bounds.
	DenominatorNearZero = "denominator-near-zero"
	// TailUndersampled: there are too few samples for a quantile so far out to have a finite bound on its outer side.
	TailUndersampled = "tail-undersampled"
	// NotConverged: an iteration did not settle, and the fit is the best that was met on the way.
	NotConverged = "not-converged"
	// Extrapolated: a fitted value lies outside of what was measured.
	Extrapolated = "extrapolated"
	// TooFewPoints: there are too few points for some of what was asked.
	TooFewPoints = "too-few-points"
	// ComponentDropped: the estimate of a variance component is not above 0, so it counts as 0.
	ComponentDropped = "component-dropped"
	// PrecisionNotReached: fewer were run than the wanted half-width needs.
	PrecisionNotReached = "precision-not-reached"
	// TooFewBatches: the samples make fewer batches than an interval within a level needs.
	TooFewBatches = "too-few-batches"
	// DriftNotAssessed: there are so few runs that only an enormous drift would show.
	DriftNotAssessed = "drift-not-assessed"
	// UnlikeSides: the two sides of a comparison differ in size, spread or skew, and its error rates may be higher than
	// stated.
	UnlikeSides = "unlike-sides"
	// FewRuns: the spread comes from fewer than five runs, and a plan that rests on it may be far off.
	FewRuns = "few-runs"
	// OrderUnknown: the order within pairs was not given, and OrderConfounded: it was the same in all of them.
	OrderUnknown    = "order-unknown"
	OrderConfounded = "order-confounded"
	// FewSamples: there are fewer samples than a percentile so far out takes, see TailFloor.
	FewSamples = "few-samples"
	// NotSteady: a level was not shown to be steady, so that its mean is that of a moment.
	NotSteady = "not-steady"
)

func singleSample() Warning {
	return Warning{SingleSample, "one sample: its spread is unknown, not zero"}
}

func resolutionLimited() Warning {
	return Warning{ResolutionLimited,
		"all samples are identical: the spread is below the resolution of the measurement"}
}

// resolutionLimitedAt is resolutionLimited for a knee, of which only some levels may be concerned.
func resolutionLimitedAt(levels []float64) Warning {
	word := "level"
	if len(levels) > 1 {
		word = "levels"
	}
	return Warning{ResolutionLimited, "more than half of the runs have the same throughput at " + word + " " +
		levelNames(levels) + ": the spread there is near or below the resolution of the measurement"}
}

// levelNames writes "100, 200".
func levelNames(levels []float64) string {
	names := make([]string, len(levels))
	for i, l := range levels {
		names[i] = level(l)
	}
	return strings.Join(names, ", ")
}

func unitUnnamed() Warning {
	return Warning{UnitUnnamed, "the replicate unit was not named: the interval does not say which variation it covers"}
}

// noSpreadIn is resolutionLimited for a comparison, of which one side may be concerned.
func noSpreadIn(what string) Warning {
	return Warning{ResolutionLimited, "no spread in " + what +
		": it is below the resolution of the measurement, not zero"}
}

func denominatorNearZero() Warning {
	return Warning{DenominatorNearZero,
		"the mean that is divided by is not shown to differ from 0: the ratio has no bounds"}
}

// tiedBounds is resolutionLimited for samples of which only some are identical.
func tiedBounds() Warning {
	return Warning{ResolutionLimited,
		"the samples that bound the quantile are identical: the bounds are the next different ones"}
}

// noFiniteBound says which side of the interval for a p-quantile is missing, and how many samples it takes.
func noFiniteBound(n int, p, confidence float64, hasLow, hasHigh bool) Warning {
	// float64s as people write them: 0.95 and not 0.95000000000000001
	level := fmt.Sprintf("%.6g %%", 100*confidence)
	tail := (1 - confidence) / 2
	lowNeeds, highNeeds := samplesBounding(p, tail), samplesBounding(1-p, tail)
	switch {
	case hasLow:
		return Warning{TailUndersampled,
			fmt.Sprintf("%d samples have no upper bound for the p%.6g at %s: that takes %.6g",
				n, 100*p, level, highNeeds)}
	case hasHigh:
		return Warning{TailUndersampled,
			fmt.Sprintf("%d samples have no lower bound for the p%.6g at %s: that takes %.6g",
				n, 100*p, level, lowNeeds)}
	}
	covers := 1 - math.Pow(p, float64(n)) - math.Pow(1-p, float64(n))
	return Warning{TailUndersampled, fmt.Sprintf("a %s interval for the p%.6g takes %.6g samples; "+
		"[min, max] of these %d has %.6g %%", level, 100*p, max(lowNeeds, highNeeds), n, 100*max(covers, 0))}
}

func notConverged() Warning {
	return Warning{NotConverged, "the iteration did not settle: the fit is the best that was met on the way"}
}

// withWarnings adds the codes of warnings to a line, so that none is lost in it.
func withWarnings(line string, ws []Warning) string {
	var codes []string
	for _, w := range ws {
		if !slices.Contains(codes, w.Code) {
			codes = append(codes, w.Code)
		}
	}
	if len(codes) == 0 {
		return line
	}
	return line + " (" + strings.Join(codes, ", ") + ")"
}
