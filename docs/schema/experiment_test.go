package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/probe"
	"github.com/servegauge/servegauge/protocol/server"
	"github.com/servegauge/servegauge/stats"
)

// newRunner has everything that writes something: the server's own view and a probe, the client's calibration, the
// server's evidence, and the requests.
func newRunner(t *testing.T, dir string) *protocol.Runner {
	t.Helper()
	text, err := os.ReadFile("../../envinfo/testdata/shipped-served.json")
	if err != nil {
		t.Fatal(err)
	}
	var served envinfo.Environment
	if err := json.Unmarshal(text, &served); err != nil {
		t.Fatal(err)
	}
	tell := func(context.Context, *protocol.Instance) ([]probe.Sample, error) {
		return []probe.Sample{{Name: "clock", Unit: "s", Value: float64(time.Now().UnixNano()) / 1e9}}, nil
	}
	const every = 10 * time.Millisecond
	return &protocol.Runner{
		Server: server.Handler(func(start int) http.Handler {
			return &loadgentest.Simulated{MaxSequences: 4, DecodeRate: 4000, Noise: 0.05, Seed: uint64(start)}
		}),
		Calibration: protocol.Calibration{
			Instant: server.Handler(func(int) http.Handler { return &loadgentest.Echo{} }),
			Paced:   server.Handler(func(int) http.Handler { return &loadgentest.Echo{Gap: time.Millisecond} }),
			For:     50 * time.Millisecond,
		},
		Client:       &openai.Client{},
		Inspect:      func(context.Context, *protocol.Instance) (*envinfo.Environment, error) { return &served, nil },
		Probes:       []protocol.Probe{probe.ServerView{Every: every}, probe.Sampled("clock", every, tell), planting{}},
		SaveRequests: true, Dir: dir,
	}
}

// planting is a probe that warns of each level once, so that it is tried again, and has an error.
type planting struct{}

func (planting) Watch(
	_ context.Context, _ *protocol.Instance, s protocol.Step,
) (func() (protocol.Reading, error), error) {
	return func() (protocol.Reading, error) {
		r := protocol.Reading{Name: "planting", Error: "it sees nothing"}
		if s.Try == 0 && !s.Discard {
			r.Warnings = []loadgen.Warning{{Code: "planted", Message: "it was", Spoils: []string{loadgen.TTFT}}}
		}
		return r, nil
	}, nil
}

// lines of a journal, by what they are of.
func lines(t *testing.T, dir string) map[string][][]byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, protocol.JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][][]byte{}
	for line := range bytes.Lines(text) {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(line, &members); err != nil {
			t.Fatal(err)
		}
		for name := range members {
			if name != "schema" && name != "time" {
				out[name] = append(out[name], line)
			}
		}
	}
	return out
}

