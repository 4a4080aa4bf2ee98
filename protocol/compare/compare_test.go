package compare_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/compare"
)

// An experiment of one load, of which each run has a value of each figure.
func experiment(at time.Time, figures map[string][]float64) *protocol.Experiment {
	e := &protocol.Experiment{Complete: true, Time: at, Tool: "servegauge v1"}
	for i := range len(figures["ttft_p50"]) {
		m := protocol.Measurement{
			Step: protocol.Step{Run: i + 1, Spec: workload.Spec{Input: 64, Output: 16},
				Level: loadgen.Level{Concurrency: 8, Requests: 800}},
			Instance: fmt.Sprint(at, i), Models: []string{"m"}, Sent: &workload.Description{Endpoint: "completions"},
		}
		for _, name := range []string{"output_tokens_per_s", "ttft_p50", "ttft_p99", "success_rate", "in_flight_mean"} {
			if values := figures[name]; values != nil {
				f := loadgen.Figure{Name: name, Unit: "ms", Better: loadgen.LowerIsBetter, Value: values[i], N: 800}
				switch name {
				case "output_tokens_per_s":
					f.Unit, f.Better = "tok/s", loadgen.HigherIsBetter
				case "success_rate":
					f.Unit, f.Better = "%", loadgen.HigherIsBetter
				case "in_flight_mean":
					f.Unit, f.Better = "requests", loadgen.Neither
				}
				m.Result.Figures = append(m.Result.Figures, f)
			}
		}
		e.Measurements = append(e.Measurements, m)
	}
	e.Workload = &workload.Description{Endpoint: "completions"}
	return e
}

var (
	monday  = time.Date(2026, 11, 2, 6, 0, 0, 0, time.UTC)
	tuesday = monday.AddDate(0, 0, 1)

	baseTTFT = []float64{100, 101, 99, 100.5, 99.5}
	baseRate = []float64{5000, 5050, 4950, 5020, 4980}
)

func times(x []float64, by float64) (out []float64) {
	for i, v := range x {
		out = append(out, v*by*(1+0.001*float64(i%2)))
	}
	return out
}

func base() *protocol.Experiment {
	return experiment(monday, map[string][]float64{"ttft_p50": baseTTFT, "output_tokens_per_s": baseRate})
}

func TestOutcome(t *testing.T) {
	for _, c := range []struct {
		name       string
		ttft, rate float64 // B ÷ A
		margin     float64
		want       compare.Outcome
		words      [2]string // of TTFT and of the rate, with all others
	}{
		{"equal", 1, 1, 0.02, compare.NoRegression, [2]string{"equivalent", "equivalent"}},
		{"TTFT 10 % up", 1.1, 1, 0.02, compare.Regression, [2]string{"worse", "equivalent"}},
		{"TTFT 10 % down", 0.9, 1, 0.02, compare.NoRegression, [2]string{"better", "equivalent"}},
		{"throughput 10 % down", 1, 0.9, 0.02, compare.Regression, [2]string{"equivalent", "worse"}},
		{"throughput 10 % up", 1, 1.1, 0.02, compare.NoRegression, [2]string{"equivalent", "better"}},
		{"better and worse", 0.9, 0.9, 0.02, compare.Regression, [2]string{"better", "worse"}},
		{"too coarse for the margin", 1, 1, 0.001, compare.Undecided, [2]string{"undecided", "undecided"}},
		{"within a wide margin", 1.05, 1, 0.10, compare.NoRegression, [2]string{"equivalent", "equivalent"}},
	} {
		b := experiment(tuesday, map[string][]float64{"ttft_p50": times(baseTTFT, c.ttft),
			"output_tokens_per_s": times(baseRate, c.rate)})
		r, err := compare.Compare(compare.Of("a", base()), compare.Of("b", b), compare.Options{Margin: c.margin})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := map[string]string{}
		for _, f := range r.Figures {
			got[f.Name] = compare.Word(f.Verdict)
		}
		if r.Outcome != c.want || got["ttft_p50"] != c.words[0] || got["output_tokens_per_s"] != c.words[1] {
			t.Errorf("%s: %v %v, want %v %v\n%s", c.name, r.Outcome, got, c.want, c.words, r.Conclusion())
		}
		if (r.RunsToDecide > 0) != (c.want == compare.Undecided) {
			t.Errorf("%s: %d runs decide", c.name, r.RunsToDecide)
		}
		for _, f := range r.Figures { // the ratio is b over a, whatever is better
			want := c.ttft
			if f.Name == "output_tokens_per_s" {
				want = c.rate
			}
			if v := f.Alone.Ratio; v.Estimate < 0.999*want || v.Estimate > 1.002*want {
				t.Errorf("%s: %s: ratio %v, want %v", c.name, f.Name, v, want)
			}
			if f.Verdict.LowerIsBetter != (f.Name == "ttft_p50") || f.Alone.LowerIsBetter != f.Verdict.LowerIsBetter {
				t.Errorf("%s: %s: lower is better: %v", c.name, f.Name, f.Verdict.LowerIsBetter)
			}
		}
		text, err := json.Marshal(r)
		back := &compare.Result{}
		if err := errors.Join(err, json.Unmarshal(text, back)); err != nil || back.Outcome != r.Outcome ||
			len(back.Figures) != len(r.Figures) {
			t.Errorf("%s: %v: %s", c.name, err, text)
		}
	}
}

