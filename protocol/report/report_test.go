package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares what was printed with a file that a person has read.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// experiment is three runs over levels with the figures that the tables show; from the level of cap up they are flagged
// as capped.
func experiment(levels []int, prompts protocol.Prompts) *protocol.Experiment {
	e := &protocol.Experiment{Complete: true}
	for run := 1; run <= 3; run++ {
		for seq, c := range levels {
			reached := float64(min(c, 16))
			speed := 1000 * reached * (1 + 0.01*float64(run-2))
			if c > 16 {
				speed *= 0.99 // so that the best is not the last
			}
			m := protocol.Measurement{
				Step:     protocol.Step{Run: run, Seq: seq, Spec: workload.Spec{Input: 256, Output: 64}, Level: loadgen.Level{Concurrency: c, Requests: prompts.At(c)}},
				Instance: fmt.Sprint(run),
			}
			m.Result.Stamps = loadgen.Stamps{Kernel: 64 * prompts.At(c)}
			if c == 4 && run == 1 {
				m.Result.Stamps.Kernel, m.Result.Stamps.Client = m.Result.Stamps.Kernel-3, 3
			}
			m.Result.Client = &loadgen.ClientWatch{Verdict: loadgen.ClientVerdict{Judged: c > 1, Bound: c == 16}}
			if c == 16 {
				m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{Code: loadgen.WarnClientBound, Message: "this process used 1.9 of the 2 CPUs that it may use"})
			}
			m.Result.Accounting = loadgen.Accounting{Issued: prompts.At(c), Completed: prompts.At(c)}
			if prompts.At(c) < c {
				m.Result.Tokens.Mismatch = 1
			}
			add := func(name string, value float64) {
				m.Result.Figures = append(m.Result.Figures, loadgen.Figure{Name: name, Value: value, N: prompts.At(c)})
			}
			add(loadgen.TotalThroughput, 0.97*speed)
			if prompts.At(c) >= c {
				add(loadgen.SteadyTotalThroughput, speed)
				add(loadgen.SteadyRequestThroughput, speed/320)
				add(loadgen.SteadyOutputThroughput, speed/5)
			} else {
				m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{Code: loadgen.WarnPromptCapped, Message: "20 requests cannot keep so many in flight", Spoils: []string{loadgen.All}})
			}
			if c == 16 && run == 2 {
				m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{Code: loadgen.WarnRampDominated, Message: "the drain weighs", Spoils: []string{loadgen.TotalThroughput}})
			}
			add(loadgen.RequestThroughput, 0.97*speed/320)
			add(loadgen.OutputThroughput, 0.97*speed/5)
			add(loadgen.SuccessRate, 100)
			add(loadgen.MeanInFlight, 0.99*float64(c))
			for _, metric := range []string{loadgen.TTFT, loadgen.E2E, loadgen.TTFTError, loadgen.ITLError} {
				for _, p := range []float64{50, 95, 99} {
					add(loadgen.QuantileName(metric, p), float64(c)*p/10)
					if c >= 16 && run == 2 && metric != loadgen.TTFT && prompts.At(c) >= c {
						m.Result.Figures[len(m.Result.Figures)-1].Method = loadgen.MethodHDR
					}
				}
			}
			e.Measurements = append(e.Measurements, m)
		}
	}
	return e
}

func analysis(prompts protocol.Prompts) *protocol.Analysis {
	return protocol.Analyze(experiment([]int{1, 4, 16, 32, 64}, prompts))
}

// oneRun is what there is of the first of the runs.
func oneRun() *protocol.Analysis {
	e := experiment([]int{1, 4, 16, 32}, protocol.Prompts{PerConcurrency: 10})
	e.Measurements = e.Measurements[:4]
	return protocol.Analyze(e)
}

// described is one level of three runs, of which it is known what was sent and to whom.
func described(w *workload.Description, models []string, urls ...string) *protocol.Analysis {
	e := experiment([]int{1}, protocol.Prompts{PerConcurrency: 10})
	e.Workload = w
	for _, url := range urls {
		e.Starts = append(e.Starts, protocol.Start{URL: url})
	}
	for i := range e.Measurements {
		e.Measurements[i].Models = models
	}
	return protocol.Analyze(e)
}

