package report

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// throughputs are those that the results are told in.
var throughputs = []struct{ figure, caption string }{
	{loadgen.SteadyInputThroughput, "Input throughput in the steady window, tokens/s; there are no output tokens"},
	{loadgen.InputThroughput, "Input throughput over the makespan, tokens/s"},
	{loadgen.SteadyTotalThroughput, "Total throughput in the steady window, input + output tokens/s"},
	{loadgen.TotalThroughput, "Total throughput over the makespan, input + output tokens/s"},
	{loadgen.OutputThroughput, "Output throughput over the makespan, tokens/s"},
	{loadgen.RequestThroughput, "Completed requests/s over the makespan"},
	{loadgen.GoodputThroughput, "Goodput: requests/s that met all objectives"},
}

func resultsPart(out *section, s *subject) {
	if len(s.Points) == 0 {
		out.text("Nothing was measured.")
		return
	}
	out.text(capital(requests(s.Analysis)) + ".")
	s.charts(out, PlaceResults)
	for _, t := range throughputs {
		if total := t.figure == loadgen.TotalThroughput || t.figure == loadgen.SteadyTotalThroughput; total && !s.Generates() {
			continue // which are those of the input
		}
		table := s.across(t.figure)
		table.Caption = t.caption + "; mean over the runs"
		out.table(table)
	}
	for _, t := range s.sessionTables() {
		out.table(t)
	}
	conditions := Table{ID: s.prefix + "conditions", Caption: "What was in flight, and what became of it",
		Head: []string{levelTitle(s.Analysis), capital(countsOf(s.Analysis, "requests")), "Runs", "In flight, mean", "In flight, peak",
			"Success", "Flags"}}
	for i := range s.Points {
		p := &s.Points[i]
		requests := textCell("by time")
		if n := max(p.Requests, p.Sessions); n > 0 {
			requests = whole(n)
		}
		success := estimateCell(p, loadgen.SuccessRate)
		if success.Is {
			success.Text = decimal(success.Number, 1) + " %"
		}
		conditions.Rows = append(conditions.Rows, []Cell{s.levelCell(p), requests, whole(len(p.Runs)),
			estimateCell(p, loadgen.MeanInFlight), estimateCell(p, loadgen.PeakInFlight), success, flagsCell(p)})
	}
	out.table(conditions)
}

