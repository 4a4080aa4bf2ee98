package stats

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
	// ResolutionLimited: all samples are identical, so the true spread is below the resolution of the measurement (or the
	// quantity is a constant); a spread of 0 is then a statement about the instrument.
	ResolutionLimited = "resolution-limited"
	// UnitUnnamed: the caller did not say what was replicated, so nobody can tell which variation the interval covers.
	UnitUnnamed = "unit-unnamed"
)

func singleSample() Warning {
	return Warning{SingleSample, "one sample: its spread is unknown, not zero"}
}

func resolutionLimited() Warning {
	return Warning{ResolutionLimited, "all samples are identical: the spread is below the resolution of the measurement"}
}

func unitUnnamed() Warning {
	return Warning{UnitUnnamed, "the replicate unit was not named: the interval does not say which variation it covers"}
}
