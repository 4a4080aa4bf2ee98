package stats

import "strings"

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
	// ResolutionLimited: all samples are identical, or in a Knee all runs are at a level that the text names. The true
	// spread is then below the resolution of the measurement, or the quantity is a constant; a spread of 0 says nothing
	// about the system.
	ResolutionLimited = "resolution-limited"
	// UnitUnnamed: the caller did not say what was replicated, so nobody can tell which variation the interval covers.
	UnitUnnamed = "unit-unnamed"
	// DenominatorNearZero: a mean that is divided by is not shown to differ from 0, so the ratio has no bounds.
	DenominatorNearZero = "denominator-near-zero"
)

func singleSample() Warning {
	return Warning{SingleSample, "one sample: its spread is unknown, not zero"}
}

func resolutionLimited() Warning {
	return Warning{ResolutionLimited, "all samples are identical: the spread is below the resolution of the measurement"}
}

// resolutionLimitedAt is resolutionLimited for a knee, of which only some levels may be concerned.
func resolutionLimitedAt(levels []float64) Warning {
	names := make([]string, len(levels))
	for i, l := range levels {
		names[i] = level(l)
	}
	word := "level"
	if len(levels) > 1 {
		word = "levels"
	}
	return Warning{ResolutionLimited, "all runs have the same throughput at " + word + " " + strings.Join(names, ", ") +
		": the spread there is below the resolution of the measurement"}
}

func unitUnnamed() Warning {
	return Warning{UnitUnnamed, "the replicate unit was not named: the interval does not say which variation it covers"}
}

// noSpreadIn is resolutionLimited for a comparison, of which one side may be concerned.
func noSpreadIn(what string) Warning {
	return Warning{ResolutionLimited, "no spread in " + what + ": it is below the resolution of the measurement, not zero"}
}

func denominatorNearZero() Warning {
	return Warning{DenominatorNearZero, "the mean that is divided by is not shown to differ from 0: the ratio has no bounds"}
}
