package stats

import (
	"fmt"
	"math"
)

// DriftResult says whether an experiment drifted from its first run to its last, by [Drift].
type DriftResult struct {
	// Total is the change from the first run to the last along a straight line, as a logarithm: 0.02 is 2 % up.
	Total Interval
	// ResidualSD is the standard deviation of the runs around that line, in the same unit. NaN for fewer than 3 runs.
	ResidualSD float64
	// Factor is the half-width of Total in residual SDs, which depends on the number of runs alone: at 95 % it is
	// 17.97, 5.77 and 4.03 for 3, 4 and 5 runs and 2.28 for 10. NaN for fewer than 3 runs.
	Factor float64
	// Assessed says that there are runs enough, 5, to speak of drift or of none. Where it is false, do not.
	Assessed bool
	// Trend is the rank test for the same; nil if there are fewer than 5 runs.
	Trend *KendallTrend
}

// Drift answers whether throughput, or any other positive quantity, drifted over the runs of an experiment. y[i][j] is
// that of run i, in the order in which the runs were made, at level j. Each run is reduced to the mean of ln y over its
// levels, and a straight line fitted to those by least squares: Total is its slope times n − 1, with the interval by
// Student's t on n − 2 degrees of freedom, which covers as stated if the runs scatter normally around the line.
//
// With few runs that interval is so wide that not seeing a drift means nothing, which Factor shows. For up to 4 runs
// Assessed is therefore false, with the warning DriftNotAssessed, whatever the interval is. Fewer than 3 leave it
// undefined, and one has no estimate either. unit names what a run is, see [Interval].
//
// No runs or no levels is ErrEmpty, runs of different lengths are ErrLengthMismatch, NaN and infinities ErrNotFinite,
// values not above 0, or subnormal, ErrOutOfRange, each with the place; so is a confidence not strictly between 0 and
// 1. Runs exactly on a line leave the interval undefined with the warning ResolutionLimited. Where more than half of the
// runs are one value at a level, it is wider by what half a step of the measurement may do, with the same warning.
func Drift(y [][]float64, confidence float64, unit string) (DriftResult, error) {
	if err := checkConfidence(confidence); err != nil {
		return DriftResult{}, err
	}
	z, err := meanLogs(y)
	if err != nil {
		return DriftResult{}, err
	}
	n := len(z)
	r := DriftResult{ResidualSD: math.NaN(), Factor: math.NaN(), Assessed: n >= kendallMin}
	r.Total = Interval{
		Estimate: math.NaN(), Low: math.NaN(), High: math.NaN(),
		Method: "least squares on mean logarithms, over run order", N: n, DF: math.NaN(), Confidence: confidence,
		Unit: unit,
		Assumptions: []string{
			"runs scatter independently around a straight line",
			"their mean logarithms are approximately normal around it",
		},
		Warnings: unitWarning(nil, unit),
	}
	if !r.Assessed {
		r.Total.Warnings = append(r.Total.Warnings, Warning{DriftNotAssessed,
			fmt.Sprintf("drift cannot be assessed from fewer than %d runs, and there are %d", kendallMin, n)})
	}
	if n == 1 {
		return r, nil
	}
	fit := fitLine(z, logDigit)
	span := float64(n - 1)
	r.Total.Estimate = float64(fit.slope * span)
	if n == 2 {
		return r, nil
	}
	r.Total.DF = float64(n - 2)
	r.ResidualSD = fit.residualSD
	t, err := studentQuantile((1-confidence)/2, r.Total.DF)
	if err != nil {
		return DriftResult{}, err
	}
	r.Factor = t * span / math.Sqrt(float64(n)*(float64(n)*float64(n)-1)/12)
	if fit.residualSD == 0 {
		r.Total.Warnings = append(r.Total.Warnings, onALine())
	}
	if err := r.Total.around(float64(fit.slopeError * span)); err != nil {
		return DriftResult{}, err
	}
	r.Total.widen(coarseDrift(y), "the runs at a level")
	if math.IsInf(r.Total.Low, 0) { // only at a confidence so near to 1 that t is beyond the largest float64
		r.Total.Low, r.Total.High = math.Inf(-1), math.Inf(1)
	}
	if r.Assessed {
		trend, err := MannKendall(z)
		if err != nil {
			return DriftResult{}, err
		}
		r.Trend = &trend
	}
	return r, nil
}

// coarseDrift is by how much rounding may have moved the total, where runs at a level are coarse: up over one half of
// the runs and down over the other. A level of one value in all runs has no drift to be rounded.
func coarseDrift(y [][]float64) float64 {
	column := make([]float64, len(y))
	var rounding float64
	for j := range y[0] {
		for i, run := range y {
			column[i] = run[j]
		}
		if half := logCoarseness(column); !math.IsInf(half, 1) {
			rounding += half / float64(len(y[0]))
		}
	}
	n := float64(len(y))
	apart := float64(len(y) * len(y) / 4) // Σ|i − centre|
	return rounding * apart / (n * (n*n - 1) / 12) * (n - 1)
}

// meanLogs returns the mean logarithm of each run over its levels, but for a constant.
func meanLogs(y [][]float64) ([]float64, error) {
	if len(y) == 0 {
		return nil, &LengthError{Arg: "y", Err: ErrEmpty, Remedy: "give the runs in the order in which they were made"}
	}
	z := make([]float64, len(y))
	for i, run := range y {
		if len(run) == 0 {
			return nil, &LengthError{Arg: "y", Index: []int{i}, Err: ErrEmpty,
				Remedy: "give each run's value at every level"}
		}
		if len(run) != len(y[0]) {
			return nil, &LengthError{Arg: "y", Index: []int{i}, Len: len(run), Err: ErrLengthMismatch,
				Remedy: fmt.Sprintf("give the same %d levels for every run; leave out runs that are not complete",
					len(y[0]))}
		}
		logs := make([]float64, len(run))
		for j, v := range run {
			if err := checkLoggable("y", v, i, j); err != nil {
				return nil, err
			}
			logs[j] = math.Log(v)
		}
		_, _, z[i], _ = moments(logs)
		z[i] -= math.Log(y[0][0]) // the same in every unit
	}
	return z, nil
}

type driftJSON struct {
	Total      Interval      `json:"total"`
	ResidualSD number        `json:"residual_sd"`
	Factor     number        `json:"factor"`
	Assessed   bool          `json:"assessed"`
	Trend      *KendallTrend `json:"trend,omitempty"`
}

// MarshalJSON writes the result with null for what is undefined.
func (r DriftResult) MarshalJSON() ([]byte, error) {
	return marshal(driftJSON{r.Total, number(r.ResidualSD), number(r.Factor), r.Assessed, r.Trend})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (r *DriftResult) UnmarshalJSON(b []byte) error {
	j := driftJSON{ResidualSD: undefined, Factor: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*r = DriftResult{j.Total, float64(j.ResidualSD), float64(j.Factor), j.Assessed, j.Trend}
	return nil
}
