package report

import (
	"slices"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// countsOf is what the levels' numbers of requests count: word, or "sessions".
func countsOf(a *protocol.Analysis, word string) string {
	if slices.ContainsFunc(a.Points, func(p protocol.Point) bool { return p.Unit != "" }) {
		return "sessions"
	}
	return word
}

// sessionColumns are figures of whole sessions.
var sessionColumns = []column{
	{"sessions/s", loadgen.SessionThroughput, 2, false},
	{"under way", loadgen.SessionsUnderWay, 1, false},
	{"success %", loadgen.SessionSuccess, 1, false},
	{"duration p50", loadgen.QuantileName(loadgen.SessionDuration, 50), 0, false},
	{"p99", loadgen.QuantileName(loadgen.SessionDuration, 99), 0, false},
}

// groupColumns are figures of the requests of one turn, or of one model.
var groupColumns = []column{
	{"cached %", loadgen.CachedShare, 1, false},
	{"TTFT mean", loadgen.MeanName(loadgen.TTFT), 1, false},
	{"p99", loadgen.QuantileName(loadgen.TTFT, 99), 1, false},
	{"TPOT mean", loadgen.MeanName(loadgen.TPOT), 2, false},
	{"E2E mean", loadgen.MeanName(loadgen.E2E), 0, false},
}

// groupsOf are the names of a point's groups of one kind, in their order.
func groupsOf(p *protocol.Point, by string) (names []string) {
	for _, e := range p.Estimates {
		if _, kind, name, ok := loadgen.GroupOf(e.Name); ok && kind == by && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// groupKinds are what requests are grouped by, as people read it.
var groupKinds = []string{loadgen.ByTurn, loadgen.ByModel}

// sessionTables writes what the runs showed of whole sessions, and by turn and by model.
func sessionTables(out *printer, a *protocol.Analysis) {
	cells := func(t *table, p *protocol.Point, columns []column, figure func(string) string) {
		for _, c := range columns {
			e, err := p.Figure(figure(c.figure))
			if e.Name == "" {
				t.f("–\t")
				continue
			}
			t.f("%s%s%s\t", decimal(e.Summary.Mean, c.digits), halfWidth(p, e, c.digits), mark(e, err))
		}
		t.f("\n")
	}
	heads := func(t *table, columns []column) {
		for _, c := range columns {
			t.f("%s\t", c.head)
		}
		t.f("\n")
	}
	if countsOf(a, "") != "" {
		out.f("\nSessions:\n")
		t := newTable(out)
		t.f("%s\t", levelHead(a))
		heads(t, sessionColumns)
		for i := range a.Points {
			t.f("%s\t", levelOf(&a.Points[i]))
			cells(t, &a.Points[i], sessionColumns, func(name string) string { return name })
		}
		t.flush()
	}
	for _, by := range groupKinds {
		var t *table
		for i := range a.Points {
			p := &a.Points[i]
			for _, name := range groupsOf(p, by) {
				if t == nil {
					out.f("\nBy %s:\n", by)
					t = newTable(out)
					t.f("%s\t%s\t", levelHead(a), by)
					heads(t, groupColumns)
				}
				t.f("%s\t%s\t", levelOf(p), plain(name))
				cells(t, p, groupColumns, func(figure string) string { return loadgen.GroupName(figure, by, name) })
			}
		}
		if t != nil {
			t.flush()
		}
	}
}

// sessionTables are the same for a page: a line for each figure of whole sessions at each level, and for each turn and
// model.
func (s *subject) sessionTables() (out []Table) {
	if countsOf(s.Analysis, "") != "" {
		for _, c := range []struct{ figure, caption string }{
			{loadgen.SessionThroughput, "Sessions completed, per second of the makespan"},
			{loadgen.QuantileName(loadgen.SessionDuration, 50), "Duration of a session, thinking included, median, ms"},
		} {
			t := s.across(c.figure)
			t.Caption = c.caption + "; mean over the runs"
			out = append(out, t)
		}
	}
	for _, by := range groupKinds {
		t := Table{ID: s.prefix + "by-" + by, Caption: "By " + by + ": means over the runs with their 95 % intervals, times in ms",
			Head: []string{levelHead(s.Analysis), capital(by), "Cached, %", "TTFT, mean", "95 % from", "to", "TTFT p99",
				"TPOT, mean", "E2E, mean", "95 % from", "to", "E2E p99"}}
		for i := range s.Points {
			p := &s.Points[i]
			for _, name := range groupsOf(p, by) {
				of := func(figure string) string { return loadgen.GroupName(figure, by, name) }
				row := []Cell{s.levelCell(p), textCell(plain(name)), estimateCell(p, of(loadgen.CachedShare))}
				row = append(row, intervalCells(p, of(loadgen.MeanName(loadgen.TTFT)))...)
				row = append(row, estimateCell(p, of(loadgen.QuantileName(loadgen.TTFT, 99))),
					estimateCell(p, of(loadgen.MeanName(loadgen.TPOT))))
				row = append(row, intervalCells(p, of(loadgen.MeanName(loadgen.E2E)))...)
				row = append(row, estimateCell(p, of(loadgen.QuantileName(loadgen.E2E, 99))))
				t.Rows = append(t.Rows, row)
			}
		}
		if len(t.Rows) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// intervalCells are the mean of a figure and the ends of its interval.
func intervalCells(p *protocol.Point, figure string) []Cell {
	e, err := p.Figure(figure)
	if e.Name == "" {
		return []Cell{textCell("–"), textCell("–"), textCell("–")}
	}
	var out []Cell
	for _, x := range []float64{e.Summary.Mean, e.Interval.Low, e.Interval.High} {
		out = append(out, flagged(numberCell(x, sized(x)), e, err))
	}
	return out
}
