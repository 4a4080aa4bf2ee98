package stats

import (
	"math"
)

// EquivalenceTest holds the p values of two one-sided tests (Schuirmann 1987): that a difference is not above −margin,
// and that it is not below +margin. Both must be small for the difference to be shown to lie within the margin. They
// are NaN where the [TTest] underneath is.
type EquivalenceTest struct {
	Lower float64 // P for "the difference is −margin or less"
	Upper float64 // P for "the difference is +margin or more"
}

// P returns the larger of the two, which is the p value of equivalence; no correction for there being two is needed. At
// P ≤ 0.05 the 90 % interval (not the 95 %) is inside the margin.
func (e EquivalenceTest) P() float64 { return max(e.Lower, e.Upper) }

type equivalenceTestJSON struct {
	Lower number `json:"lower"`
	Upper number `json:"upper"`
}

// MarshalJSON writes the test with null for what is undefined.
func (e EquivalenceTest) MarshalJSON() ([]byte, error) {
	return marshal(equivalenceTestJSON{number(e.Lower), number(e.Upper)})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (e *EquivalenceTest) UnmarshalJSON(b []byte) error {
	j := equivalenceTestJSON{undefined, undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*e = EquivalenceTest{float64(j.Lower), float64(j.Upper)}
	return nil
}

// TOST tests whether the difference is within ± margin, in the unit of Difference: for a test on logarithms and a
// margin of 5 %, that is math.Log1p(0.05). A margin that is not above 0 and finite is ErrOutOfRange.
func (t TTest) TOST(margin float64) (EquivalenceTest, error) {
	if !(margin > 0) || math.IsInf(margin, 1) {
		return EquivalenceTest{}, marginError("margin", margin)
	}
	if math.IsNaN(t.T) {
		return EquivalenceTest{math.NaN(), math.NaN()}, nil
	}
	lower, err := studentTail((margin+t.Difference-t.Rounding)/t.SE, t.DF)
	if err != nil {
		return EquivalenceTest{}, err
	}
	upper, err := studentTail((margin-t.Difference-t.Rounding)/t.SE, t.DF)
	return EquivalenceTest{lower, upper}, err
}

func marginError(arg string, margin float64) error {
	return &ValueError{Arg: arg, Value: margin, Err: ErrOutOfRange,
		Remedy: "give the largest difference that does not matter, above 0, such as 0.03 for 3 %"}
}
