package stats

import (
	"fmt"
	"math"
	"slices"

	people "github.com/servegauge/servegauge/internal/number"
)

// Interval is an estimate and the bounds between which the truth lies at the stated confidence, with everything that is
// needed to judge that claim. Estimate, Low and High share one unit, that of the samples unless the function that made
// the interval says otherwise.
//
// An interval never has zero width: samples without any spread show only that the resolution of the measurement is too
// coarse, and leave it undefined with the warning ResolutionLimited.
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
	return v.Confidence > 0 && v.Confidence < 1 && v.Low < v.High
}

// Below reports whether the whole interval lies below x, its upper bound excluded. It is false for an undefined
// interval.
func (v Interval) Below(x float64) bool { return v.Defined() && v.High < x }

// Above reports whether the whole interval lies above x, its lower bound excluded. It is false for an undefined
// interval. Below and Above may both be false: that is the answer "not decided".
func (v Interval) Above(x float64) bool { return v.Defined() && v.Low > x }

// HalfWidth returns (High − Low)/2, in the unit of the samples: the ± of a symmetric interval. It is NaN for an
// undefined interval and +Inf for an unbounded one.
func (v Interval) HalfWidth() float64 {
	if !v.Defined() {
		return math.NaN()
	}
	return float64(v.High/2) - float64(v.Low/2) // halved first: High − Low may overflow
}

// String returns the interval in one line with its confidence and the codes of its warnings, such as "6735 [6396, 7074]
// at 95 %" or "6735, no interval (single-sample)". It has as many digits as the width bears, two of the half-width.
func (v Interval) String() string {
	if !v.Defined() {
		return withWarnings(formatNumber(v.Estimate, 5)+", no interval", v.Warnings)
	}
	return withWarnings(fmt.Sprintf("%s at %s %%", v.bounds(), formatNumber(100*v.Confidence, 6)), v.Warnings)
}

// bounds writes "6,735 [6,396, 7,074]", with so many digits more that no bound looks like a number that it is not, of
// those given: 1.0003 is not 1.000 where the question is whether the interval contains 1.
func (v Interval) bounds(apart ...float64) string {
	finest := v.High - v.Low
	for _, bound := range []float64{v.Low, v.High} {
		// Where it would be written as 0, which it is not: an SD of 0 is none, and a share of 0 nobody.
		if size := math.Abs(bound); size > finest/10_000 && size < finest/20 {
			apart = append(slices.Clip(apart), 0)
		}
	}
	for _, x := range apart {
		for _, bound := range []float64{v.Low, v.High} {
			if d := math.Abs(bound - x); d > 0 {
				finest = min(finest, 4*d) // its half-width has two digits, its eighth has one
			}
		}
	}
	largest := max(math.Abs(v.Estimate), math.Abs(v.Low), math.Abs(v.High))
	if math.IsInf(finest, 1) || !(finest > 0) { // a side is open, or the width overflows
		return fmt.Sprintf("%s [%s, %s]", formatNumber(v.Estimate, 5), formatNumber(v.Low, 5), formatNumber(v.High, 5))
	}
	// All to one decimal place, the second of the half-width.
	places := 1 - int(math.Floor(math.Log10(finest/2)))
	digits := min(max(places+1+int(math.Floor(math.Log10(largest))), 3), 17)
	one := func(x float64) string {
		switch {
		case math.IsNaN(x) || math.IsInf(x, 0):
			return formatNumber(x, digits)
		case places > 12 || places < -12 || largest > 1e4*math.Abs(v.Estimate): // one place does not fit all
			return formatNumber(x, max(digits, 4))
		}
		return people.Fixed(x, max(places, 0))
	}
	return fmt.Sprintf("%s [%s, %s]", one(v.Estimate), one(v.Low), one(v.High))
}

func formatNumber(x float64, digits int) string {
	switch {
	case math.IsNaN(x):
		return "undefined"
	case math.IsInf(x, 1):
		return "∞"
	case math.IsInf(x, -1):
		return "−∞"
	}
	return people.Digits(x, digits)
}

// MeanInterval returns the two-sided interval for the mean of the population that x is a sample of: x̄ ± t·s/√n with t
// the upper (1 − confidence)/2 quantile of Student's t on n − 1 degrees of freedom (Student 1908). unit names what each
// x is, see [Interval].
//
// At a nominal 95 % it covers 95.0 % for normal x, and 94.8 % for lognormal x whose logarithms have an SD of 0.12, at
// n = 3, 5 and 10 alike. (1.96 in the place of t covers 81 % at n = 3 and 88 % at n = 5.) Stopping the replication when
// the interval is narrow enough spoils this.
//
// One sample gives its value as the estimate and an undefined interval, because nothing is known about the spread,
// which is not the same as there being none. So do identical samples, and samples so near each other that the bounds
// round to the mean, with the warning ResolutionLimited: such an interval would exclude everything on the evidence of a
// coarse clock. Where more than half of the samples are one value the bounds are wider by half the smallest step
// between the samples, with the same warning. Errors are those of [Summarize], and ErrOutOfRange for a confidence not
// strictly between 0 and 1.
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
	v.widen(coarseness(x), "the samples")
	if math.IsInf(v.Low, 0) || math.IsInf(v.High, 0) {
		return Interval{}, overflowError(x)
	}
	return v, nil
}

// around sets the bounds to Estimate ± t·standardError, t on v.DF degrees of freedom. They may overflow.
func (v *Interval) around(standardError float64) error {
	t, err := studentQuantile((1-v.Confidence)/2, v.DF)
	if err != nil {
		return err
	}
	half := float64(t * standardError) // the conversion: no fusing into the sums below
	v.Low, v.High = v.Estimate-half, v.Estimate+half
	v.needWidth()
	return nil
}

// needWidth takes away bounds that are one number, and says so unless v has that warning already.
func (v *Interval) needWidth() {
	if v.Low != v.High {
		return
	}
	v.Low, v.High = math.NaN(), math.NaN()
	if !hasWarning(v.Warnings, ResolutionLimited) {
		v.Warnings = append(v.Warnings, Warning{ResolutionLimited, "the spread is below the rounding of the estimate"})
	}
}

// widen moves both bounds outwards by what rounding may hide in coarse samples.
func (v *Interval) widen(by float64, what string) {
	if by > 0 && v.Defined() {
		v.Low, v.High = v.Low-by, v.High+by
		v.Warnings = withCoarse(v.Warnings, what)
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

// MarshalJSON writes the interval with null for what is undefined and for an unbounded side, which the
// member "unbounded" then names.
func (v Interval) MarshalJSON() ([]byte, error) {
	if !v.Defined() { // the zero Interval has zeros for bounds
		v.Low, v.High = math.NaN(), math.NaN()
	}
	return marshal(intervalJSON{
		Estimate: number(v.Estimate), Low: number(v.Low), High: number(v.High),
		Method: v.Method, N: v.N, DF: number(v.DF), Confidence: number(v.Confidence), Coverage: v.Coverage,
		Unit:        v.Unit,
		Assumptions: v.Assumptions, Warnings: v.Warnings,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (v *Interval) UnmarshalJSON(b []byte) error {
	j := intervalJSON{Estimate: undefined, Low: undefined, High: undefined, DF: undefined, Confidence: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*v = Interval{
		Estimate: float64(j.Estimate), Low: float64(j.Low), High: float64(j.High),
		Method: j.Method, N: j.N, DF: float64(j.DF), Confidence: float64(j.Confidence), Coverage: j.Coverage,
		Unit:        j.Unit,
		Assumptions: j.Assumptions, Warnings: j.Warnings,
	}
	return nil
}