// across is one figure over the levels, with everything that says how sure it is.
func (s *subject) across(figure string) Table {
	t := Table{ID: s.prefix + figure, Head: []string{levelTitle(s.Analysis), "Mean", "95 % from", "to", "SD", "CoV",
		"n", "Least", "Most", "Flags"}}
	for i := range s.Points {
		p := &s.Points[i]
		e, err := p.Figure(figure)
		if e.Name == "" {
			continue
		}
		cell := func(x float64) Cell { return flagged(numberCell(x, sized(x)), e, err) }
		t.Rows = append(t.Rows, []Cell{s.levelCell(p), cell(e.Summary.Mean), cell(e.Interval.Low), cell(e.Interval.High),
			cell(e.Summary.SD), numberCell(e.Summary.CoV, percent(e.Summary.CoV)), whole(e.Summary.N),
			cell(e.Summary.Min), cell(e.Summary.Max), textCell(orNone(strings.Join(slices.Concat(e.SpoiledBy, e.MarkedBy),
				", ")))})
	}
	return t
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func kneePart(out *section, s *subject) {
	if len(s.Points) == 0 {
		return
	}
	k := s.Knee
	out.text(number.Sprintf("Smallest concurrency with 95 %% of the highest %s: %s.", kneeWords(s.Analysis), k))
	if k.Reason != "" {
		out.text(capital(k.Reason) + ".")
	}
	if len(k.Peak) > 0 && len(k.Tests) > 0 {
		out.text("Levels that may be the peak: " + numbers(k.Peak) + ".")
	}
	if len(k.Next) > 0 {
		out.text("To narrow it, measure: " + numbers(k.Next) + ".")
	}
	if k.NextRuns > 0 {
		out.text(number.Sprintf("Runs that would be wanted at this spread: %d.", k.NextRuns))
	}
}

// latencies are what the latency table has of each metric.
var latencies = []struct{ word, metric string }{
	{"TTFT", loadgen.TTFT}, {"TPOT", loadgen.TPOT}, {"ITL", loadgen.ITL}, {"E2E", loadgen.E2E},
	{"Response", loadgen.Response}, {"Interactivity", loadgen.Interactivity},
}

func latencyPart(out *section, s *subject) {
	s.charts(out, PlaceLatency)
	for _, m := range latencies {
		if t := s.metricTable(m.word, m.metric); len(t.Rows) > 0 {
			out.table(t)
		}
	}
}

// metricTable is a metric's mean and percentiles over the levels, each with the half width of its interval.
func (s *subject) metricTable(word, metric string) Table {
	figures := []string{loadgen.MeanName(metric)}
	heads := []string{"Mean"}
	unit := ""
	for i := range s.Points {
		for _, e := range s.Points[i].Estimates {
			base, p, ok := loadgen.QuantileOf(e.Name)
			if base == metric && unit == "" {
				unit = e.Unit
			}
			if ok && e.Name == loadgen.QuantileName(metric, p) && !slices.Contains(figures, e.Name) {
				figures, heads = append(figures, e.Name), append(heads, number.Sprintf("p%g", p))
			}
		}
	}
	t := Table{ID: s.prefix + metric, Caption: word + ", " + unit +
		"; mean over the runs ± half width of its 95 % interval",
		Head: []string{levelTitle(s.Analysis)}}
	if metric == loadgen.Interactivity {
		t.Caption += "; here low percentiles are the slow requests"
	}
	for _, h := range heads {
		t.Head = append(t.Head, h, "±")
	}
	for i := range s.Points {
		p := &s.Points[i]
		row, found := []Cell{s.levelCell(p)}, false
		for _, figure := range figures {
			e, err := p.Figure(figure)
			if e.Name == "" {
				row = append(row, textCell("–"), textCell("–"))
				continue
			}
			found = true
			half := e.Interval.HalfWidth()
			row = append(row, flagged(numberCell(e.Summary.Mean, sized(e.Summary.Mean)), e, err),
				numberCell(half, sizedLike(half, e.Summary.Mean)))
		}
		if found {
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}

func variancePart(out *section, s *subject) {
	if len(s.Points) == 0 {
		return
	}
	s.charts(out, PlaceSpread)
	t := Table{ID: s.prefix + "spread", Caption: "Spread of the steady throughput (SD, of the mean), and what it would take to know it",
		Head: []string{levelTitle(s.Analysis), "Between runs", "Within a run", "Parts of", "For", "Runs × parts"}}
	for i := range s.Points {
		p := &s.Points[i]
		if p.Spread == nil {
			continue
		}
		levels, mean := p.Spread.Components.Levels, p.Spread.Components.Mean.Estimate
		between := textCell("none seen")
		if !levels[0].Dropped {
			share := math.Sqrt(levels[0].T2) / mean
			between = numberCell(share, percent(share))
		}
		within := math.Sqrt(levels[len(levels)-1].T2) / mean
		want := "–"
		if p.Spread.Plan != nil {
			var n []string
			for _, r := range p.Spread.Plan.Best.Repetitions {
				n = append(n, strconv.Itoa(r))
			}
			want = strings.Join(n, " × ")
			if p.Spread.Plan.Best.Repetitions[0] > mostRuns {
				want = number.Sprintf("over %d runs", mostRuns)
			}
		}
		t.Rows = append(t.Rows, []Cell{s.levelCell(p), between, numberCell(within, percent(within)),
			textCell(p.Spread.Batch.Round(time.Millisecond).String()), textCell("± " +
				percent(p.Spread.Precision)), textCell(want)})
	}
	out.table(t)
	if len(t.Rows) == 0 {
		out.text("No level has a steady window in two runs, so that the spread cannot be taken apart.")
	}
	for _, line := range append(startLines(s.Analysis), drifts(s.Analysis)...) {
		out.text(line + ".")
	}
	out.table(s.startTable())
	var order []int
	for _, m := range s.e.Measurements {
		if !m.Step.Discard && !slices.Contains(order, m.Step.Run) {
			order = append(order, m.Step.Run)
		}
	}
	caption := "Total throughput over the makespan of each run, in the order in which they were measured"
	for part := range slices.Chunk(order, mostAcross) {
		runs := Table{Caption: caption, Head: []string{levelTitle(s.Analysis)}}
		if part[0] == order[0] {
			runs.ID = s.prefix + "runs"
		}
		for _, run := range part {
			runs.Head = append(runs.Head, number.Sprintf("Run %d", run))
		}
		for i := range s.Points {
			p := &s.Points[i]
			e, err := p.Figure(loadgen.TotalThroughput)
			if cells, found := runCells(e, err, part); found {
				runs.Rows = append(runs.Rows, append([]Cell{s.levelCell(p)}, cells...))
			}
		}
		out.table(runs)
		caption = "Further runs"
	}
}

// mostAcross is how many runs a table has beside each other: more are wider than a sheet of paper, and go on in another.
const mostAcross = 10

// runCells are a figure's values in some runs, and whether there are any.
func runCells(e protocol.Estimate, err error, runs []int) (cells []Cell, found bool) {
	for _, run := range runs {
		cell := textCell("–")
		if j := slices.Index(e.Runs, run); e.Name != "" && j >= 0 {
			cell, found = flagged(numberCell(e.Values[j], sized(e.Values[j])), e, err), true
		}
		cells = append(cells, cell)
	}
	return cells, found
}

func serverPart(out *section, s *subject) {
	s.charts(out, PlaceServer)
	t := s.besides("server-view", serverColumns, "server_")
	t.Caption = "What the server says, with the requests that lead levels in, beside what the client saw; means of the runs, times in ms"
	out.table(t)
	if len(t.Rows) == 0 {
		out.text("The server’s own counters were not watched, or it has none that are known.")
	}
}

func energyPart(out *section, s *subject) {
	t := s.besides("energy", energyColumns, "")
	t.Caption = "The GPUs that were watched, and their energy over the makespan, idle power included; means of the runs"
	out.table(t)
	if len(t.Rows) == 0 {
		out.text("No GPU’s power was watched: nothing is known of the energy.")
	}
}

// besides is besideTable for the page, with each peak in a column of its own.
func (s *subject) besides(id string, columns []beside, own string) Table {
	t := Table{ID: s.prefix + id, Head: []string{levelTitle(s.Analysis)}}
	var figures []string
	found := false
	has := func(figure string) bool {
		return figure != "" && slices.ContainsFunc(s.Points, func(p protocol.Point) bool {
			e,
				_ := p.Figure(figure)
			return e.Name != ""
		})
	}
	for _, c := range columns {
		if !has(c.figure) {
			continue
		}
		head, _, _ := strings.Cut(c.head, " (")
		figures, t.Head = append(figures, c.figure), append(t.Head, head)
		found = found || strings.HasPrefix(c.figure, own)
		if has(c.within) {
			figures, t.Head = append(figures, c.within), append(t.Head, "peak")
		}
	}
	if !found || len(figures) == 0 {
		return t
	}
	for i := range s.Points {
		p := &s.Points[i]
		row := []Cell{s.levelCell(p)}
		for _, f := range figures {
			row = append(row, estimateCell(p, f))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// levelFigures are what the page tells of each run at each level.
var levelFigures = []string{
	loadgen.SteadyInputThroughput, loadgen.InputThroughput,
	loadgen.SteadyTotalThroughput, loadgen.TotalThroughput, loadgen.OutputThroughput, loadgen.RequestThroughput,
	loadgen.QuantileName(loadgen.TTFT, 50), loadgen.QuantileName(loadgen.TTFT, 99),
	loadgen.QuantileName(loadgen.TPOT, 50), loadgen.QuantileName(loadgen.TPOT, 99),
	loadgen.QuantileName(loadgen.E2E, 50), loadgen.QuantileName(loadgen.E2E, 99), loadgen.MeanInFlight,
	protocol.EnergyPerToken,
}

func levelsPart(out *section, s *subject) {
	for i := range s.Points {
		p := &s.Points[i]
		out.heading(s.anchor(p), capital(p.Load.String()))
		for part := range slices.Chunk(p.Runs, mostAcross) {
			first := part[0] == p.Runs[0]
			t := Table{Head: []string{"Figure", "Unit"}}
			if first {
				t.ID, t.Head = s.anchor(p)+"-runs", append(t.Head, "Mean", "95 % from", "to")
			}
			for _, run := range part {
				t.Head = append(t.Head, number.Sprintf("Run %d", run))
			}
			for _, figure := range levelFigures {
				e, err := p.Figure(figure)
				if e.Name == "" {
					continue
				}
				row := []Cell{textCell(figureWords(figure)), textCell(e.Unit)}
				if first {
					cell := func(x float64) Cell { return flagged(numberCell(x, sized(x)), e, err) }
					row = append(row, cell(e.Summary.Mean), cell(e.Interval.Low), cell(e.Interval.High))
				}
				cells, _ := runCells(e, err, part)
				t.Rows = append(t.Rows, append(row, cells...))
			}
			out.table(t)
		}
		var lines []string
		for _, w := range p.Warnings {
			lines = append(lines, number.Sprintf("%s, in %s %s: %s", w.Code, plural(len(w.Runs), "run"), numbers(w.Runs),
				plain(w.Message)))
		}
		lines = append(lines, levelErrors(s.e, p)...)
		if len(lines) > 0 {
			out.add(block{List: lines})
		}
	}
}

// levelErrors are how requests of a level failed, as the server said it.
func levelErrors(e *protocol.Experiment, p *protocol.Point) (lines []string) {
	for _, m := range e.Measurements {
		if m.Step.Discard || m.Step.Arm != p.Arm || m.Step.Level.Concurrency != p.Concurrency ||
			m.Step.Level.Arrivals.Rate != p.Rate {
			continue
		}
		for _, failed := range m.Result.Errors {
			lines = append(lines, number.Sprintf("Run %d: %s", m.Step.Run, plain(failed.String())))
		}
	}
	return lines
}

// figureWords is a figure's name as people read it: "ttft p99".
func figureWords(name string) string {
	words := map[string]string{
		loadgen.SteadyTotalThroughput: "Total throughput, steady window", loadgen.TotalThroughput: "Total throughput, makespan",
		loadgen.SteadyInputThroughput: "Input throughput, steady window", loadgen.InputThroughput: "Input throughput, makespan",
		loadgen.OutputThroughput: "Output throughput, makespan", loadgen.RequestThroughput: "Requests, makespan",
		loadgen.MeanInFlight: "In flight, mean", protocol.EnergyPerToken: "Energy per output token",
	}
	if w := words[name]; w != "" {
		return w
	}
	metric, which := baseOf(name), name[strings.LastIndexByte(name, '_')+1:]
	switch metric {
	case loadgen.TTFT, loadgen.TPOT, loadgen.E2E, loadgen.ITL:
		metric = strings.ToUpper(metric)
	case loadgen.TTFTError:
		metric = "TTFT error"
	case loadgen.ITLError:
		metric = "ITL error"
	}
	return metric + " " + which
}

func warningsPart(out *section, s *subject) {
	var general []string
	for _, w := range s.Warnings {
		general = append(general, plain(w.String()))
	}
	if len(general) > 0 {
		out.add(block{List: general})
	}
	t := Table{ID: s.prefix + "warnings-by-level", Head: []string{levelTitle(s.Analysis), "Code", "Runs", "Forbids",
		"What it says"}}
	for i := range s.Points {
		p := &s.Points[i]
		for _, w := range p.Warnings {
			spoils := "nothing"
			switch {
			case w.Invalidates():
				spoils = "the whole level"
			case w.SpoilsFigure(loadgen.All):
				spoils = "all figures"
			case len(w.Spoils) > 0:
				spoils = number.Sprintf("%d %s", len(w.Spoils), plural(len(w.Spoils), "figure"))
			}
			t.Rows = append(t.Rows, []Cell{s.levelCell(p), textCell(w.Code), textCell(numbers(w.Runs)), textCell(spoils),
				textCell(plain(w.Message))})
		}
	}
	out.table(t)
	if len(general)+len(t.Rows) == 0 {
		out.text("None.")
	}
}

// sideBySide are the subjects' main figures in one table.
func sideBySide(subjects []*subject) section {
	out := section{ID: "side-by-side", Title: "Side by side"}
	t := Table{ID: "subjects", Head: []string{"Experiment", "Best level", "Throughput", "95 % from", "to", "Unit",
		"Levels that may be used", "Knee"}}
	for _, s := range subjects {
		figure, p, _ := headline(s.Analysis)
		if p == nil {
			continue
		}
		e, err := p.Figure(figure)
		cell := func(x float64) Cell { return flagged(numberCell(x, sized(x)), e, err) }
		level := s.levelCell(p)
		level.Is, level.Text = false, p.Load.String()
		t.Rows = append(t.Rows, []Cell{textCell(s.Name), level, cell(e.Summary.Mean), cell(e.Interval.Low),
			cell(e.Interval.High),
			textCell(e.Unit), textCell(number.Sprintf("%d of %d", usableLevels(s.Analysis),
				len(s.Points))), textCell(s.Knee.String())})
	}
	out.table(t)
	subjects[0].charts(&out, PlaceCompare)
	return out
}
