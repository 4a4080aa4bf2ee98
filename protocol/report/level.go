package report

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// LevelText writes the result of one level: its accounting, its figures and its warnings, of which the tables fit 80
// columns. The only intervals are those within this one run, and the text says so.
func LevelText(w io.Writer, r *loadgen.Result) error {
	out := &printer{w: w}
	a := r.Accounting
	load := r.Level.Load()
	out.f("%s: %s issued, %s completed, %s failed, %s cancelled; %s discarded before\n",
		strings.ToUpper(load[:1])+load[1:], counted(a.Issued), counted(a.Completed), counted(a.Failed), counted(a.Cancelled),
		counted(r.Warmup.Issued))
	out.f("%s input and %s output tokens in %.3f s\n", counted(r.Tokens.Input), counted(r.Tokens.Output), r.Makespan.Seconds())
	if r.Stamps.Chunks() > 0 {
		out.f("Arrivals stamped by: %s\n", stampedBy(r.Stamps))
	}
	if r.Sessions != nil {
		out.f("%s\n", r.Sessions)
	}
	if len(r.FinishReasons) > 0 {
		out.f("Answers ended by: %s\n", endedBy(r))
	}
	if o := r.Open; o != nil {
		what := "requests"
		if r.Level.Unit == loadgen.UnitSession {
			what = "sessions"
		}
		out.f("%d arrivals delayed; %s %s outstanding in the second quarter of the arrivals, %s in the last\n",
			o.Delayed, decimal(o.Early, 1), what, decimal(o.Late, 1))
	}
	if c := r.Retries; c != nil {
		out.f("%d requests retried, %d times together\n", c.Requests, c.Attempts)
	}
	if r.Client != nil {
		out.f("Client: %s\n", clientLine(r.Client))
	}
	if worst := r.Worst(); worst != nil {
		out.f("Client: the worst of %d generators is %s\n", len(r.Parts), partLine(worst))
	}
	if r.Level.Seed != 0 {
		out.f("Seed %d\n", r.Level.Seed)
	}
	out.f("One level of one run: the interval of a mean (±, 95 %%) is within this run alone,\n" +
		"and another start of the server may differ by more. A value marked ! must not be\n" +
		"used, one marked ? is a percentile of fewer samples than it takes to bound it.\n\n")

	writeFigures(out, r)
	var lines []string
	for _, e := range r.Errors {
		lines = append(lines, "  "+e.String())
	}
	if r.Retries != nil {
		for _, e := range r.Retries.Errors {
			lines = append(lines, "  retried: "+e.String())
		}
	}
	for _, warning := range r.Warnings {
		lines = append(lines, "  "+warning.String())
	}
	if len(lines) > 0 {
		out.f("\nErrors and warnings:\n%s\n", strings.Join(lines, "\n"))
	}
	return out.err
}

// counted writes a number of things.
func counted[N int | int64](n N) string { return decimal(float64(n), 0) }

// endedBy names the reasons that answers gave for their end, the most frequent one first.
func endedBy(r *loadgen.Result) string {
	reasons := slices.SortedFunc(maps.Keys(r.FinishReasons), func(a, b string) int {
		return cmp.Or(r.FinishReasons[b]-r.FinishReasons[a], strings.Compare(a, b))
	})
	for i, reason := range reasons {
		reasons[i] = number.Sprintf("%s %s", reason, decimal(float64(r.FinishReasons[reason]), 0))
	}
	if n := r.Answers.NoFinish; n > 0 {
		reasons = append(reasons, number.Sprintf("no reason given %s", decimal(float64(n), 0)))
	}
	return plain(strings.Join(reasons, ", "))
}

// clientLine is what the client saw of itself, what it could not know left out.
func clientLine(w *loadgen.ClientWatch) string {
	var parts []string
	if used, ok := w.CPUs(); ok {
		parts = append(parts, number.Sprintf("%s of %s CPUs", decimal(used, 2), decimal(w.CPUsAllowed, 2)))
	}
	if lag := w.SchedulingLag; lag != nil {
		parts = append(parts, number.Sprintf("scheduling lag %s ms (p99)", decimal(lag.P99, 2)))
	}
	parts = append(parts, number.Sprintf("longest GC pause %s ms", decimal(float64(w.GC.LongestPause)/1e6, 2)))
	if w.Reconnects != nil {
		parts = append(parts, number.Sprintf("%d reconnects", *w.Reconnects))
	}
	verdict := w.Verdict.String()
	if w.Verdict.Bound {
		verdict = loadgen.WarnClientBound // the warning has the reasons
	}
	return strings.Join(parts, ", ") + "; " + verdict
}

// partLine is what one generator of several saw of itself.
func partLine(p *loadgen.Part) string {
	line := number.Sprintf("shard %d", p.Shard)
	if g := p.Generator; g != nil {
		line = plain(g.Name)
	}
	line += ": " + clientLine(p.Client)
	if headroom, known := p.Headroom(); known {
		line += number.Sprintf("; it was seen to sustain at least %s × what it needed here", decimal(headroom.Least(), 1))
	}
	return line
}

