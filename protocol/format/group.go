package format

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A tool is what reads one format.
type tool struct {
	name  string                         // of the format
	about string                         // in words
	notes []string                       // what its figures mean where it is not what ours do
	mine  func(d *doc) bool              // whether an object is a result, or something else of the tool's that has none
	read  func(d *doc) ([]*found, error) // with results, or none, also a [*passedOver]
}

func (t tool) Read(folder fs.FS) (*protocol.Experiment, error) { return read(folder, "", t) }

// tools are those whose results are read. llm-d's reports are made of the files of other tools: where they lie
// together, the others say more.
var tools = []tool{vllmTool, sglangTool, aiperfTool, guidellmTool, genaiTool, inferencePerfTool, evalscopeTool,
	llmdTool}

// read makes an experiment of the results in a folder that one of the tools wrote.
func read(folder fs.FS, only string, among ...tool) (*protocol.Experiment, error) {
	results := make([][]*found, len(among))
	files := make([]map[string]bool, len(among))
	var broken []string
	unread, err := walk(folder, only, func(d *doc) (bool, error) {
		for i, t := range among {
			if !t.mine(d) {
				continue
			}
			if !json.Valid(d.raw) {
				broken = append(broken, d.where+" is no JSON")
				return true, nil
			}
			more, err := t.read(d)
			if passed := (*passedOver)(nil); errors.As(err, &passed) {
				broken = append(broken, passed.Error())
			} else if err != nil {
				return false, err
			}
			if files[i] == nil {
				files[i] = map[string]bool{}
			}
			for _, f := range more {
				f.judge()
				if f.err != nil {
					return false, f.err
				}
				files[i][d.path] = true
			}
			results[i] = append(results[i], more...)
			return true, nil
		}
		return false, nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range unread {
		broken = append(broken, name+" is cut off, or is no JSON to its end")
	}
	var names []string
	chosen := -1
	for i, t := range among {
		if len(results[i]) > 0 && (t.name != llmdTool.name || chosen < 0) {
			names = append(names, t.about)
			chosen = i
		}
	}
	switch {
	case len(names) > 1:
		return nil, &MixedError{names}
	case chosen < 0 && len(broken) > 0:
		return nil, fmt.Errorf("no results that can be read: %s: %w", list(broken), errors.ErrUnsupported)
	case chosen < 0:
		return nil, fmt.Errorf("no results: %w", errors.ErrUnsupported)
	}
	e := experiment(among[chosen], results[chosen])
	e.Import.Files = len(files[chosen])
	if len(broken) > 0 {
		e.Import.Warnings = append(e.Import.Warnings, loadgen.Warning{Code: WarnPassedOver, Message: number.Sprintf(
			"%s %s passed over: %s", count(len(broken), "file"), was(len(broken)), list(broken))})
	}
	return e, nil
}

// A passedOver is why a result cannot be used, although nothing in it is wrong.
type passedOver struct{ where, why string }

func (p *passedOver) Error() string { return p.where + " " + p.why }

// experiment groups results by their load, with those of one load as runs.
func experiment(t tool, all []*found) *protocol.Experiment {
	e := &protocol.Experiment{Design: []byte(`{"imported":` + strconv.Quote(t.name) + `}`), Complete: true,
		Import: &protocol.Import{Format: t.name}}
	note := func(code, format string, args ...any) {
		e.Import.Warnings = append(e.Import.Warnings, loadgen.Warning{Code: code, Message: number.Sprintf(format,
			args...)})
	}
	for _, n := range t.notes {
		note(WarnToolDefinitions, "%s", n)
	}
	slices.SortStableFunc(all, func(a, b *found) int {
		return cmp.Or(a.time.Compare(b.time), strings.Compare(a.where, b.where))
	})
	all, twice := once(all)
	if len(twice) > 0 {
		note(WarnDuplicate, "%s %s there already, to the last digit, in another file, and %s no replicate: %s",
			count(len(twice), "result"), was(len(twice)), was(len(twice)), list(twice))
	}
	names := arms(all)
	inputs, inferredIn := shapes(all, func(f *found) (num, num) { return f.askedInput, f.input.over(f.completed) })
	outputs, inferredOut := shapes(all, func(f *found) (num, num) { return f.askedOutput, f.output.over(f.completed) })
	if inferredIn || inferredOut {
		note(WarnShapeInferred, "the files do not say how many tokens a request was to have: levels are named after "+
			"the averages counted, and those within a factor of %g of each other are taken for one", shapeFactor)
	}
	steps := make([]protocol.Step, len(all))
	for i, f := range all {
		steps[i] = protocol.Step{Arm: names[i], Level: f.level}
		steps[i].Input, steps[i].Output = inputs[i], outputs[i]
	}
	numberRuns(all, steps)
	seq := map[int]int{}
	var versions []string
	for i, f := range all {
		steps[i].Seq = seq[steps[i].Run]
		seq[steps[i].Run]++
		e.Measurements = append(e.Measurements, f.measurement(steps[i]))
		if !f.time.IsZero() && (e.Time.IsZero() || f.time.Before(e.Time)) {
			e.Time = f.time
		}
		if !slices.Contains(versions, f.tool) {
			versions = append(versions, f.tool)
		}
	}
	e.Tool = strings.Join(versions, ", ")
	slices.SortStableFunc(e.Measurements, func(a, b protocol.Measurement) int { // as tables are read
		x, y := a.Step.Level, b.Step.Level
		return cmp.Or(strings.Compare(a.Step.Arm, b.Step.Arm), strings.Compare(string(x.Arrivals.Process),
			string(y.Arrivals.Process)),
			x.Concurrency-y.Concurrency, cmp.Compare(x.Arrivals.Rate, y.Arrivals.Rate), a.Step.Run-b.Step.Run)
	})
	return e
}

// measurement is what a result becomes.
func (f *found) measurement(s protocol.Step) protocol.Measurement {
	r := loadgen.Result{Level: s.Level, Start: f.time, CutShort: f.wasCut, Figures: f.figures, Warnings: f.warnings}
	r.Makespan = time.Duration(f.seconds.v * float64(time.Second))
	completed, failed, cut := int(f.completed.v), int(f.failed.v), int(f.cutOff.v)
	r.Accounting = loadgen.Accounting{Issued: completed + failed + cut, Completed: completed, Failed: failed,
		Cancelled: cut}
	r.Tokens = loadgen.Tokens{Input: int(f.input.v), Output: int(f.output.v)}
	if !f.input.known || !f.output.known {
		r.Tokens.Uncounted = completed
	}
	r.InFlight.Mean = f.value(loadgen.MeanInFlight).v
	return protocol.Measurement{Step: s, Time: f.time, Models: f.models, Result: r}
}

// once leaves out results that are there already: a summary has its runs once more, and copies lie about. Two runs
// never have the same duration and latencies to the last digit.
func once(all []*found) (kept []*found, twice []string) {
	seen := map[string]bool{}
	for _, f := range all {
		key := fmt.Sprint(f.seconds, f.completed, f.level.Concurrency, f.level.Arrivals.Rate, f.input, f.output,
			len(f.figures))
		for _, g := range f.figures {
			key += " " + strconv.FormatFloat(g.Value, 'g', -1, 64)
		}
		if len(f.figures) > 4 && seen[key] { // a result of a few round figures may well come twice
			twice = append(twice, f.where)
			continue
		}
		seen[key] = true
		kept = append(kept, f)
	}
	return kept, twice
}

// arms names the results by those of their settings that are not the same in all: "" where all are.
func arms(all []*found) []string {
	values := map[string]map[string]bool{}
	var order []string
	for _, f := range all {
		for _, s := range f.of {
			if values[s.name] == nil {
				values[s.name] = map[string]bool{}
				order = append(order, s.name)
			}
			values[s.name][s.value] = true
		}
	}
	for _, name := range order {
		for _, f := range all {
			if f.setting(name) == "" {
				values[name][""] = true
			}
		}
	}
	out := make([]string, len(all))
	for i, f := range all {
		var parts []string
		for _, name := range order {
			if len(values[name]) < 2 {
				continue
			}
			if v := f.setting(name); v != "" && !slices.Contains(parts, v) {
				parts = append(parts, v)
			}
		}
		out[i] = strings.Join(parts, " ")
	}
	return out
}

func (f *found) setting(name string) string {
	for _, s := range f.of {
		if s.name == name {
			return s.value
		}
	}
	return ""
}

// shapeFactor is how far the averages of one shape may be apart: few random prompts differ by a fifth in their mean,
// and shapes that somebody tells apart by twice as much.
const shapeFactor = 1.5

// shapes are the tokens that each result was asked for: as its file says, or else the mean of those whose averages lie
// together, rounded.
func shapes(all []*found, of func(*found) (asked, mean num)) (tokens []int, inferred bool) {
	tokens = make([]int, len(all))
	var open []int
	for i, f := range all {
		if asked, mean := of(f); asked.known {
			tokens[i] = int(math.Round(asked.v))
		} else if mean.known && mean.v > 0 {
			open = append(open, i)
		}
	}
	at := func(i int) float64 { _, mean := of(all[i]); return mean.v }
	slices.SortStableFunc(open, func(i, j int) int { return cmp.Compare(at(i), at(j)) })
	for len(open) > 0 {
		n, sum := 0, 0.0
		for n < len(open) && at(open[n]) <= shapeFactor*at(open[0]) {
			sum += at(open[n])
			n++
		}
		for _, i := range open[:n] {
			tokens[i] = max(1, int(math.Round(sum/float64(n))))
			inferred = inferred || at(i) != float64(tokens[i])
		}
		open = open[n:]
	}
	return tokens, inferred
}

// runOf finds the number of a run in a path: run0/…, c1-run1.json, profile_runs/run_0002/….
var runOf = regexp.MustCompile(`(?i)(?:^|[/_.-])(?:run|trial|rep|repeat|iteration)[-_=]?(\d{1,9})(?:[/_.-]|$)`)

func runInPath(where string) num {
	all := runOf.FindAllStringSubmatch(path.Clean(where), -1)
	if all == nil {
		return num{}
	}
	n, err := strconv.Atoi(all[len(all)-1][1])
	return num{float64(n), err == nil}
}

// numberRuns gives each result the number of its run: as the tool or the names of files and folders count, from 1, and
// the next one that is free at its load where nothing says, or where it is taken. Results come in the order of their
// time.
func numberRuns(all []*found, steps []protocol.Step) {
	type load struct {
		arm, level    string
		input, output int
	}
	runs := make([]num, len(all))
	var seen []float64
	for i, f := range all {
		runs[i] = f.run.or(runInPath(f.where))
		if runs[i].known && !slices.Contains(seen, runs[i].v) {
			seen = append(seen, runs[i].v)
		}
	}
	slices.Sort(seen)
	taken := map[load]map[int]bool{}
	at := func(i int) map[int]bool {
		s := &steps[i]
		l := load{s.Arm, fmt.Sprintf("%+v", s.Level), s.Input, s.Output}
		if taken[l] == nil {
			taken[l] = map[int]bool{}
		}
		return taken[l]
	}
	for i := range all {
		run := slices.Index(seen, runs[i].v) + 1
		if runs[i].known && !at(i)[run] {
			steps[i].Run = run
			at(i)[run] = true
		}
	}
	for i := range all {
		for run := 1; steps[i].Run == 0; run++ {
			if !at(i)[run] {
				steps[i].Run = run
				at(i)[run] = true
			}
		}
	}
}

func count(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return number.Sprintf("%d %s", n, word)
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}

// list names the first few. File names are somebody else's: what a terminal would act on is quoted.
func list(names []string) string {
	const most = 5
	names = slices.Clone(names)
	for i, name := range names {
		if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			names[i] = strconv.Quote(name)
		}
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + number.Sprintf(", and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}
