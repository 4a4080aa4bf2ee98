package report

import (
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// tries shows what was measured again beside what counts in its place.
func tries(out *printer, a *protocol.Analysis) {
	if len(a.Tries) == 0 {
		return
	}
	out.f("\nMeasured more than once, for causes that the plan names; the last try counts:\n")
	shown := []column{columns[0], columns[2]}
	table := newTable(out)
	table.f("level\trun\ttry\t")
	for _, c := range shown {
		table.f("%s\t", c.head)
	}
	table.f("  warnings\n")
	for _, t := range a.Tries {
		table.f("%v\t%d\t%d\t", t.Load, t.Run, t.Try)
		for _, c := range shown {
			i := slices.IndexFunc(t.Figures, func(f loadgen.Figure) bool { return f.Name == c.figure })
			if i < 0 {
				table.f("–\t")
				continue
			}
			table.f("%s\t", decimal(t.Figures[i].Value, c.digits))
		}
		codes := strings.Join(t.Codes, ", ")
		if t.Counts {
			codes = strings.TrimPrefix(codes+"; counts", "; ")
		}
		table.f("  %s\n", codes)
	}
	table.flush()
}
