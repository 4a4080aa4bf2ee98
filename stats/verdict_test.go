package stats

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// A verdict shows as many digits as it takes to see why it is one.
func TestVerdictString(t *testing.T) {
	at := func(estimate, low, high float64) Interval {
		return Interval{Estimate: estimate, Low: low, High: high, Confidence: 0.95}
	}
	for _, c := range []struct {
		v    Verdict
		want string
	}{
		{Verdict{Kind: Faster, Ratio: at(1.0005, 1.0002, 1.0008)}, "faster: B/A 1.00050 [1.00020, 1.00080] at 95 %"},
		{Verdict{Kind: Faster, Ratio: at(1.0005, 1.0000004, 1.001), Margin: 0.01},
			"faster: B/A 1.00050000 [1.00000040, 1.00100000] at 95 %"},
		{Verdict{Kind: Equivalent, Margin: 0.01, Ratio: at(1.005, 0.99, 1.02), EquivalenceRatio: at(1.005, 1.0002,
			1.00999)},
			"equivalent within 1 %: B/A 1.005000 [1.000200, 1.009990] at 95 %"},
		{Verdict{RunsToDecide: 12, RunsA: 3, RunsB: 3, Ratio: at(1.05, 0.95, 1.2), Warnings: []Warning{{FewRuns, ""}}},
			"undecided: B/A 1.05 [0.95, 1.20] at 95 %; if the spread is as seen, 12 a side decide 4 times in 5 " +
				"(few-runs)"},
		{Verdict{RunsToDecide: 12, RunsA: 3, RunsB: 3, Paired: true},
			"undecided; if the spread is as seen, 12 pairs decide 4 times in 5"},
	} {
		if got := c.v.String(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	v, err := Compare(sampleA[:3], sampleB[:3], Comparison{Margin: 0.03, Unit: "run"})
	if err != nil || !slices.Equal(warned(v.Warnings), []string{FewRuns}) || !strings.Contains(v.Warnings[0].Text,
		"between 0.6 and 2.9 times") {
		t.Errorf("%v: %v, %v", v, v.Warnings, err)
	}
}

func TestDetectableRatio(t *testing.T) {
	for _, c := range []struct {
		n      int
		paired bool
		want   float64 // in SDs
	}{{3, false, 3.07089226636369}, {5, false, 2.02443933938454}, {10, false, 1.32494739257923}, {5, true,
		1.68199696595556}} {
		got, err := Comparison{Margin: 0.05, Paired: c.paired}.DetectableRatio(c.n, 0.04)
		if err != nil || !near(got, math.Exp(0.04*c.want), 1e-12) {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
	}
}

// In a family the p values are against what they would refute.
func TestFamilyReason(t *testing.T) {
	f, err := CompareFamily([][]float64{sampleA, sampleA}, [][]float64{sampleB, sampleB}, Comparison{Margin: 0.05,
		Unit: "run"})
	if err != nil || !strings.Contains(f.Verdicts[0].Reason, "against no difference, corrected for 2 comparisons") ||
		!strings.Contains(f.Verdicts[0].Reason, "against a difference of the margin or more") {
		t.Errorf("%+v, %v", f, err)
	}
}