// What is left out is left out by name.
func TestLeftOut(t *testing.T) {
	all := func(at time.Time) *protocol.Experiment {
		return experiment(at, map[string][]float64{
			"ttft_p50": baseTTFT, "ttft_p99": times(baseTTFT, 3), "success_rate": {100, 100, 100, 100, 100},
			"in_flight_mean": {8, 8, 7.9, 8, 8}, "output_tokens_per_s": baseRate,
		})
	}
	spoiled := all(tuesday)
	spoiled.Measurements[2].Result.Warnings = []loadgen.Warning{{Code: "client-bound", Spoils: []string{"ttft_p50"}}}
	few := all(tuesday)
	for i := range few.Measurements {
		for j := range few.Measurements[i].Result.Figures {
			few.Measurements[i].Result.Figures[j].N = 100
		}
	}
	zero := all(tuesday)
	zero.Measurements[0].Result.Figures[1].Value = 0
	more := all(tuesday)
	further := more.Measurements[0]
	further.Step.Level.Concurrency = 16
	more.Measurements = append(more.Measurements, further)
	lacking := all(tuesday)
	for i := range lacking.Measurements {
		lacking.Measurements[i].Result.Figures = lacking.Measurements[i].Result.Figures[1:]
	}
	for _, c := range []struct {
		name    string
		b       *protocol.Experiment
		figures []string
		compare []string
		left    string // a part of what is said of what was not
	}{
		{"by default", all(tuesday), nil, []string{"output_tokens_per_s", "ttft_p50", "ttft_p99"},
			"success_rate: 100 % of 4000 and of 4000 requests"},
		{"spoiled", spoiled, nil, []string{"output_tokens_per_s", "ttft_p99"},
			"ttft_p50: b: it must not be used: client-bound"},
		{"few samples", few, nil, []string{"output_tokens_per_s", "ttft_p50"}, "ttft_p99: b: marked few-samples"},
		{"few samples, named", few, []string{"ttft_p99"}, []string{"ttft_p99"}, ""},
		{"not above 0", zero, nil, []string{"output_tokens_per_s", "ttft_p99"},
			"ttft_p50: b: a ratio needs values above 0, and run 1 has 0"},
		{"a condition", all(tuesday), []string{"in_flight_mean"}, nil, "in_flight_mean: it is a condition"},
		{"shares, named", all(tuesday), []string{"success_rate"}, []string{"success_rate"}, ""},
		{"another load", more, []string{"ttft_p50"}, []string{"ttft_p50"}, ": a has no such load"},
		{"a figure that one lacks", lacking, nil, []string{"ttft_p50", "ttft_p99"},
			"output_tokens_per_s: b does not have it"},
	} {
		r, err := compare.Compare(compare.Of("a", all(monday)), compare.Of("b", c.b),
			compare.Options{Figures: c.figures})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var names, left []string
		for _, f := range r.Figures {
			names = append(names, f.Name)
		}
		for _, l := range r.LeftOut {
			left = append(left, l.Figure+": "+l.Reason)
		}
		if !slices.Equal(names, c.compare) || !strings.Contains(strings.Join(left, "\n"), c.left) ||
			(c.left == "") != (len(left) == 0) {
			t.Errorf("%s: %v compared, %v left out; want %v, %s", c.name, names, left, c.compare, c.left)
		}
		if len(names) == 0 && r.Outcome != compare.Undecided {
			t.Errorf("%s: of nothing %v was concluded", c.name, r.Outcome)
		}
	}
}

