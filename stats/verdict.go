package stats

import (
	"fmt"
)

// VerdictKind is the answer of [Compare].
type VerdictKind int

const (
	// Undecided: neither a difference nor equivalence was shown.
	Undecided VerdictKind = iota
	// Faster: b is better than a, in the direction of the comparison.
	Faster
	// Slower: b is worse than a.
	Slower
	// Equivalent: the difference is smaller than the margin.
	Equivalent
)

var verdictKinds = [...]string{"undecided", "faster", "slower", "equivalent"}

// String returns the name that the kind has in JSON.
func (k VerdictKind) String() string {
	if k < 0 || int(k) >= len(verdictKinds) {
		return fmt.Sprintf("VerdictKind(%d)", int(k))
	}
	return verdictKinds[k]
}

// MarshalText writes the kind by its name.
func (k VerdictKind) MarshalText() ([]byte, error) {
	if k < 0 || int(k) >= len(verdictKinds) {
		return nil, fmt.Errorf("stats: %v is not a kind of verdict", k)
	}
	return []byte(verdictKinds[k]), nil
}

// UnmarshalText reads what MarshalText writes.
func (k *VerdictKind) UnmarshalText(b []byte) error {
	for i, name := range verdictKinds {
		if string(b) == name {
			*k = VerdictKind(i)
			return nil
		}
	}
	return fmt.Errorf("stats: %q is not a kind of verdict; want one of %q", b, verdictKinds)
}

// Verdict is the outcome of a comparison with its evidence. The zero Verdict is undecided.
type Verdict struct {
	Kind VerdictKind
	// Detected says that there is a difference. Beside Equivalent it is one too small to matter.
	Detected bool
	// Reason says in words what decided, or what kept it open.
	Reason string
	// Ratio is b over a, of geometric means, at the confidence of the comparison: above 1 b is larger, whether that is
	// better or not. EquivalenceRatio is the same at 2·confidence − 1, which is what has to be inside the margin.
	// Neither is adjusted for a family.
	Ratio, EquivalenceRatio Interval
	// P is the two-sided p value for there being no difference, EquivalenceP that for a difference of the margin or
	// more. NaN where there is no spread to judge by.
	P, EquivalenceP float64
	// AdjustedP and AdjustedEquivalenceP are P and EquivalenceP as [CompareFamily] corrects them for the family that
	// the comparison was one of; outside a family they are the same. Kind and Detected follow from these.
	AdjustedP, AdjustedEquivalenceP float64
	// RunsToDecide, for Undecided, is how many runs a side (or pairs), measured afresh, would decide with a probability
	// of 80 %, see [Comparison.RunsToDecide]. 0: it cannot be said, Reason says why.
	RunsToDecide int
	// RunsA and RunsB are how many there were.
	RunsA, RunsB int
	// Margin, LowerIsBetter and Paired are those of the comparison.
	Margin        float64
	LowerIsBetter bool
	Paired        bool
	// Warnings qualify all of it. Method, DF, confidence, unit and assumptions are those of Ratio.
	Warnings []Warning
}

// String returns the verdict in one line with the codes of its warnings, such as "undecided: B/A 1.048 [0.992, 1.108]
// at 95 %; if the spread is as seen, 12 a side decide 4 times in 5 (unlike-sides)".
func (v Verdict) String() string {
	s := v.Kind.String()
	ratio := v.Ratio
	if v.Kind == Equivalent {
		s += fmt.Sprintf(" within %.4g %%", 100*v.Margin)
		if v.Detected {
			s += ", difference detected"
		}
		ratio = v.EquivalenceRatio // what is inside the margin
	}
	switch {
	case ratio.Defined():
		s += fmt.Sprintf(": B/A %s at %.4g %%", v.bounds(ratio), 100*ratio.Confidence)
	case ratio.Estimate > 0:
		s += fmt.Sprintf(": B/A %.4g, without bounds", ratio.Estimate)
	}
	if v.Kind == Undecided && v.RunsToDecide > min(v.RunsA, v.RunsB) {
		noun := "a side"
		if v.Paired {
			noun = "pairs"
		}
		s += fmt.Sprintf("; if the spread is as seen, %d %s decide 4 times in 5", v.RunsToDecide, noun)
	}
	return withWarnings(s, v.Warnings)
}

type verdictJSON struct {
	Kind                 VerdictKind `json:"kind"`
	Detected             bool        `json:"detected"`
	Reason               string      `json:"reason"`
	Ratio                Interval    `json:"ratio"`
	EquivalenceRatio     Interval    `json:"equivalence_ratio"`
	P                    number      `json:"p"`
	EquivalenceP         number      `json:"equivalence_p"`
	AdjustedP            number      `json:"adjusted_p"`
	AdjustedEquivalenceP number      `json:"adjusted_equivalence_p"`
	RunsToDecide         int         `json:"runs_to_decide,omitempty"`
	RunsA                int         `json:"runs_a"`
	RunsB                int         `json:"runs_b"`
	Margin               number      `json:"margin"`
	LowerIsBetter        bool        `json:"lower_is_better"`
	Paired               bool        `json:"paired"`
	Warnings             []Warning   `json:"warnings,omitempty"`
}

// MarshalJSON writes the verdict with null for what is undefined.
func (v Verdict) MarshalJSON() ([]byte, error) {
	if v.RunsA == 0 { // the zero Verdict has zeros for p values
		v.P, v.EquivalenceP, v.AdjustedP, v.AdjustedEquivalenceP = float64(undefined), float64(undefined),
			float64(undefined), float64(undefined)
	}
	return marshal(verdictJSON{
		v.Kind, v.Detected, v.Reason, v.Ratio, v.EquivalenceRatio, number(v.P), number(v.EquivalenceP),
		number(v.AdjustedP), number(v.AdjustedEquivalenceP), v.RunsToDecide, v.RunsA, v.RunsB,
		number(v.Margin), v.LowerIsBetter, v.Paired, v.Warnings,
	})
}

// UnmarshalJSON reads what MarshalJSON writes. A number that is null or absent is undefined.
func (v *Verdict) UnmarshalJSON(b []byte) error {
	j := verdictJSON{P: undefined, EquivalenceP: undefined, AdjustedP: undefined, AdjustedEquivalenceP: undefined,
		Margin: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*v = Verdict{
		j.Kind, j.Detected, j.Reason, j.Ratio, j.EquivalenceRatio, float64(j.P), float64(j.EquivalenceP),
		float64(j.AdjustedP), float64(j.AdjustedEquivalenceP), j.RunsToDecide, j.RunsA, j.RunsB,
		float64(j.Margin), j.LowerIsBetter, j.Paired, j.Warnings,
	}
	return nil
}