// writeFigures writes the throughputs and conditions a line each, then the metrics, with their mean and percentiles in
// columns.
func writeFigures(out *printer, r *loadgen.Result) {
	marked := func(f loadgen.Figure, text string) string {
		for _, w := range r.Warnings {
			if w.SpoilsFigure(f.Name) {
				return text + "!"
			}
		}
		if _, p, ok := loadgen.QuantileOf(f.Name); ok && stats.TailWarnings(f.N, p/100) != nil {
			return text + "?"
		}
		return text
	}
	cell := func(f loadgen.Figure) string { return marked(f, brief(f.Value)) }
	var metrics []string
	single := newTable(out)
	single.f("figure\tvalue\tunit\tsamples\t\n")
	for _, f := range r.Figures {
		if strings.HasSuffix(f.Name, "_issued") {
			continue // beside those of the completed requests, where they are others
		}
		if _, _, _, group := loadgen.GroupOf(f.Name); group {
			continue // in a table of their own
		}
		base := baseOf(f.Name)
		if mean, ok := r.Figure(loadgen.MeanName(base)); ok && mean.Name != loadgen.MeanInFlight && mean.Name != loadgen.MeanOccupied {
			if mean.Name == f.Name {
				metrics = append(metrics, base)
			}
			continue
		}
		single.f("%s\t%s\t%s\t%s\t\n", f.Name, marked(f, decimal(f.Value, 2)), f.Unit, counted(f.N))
	}
	single.flush()
	if len(metrics) == 0 {
		return
	}
	out.f("\n")
	table := newTable(out)
	percentiles := percentilesOf(r)
	table.f("metric\tmean\t")
	for _, p := range percentiles {
		table.f("p%g\t", p)
	}
	table.f("max\tn\t\n")
	for _, metric := range metrics {
		mean, _ := r.Figure(loadgen.MeanName(metric))
		table.f("%s, %s\t%s\t", metric, mean.Unit, cell(mean)+meanInterval(r, metric))
		for _, p := range percentiles {
			if f, ok := r.Figure(loadgen.QuantileName(metric, p)); ok {
				table.f("%s\t", cell(f))
			} else {
				table.f("–\t")
			}
		}
		most := "–"
		if d := r.Distributions[metric]; d != nil {
			if x, ok := d.Quantile(100); ok {
				most = brief(x)
			}
		}
		table.f("%s\t%s\t\n", most, counted(mean.N))
		issuedRow(table, r, metric, percentiles, cell)
		slowEnd(table, r, mean, percentiles)
	}
	table.flush()
	writeGroups(out, r, cell)
	levelHistograms(out, r, metrics)
}

// brief writes a number with three digits that count, and no more than two behind the point, so that a table of many
// has room in a terminal.
func brief(x float64) string { return decimal(x, decimals(x)) }

func decimals(x float64) int {
	switch size := max(x, -x); {
	case size >= 100:
		return 0
	case size >= 10:
		return 1
	}
	return 2
}

// meanInterval is the half width of the 95 % interval of a metric's mean within the run; "" where there is none.
func meanInterval(r *loadgen.Result, metric string) string {
	m, ok := r.Means[metric]
	if !ok {
		return ""
	}
	return " ±" + decimal(m.Mean.HalfWidth(), decimals(m.Mean.Estimate))
}

// issuedRow is a metric's percentiles over all issued requests, where not all of these have it.
func issuedRow(table *table, r *loadgen.Result, metric string, percentiles []float64, cell func(loadgen.Figure) string) {
	median, ok := r.Figure(loadgen.IssuedName(metric, 50))
	completed, _ := r.Figure(loadgen.QuantileName(metric, 50))
	if !ok || median.N == completed.N {
		return
	}
	table.f("%s, of all issued\t–\t", metric)
	for _, p := range percentiles {
		if f, ok := r.Figure(loadgen.IssuedName(metric, p)); ok {
			table.f("%s\t", cell(f))
		} else {
			table.f("–\t")
		}
	}
	table.f("–\t%s\t\n", counted(median.N))
}

// slowEnd is a row of what so many per cent of the requests had at least, for a metric of which more is better: its p99
// is that of the fastest, where people look for the slowest.
func slowEnd(table *table, r *loadgen.Result, mean loadgen.Figure, percentiles []float64) {
	metric := baseOf(mean.Name)
	d := r.Distributions[metric]
	if mean.Better != loadgen.HigherIsBetter || d == nil {
		return
	}
	mark := ""
	if slices.ContainsFunc(r.Warnings, func(w loadgen.Warning) bool { return w.SpoilsFigure(mean.Name) }) {
		mark = "!"
	}
	table.f("at least\t–\t")
	for _, p := range percentiles {
		x, ok := d.Quantile(100 - p)
		switch {
		case !ok:
			table.f("–\t")
		case mark == "" && stats.TailWarnings(mean.N, p/100) != nil:
			table.f("%s?\t", brief(x))
		default:
			table.f("%s%s\t", brief(x), mark)
		}
	}
	table.f("–\t%s\t\n", counted(mean.N))
}

// percentilesOf are those that the result has figures of, in their order.
func percentilesOf(r *loadgen.Result) []float64 {
	var out []float64
	for _, f := range r.Figures {
		if _, p, ok := loadgen.QuantileOf(f.Name); ok && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// baseOf is the metric of a mean or a quantile: what stands before the last underscore.
func baseOf(figure string) string { return figure[:max(strings.LastIndexByte(figure, '_'), 0)] }
