package format

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

var update = flag.Bool("update", false, "write the golden files")

// experiment is one of ours with runs × levels, of so many requests each.
func measuredHere(levels []int, runs, requests int) *protocol.Experiment {
	e := &protocol.Experiment{
		Tool: "servegauge v0.0.0", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Design: []byte("{}"),
		Complete: true,
	}
	for run := 1; run <= runs; run++ {
		for seq, c := range levels {
			e.Measurements = append(e.Measurements, measurement(run, seq, c, requests))
		}
	}
	return e
}

// measurement has a result that the instrument could have made: by its own code, of records in virtual time.
func measurement(run, seq, concurrency, requests int) protocol.Measurement {
	m := protocol.Measurement{
		Time:     time.Date(2026, 1, 2, 3, run, seq, 0, time.UTC),
		Instance: fmt.Sprintf("container %d", run), Models: []string{"org/model"},
		Sent: &workload.Description{Endpoint: "completions", Prompts: workload.TokenIDs},
	}
	m.Step = protocol.Step{Run: run, Seq: seq, Level: loadgen.Level{Concurrency: concurrency, Requests: requests}}
	m.Step.Input, m.Step.Output = 256, 64
	e2e := 500 + 10*float64(run)
	seconds := float64(requests) / float64(concurrency) * (e2e + 0.5) / 1000
	r := &m.Result
	r.Level = m.Step.Level
	r.Makespan = time.Duration(seconds * 1e9)
	r.Accounting = loadgen.Accounting{Issued: requests, Completed: requests}
	r.Tokens = loadgen.Tokens{Input: 256 * requests, Output: 64 * requests}
	r.InFlight = loadgen.InFlight{Peak: concurrency, Mean: float64(concurrency)}
	r.Distributions = map[string]*loadgen.Distribution{}
	figure := func(name, unit string, better loadgen.Direction, value float64) {
		r.Figures = append(r.Figures, loadgen.Figure{Name: name, Unit: unit, Better: better, Value: value, N: requests})
	}
	figure(loadgen.RequestThroughput, "req/s", loadgen.HigherIsBetter, float64(requests)/seconds)
	figure(loadgen.OutputThroughput, "tok/s", loadgen.HigherIsBetter, 64*float64(requests)/seconds)
	figure(loadgen.TotalThroughput, "tok/s", loadgen.HigherIsBetter, 320*float64(requests)/seconds)
	figure(loadgen.SteadyTotalThroughput, "tok/s", loadgen.HigherIsBetter, 321*float64(requests)/seconds)
	figure(loadgen.MeanInFlight, "requests", loadgen.Neither, float64(concurrency))
	for i, metric := range []string{loadgen.TTFT, loadgen.FirstChoice, loadgen.TPOT, loadgen.ITL, loadgen.E2E} {
		d, least := &loadgen.Distribution{}, float64(i+1)*10
		if metric == loadgen.E2E {
			least = e2e
		}
		for k := range requests {
			d.Add(least + float64(k*7919%requests)/float64(requests))
		}
		r.Distributions[metric] = d
		mean, _ := d.Mean()
		figure(loadgen.MeanName(metric), "ms", loadgen.LowerIsBetter, mean)
		for _, p := range []float64{50, 90, 99} {
			q, _ := d.Quantile(p)
			figure(loadgen.QuantileName(metric, p), "ms", loadgen.LowerIsBetter, q)
		}
	}
	return m
}

// spoilt has a level whose throughput must not be used, and everything that others name is a formula or worse.
func spoilt() *protocol.Experiment {
	e := measuredHere([]int{2, 8}, 2, 40)
	for i := range e.Measurements {
		m := &e.Measurements[i]
		if m.Step.Level.Concurrency == 8 {
			m.Result.Warnings = []loadgen.Warning{{Code: loadgen.WarnRampDominated, Message: "the drain weighs",
				Spoils: []string{loadgen.TotalThroughput}}}
		}
	}
	return e
}

