package report

import (
	"cmp"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// A column is a figure of the table across runs: its mean with the half width of its interval.
type column struct {
	head   string
	figure string
	digits int
	spread bool // with its SD and coefficient of variation
}

// The page's table is total throughput across runs; the rest is what it takes to believe it.
var columns = []column{
	{"total tok/s", loadgen.TotalThroughput, 0, true},
	{"steady tok/s", loadgen.SteadyTotalThroughput, 0, true},
	{"TTFT p50", loadgen.QuantileName(loadgen.TTFT, 50), 1, false},
	{"E2E p99", loadgen.QuantileName(loadgen.E2E, 99), 0, false},
	{"in flight", loadgen.MeanInFlight, 1, false},
}

// readingColumns are of levels without output tokens, as of embeddings, whose answers come whole.
var readingColumns = []column{
	{"input tok/s", loadgen.InputThroughput, 0, true},
	{"steady tok/s", loadgen.SteadyInputThroughput, 0, true},
	{"E2E p50", loadgen.QuantileName(loadgen.E2E, 50), 1, false},
	{"E2E p99", loadgen.QuantileName(loadgen.E2E, 99), 0, false},
	{"in flight", loadgen.MeanInFlight, 1, false},
}

// importedColumns are of what another tool measured, which has no steady window; those that no level has are left out.
var importedColumns = []column{
	{"req/s", loadgen.RequestThroughput, 2, false},
	{"output tok/s", loadgen.OutputThroughput, 0, false},
	{"total tok/s", loadgen.TotalThroughput, 0, true},
	{"TTFT p50", loadgen.QuantileName(loadgen.TTFT, 50), 1, false},
	{"E2E mean", loadgen.MeanName(loadgen.E2E), 0, false},
	{"in flight", loadgen.MeanInFlight, 1, false},
}

// columnsOf are the table's columns of an analysis. One run has no spread.
func columnsOf(a *protocol.Analysis) []column {
	all := slices.Clone(columns)
	if !a.Generates() {
		all = slices.Clone(readingColumns)
	}
	if a.Imported != "" {
		all = slices.DeleteFunc(slices.Clone(importedColumns), func(c column) bool {
			return !slices.ContainsFunc(a.Points, func(p protocol.Point) bool {
				e, _ := p.Figure(c.figure)
				return e.Name != ""
			})
		})
	}
	for i := range all {
		all[i].spread = all[i].spread && a.Runs > 1
	}
	return all
}

// textWidth is that of [Text], in columns: what a terminal has, and a mail or a comment shows unbroken.
const textWidth = 80

// Text writes the analysis as tables for a terminal of 80 columns: a line for each level with its intervals and flags,
// then the knee, then every warning in full. A value that a warning spoils is followed by "!". A table that is wider
// goes on below, with the levels again.
func Text(w io.Writer, a *protocol.Analysis) error { return text(&printer{w: w, width: textWidth}, a) }

// WideText is [Text] with each table in one piece and each paragraph on one line, however long.
func WideText(w io.Writer, a *protocol.Analysis) error { return text(&printer{w: w}, a) }

// tokensCounted are the tokens of which the throughput is.
func tokensCounted(a *protocol.Analysis) string {
	if a.Generates() {
		return "input + output tokens"
	}
	return "input tokens (there are no output tokens)"
}

func text(out *printer, a *protocol.Analysis) error {
	if len(a.Points) == 0 {
		out.f("Nothing was measured.\n")
		return warnings(out, a)
	}
	a, shape := byShape(a)
	out.f("%s; %d %s; throughput is %s; times in ms\n", shape, a.Runs, plural(a.Runs, "run"), tokensCounted(a))
	if a.Imported != "" {
		out.f("measured by %s, and read from its files: figures are as it printed them\n", plain(a.Tool))
	}
	sent(out, a)
	machines(out, a)
	out.f("%s\n", requests(a))
	if a.Stamps.Chunks() > 0 {
		out.f("arrivals stamped by: %s\n", stampedBy(a.Stamps))
	}
	if a.Runs > 1 {
		out.f("mean of the runs ± half width of its 95 %% interval (Student's t)\nreplicate: %s\n\n", a.Unit)
	} else {
		out.f("figures of one run: no interval\n\n")
	}

	table := newTable(out)
	table.f("%s\t%s\truns\t", levelHead(a), countsOf(a, "prompts"))
	columns := columnsOf(a)
	for _, c := range columns {
		table.f("%s\t", c.head)
		if c.spread {
			table.f("SD\tCoV\t")
		}
	}
	table.f("  flags\n")
	for i := range a.Points {
		row(table, &a.Points[i], columns)
	}
	table.flush()
	var shown []string
	for _, c := range columns {
		shown = append(shown, c.figure)
	}
	histograms(out, a, shown)
	sessionTables(out, a)
	evidence(out, a)
	audits(out, a)
	tries(out, a)

	of := "smallest concurrency with 95 % of the highest steady throughput"
	switch {
	case a.Imported != "":
		of = "smallest concurrency with 95 % of the highest throughput over the makespan"
	case a.Points[0].Open():
		of = "smallest rate of arrivals, in requests/s, with 95 % of the highest throughput"
	}
	out.f("\nKnee (%s): %s\n", of, a.Knee)
	if a.Knee.Reason != "" {
		out.f("  %s\n", a.Knee.Reason)
	}
	if len(a.Knee.Peak) > 0 && len(a.Knee.Tests) > 0 { // without tests nothing was ruled out
		out.f("Levels that may be the peak: %s\n", numbers(a.Knee.Peak))
	}
	if len(a.Knee.Next) > 0 {
		out.f("To narrow the knee, measure: %s\n", numbers(a.Knee.Next))
	}
	if a.Knee.NextRuns > 0 && a.Runs > 1 { // one run has no spread
		out.f("Runs that would be wanted at this spread: %d\n", a.Knee.NextRuns)
	}
	findings(out, a.Findings)
	return warnings(out, a)
}

// byShape says of what tokens the requests are, and where the points differ in that names them by it.
func byShape(a *protocol.Analysis) (named *protocol.Analysis, shape string) {
	if own := ownLengths(a); own != "" {
		return a, own
	}
	first := a.Points[0]
	if !slices.ContainsFunc(a.Points, func(p protocol.Point) bool { return p.Input != first.Input || p.Output != first.Output }) {
		if !a.Generates() {
			return a, number.Sprintf("%d tokens in", first.Input)
		}
		return a, number.Sprintf("%d tokens in, %d out", first.Input, first.Output)
	}
	copied := *a
	copied.Points = slices.Clone(a.Points)
	for i := range copied.Points {
		p := &copied.Points[i]
		p.Arm = strings.TrimPrefix(number.Sprintf("%s: %dx%d", p.Arm, p.Input, p.Output), ": ")
	}
	return &copied, "tokens in x out as named"
}

// ownLengths says of what tokens the requests were that have lengths of their own, in the mean; "": they have those of
// their steps, or nobody counted them.
func ownLengths(a *protocol.Analysis) string {
	n := float64(a.Accounting.Completed - a.Tokens.Uncounted)
	if !a.Workload.OwnLengths() || n <= 0 || a.Tokens.Input == 0 {
		return ""
	}
	return number.Sprintf("%s tokens in, %s out in the mean", decimal(float64(a.Tokens.Input)/n, 0),
		decimal(float64(a.Tokens.Output)/n, 0))
}

// findings writes what the design concludes.
func findings(out *printer, all []protocol.Finding) {
	if len(all) > 0 {
		out.f("\nFindings:\n")
	}
	for _, f := range all {
		out.f("  %s: %s\n", f.Name, f.Answer)
		if f.Reason != "" {
			out.f("    %s\n", f.Reason)
		}
		for _, w := range f.Warnings {
			out.f("    warning: %s\n", w)
		}
	}
}

// requests says what became of all of them, and whether the server did the work that it was asked for.
func requests(a *protocol.Analysis) string {
	n, t := a.Accounting, a.Tokens
	s := number.Sprintf("%s of %s requests completed; ", decimal(float64(n.Completed), 0), decimal(float64(n.Issued), 0))
	switch {
	case t.Uncounted == 0 && t.Mismatch == 0:
		return s + "in every one the server counted the tokens that were asked for"
	default:
		return s + number.Sprintf("in %d the server counted other tokens than were asked for, in %d none", t.Mismatch, t.Uncounted)
	}
}

func row(table *table, p *protocol.Point, columns []column) {
	table.f("%s\t%s\t%d\t", levelOf(p), count(max(p.Requests, p.Sessions)), len(p.Runs))
	for _, c := range columns {
		e, err := p.Figure(c.figure)
		if e.Name == "" {
			table.f("–\t")
			if c.spread {
				table.f("–\t–\t")
			}
			continue
		}
		table.f("%s%s%s\t", decimal(e.Summary.Mean, c.digits), halfWidth(p, e, c.digits), mark(e, err))
		if c.spread {
			table.f("%s%s\t%s%s\t", decimal(e.Summary.SD, c.digits), mark(e, err), percent(e.Summary.CoV), mark(e, err))
		}
	}
	table.f("  %s\n", flags(p))
}

// halfWidth is that of an interval, behind its "±"; "" after one run, which has none.
func halfWidth(p *protocol.Point, e protocol.Estimate, digits int) string {
	if len(p.Runs) < 2 {
		return ""
	}
	return " ±" + decimal(e.Interval.HalfWidth(), digits)
}

// mark follows a value that a warning spoils, or a percentile of too few samples.
func mark(e protocol.Estimate, err error) string {
	switch {
	case err != nil:
		return "!"
	case slices.Contains(e.MarkedBy, protocol.WarnFewSamples):
		return "?"
	}
	return ""
}

// flags are the codes of a point's warnings.
func flags(p *protocol.Point) string {
	var codes []string
	for _, w := range p.Warnings {
		codes = append(codes, w.Code)
	}
	return strings.Join(codes, ", ")
}

// warnings writes each kind of warning once, with the levels that it is about and what it says of the first.
func warnings(out *printer, a *protocol.Analysis) error {
	type about struct {
		levels []string
		first  string
	}
	var order []string
	kinds := map[string]*about{}
	for _, p := range a.Points {
		for _, w := range p.Warnings {
			kind := kinds[w.Code]
			if kind == nil {
				kind = &about{first: w.Message}
				if len(w.Runs) < len(p.Runs) {
					kind.first = number.Sprintf("in %s %s of %s, %s", plural(len(w.Runs), "run"), numbers(w.Runs), outOf(p.Runs), w.Message)
				}
				kinds[w.Code] = kind
				order = append(order, w.Code)
			}
			kind.levels = append(kind.levels, levelOf(&p))
		}
	}
	if len(a.Warnings)+len(order) > 0 {
		few := ""
		if kinds[protocol.WarnFewSamples] != nil {
			few = ", and one marked ? is a percentile of few samples"
		}
		out.f("\nWarnings (a value marked ! must not be used%s):\n", few)
	}
	for _, w := range a.Warnings {
		out.f("  %s\n", w)
	}
	for _, code := range order {
		kind := kinds[code]
		out.f("  %s at %s: ", code, strings.Join(kind.levels, ", "))
		if len(kind.levels) > 1 {
			out.f("(at %s) ", kind.levels[0])
		}
		out.f("%s\n", kind.first)
	}
	return out.err
}

// outOf says which runs there are: "5" for those from 1 to 5, as a plan has them; "runs 2, 3, 4" where a pilot, or an
// earlier stage, had the numbers before.
func outOf(runs []int) string {
	for i, run := range runs {
		if run != i+1 {
			return "runs " + numbers(runs)
		}
	}
	return strconv.Itoa(len(runs))
}

// pagesThroughput is what the page has for its largest model at saturation, in tokens/s: the rate by which plans are
// estimated, for want of the one that is to be measured.
const pagesThroughput = 11_200

// PlanText writes what a design will do, with the warnings of its check. sent is what its client sends; nil: not said.
func PlanText(w io.Writer, d protocol.Planned, warnings []loadgen.Warning, sent *workload.Description) error {
	out := &printer{w: w}
	outline := d.Outline()
	p := outline.Plan
	requests, sessions := 0, 0
	for _, step := range p.Steps() {
		if step.Level.Unit != "" {
			sessions += step.Level.Sessions + step.Level.Warmup
			continue
		}
		requests += step.Level.Requests + step.Level.Warmup
	}
	requests *= max(outline.Arms, 1)
	sessions *= max(outline.Arms, 1)
	restart := "one server for all runs"
	if p.Restart {
		restart = number.Sprintf("the server restarted for each, %v of cooldown between", p.Cooldown)
	}
	if outline.Kind == "plan" {
		out.f("Plan %s\n", p.Name)
	} else {
		out.f("Plan %s, of a design: %s\n", p.Name, outline.Kind)
	}
	for _, line := range outline.Lines {
		name, what, _ := strings.Cut(line, ": ")
		out.f("  %-12s %s\n", name, what)
	}
	out.f("  runs         %d, %s\n", p.Runs, restart)
	if p.Prime {
		out.f("  prime        one start before them, with a wave of requests at the highest level, thrown away\n")
	}
	sentText(out, p.Input, p.Output, sent)
	replays := p.Arrivals.Process == loadgen.TraceArrivals
	of := func(word string) string {
		if p.Unit != "" {
			return "sessions"
		}
		return word
	}
	if replays {
		out.f("  load         %v, in each run", p.Arrivals)
		if p.MaxInFlight > 0 {
			out.f(", at most %d in flight", p.MaxInFlight)
		}
		out.f("\n")
	} else if len(p.Rates) > 0 {
		out.f("  rates        %s %s/s, arrivals %s", numbers(p.Rates), of("requests"),
			cmp.Or(p.Arrivals.Process, loadgen.PoissonArrivals))
		if p.MaxInFlight > 0 {
			out.f(", at most %d in flight", p.MaxInFlight)
		}
		out.f("\n")
	} else {
		out.f("  levels       %s%s\n", numbers(p.Levels), ofUnit(p.Unit))
	}
	if p.Order != protocol.AsGiven {
		out.f("  order        %s\n", p.Order)
	}
	switch {
	case replays && p.Prompts == (protocol.Prompts{}):
		out.f("  %-12s all of the trace\n", "prompts")
	default:
		out.f("  %-12s %s a level\n", of("prompts"), prompts(p.Prompts))
	}
	if p.WarmUntilSteady > 0 {
		out.f("  warmup       each run until throughput and TTFT are steady, for %v at most, discarded", p.WarmUntilSteady)
	} else {
		out.f("  warmup       %d requests a run, discarded", p.Warmup)
	}
	switch {
	case p.Handover && len(p.Rates) > 0:
		out.f("; and each rate led in by a tenth of its requests")
	case p.Handover:
		out.f("; and each level led in by as many as its concurrency")
	}
	out.f("\n  timeout      %s a request\n", duration(p.Timeout))
	out.f("  seed         %d\n", p.Seed)
	most := ""
	if p.Budget > 0 {
		out.f("  budget       %v in all: runs that would go beyond it are left out\n", p.Budget)
	}
	if s, err := p.Heaviest(); err == nil && s.Level.Duration > 0 {
		most = "at most "
		out.f("  a level      issues no more after %v\n", s.Level.Duration.Round(time.Second))
	}
	if p.Retry.Times > 0 {
		out.f("  retries      of a level up to %d, for %s\n", p.Retry.Times, strings.Join(p.Retry.Causes, ", "))
	}
	if sessions > 0 { // of how many turns is not known here
		out.f("  in all       %s%s sessions, beside %s single requests\n", most, decimal(float64(sessions), 0),
			decimal(float64(requests), 0))
		for _, warning := range warnings {
			out.f("  warning      %s\n", warning)
		}
		return out.err
	}
	about := ""
	if sent.OwnLengths() {
		about = "about "
	}
	out.f("  in all       %s%s requests, %s%s input", most, decimal(float64(requests), 0), about,
		decimal(float64(requests)*float64(p.Input), 0))
	if sent.Generates() {
		out.f(" and %s output", decimal(float64(requests)*float64(p.Output), 0))
	}
	out.f(" tokens\n")
	if sent.Generates() { // the page's rate is of generation
		out.f("  takes        about %v at the page's %s input + output tokens/s, beside the starts of the server\n",
			d.Estimate(pagesThroughput).Round(time.Second), decimal(pagesThroughput, 0))
	}
	for _, warning := range warnings {
		out.f("  warning      %s\n", warning)
	}
	return out.err
}

// ofUnit is what concurrencies count, where that is not single requests.
func ofUnit(u loadgen.Unit) string {
	switch u {
	case loadgen.UnitSession:
		return " sessions under way"
	case loadgen.UnitRequest:
		return " requests in flight, of sessions"
	}
	return ""
}

// sentText writes of how many tokens requests are, and what else is known of them.
func sentText(out *printer, input, output int, sent *workload.Description) {
	switch {
	case sent.OwnLengths():
	case !sent.Generates():
		out.f("  tokens       %d in\n", input)
	default:
		out.f("  tokens       %d in, %d out\n", input, output)
	}
	if sent != nil {
		out.f("  sent         %s\n", plain(sent.String()))
	}
}

func decimal(x float64, digits int) string { return number.Fixed(x, digits) }

func percent(x float64) string {
	if s := decimal(100*x, 1); s != "–" {
		return s + " %"
	}
	return "–"
}

func count(n int) string {
	if n == 0 {
		return "–"
	}
	return number.Count(n)
}

// prompts are so many, or as many as a level's concurrency times a number: "1,000" or "10x".
func prompts(p protocol.Prompts) string {
	if p.PerConcurrency == 0 {
		return number.Count(p.Count)
	}
	return p.String()
}

func duration(d time.Duration) string {
	if d == 0 {
		return "none"
	}
	return d.String()
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func numbers[T int | float64](values []T) string {
	var out []string
	for _, v := range values {
		out = append(out, number.Sprintf("%v", v))
	}
	return strings.Join(out, ", ")
}
