package report

import (
	"io"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// LevelText writes the result of one level: its accounting, its figures and its warnings. One level of one run has no
// interval, and the text says so.
func LevelText(w io.Writer, r *loadgen.Result) error {
	out := &printer{w: w}
	a := r.Accounting
	out.f("Concurrency %d: %d issued, %d completed, %d failed, %d cancelled; %d discarded before\n",
		r.Level.Concurrency, a.Issued, a.Completed, a.Failed, a.Cancelled, r.Warmup.Issued)
	out.f("%d input and %d output tokens in %.3f s\n", r.Tokens.Input, r.Tokens.Output, r.Makespan.Seconds())
	out.f("One level of one run: the figures have no interval (multirun gives them one). A value marked ! must not be used.\n\n")

	table := newTable(out)
	table.f("figure\tvalue\tunit\tsamples\t\n")
	for _, f := range r.Figures {
		spoiled := ""
		for _, warning := range r.Warnings {
			if warning.SpoilsFigure(f.Name) {
				spoiled = "!"
			}
		}
		table.f("%s\t%s%s\t%s\t%d\t\n", f.Name, decimal(f.Value, 2), spoiled, f.Unit, f.N)
	}
	table.flush()
	var lines []string
	for _, e := range r.Errors {
		lines = append(lines, "  "+e.String())
	}
	for _, warning := range r.Warnings {
		lines = append(lines, "  "+warning.String())
	}
	if len(lines) > 0 {
		out.f("\nErrors and warnings:\n%s\n", strings.Join(lines, "\n"))
	}
	return out.err
}
