package stats

import (
	"fmt"
	"math"

	people "github.com/servegauge/servegauge/internal/number"
)

// KneeKind says what form the answer of [Knee] has.
type KneeKind int

const (
	// KneeNotResolved: the data do not bound the knee on either side. Low and High are undefined.
	KneeNotResolved KneeKind = iota
	// KneeBracketed: the knee is in (Low, High].
	KneeBracketed
	// KneeAbove: the knee is above Low, and saturation was not shown at any level below the highest. High is undefined.
	KneeAbove
	// KneeAtMost: the knee is at High or below. Low is undefined.
	KneeAtMost
)

var kneeKinds = [...]string{"not-resolved", "bracketed", "above", "at-most"}

// String returns the name that the kind has in JSON.
func (k KneeKind) String() string {
	if k < 0 || int(k) >= len(kneeKinds) {
		return fmt.Sprintf("KneeKind(%d)", int(k))
	}
	return kneeKinds[k]
}

// MarshalText writes the kind by its name.
func (k KneeKind) MarshalText() ([]byte, error) {
	if k < 0 || int(k) >= len(kneeKinds) {
		return nil, fmt.Errorf("stats: %v is not a kind of knee", k)
	}
	return []byte(kneeKinds[k]), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *KneeKind) UnmarshalText(b []byte) error {
	for i, name := range kneeKinds {
		if string(b) == name {
			*k = KneeKind(i)
			return nil
		}
	}
	return fmt.Errorf("stats: %q is not a kind of knee; want one of %q", b, kneeKinds)
}

// KneeResult bounds the saturation knee, and says why. The zero KneeResult is not resolved.
type KneeResult struct {
	Kind KneeKind
	// Low is excluded and High included, both in the unit of the levels and always one of them. A side that Kind leaves
	// open means nothing: Knee sets it to NaN, in the zero KneeResult it is 0, and in JSON it is null.
	Low, High float64
	// Reason says in words what decided the answer or what kept it open.
	Reason string
	// Peak holds the levels, in order, that may have the highest mean throughput: all that were not shown to be worse
	// than another. It contains the true one with a nominal confidence of 95 % in all, and did so in at least 95 % of
	// the experiments in each combination that the comment on Knee tells of.
	Peak []float64
	// Tests holds the evidence, one entry for each level in order. It is nil where nothing could be tested.
	Tests []KneeTest
	// Next holds the levels, in order, whose measurement would tell more: the geometric middle of Low and High, or of
	// Low and the level with the highest mean where that is below High, since beyond a peak no knee is; twice the
	// highest level where saturation was not shown, half the lowest where there is no lower end. Where all tested
	// levels are whole numbers, so are these. It is nil where no level is left between the ends or below the lowest,
	// and where more runs are wanted first. To go on below High, see RefineKnee.
	Next []float64
	// NextRuns is how many complete runs, those at hand included, are wanted of the tested levels: 3 where there are
	// fewer; else, where noise alone may have kept the answer open, as many as would show, four times in five, that the
	// second highest level reaches 95 % of the highest if the two are equal. It follows from the spread between runs
	// and never from the difference observed, and is as uncertain as that spread. 0: more runs are not what is missing.
	NextRuns int
	// Method, N, DF, Unit, Assumptions and Warnings have the meanings that they have in Interval. N counts the runs.
	// Unit is "run", for the caller to change into what its runs are.
	Method      string
	N           int
	DF          float64
	Unit        string
	Assumptions []string
	Warnings    []Warning
}

// KneeTest is what the runs say about one level. The statistics are Student's t, without unit; where every run gives
// the same difference they are undefined, NaN, and decide nothing.
type KneeTest struct {
	Level float64
	// Below tests the level against 95 % of the peak that the other runs choose: strongly negative shows that the knee
	// is above this level.
	Below float64
	// Reaches is the least of the tests of this level against 95 % of each higher one: large shows that the knee is not
	// above this level. +Inf for the highest level, which has none above it.
	Reaches float64
}

func (t KneeTest) undefined() bool { return math.IsNaN(t.Below) || math.IsNaN(t.Reaches) }

// String returns the answer with the codes of its warnings, such as "(100, 400]", "> 100, saturation not shown",
// "≤ 400 (resolution-limited)" or "not resolved".
func (r KneeResult) String() string { return withWarnings(r.bracket(), r.Warnings) }

func (r KneeResult) bracket() string {
	switch r.Kind {
	case KneeBracketed:
		return "(" + level(r.Low) + ", " + level(r.High) + "]"
	case KneeAbove:
		return "> " + level(r.Low) + ", saturation not shown"
	case KneeAtMost:
		return "≤ " + level(r.High)
	default:
		return "not resolved"
	}
}

func level(v float64) string { return people.Short(v, 6) }

type kneeTestJSON struct {
	Level   number `json:"level"`
	Below   number `json:"below_t"`
	Reaches number `json:"reaches_t"`
}

// MarshalJSON writes an infinite statistic as null, and names it in the member "unbounded".
func (t KneeTest) MarshalJSON() ([]byte, error) {
	return marshal(kneeTestJSON{number(t.Level), number(t.Below), number(t.Reaches)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *KneeTest) UnmarshalJSON(b []byte) error {
	j := kneeTestJSON{undefined, undefined, undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*t = KneeTest{float64(j.Level), float64(j.Below), float64(j.Reaches)}
	return nil
}

type kneeJSON struct {
	Kind        KneeKind   `json:"kind"`
	Low         number     `json:"low"`
	High        number     `json:"high"`
	Reason      string     `json:"reason"`
	Peak        []float64  `json:"peak"`
	Tests       []KneeTest `json:"tests,omitempty"`
	Next        []float64  `json:"next,omitempty"`
	NextRuns    int        `json:"next_runs,omitempty"`
	Method      string     `json:"method"`
	N           int        `json:"n"`
	DF          number     `json:"df"`
	Unit        string     `json:"unit"`
	Assumptions []string   `json:"assumptions,omitempty"`
	Warnings    []Warning  `json:"warnings,omitempty"`
}

// MarshalJSON writes the answer with null for a side that is open.
func (r KneeResult) MarshalJSON() ([]byte, error) {
	if r.Kind != KneeBracketed && r.Kind != KneeAbove { // the zero KneeResult has zeros for bounds
		r.Low = math.NaN()
	}
	if r.Kind != KneeBracketed && r.Kind != KneeAtMost {
		r.High = math.NaN()
	}
	return marshal(kneeJSON{
		Kind: r.Kind, Low: number(r.Low), High: number(r.High), Reason: r.Reason, Peak: r.Peak, Tests: r.Tests,
		Next: r.Next, NextRuns: r.NextRuns,
		Method: r.Method, N: r.N, DF: number(r.DF), Unit: r.Unit, Assumptions: r.Assumptions, Warnings: r.Warnings,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (r *KneeResult) UnmarshalJSON(b []byte) error {
	j := kneeJSON{Low: undefined, High: undefined, DF: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*r = KneeResult{
		Kind: j.Kind, Low: float64(j.Low), High: float64(j.High), Reason: j.Reason, Peak: j.Peak, Tests: j.Tests,
		Next: j.Next, NextRuns: j.NextRuns,
		Method: j.Method, N: j.N, DF: float64(j.DF), Unit: j.Unit, Assumptions: j.Assumptions, Warnings: j.Warnings,
	}
	return nil
}