// Whatever an experiment writes, with all that it can have, is what the schemas say: one that was stopped in its
// second run and taken up again, with a level that is tried twice.
func TestExperiment(t *testing.T) {
	dir := t.TempDir()
	plan := protocol.Plan{
		Name: "schema", Runs: 3, Restart: true, Warmup: 4, Input: 32, Output: 8, Levels: []int{1, 2, 16},
		Prompts: protocol.Prompts{PerConcurrency: 20}, Seed: 1, Order: protocol.Latin, Budget: time.Hour,
		Retry:      protocol.Retry{Times: 1, Causes: []string{"planted"}},
		Objectives: []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 500}},
	}
	stop := make(chan struct{})
	r := newRunner(t, dir)
	r.Stop = stop
	r.Progress = func(e protocol.Event) {
		if e.Phase == protocol.PhaseMeasure && e.Step.Run == 2 && e.Step.Seq == 2 && e.Step.Try == 0 {
			close(stop)
		}
	}
	if _, err := r.Run(t.Context(), plan); !errors.Is(err, protocol.ErrStopped) {
		t.Fatal(err)
	}
	r = newRunner(t, dir)
	r.Resume = true
	e, err := r.Run(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	a := protocol.Analyze(e)
	if err := a.Save(dir); err != nil {
		t.Fatal(err)
	}
	// A trace is of an open loop, which a plan has not.
	traced := filepath.Join(t.TempDir(), "traced")
	trace := []time.Duration{0, time.Millisecond, 3 * time.Millisecond}
	r = newRunner(t, traced)
	arrivals := loadgen.Arrivals{Process: loadgen.TraceArrivals, Trace: trace}
	spec := workload.Spec{Input: 8, Output: 4, Seed: 1}
	steps := protocol.Steps{{Run: 1, Spec: spec, Level: loadgen.Level{Arrivals: arrivals}}}
	if _, err := r.Run(t.Context(), steps); err != nil {
		t.Fatal(err)
	}
	kinds := lines(t, dir)
	for name, of := range lines(t, traced) {
		kinds[name] = append(kinds[name], of...)
	}
	want := []string{"begin", "client", "end", "measurement", "resume", "rewarm", "start", "stop", "trace"}
	if got := slices.Sorted(maps.Keys(kinds)); !slices.Equal(got, want) {
		t.Errorf("lines of %v, want %v", got, want)
	}
	s := compiled(t, "journal.schema.json", true)
	var withReadings int
	for _, m := range e.Measurements {
		withReadings += len(m.Readings)
	}
	again := func(m protocol.Measurement) bool { return m.Step.Try > 1 }
	if withReadings < len(e.Measurements) || !slices.ContainsFunc(e.Measurements, again) {
		t.Errorf("%d readings of %d measurements; none was tried twice", withReadings, len(e.Measurements))
	}
	for _, name := range want {
		for _, line := range kinds[name] {
			if err := validate(s, line); err != nil {
				t.Errorf("%s: %v\n%.1000s", name, err, line)
			}
		}
	}
	for file, schema := range map[string]string{
		protocol.PlanFile:        "plan.schema.json",
		protocol.EnvironmentFile: "environment.schema.json",
		protocol.ResultsFile:     "results.schema.json",
	} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(compiled(t, schema, true), text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		holdsNumbers(t, file, text)
	}
	for _, of := range kinds {
		for _, line := range of {
			holdsNumbers(t, protocol.JournalFile, line)
		}
	}
	requests(t, dir, len(e.Measurements))
	recipes(t, dir)
	results(t, a)
	wrongLines(t, kinds)
}

