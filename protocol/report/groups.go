package report

import (
	"slices"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// writeGroups writes what there is by turn, and by model, a line each.
func writeGroups(out *printer, r *loadgen.Result, cell func(loadgen.Figure) string) {
	for _, by := range []string{loadgen.ByTurn, loadgen.ByModel} {
		var groups []*loadgen.Group
		for _, g := range r.Groups {
			if g.By == by {
				groups = append(groups, g)
			}
		}
		if len(groups) == 0 {
			continue
		}
		columns := []struct{ title, figure string }{
			{"cached %", loadgen.CachedShare}, {"TTFT mean", loadgen.MeanName(loadgen.TTFT)},
			{"p99", loadgen.QuantileName(loadgen.TTFT, 99)}, {"TPOT mean", loadgen.MeanName(loadgen.TPOT)},
			{"E2E mean", loadgen.MeanName(loadgen.E2E)}, {"p99", loadgen.QuantileName(loadgen.E2E, 99)},
		}
		if by == loadgen.ByModel {
			throughput := struct{ title, figure string }{"total tok/s", loadgen.TotalThroughput}
			if !slices.ContainsFunc(groups, func(g *loadgen.Group) bool { return g.Tokens.Output > 0 }) { // as of embeddings
				throughput.title, throughput.figure = "input tok/s", loadgen.InputThroughput
			}
			columns = append(columns, throughput)
		}
		out.f("\n")
		table := newTable(out)
		table.f("%s\trequests\tfailed\tinput tokens each\t", by)
		for _, c := range columns {
			table.f("%s\t", c.title)
		}
		table.f("\n")
		for _, g := range groups {
			input := "–"
			if n := g.Accounting.Completed - g.Tokens.Uncounted; n > 0 {
				input = decimal(float64(g.Tokens.Input)/float64(n), 0)
			}
			table.f("%s\t%d\t%d\t%s\t", plain(g.Name), g.Accounting.Issued, g.Accounting.Failed, input)
			for _, c := range columns {
				text := "–"
				if f, ok := r.Figure(loadgen.GroupName(c.figure, g.By, g.Name)); ok {
					text = cell(f)
				}
				table.f("%s\t", text)
			}
			table.f("\n")
		}
		table.flush()
		out.f("%s\n", number.Sprintf("By %s; times in ms.", by))
	}
}
