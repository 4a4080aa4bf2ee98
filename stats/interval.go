package stats

import (
	"encoding/json"
	"math"
	"slices"
)

// Interval is an estimate and the bounds between which the truth lies at the stated confidence, with everything that is
// needed to judge that claim. Estimate, Low and High share one unit, that of the samples unless the function that made
// the interval says otherwise.
//
// An interval that could not be computed has NaN for Low and High, null in JSON, and is not [Interval.Defined]. It
// claims nothing: it is neither [Interval.Below] nor [Interval.Above] anything, so that a check written as
// "fail unless Below(limit)" cannot pass on it. The zero Interval is not defined either.
type Interval struct {
	Estimate   float64 // the point estimate
	Low, High  float64 // the bounds; NaN: undefined, an infinity: unbounded on that side
	Method     string  // how they were computed
	N          int     // how many replicates they rest on
	DF         float64 // degrees of freedom; NaN for a method that has none
	Confidence float64 // the nominal coverage, between 0 and 1
	// Coverage is the exact coverage, for a method that can say it without knowing the population: order statistics, of
	// which whole ranks rarely give the nominal one. 0, and absent in JSON: the method says no more than Confidence.
	Coverage float64
	// Unit is what was replicated, such as "run with restart", "run" or "request": the interval covers the variation
	// between such units, and none above them.
	Unit        string
	Assumptions []string  // what must hold for the coverage to be as stated
	Warnings    []Warning // what is known not to hold, or not to be known
}

// Defined reports whether the interval has bounds.
func (v Interval) Defined() bool {
	return v.Confidence > 0 && v.Confidence < 1 && v.Low <= v.High
}

// Below reports whether the whole interval lies below x, its upper bound excluded. It is false for an undefined interval.
func (v Interval) Below(x float64) bool { return v.Defined() && v.High < x }

// Above reports whether the whole interval lies above x, its lower bound excluded. It is false for an undefined interval.
// Below and Above may both be false: that is the answer "not decided".
func (v Interval) Above(x float64) bool { return v.Defined() && v.Low > x }

// HalfWidth returns (High − Low)/2, in the unit of the samples: the ± of a symmetric interval. It is NaN for an
// undefined interval and +Inf for an unbounded one.
func (v Interval) HalfWidth() float64 {
	if !v.Defined() {
		return math.NaN()
	}
	return float64(v.High/2) - float64(v.Low/2) // halved first: High − Low may overflow
}

// MeanInterval returns the two-sided interval for the mean of the population that x is a sample of:
// x̄ ± t·s/√n with t the upper (1 − confidence)/2 quantile of Student's t on n − 1 degrees of freedom (Student 1908). unit
// names what each x is, see [Interval].
//
// At a nominal 95 % it covers 95.0 % for normal x, and 94.8 % for lognormal x whose logarithms have an SD of 0.12, at
// n = 3, 5 and 10 alike. (1.96 in the place of t covers 81 % at n = 3 and 88 % at n = 5.) Stopping the replication when
// the interval is narrow enough spoils this.
//
// One sample gives its value as the estimate and an undefined interval, because nothing is known about the spread, which
// is not the same as there being none. Identical samples, and samples so near each other that the bounds round to the mean,
// give an interval of zero width with the warning ResolutionLimited. Errors are those of [Summarize], and ErrOutOfRange for a confidence not strictly between 0 and 1.
func MeanInterval(x []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	s, err := Summarize(x)
	if err != nil {
		return Interval{}, err
	}
	v := Interval{
		Estimate: s.Mean, Low: math.NaN(), High: math.NaN(),
		Method: "Student's t", N: s.N, DF: float64(s.N - 1), Confidence: confidence, Unit: unit,
		Assumptions: assumptions("their mean is approximately normal"),
		Warnings:    unitWarning(s.Warnings, unit),
	}
	if s.N == 1 {
		return v, nil
	}
	if err := v.around(float64(s.SD / math.Sqrt(float64(s.N)))); err != nil {
		return Interval{}, err
	}
	if math.IsInf(v.Low, 0) || math.IsInf(v.High, 0) {
		return Interval{}, overflowError(x)
	}
	return v, nil
}

// around sets the bounds to Estimate ± t·standardError, t on v.DF degrees of freedom. They may overflow.
func (v *Interval) around(standardError float64) error {
	t, err := StudentQuantile((1-v.Confidence)/2, v.DF)
	if err != nil {
		return err
	}
	half := float64(t * standardError) // the conversion: no fusing into the sums below
	v.Low, v.High = v.Estimate-half, v.Estimate+half
	v.warnOfNoWidth()
	return nil
}

// warnOfNoWidth says of bounds that round to one number that they do, unless v has that warning already.
func (v *Interval) warnOfNoWidth() {
	if v.Low == v.High && !slices.ContainsFunc(v.Warnings, func(w Warning) bool { return w.Code == ResolutionLimited }) {
		v.Warnings = append(v.Warnings, Warning{ResolutionLimited, "the interval is narrower than the rounding of its estimate"})
	}
}

func checkConfidence(confidence float64) error {
	if !(confidence > 0 && confidence < 1) {
		return &ValueError{Arg: "confidence", Value: confidence, Err: ErrOutOfRange,
			Remedy: "give a probability between 0 and 1, both excluded, such as 0.95"}
	}
	return nil
}

// assumptions are those of every interval from replicates, and what the method adds to them.
func assumptions(more ...string) []string {
	return append([]string{
		"the replicates are independent",
		"the replicates are drawn from one population, without drift",
	}, more...)
}

// unitWarning adds to ws that the unit was not named, if it was not.
func unitWarning(ws []Warning, unit string) []Warning {
	if unit == "" {
		ws = append(ws, unitUnnamed())
	}
	return ws
}

type intervalJSON struct {
	Estimate    number    `json:"estimate"`
	Low         number    `json:"low"`
	High        number    `json:"high"`
	Method      string    `json:"method"`
	N           int       `json:"n"`
	DF          number    `json:"df"`
	Confidence  number    `json:"confidence"`
	Coverage    float64   `json:"coverage,omitempty"`
	Unit        string    `json:"unit"`
	Assumptions []string  `json:"assumptions,omitempty"`
	Warnings    []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes the interval with null for what is undefined, and "Infinity" or "-Infinity" for an unbounded side.
func (v Interval) MarshalJSON() ([]byte, error) {
	if !v.Defined() { // the zero Interval has zeros for bounds
		v.Low, v.High = math.NaN(), math.NaN()
	}
	return json.Marshal(intervalJSON{
		Estimate: number(v.Estimate), Low: number(v.Low), High: number(v.High),
		Method: v.Method, N: v.N, DF: number(v.DF), Confidence: number(v.Confidence), Coverage: v.Coverage, Unit: v.Unit,
		Assumptions: v.Assumptions, Warnings: v.Warnings,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (v *Interval) UnmarshalJSON(b []byte) error {
	j := intervalJSON{Estimate: undefined, Low: undefined, High: undefined, DF: undefined, Confidence: undefined}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	*v = Interval{
		Estimate: float64(j.Estimate), Low: float64(j.Low), High: float64(j.High),
		Method: j.Method, N: j.N, DF: float64(j.DF), Confidence: float64(j.Confidence), Coverage: j.Coverage, Unit: j.Unit,
		Assumptions: j.Assumptions, Warnings: j.Warnings,
	}
	return nil
}