// requests are each a line by the schema, and planted ones are not.
func requests(t *testing.T, dir string, atLeast int) {
	t.Helper()
	s := compiled(t, "requests.schema.json", true)
	file, err := os.Open(filepath.Join(dir, protocol.RequestsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	n := 0
	if err := protocol.ReadRequests(bufio.NewReader(file), func(q protocol.Request) error {
		n++
		text, err := json.Marshal(q)
		if err != nil {
			return err
		}
		return validate(s, text)
	}); err != nil || n < atLeast {
		t.Errorf("%d requests: %v", n, err)
	}
	open := compiled(t, "requests.schema.json", false)
	for _, bad := range []string{
		`{}`, `{"run":1}`, `{"run":"1","seq":0,"index":0,"scheduled_ns":0,"sent_ns":0,"done_ns":0}`,
		`{"run":1,"seq":0,"index":0,"scheduled_ns":0,"sent_ns":0.5,"done_ns":0}`,
	} {
		if err := validate(open, []byte(bad)); err == nil {
			t.Errorf("%s is a request", bad)
		}
	}
}

// results have null where something is undefined or unbounded, and say which; planted ones have not.
func results(t *testing.T, a *protocol.Analysis) {
	t.Helper()
	knee, err := stats.Knee([]float64{1, 2, 8}, [][]float64{{100, 200, 202}, {101, 203, 205}, {102, 201, 203}})
	if err != nil {
		t.Fatal(err)
	}
	a.Knee = knee // levels as short as these have none
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(compiled(t, "results.schema.json", true), text); err != nil {
		t.Error(err)
	}
	holdsNumbers(t, "results with a knee", text)
	if !bytes.Contains(text, []byte(`"reaches_t":null,"unbounded":{"below_t":"above","reaches_t":"above"}`)) {
		t.Errorf("nothing is unbounded in %.3000s", text)
	}
	s := compiled(t, "results.schema.json", false)
	for _, change := range []func(map[string]any){
		func(a map[string]any) { a["schema"] = 2 },
		func(a map[string]any) { delete(a, "points") },
		func(a map[string]any) { a["points"].([]any)[0].(map[string]any)["concurrency"] = "8" },
		func(a map[string]any) { interval(a)["high"] = "Infinity" },
		func(a map[string]any) { interval(a)["unbounded"] = map[string]any{"high": "Infinity"} },
		func(a map[string]any) { delete(interval(a), "confidence") },
		func(a map[string]any) { a["knee"].(map[string]any)["kind"] = "maybe" },
		func(a map[string]any) { a["time"] = "yesterday" },
	} {
		var of map[string]any
		if err := json.Unmarshal(text, &of); err != nil {
			t.Fatal(err)
		}
		change(of)
		bad, _ := json.Marshal(of)
		if validate(s, bad) == nil {
			t.Errorf("these are results: %.500s", bad)
		}
	}
	var before protocol.Analysis
	if err := json.Unmarshal(text, &before); err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(&before); err != nil || !bytes.Equal(again, text) {
		t.Errorf("results change as they are read and written again: %v", err)
	}
}

func interval(a map[string]any) map[string]any {
	estimate := a["points"].([]any)[0].(map[string]any)["estimates"].([]any)[0].(map[string]any)
	return estimate["interval"].(map[string]any)
}

// wrongLines are no lines of a journal, by the schema.
func wrongLines(t *testing.T, kinds map[string][][]byte) {
	t.Helper()
	s := compiled(t, "journal.schema.json", false)
	for _, c := range []struct{ of, old, new string }{
		{"begin", `"schema":1`, `"schema":2`},
		{"begin", `"schema":1,`, ``},
		{"begin", `"begin"`, `"began"`},
		{"begin", `"begin"`, `"end":{},"begin"`},
		{"start", `"instance":"`, `"instance":7,"was":"`},
		{"measurement", `"makespan_ns":`, `"makespan_ns":0.5,"was":`},
		{"measurement", `"seed":`, `"seed":9007199254740992,"was":`},
		{"measurement", `"better":"`, `"better":"best`},
		{"stop", `"time":"`, `"time":"at `},
		{"trace", `"offsets":"`, `"offsets":7,"was":"`},
		{"end", `"end":{`, `"end":{"error":1,"was":{`},
	} {
		text := strings.Replace(string(kinds[c.of][0]), c.old, c.new, 1)
		if c.of == "end" {
			text = strings.Replace(text, "}}", "}}}", 1)
		}
		if text == string(kinds[c.of][0]) {
			t.Errorf("no %s in %.300s", c.old, text)
		}
		if err := validate(s, []byte(text)); err == nil {
			t.Errorf("this is a line: %.300s", text)
		}
	}
}

// holdsNumbers fails where a file has a string in the place of a number, or a number that a float64 does not hold.
func holdsNumbers(t *testing.T, name string, text []byte) {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	for {
		token, err := in.Token()
		if err != nil {
			return
		}
		switch v := token.(type) {
		case string:
			if strings.Contains(v, "Infinity") || v == "NaN" || v == "+Inf" || v == "-Inf" {
				t.Errorf("%s has the string %q", name, v)
			}
		case json.Number:
			if n, err := v.Int64(); err == nil && (n > safeInteger || n < -safeInteger) {
				t.Errorf("%s has %v, which jq does not keep", name, v)
			} else if err != nil && !strings.ContainsAny(v.String(), ".e") {
				t.Errorf("%s has %v", name, v)
			}
		}
	}
}