func TestText(t *testing.T) {
	for name, a := range map[string]*protocol.Analysis{
		"text.txt":   analysis(protocol.Prompts{PerConcurrency: 10}),
		"capped.txt": analysis(protocol.Prompts{Count: 20}),
		"dataset.txt": described(&workload.Description{
			Endpoint: "chat", Whole: true, Prompts: "dataset",
			File:    &workload.File{Name: "prompts\x1b[31m.jsonl", SHA256: strings.Repeat("0123456789abcdef", 4), Prompts: 1234},
			Headers: []string{"Authorization", "X-Tenant"}, Body: []byte(`{"api_key":"***","top_p":0.9}`),
		}, []string{"a", "b"}, "http://one:8000"),
		"prefix.txt": described(&workload.Description{Endpoint: "completions", Prompts: "random token ids", Prefix: 10, Headers: []string{"X-Tenant"}},
			[]string{"a"}, "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"),
		"one.txt":     oneRun(), // no interval, and no "±"
		"nothing.txt": protocol.Analyze(&protocol.Experiment{Error: "server start failed"}),
	} {
		var out bytes.Buffer
		if err := Text(&out, a); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
}

// A design's pilot is a run with a number, and so is each run of an earlier stage: "in run 4 of 3" would be none.
func TestTextNumbersRuns(t *testing.T) {
	for _, c := range []struct {
		first  int // number of the first run
		warned []int
		says   string
	}{
		{1, []int{2}, "in run 2 of 3, bent"},
		{2, []int{4}, "in run 4 of runs 2, 3, 4, bent"},
		{11, []int{11, 13}, "in runs 11, 13 of runs 11, 12, 13, bent"},
		{2, []int{2, 3, 4}, "bent at 4: bent"},
	} {
		e := experiment([]int{4}, protocol.Prompts{PerConcurrency: 10})
		e.Measurements = e.Measurements[:3]
		for i := range e.Measurements {
			m := &e.Measurements[i]
			m.Step.Run = c.first + i
			if slices.Contains(c.warned, m.Step.Run) {
				m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{Code: "bent", Message: "bent"})
			}
		}
		var out bytes.Buffer
		if err := WideText(&out, protocol.Analyze(e)); err != nil {
			t.Fatal(err)
		}
		if all := out.String(); !strings.Contains(all, c.says) {
			t.Errorf("want %q:\n%s", c.says, all)
		}
	}
}

func TestClientText(t *testing.T) {
	for name, c := range map[string]struct {
		prompts protocol.Prompts
		levels  []int
		need    float64
	}{
		"client.txt":         {protocol.Prompts{PerConcurrency: 10}, []int{1, 4, 16}, 5},
		"client-limit.txt":   {protocol.Prompts{PerConcurrency: 10}, []int{1, 4, 16}, 500},
		"client-nothing.txt": {protocol.Prompts{Count: 20}, []int{32, 64}, 0},
	} {
		var out bytes.Buffer
		if err := ClientText(&out, protocol.Analyze(experiment(c.levels, c.prompts)), "a server that answers at once", c.need); err != nil {
			t.Fatal(err)
		}
		golden(t, name, out.Bytes())
	}
}

// A level that did not hold its concurrency has a rate all the same; one without a steady window has none.
func TestClientVerdict(t *testing.T) {
	point := func(c int, rate float64, spoiledBy ...string) protocol.Point {
		p := protocol.Point{Load: protocol.Load{Concurrency: c}}
		for name, x := range map[string]float64{loadgen.SteadyRequestThroughput: rate, loadgen.SteadyOutputThroughput: 10 * rate, loadgen.MeanInFlight: float64(c) / 2} {
			e := protocol.Estimate{Name: name, SpoiledBy: spoiledBy}
			e.Summary.N, e.Summary.Mean = 1, x
			p.Estimates = append(p.Estimates, e)
		}
		return p
	}
	a := &protocol.Analysis{Points: []protocol.Point{
		point(10, 100), point(20, 300, loadgen.WarnConcurrencyNotReached), point(30, 200), point(40, 900, loadgen.WarnConcurrencyNotReached, loadgen.WarnShortWindow),
	}}
	v := NewClientVerdict(a, 150)
	if v.Headroom == nil || *v.Headroom != 2 {
		t.Fatalf("headroom %v, want 2", v.Headroom)
	}
	v.Headroom = nil
	if want := (ClientVerdict{Concurrency: 20, InFlight: 10, Requests: 300, Tokens: 3000, Need: 150}); v != want {
		t.Errorf("%+v, want %+v", v, want)
	}
	if v := NewClientVerdict(&protocol.Analysis{Points: a.Points[3:]}, 150); v.Concurrency != 0 || v.Headroom != nil {
		t.Errorf("%+v, want no verdict", v)
	}
	if v := NewClientVerdict(&protocol.Analysis{Points: a.Points[2:]}, 0); !v.Held || v.Headroom != nil || v.Requests != 200 {
		t.Errorf("%+v", v)
	}
}

func TestPlanText(t *testing.T) {
	var out bytes.Buffer
	for _, plan := range []protocol.Plan{protocol.MultiRun(), protocol.FineSweep().Corrected(), protocol.ClientValidation()} {
		warnings, err := plan.Check()
		if err != nil {
			t.Fatal(err)
		}
		if err := PlanText(&out, plan, warnings, nil); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "plans.txt", out.Bytes())
}

