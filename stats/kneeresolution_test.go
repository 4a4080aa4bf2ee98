package stats

import (
	"slices"
	"strings"
	"testing"
)

// Without spread nothing is decided: neither end, nor that a level is not the peak.
func TestKneeWithoutSpread(t *testing.T) {
	levels := []float64{1, 2, 4, 8}
	for _, c := range []struct {
		name string
		run  []float64
	}{
		{"cap", []float64{10, 20, 40, 40}},
		{"linear", []float64{10, 20, 40, 80}},
		{"flat, all tied", []float64{10, 10, 10, 10}},
		{"falling", []float64{40, 30, 20, 10}},
		{"exactly at the share", []float64{95, 100, 100, 100}},
		{"at the share of an odd peak", []float64{0.95 * 7.3, 7.3, 7.3, 7.3}},
	} {
		r, err := Knee(levels, repeat(3, c.run...))
		if err != nil {
			t.Fatal(err)
		}
		if r.String() != "not resolved (resolution-limited)" || !slices.Equal(r.Peak,
			levels) || strings.Contains(r.Reason, "NaN") {
			t.Errorf("%s: %v, peak %v: %s", c.name, r, r.Peak, r.Reason)
		}
		roundTrip(t, r)
	}
}

// Values rounded to whole numbers: 10.6 and 0.96 of it, 10.18, are 11 and 10 in nearly every run, which is 9 % apart.
// With nine runs of ten the statistic is −3.6 where −2.4 would do, and half a step takes it away.
func TestKneeAllowsForRounding(t *testing.T) {
	runs := repeat(10, 10, 11)
	runs[3] = []float64{10, 10}
	r, err := Knee([]float64{1, 2}, runs)
	if err != nil || r.Kind != KneeNotResolved || r.Tests[0].Below != 0 || !strings.HasSuffix(r.String(),
		"(resolution-limited)") {
		t.Errorf("%v, %+v, %v", r, r.Tests, err)
	}
	// The same with a step of a hundredth of that is what it looks like.
	for i := range runs {
		runs[i] = []float64{9.50, 10.60}
	}
	runs[3], runs[4] = []float64{9.51, 10.59}, []float64{9.49, 10.61}
	if r, err = Knee([]float64{1, 2}, runs); err != nil ||
		r.String() != "> 1, saturation not shown (resolution-limited)" {
		t.Errorf("%v, %+v, %v", r, r.Tests, err)
	}
}

// A level with one and the same throughput in every run is named, for the others have a spread.
func TestKneeNamesLevelsWithoutSpread(t *testing.T) {
	for _, c := range []struct {
		runs [][]float64
		want string
	}{
		{[][]float64{{100, 190, 200}, {100, 191, 201}, {100, 180, 205}},
			"more than half of the runs have the same throughput at level 1: "},
		{[][]float64{{100, 190, 200}, {100, 191, 200}, {100, 180, 200}},
			"more than half of the runs have the same throughput at levels 1, 2.5: "},
		{[][]float64{{100, 190, 200}, {101, 191, 202}, {102, 180, 201}}, ""},
	} {
		r, err := Knee([]float64{1, 2, 2.5}, c.runs)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case c.want == "":
			if r.Warnings != nil {
				t.Errorf("%v: %v", c.runs, r.Warnings)
			}
		case len(r.Warnings) != 1 || r.Warnings[0].Code != ResolutionLimited || !strings.HasPrefix(r.Warnings[0].Text,
			c.want):
			t.Errorf("%v: %v, want %q", c.runs, r.Warnings, c.want)
		}
	}
}
