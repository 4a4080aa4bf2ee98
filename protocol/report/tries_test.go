package report

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// What was left out stands beside what counts, with its figures and its cause.
func TestTriesAreShown(t *testing.T) {
	figures := func(v float64) []loadgen.Figure { return []loadgen.Figure{{Name: loadgen.TotalThroughput, Value: v}} }
	a := &protocol.Analysis{Tries: []protocol.Try{
		{Load: protocol.Load{Concurrency: 8}, Run: 2, Try: 1, Codes: []string{"client-bound", "cold"},
			Figures: figures(1234)},
		{Load: protocol.Load{Concurrency: 8}, Run: 2, Try: 2, Counts: true, Codes: []string{}, Figures: figures(2345)},
	}}
	a.Points = []protocol.Point{{Load: protocol.Load{Concurrency: 8}}}
	var b strings.Builder
	if err := Text(&b, a); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(b.String()) {
		if fields := strings.Fields(line); len(fields) > 4 && fields[0] == "concurrency" && fields[1] == "8" {
			lines = append(lines, strings.Join(fields, " "))
		}
	}
	want := "concurrency 8 2 1 1,234 – client-bound, cold|concurrency 8 2 2 2,345 – counts"
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("%s\nwant %s in\n%s", got, want, &b)
	}
}