func TestLevelText(t *testing.T) {
	cpu, reconnects := 500*time.Millisecond, 3
	r := &loadgen.Result{
		Client: &loadgen.ClientWatch{
			Elapsed: 2 * time.Second, CPUTime: &cpu, CPUsAllowed: 1.5, SchedulingLag: &loadgen.SchedulingLag{P99: 0.678}, GC: loadgen.GC{LongestPause: 60 * time.Microsecond},
			Reconnects: &reconnects, Verdict: loadgen.ClientVerdict{Judged: true},
		},
		Level:      loadgen.Level{Concurrency: 8, Requests: 20},
		Accounting: loadgen.Accounting{Issued: 20, Completed: 19, Failed: 1},
		Tokens:     loadgen.Tokens{Input: 190, Output: 95},
		Stamps:     loadgen.Stamps{Client: 123_475},
		Makespan:   1_500_000_000,
		Figures: []loadgen.Figure{{Name: loadgen.RequestThroughput, Unit: "req/s", Value: 1234.567, N: 19}, {Name: loadgen.MeanInFlight, Unit: "requests", Value: 7.5, N: 20}, {Name: loadgen.PeakInFlight, Unit: "requests", Value: 8, N: 20}, {Name: "ttft_mean", Unit: "ms", Value: 12.345, N: 19}, {Name: "ttft_p50", Unit: "ms", Value: 0.004, N: 19},
			{Name: "itl_mean", Unit: "ms", Value: 10, N: 123_456}, {Name: "itl_p50", Unit: "ms", Value: 9.5, N: 123_456, Method: loadgen.MethodHDR}, {Name: "itl_p99", Unit: "ms", Value: 19.5, N: 123_456, Method: loadgen.MethodHDR}},
		Errors:   []loadgen.ErrorCount{{Class: loadgen.ClassStatus, Status: 500, Count: 1, Example: "status 500: no"}},
		Warnings: []loadgen.Warning{{Code: "w", Message: "text", Spoils: []string{loadgen.RequestThroughput}}},
	}
	var out bytes.Buffer
	if err := LevelText(&out, r); err != nil {
		t.Fatal(err)
	}
	golden(t, "level.txt", out.Bytes())

	// What is not known is left out, and the reasons are in the warnings.
	for want, client := range map[string]*loadgen.ClientWatch{
		"\nClient: longest GC pause 0.00 ms; not judged, in less than 1 s or 100 requests\n": {},
		"\nClient: longest GC pause 0.00 ms; client-bound\n":                                 {Verdict: loadgen.ClientVerdict{Judged: true, Bound: true, Reasons: []string{"because"}}},
	} {
		out.Reset()
		r.Client = client
		if err := LevelText(&out, r); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	r.Retries = &loadgen.Retries{Requests: 2, Attempts: 3, Errors: []loadgen.ErrorCount{{Class: loadgen.ClassStale, Count: 3, Example: "stale-connection: EOF"}}}
	out.Reset()
	if err := LevelText(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"2 requests retried, 3 times together", "retried: 3 × stale-connection: EOF"} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("it does not say %q:\n%s", s, &out)
		}
	}
}

// What comes from outside is bounded, and cannot command a terminal.
func TestPlain(t *testing.T) {
	for given, want := range map[string]string{
		"a b":                      "a b",
		"a\nb\x1b\u202e":           "a\ufffdb\ufffd\ufffd",
		strings.Repeat("é", 400):   strings.Repeat("é", 400),
		strings.Repeat("é", 1_000): strings.Repeat("é", 400) + "…",
	} {
		if got := plain(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}

// The kernel's share is never rounded up to all.
func TestStampedBy(t *testing.T) {
	for _, c := range []struct {
		kernel, client, shared int
		want                   string
	}{
		{5, 0, 0, "kernel for all 5 chunks"},
		{0, 1000, 0, "client for all 1,000 chunks"},
		{399_999, 1, 0, "kernel for 99.99 % of 400,000 chunks, client for the other 1"},
		{1, 99_999, 0, "kernel for 0.00 % of 100,000 chunks, client for the other 99,999"},
		{5, 0, 2, "kernel for all 5 chunks; 2 came in one read with later data, and may have come " +
			"earlier, as far back as the end of the read before"},
		{2, 1, 0, "kernel for 66.66 % of 3 chunks, client for the other 1"},
	} {
		if got := stampedBy(loadgen.Stamps{Kernel: c.kernel, Client: c.client, Shared: c.shared}); got != c.want {
			t.Errorf("%d and %d: %q, want %q", c.kernel, c.client, got, c.want)
		}
	}
}

// full is a writer with no room.
type full struct{}

var errFull = errors.New("no space left")

func (full) Write([]byte) (int, error) { return 0, errFull }

// A report that cannot be written is an error, wherever it is cut.
func TestWriteErrors(t *testing.T) {
	a := analysis(protocol.Prompts{Count: 20})
	for name, err := range map[string]error{
		"text":    Text(full{}, a),
		"client":  ClientText(full{}, a, "a server", 1),
		"plan":    PlanText(full{}, protocol.MultiRun(), nil, nil),
		"level":   LevelText(full{}, &loadgen.Result{}),
		"nothing": Text(full{}, protocol.Analyze(&protocol.Experiment{})),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