// files writes an experiment in formats, into memory.
func files(t testing.TB, e *protocol.Experiment, formats ...Format) map[string]string {
	t.Helper()
	a := protocol.Analyze(e)
	out := map[string]string{}
	for _, f := range formats {
		err := f.Write(func(name string) (io.WriteCloser, error) { return &memory{name: name, into: out}, nil }, e, a)
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

type memory struct {
	bytes.Buffer
	name string
	into map[string]string
}

func (m *memory) Close() error {
	m.into[m.name] = m.String()
	return nil
}

var written = []Format{CSV, Benchstat, OpenMetrics, VLLM, LLMD}

func TestGolden(t *testing.T) {
	all := files(t, spoilt(), written...)
	again := files(t, spoilt(), written...)
	if diff := cmp.Diff(all, again); diff != "" {
		t.Errorf("the same experiment gives other bytes:\n%s", diff)
	}
	want := []string{"benchstat.txt", "levels.csv", "metrics.prom", "runs.csv"}
	for run := 1; run <= 2; run++ {
		for seq, c := range []int{2, 8} {
			name := fmt.Sprintf("openai-infqps-concurrency%d-model-run%d-20260102-030%d0%d", c, run, run, seq)
			want = append(want, "vllm/"+name+".json", "llm-d/"+name+".yaml")
		}
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Errorf("files %v; want %v", got, want)
	}
	for _, name := range want {
		if strings.Contains(name, "run2") || strings.Contains(name, "concurrency2-") {
			continue // one of a kind
		}
		path := filepath.Join("testdata", filepath.Base(name))
		if *update {
			if err := os.WriteFile(path, []byte(all[name]), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(text), all[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Each of our vLLM files has vLLM's keys in vLLM's order, and those of our own under one name.
func TestVLLMKeys(t *testing.T) {
	want := strings.Fields(`
		date endpoint_type backend label model_id tokenizer_id num_prompts request_rate
		burstiness max_concurrency duration completed failed total_input_tokens total_output_tokens request_throughput
		request_goodput output_throughput total_token_throughput max_output_tokens_per_s max_concurrent_requests rtfx`)
	for _, m := range []string{"ttft", "tpot", "itl", "e2el"} {
		want = append(want, "mean_"+m+"_ms", "median_"+m+"_ms", "std_"+m+"_ms", "p90_"+m+"_ms", "p99_"+m+"_ms")
	}
	want = append(want, "servegauge")
	for name, text := range files(t, spoilt(), VLLM) {
		d := json.NewDecoder(strings.NewReader(text))
		var got []string
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, key.(string))
			var value json.RawMessage
			if err := d.Decode(&value); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", name, diff)
		}
	}
}

// What we write is read again: with the same figures, as far as the format has them, and the same loads.
func TestWrittenIsRead(t *testing.T) {
	e := measuredHere([]int{1, 4, 16}, 3, 200)
	for _, f := range []Format{VLLM, LLMD} {
		all := files(t, e, f)
		again, err := f.Read(folder(all))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Measurements) != 9 {
			t.Fatalf("%s: %d measurements; want 9", f.Name, len(again.Measurements))
		}
		a, b := protocol.Analyze(e), protocol.Analyze(again)
		if f.Name == VLLM.Name { // what must not be used is said in the file, and heeded
			flagged, err := f.Read(folder(files(t, spoilt(), f)))
			if err != nil {
				t.Fatal(err)
			}
			p, _ := protocol.Analyze(flagged).Point(protocol.Load{Concurrency: 8})
			if _, err := p.Figure(loadgen.TotalThroughput); !errors.As(err, new(*protocol.SpoiledError)) {
				t.Errorf("a throughput that must not be used may be, once it is read again: %v", err)
			}
		}
		for i := range a.Points {
			p, err := b.Point(protocol.Load{Concurrency: a.Points[i].Concurrency})
			if err != nil {
				t.Fatal(err)
			}
			for _, figure := range []struct{ ours, theirs string }{
				{loadgen.TotalThroughput, loadgen.TotalThroughput}, {loadgen.RequestThroughput,
					loadgen.RequestThroughput},
				{"e2e_mean", "e2e_mean"}, {"e2e_p99", "e2e_p99"}, {"tpot_p50", "tpot_p50"}, {"first_choice_mean",
					"ttft_mean"},
			} {
				if f.Name == LLMD.Name && figure.theirs == "ttft_mean" {
					figure.ours = "ttft_mean"
				}
				want, _ := a.Points[i].Figure(figure.ours)
				got, err := p.Figure(figure.theirs)
				if err != nil || !slices.Equal(got.Values, want.Values) {
					t.Errorf("%s: %s at %v is %v, %v; want %v", f.Name, figure.theirs, p.Load, got.Values, err,
						want.Values)
				}
			}
		}
	}
}

// Names of models, arms and instances are others' texts: no spreadsheet runs them, no line is theirs, no file is
// elsewhere.
func TestWrittenIsEscaped(t *testing.T) {
	evil := []string{
		"=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "../../etc/passwd",
		"a\nBenchmarkEvil 1 1 tok/s", `q"uo\te`,
		"x\u2028key: v", strings.Repeat("long", 100), "#", "a: b",
	}
	for _, text := range evil {
		e := measuredHere([]int{2}, 2, 20)
		e.Tool = text
		for i := range e.Measurements {
			e.Measurements[i].Models, e.Measurements[i].Step.Arm, e.Measurements[i].Instance = []string{text}, text,
				text
			e.Measurements[i].Result.Warnings = []loadgen.Warning{{Code: text, Message: text, Spoils: []string{text}}}
		}
		all := files(t, e, written...)
		for name, content := range all {
			if strings.Contains(name, "..") || strings.Count(name,
				"/") > 1 || len(name) > 220 || strings.ContainsAny(name, "\n\r\t=@\"'") {
				t.Errorf("a file is called %q", name)
			}
			switch {
			case strings.HasSuffix(name, ".csv"):
				rows, err := csv.NewReader(strings.NewReader(content)).ReadAll()
				if err != nil {
					t.Fatal(err)
				}
				for _, row := range rows {
					for _, c := range row {
						if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
							t.Errorf("%s: the cell %q is a formula", name, c)
						}
					}
				}
			case name == "benchstat.txt":
				for line := range strings.Lines(content) {
					if strings.HasPrefix(line, "BenchmarkEvil") || strings.HasPrefix(line, "key: v") {
						t.Errorf("a line of somebody else's: %s", line)
					}
				}
			case name == "metrics.prom":
				parser := expfmt.NewTextParser(model.LegacyValidation)
				if _, err := parser.TextToMetricFamilies(strings.NewReader(content)); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			case strings.HasSuffix(name, ".json"):
				if !json.Valid([]byte(content)) {
					t.Errorf("%s is no JSON", name)
				}
			}
		}
		// The loads are still told, and read back.
		if again, err := VLLM.Read(folder(all)); err != nil || len(again.Measurements) != 2 {
			t.Errorf("%q: %v, %v", text, again, err)
		}
	}
}

// The pushed figures are those of the analysis, in base units, without those that must not be used.
func TestOpenMetrics(t *testing.T) {
	e := spoilt()
	a := protocol.Analyze(e)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(files(t, e, OpenMetrics)["metrics.prom"]))
	if err != nil {
		t.Fatal(err)
	}
	values := func(name string, labels map[string]string) (out []float64) {
		for _, m := range families[name].GetMetric() {
			all := map[string]string{}
			for _, l := range m.GetLabel() {
				all[l.GetName()] = l.GetValue()
			}
			match := true
			for k, v := range labels {
				match = match && all[k] == v
			}
			if match {
				out = append(out, m.GetGauge().GetValue())
			}
		}
		return out
	}
	p, err := a.Point(protocol.Load{Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	ttft, _ := p.Figure("ttft_p99")
	if got := values("servegauge_ttft_p99_seconds", map[string]string{"concurrency": "2",
		"stat": "mean"}); len(got) != 1 || math.Abs(got[0]-ttft.Summary.Mean/1000) > 1e-12 {
		t.Errorf("ttft_p99 %v; want %g ms", got, ttft.Summary.Mean)
	}
	if got := values("servegauge_total_tokens_per_second", map[string]string{"concurrency": "2"}); len(got) != 3 {
		t.Errorf("%d values of the throughput at 2; want its mean and both ends", len(got))
	}
	if got := values("servegauge_total_tokens_per_second", map[string]string{"concurrency": "8"}); len(got) != 0 {
		t.Errorf("a throughput that must not be used is pushed: %v", got)
	}
	if got := values("servegauge_unusable", map[string]string{"concurrency": "8", "figure": "total_tokens_per_s",
		"code": "ramp-dominated"}); len(got) != 1 {
		t.Errorf("why it is not there: %v", got)
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	e := measuredHere([]int{2}, 1, 20)
	a := protocol.Analyze(e)
	for range 2 { // what is there is replaced
		if err := Write(dir, e, a, written...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"levels.csv", "runs.csv", "benchstat.txt", "metrics.prom", "vllm", "llm-d"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := Write(dir, e, a, SGLang); err == nil || !strings.Contains(err.Error(), "sglang is read and not written") {
		t.Errorf("a format that is not written: %v", err)
	}
	full := errors.New("the disk is full")
	for _, f := range written {
		err := f.Write(func(string) (io.WriteCloser, error) { return nil, full }, e, a)
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", f.Name, err)
		}
		err = f.Write(func(string) (io.WriteCloser, error) { return failing{full}, nil }, e, a)
		if !errors.Is(err, full) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
func (f failing) Close() error              { return nil }