// A share is compared by its counts: all of all on both sides has no spread, and is equivalent where there are enough.
func TestSharesAreCompared(t *testing.T) {
	share := func(at time.Time, values ...float64) *compare.Side {
		return compare.Of("x", experiment(at, map[string][]float64{"ttft_p50": baseTTFT[:len(values)],
			"success_rate": values}))
	}
	for _, c := range []struct {
		a, b *compare.Side
		want compare.Outcome
	}{
		// 4,000 requests each
		{share(monday, 100, 100, 100, 100, 100), share(tuesday, 100, 100, 100, 100, 100), compare.NoRegression},
		{share(monday, 100, 100), share(tuesday, 100, 100), compare.Undecided},
		{share(monday, 100, 100, 100, 100, 100), share(tuesday, 90, 91, 89.5, 90, 90.5), compare.Regression},
		{share(monday, 90, 91, 89.5, 90, 90.5), share(tuesday, 100, 100, 100, 100, 100), compare.NoRegression},
		{share(monday, 100), share(tuesday, 90), compare.Undecided}, // one run says nothing of the next
		{share(monday, 0, 0, 0), share(tuesday, 0, 0, 0), compare.Undecided},
	} {
		r, err := compare.Compare(c.a, c.b, compare.Options{Figures: []string{"success_rate"}})
		if err != nil || r.Outcome != c.want {
			t.Errorf("%v, %v, want %v", r, err, c.want)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	}
}

// One run a side has no spread, and decides nothing; neither do runs that agree to the last digit.
func TestUndecidedWithoutSpread(t *testing.T) {
	for _, values := range [][]float64{{100}, {100, 100, 100}} {
		a := experiment(monday, map[string][]float64{"ttft_p50": values})
		b := experiment(tuesday, map[string][]float64{"ttft_p50": times(values, 2)[:1]})
		if len(values) > 1 {
			b = experiment(tuesday, map[string][]float64{"ttft_p50": {200, 200, 200}})
		}
		r, err := compare.Compare(compare.Of("a", a), compare.Of("b", b), compare.Options{})
		if err != nil || r.Outcome != compare.Undecided || len(r.Figures) != 1 {
			t.Errorf("%v: %v, %v", values, r, err)
		}
	}
}

func TestRefused(t *testing.T) {
	change := func(f func(*protocol.Experiment)) *protocol.Experiment {
		e := experiment(tuesday, map[string][]float64{"ttft_p50": baseTTFT, "output_tokens_per_s": baseRate})
		f(e)
		return e
	}
	each := func(f func(*protocol.Measurement)) func(*protocol.Experiment) {
		return func(e *protocol.Experiment) {
			for i := range e.Measurements {
				f(&e.Measurements[i])
			}
		}
	}
	for _, c := range []struct {
		name   string
		b      *protocol.Experiment
		says   string
		anyway bool // it can be compared when told to
	}{
		{"another model", change(each(func(m *protocol.Measurement) { m.Models = []string{"other"} })),
			"load: models: m → other", true},
		{"other requests", change(func(e *protocol.Experiment) { e.Workload = &workload.Description{Endpoint: "chat"} }), `"chat"`, true},
		{"another number of requests", change(each(func(m *protocol.Measurement) { m.Step.Level.Requests = 80 })),
			"requests at concurrency 8: 800 → 80", true},
		{"another warmup", change(each(func(m *protocol.Measurement) { m.Step.Level.Warmup = 80 })),
			"requests that lead it in at concurrency 8: 0 → 80", true},
		{"other objectives", change(func(e *protocol.Experiment) { e.Design = []byte(`{"objectives":[{"metric":"ttft","limit":500}]}`) }), "objectives: none → ttft:500", true},
		{"no load in common", change(each(func(m *protocol.Measurement) { m.Step.Level.Concurrency = 9 })),
			"concurrency 9 (64 in, 16 out) is not in a", false},
		{"another shape", change(each(func(m *protocol.Measurement) { m.Step.Output = 17 })), "(64 in, 17 out)", false},
		{"nothing", &protocol.Experiment{}, "concurrency 8 (64 in, 16 out) is not in b", false},
	} {
		a := compare.Of("a", base())
		_, err := compare.Compare(a, compare.Of("b", c.b), compare.Options{})
		var different *compare.IncomparableError
		if !errors.As(err, &different) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %s", c.name, err, c.says)
		}
		r, err := compare.Compare(a, compare.Of("b", c.b), compare.Options{Anyway: true})
		if (err == nil) != c.anyway {
			t.Errorf("%s, anyway: %v", c.name, err)
		}
		if err == nil && (len(r.Differences) == 0 || r.Warnings[0].Code != compare.WarnDiffers) {
			t.Errorf("%s, anyway: %v, %v", c.name, r.Differences, r.Warnings)
		}
	}
	// Another version of what is measured is what a comparison is for.
	b := change(func(e *protocol.Experiment) { e.Tool = "servegauge v2" })
	if r, err := compare.Compare(compare.Of("a", base()), compare.Of("b", b), compare.Options{}); err != nil ||
		len(r.Differences) != 1 || r.Differences[0].Forbids {
		t.Errorf("%v, %v", r, err)
	}
	for _, margin := range []float64{-1, 1 / func() float64 { return 0 }()} {
		if _, err := compare.Compare(compare.Of("a", base()), compare.Of("b", b),
			compare.Options{Margin: margin}); err == nil {
			t.Errorf("a margin of %v is taken", margin)
		}
	}
	var unknown *protocol.FigureError
	if _, err := compare.Compare(compare.Of("a", base()), compare.Of("b", b),
		compare.Options{Figures: []string{"ttft_p05"}}); !errors.As(err, &unknown) || unknown.Nearest != "ttft_p50" {
		t.Errorf("%v", err)
	}
}

