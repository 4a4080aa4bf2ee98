package program

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// What is said at the end is of use with what there is: no spread of one run, flags that there are, a folder to open.
func TestNext(t *testing.T) {
	knee := &protocol.Analysis{Runs: 3, Points: []protocol.Point{{}}}
	knee.Knee.Next = append(knee.Knee.Next, 20, 24)
	rates := &protocol.Analysis{Runs: 3, Points: []protocol.Point{{Load: protocol.Load{Arrivals: "poisson", Rate: 5}}}}
	rates.Knee.Next = append(rates.Knee.Next, 2, 2.5)
	wide := &protocol.Analysis{Runs: 3}
	wide.Knee.NextRuns = 9
	one := &protocol.Analysis{Runs: 1}
	one.Knee.NextRuns, one.Knee.Next = 9, append(one.Knee.Next, 20)
	for _, c := range []struct {
		what    string
		a       *protocol.Analysis
		dir     string
		narrows bool
		want    string
	}{
		{"one run", one, "", true, "next: one run has no interval; -runs 3 adds some\n"},
		{"one run, kept", one, "out", true, "next: one run has no interval; -resume out -runs 3 adds some\n"},
		{"a wide bracket", knee, "out", true, "-levels 20,24, or -adaptive"},
		{"of rates", rates, "out", true, "-rates 2,2.5\n"},
		{"a wide spread", wide, "out", true, "-resume out -runs 9"},
		{"no knee is looked for", knee, "out", false, "compare out OTHER"},
		{"nothing is kept", knee, "", false, ""},
	} {
		var out strings.Builder
		Next(&out, c.a, c.dir, "runs", c.narrows)
		if got := out.String(); !strings.Contains(got, c.want) || strings.Count(got, "\n") > 1 || c.want == "" &&
			got != "" {
			t.Errorf("%s: %q; want %q", c.what, got, c.want)
		}
	}
	ablation := &protocol.Analysis{Runs: 6}
	for kind, want := range map[stats.VerdictKind]string{stats.Undecided: "-blocks 39, measured afresh", stats.Faster: ""} {
		detail, err := json.Marshal(stats.Verdict{Kind: kind, RunsToDecide: 39})
		if err != nil {
			t.Fatal(err)
		}
		ablation.Findings = []protocol.Finding{{Detail: detail}}
		var out strings.Builder
		Next(&out, ablation, "out", "blocks", false)
		if got := out.String(); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("%v: %q; want %q", kind, got, want)
		}
	}
	var out strings.Builder
	if Where(&out, ""); out.Len() > 0 {
		t.Errorf("nothing was kept: %q", &out)
	}
	if Where(&out, "results"); !strings.Contains(out.String(), "results/report.html") {
		t.Errorf("%q", &out)
	}
}