// Where both sides are of several experiments, each of these is one value: their runs have the day in common.
func TestSeveralExperiments(t *testing.T) {
	day := func(i int, by float64) *protocol.Experiment {
		return experiment(monday.AddDate(0, 0, i), map[string][]float64{"ttft_p50": times(baseTTFT, by)})
	}
	a := compare.Of("a", day(0, 1), day(1, 1.004), day(2, 0.997))
	b := compare.Of("b", day(3, 1.001), day(4, 0.998), day(5, 1.002))
	r, err := compare.Compare(a, b, compare.Options{})
	if err != nil || r.Outcome != compare.NoRegression || len(r.Figures[0].A) != 3 || len(r.Figures[0].B) != 3 ||
		!strings.Contains(r.Unit, "experiment") {
		t.Errorf("%+v, %v", r, err)
	}
	r, err = compare.Compare(a, compare.Of("b", day(3, 1.1)), compare.Options{})
	if err != nil || r.Outcome != compare.Regression || len(r.Figures[0].A) != 15 || len(r.Figures[0].B) != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := compare.Compare(a, a, compare.Options{}); err != nil ||
		!slices.ContainsFunc(r.Warnings, func(w loadgen.Warning) bool { return w.Code == compare.WarnSame }) {
		t.Errorf("%v, %v", r, err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755),
			os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	results, err := json.Marshal(protocol.Analyze(base()))
	if err != nil {
		t.Fatal(err)
	}
	journal := `{"schema":1,"time":"2026-11-02T06:00:00Z","begin":{"design":{},"environment":null}}` + "\n"
	for _, m := range base().Measurements {
		line, err := json.Marshal(protocol.Entry{Schema: 1, Time: monday, Measurement: &m})
		if err != nil {
			t.Fatal(err)
		}
		journal += string(line) + "\n"
	}
	journal += `{"schema":1,"time":"2026-11-02T06:10:00Z","end":{}}` + "\n"
	one := write("results/results.json", string(results))
	two := write("journal/journal.jsonl", journal)
	write("several/1/results.json", string(results))
	write("several/2/journal.jsonl", journal)
	write("several/notes/readme.txt", "")
	for path, parts := range map[string]int{"results": 1, "journal": 1, "several": 2, "results/results.json": 1,
		"journal/journal.jsonl": 1} {
		side, err := compare.Read(filepath.Join(dir, path))
		if err != nil || len(side.Parts) != parts || len(side.Parts[0].Analysis.Points) != 1 ||
			len(side.Parts[0].Analysis.Points[0].Estimates[0].Values) != 5 {
			t.Errorf("%s: %+v, %v", path, side, err)
		}
	}
	a, errA := compare.Read(one)
	b, errB := compare.Read(two)
	if r, err := compare.Compare(a, b, compare.Options{}); errors.Join(errA, errB, err) != nil || len(r.Figures) != 2 {
		t.Errorf("%v, %v", r, err)
	}

	write("empty/readme.txt", "")
	write("none/results.json", "")
	write("cut/results.json", string(results[:len(results)/2]))
	write("text/results.json", "figures are good")
	write("list/results.json", "[1,2]")
	write("nan/results.json", strings.Replace(string(results), "[100,101,", "[NaN,101,", 1))
	write("huge/results.json", strings.Replace(string(results), "[100,101,", "[1e999,101,", 1))
	write("fewer/results.json", strings.Replace(string(results), "[100,101,", "[", 1))
	write("later/results.json", `{"schema":7,"tool":"servegauge v9","points":"other"}`)
	write("unversioned/results.json", `{"points":[]}`)
	write("laterjournal/journal.jsonl", `{"schema":7,"begin":{"tool":"servegauge v9"}}`+"\n")
	write("halfjournal/journal.jsonl", `{"schema":1,"time":`)
	if err := os.MkdirAll(filepath.Join(dir, "folder/results.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		"nowhere": "no such file", "empty": "it holds no experiment", "none": "the file is empty",
		"cut":  "unexpected end",
		"text": "invalid character", "list": "cannot unmarshal", "nan": "invalid character",
		"huge":  "cannot unmarshal number",
		"fewer": "3 values of 5 runs", "later": "schema 7, written by servegauge v9, and this version reads 1",
		"unversioned":  "no file of results, which says its schema",
		"laterjournal": "schema 7, written by servegauge v9", "halfjournal": "journal", "folder": "is no file",
		"empty/readme.txt": "the file is empty",
	} {
		_, err := compare.Read(filepath.Join(dir, path))
		var wrong *compare.SideError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %s", path, err, says)
		}
	}
	var schema *protocol.SchemaError
	if _, err := compare.Read(filepath.Join(dir, "later")); !errors.As(err, &schema) || schema.Schema != 7 {
		t.Errorf("%v", err)
	}
	// null is no number: JSON reads it as 0, and a ratio with 0 is none.
	write("null/results.json", strings.Replace(string(results), "[100,101,", "[null,101,", 1))
	null, err := compare.Read(filepath.Join(dir, "null"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := compare.Compare(a, null, compare.Options{})
	if err != nil || len(r.Figures) != 1 || len(r.LeftOut) != 1 || !strings.Contains(r.LeftOut[0].Reason, "above 0") {
		t.Errorf("%v, %v", r, err)
	}
}

func ExampleCompare() {
	baseline := compare.Of("baseline", base())
	slower := compare.Of("candidate", experiment(tuesday, map[string][]float64{
		"ttft_p50":            {108, 109.5, 107.4, 108.8, 107.1},
		"output_tokens_per_s": {4990, 5061, 4957, 5011, 4983},
	}))
	r, err := compare.Compare(baseline, slower, compare.Options{Margin: 0.05})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Figures {
		fmt.Printf("%s: %s: B/A %v\n", f.Name, compare.Word(f.Verdict), f.Alone.Ratio)
	}
	fmt.Println(r.Conclusion())
	// Output:
	// output_tokens_per_s: equivalent: B/A 1.000 [0.989, 1.011] at 95 %
	// ttft_p50: worse: B/A 1.082 [1.068, 1.095] at 95 %
	// Regression: worse in B: ttft_p50 at concurrency 8 (+8.16 %)
}
