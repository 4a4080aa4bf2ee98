package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// randomTrace has so many arrivals, a millisecond apart on average.
func randomTrace(n int, seed uint64) []time.Duration {
	random := rand.New(rand.NewPCG(seed, 1))
	trace := make([]time.Duration, n)
	at := time.Duration(0)
	for i := range trace {
		at += time.Duration(random.ExpFloat64() * 1e6)
		trace[i] = at
	}
	return trace
}

func traced(run, seq int, trace []time.Duration) Step {
	return Step{Run: run, Seq: seq, Spec: workload.Spec{Input: 8, Output: 1}, Level: loadgen.Level{
		Arrivals: loadgen.Arrivals{Process: loadgen.TraceArrivals, Trace: trace}, Requests: 5}}
}

// The trace, of 3.5 million offsets, is in the journal once, whatever is measured with it, and each level has
// it again when it is read.
func TestTraceIsStoredOnce(t *testing.T) {
	long, other := randomTrace(3_500_000, 1), randomTrace(100, 2)
	steps := Steps{traced(1, 0, long), traced(1, 1, other), traced(2, 0, long), traced(2, 1, other),
		{Run: 2, Seq: 2, Level: loadgen.Level{Concurrency: 1, Requests: 2}}}
	dir := filepath.Join(t.TempDir(), "out")
	runner := &Runner{Server: fixed("http://server"), Dir: dir, Client: always(nil)}
	e, err := runner.Run(t.Context(), steps)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	if most := 8 * len(long); len(text) > most {
		t.Errorf("the journal has %d bytes, over %d", len(text), most)
	}
	for line := range bytes.Lines(text) {
		if len(line) > 16<<20 {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
	if plan, err := os.ReadFile(filepath.Join(dir, PlanFile)); err != nil || len(plan) > 64<<10 ||
		!bytes.Contains(plan, []byte(loadgen.HashTrace(long))) {
		t.Errorf("the plan has %d bytes, %v", len(plan), err)
	}
	read, err := ReadExperiment(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read.Design, e.Design) {
		t.Errorf("design %.200s, and read %.200s", e.Design, read.Design)
	}
	for i, m := range read.Measurements {
		want := steps[i].Level.Arrivals
		for _, got := range []loadgen.Arrivals{m.Step.Level.Arrivals, m.Result.Level.Arrivals} {
			if !slices.Equal(got.Trace, want.Trace) || got.Process != want.Process || got.TraceSHA256 != "" {
				t.Errorf("level %d has a trace of %d, hash %q", i, len(got.Trace), got.TraceSHA256)
			}
		}
		if i == 0 && &m.Step.Level.Arrivals.Trace[0] != &read.Measurements[2].Result.Level.Arrivals.Trace[0] {
			t.Error("levels of one trace have copies of it")
		}
	}
	if a := Analyze(read); len(a.Points) != 3 || len(a.Points[0].Runs) != 2 ||
		a.Points[0].Trace != loadgen.HashTrace(long) {
		t.Errorf("%d points: %+v", len(a.Points), a.Points)
	}
	for i := range e.Measurements { // what was measured is not changed by being written
		if !slices.Equal(e.Measurements[i].Step.Level.Arrivals.Trace, steps[i].Level.Arrivals.Trace) {
			t.Errorf("level %d has lost its trace", i)
		}
	}
}

// What refers to a trace that is not there, or is another one, is no experiment; a journal that was cut off in a
// trace is one without the level that it was for; one from before traces were stored apart is read as ever.
func TestTraceThatIsNotThere(t *testing.T) {
	trace := randomTrace(10, 3)
	dir := filepath.Join(t.TempDir(), "out")
	runner := &Runner{Server: fixed("http://server"), Dir: dir, Client: always(nil)}
	if _, err := runner.Run(t.Context(), Steps{traced(1, 0, trace)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := slices.Collect(strings.Lines(string(text)))
	if len(lines) != 5 || !strings.Contains(lines[1], `"trace":{"sha256"`) { // begin, trace, start, measurement, end
		t.Fatalf("%d lines: %s", len(lines), lines[1])
	}
	part := func(change func(*TracePart)) string {
		var e Entry
		if err := json.Unmarshal([]byte(lines[1]), &e); err != nil {
			t.Fatal(err)
		}
		change(e.Trace)
		line, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		return string(line) + "\n"
	}
	whole := strings.Join(lines[2:], "")
	for name, c := range map[string]struct{ text, say string }{
		"missing": {lines[0] + whole, "it is not in the journal before"},
		"another one": {lines[0] + part(func(p *TracePart) { p.Offsets[0] ^= 2 }) + whole,
			"it is another one"},
		"not whole": {lines[0] + part(func(p *TracePart) { p.Left = 1 }) + whole,
			"it is not in the journal before"},
		"a number that ends early": {lines[0] + part(func(p *TracePart) { p.Offsets = append(p.Offsets, 0x80) }) +
			whole, "cannot be read"},
		"as it was written": {string(text), ""},
		"cut in the trace":  {lines[0] + lines[1][:40], ""},
		"of several parts": {lines[0] + part(func(p *TracePart) { *p = cutPart(trace, 0, 4) }) +
			part(func(p *TracePart) { *p = cutPart(trace, 4, 10) }) + whole, ""},
		"from before": {lines[0] + strings.ReplaceAll(whole,
			`"trace_sha256":"`+loadgen.HashTrace(trace)+`"`, inline(t, trace)), ""},
	} {
		e, err := ReadJournal(strings.NewReader(c.text))
		if c.say != "" {
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%s: %v, want %q", name, err, c.say)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, m := range e.Measurements {
			if !slices.Equal(m.Step.Level.Arrivals.Trace, trace) ||
				!slices.Equal(m.Result.Level.Arrivals.Trace, trace) {
				t.Errorf("%s: %+v", name, m.Step.Level.Arrivals)
			}
		}
	}
}

// cutPart is a part of a trace as a writer of shorter parts would have it.
func cutPart(trace []time.Duration, from, to int) TracePart {
	before := time.Duration(0)
	if from > 0 {
		before = trace[from-1]
	}
	relative := make([]time.Duration, 0, to-from)
	for _, due := range trace[from:to] {
		relative = append(relative, due-before)
	}
	p := partsOf(loadgen.HashTrace(trace), relative)[0]
	p.Left = len(trace) - to
	return p
}

func inline(t *testing.T, trace []time.Duration) string {
	text, err := json.Marshal(loadgen.Arrivals{Trace: trace})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(text), "{}")
}

// A member of a design that looks like a trace and is none, and a text that looks like one.
func TestWithoutTraces(t *testing.T) {
	trace := []time.Duration{1, 2, 3}
	hash := loadgen.HashTrace(trace)
	for _, c := range []struct{ design, want string }{
		{`{"name":"x"}`, `{"name":"x"}`},
		{`[{"level":{"arrivals":{"trace_ns":[1,2,3]}}},{"trace_ns":[1,2,3],"a":1}]`,
			`[{"level":{"arrivals":{"trace_sha256":"` + hash + `"}}},{"trace_sha256":"` + hash + `","a":1}]`},
		{`{"name":"\"trace_ns\":[1]"}`, `{"name":"\"trace_ns\":[1]"}`},
		{`{"trace_ns":["x"]}`, ""},
	} {
		got, found, err := withoutTraces([]byte(c.design))
		if string(got) != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %s %v", c.design, got, err)
		}
		if strings.Contains(c.want, hash) && !slices.Equal(found[hash], trace) {
			t.Errorf("%s: %v", c.design, found)
		}
	}
}

// Different traces, warmups and timeouts are different conditions; different seeds are not.
func TestConditions(t *testing.T) {
	short, other := []time.Duration{1, 2, 3, 4, 5, 6}, []time.Duration{1, 2, 3, 4, 5, 7}
	level := func(change func(*loadgen.Level)) loadgen.Level {
		l := loadgen.Level{Concurrency: 2, Requests: 4}
		change(&l)
		return l
	}
	arrive := func(trace []time.Duration) func(*loadgen.Level) {
		return func(l *loadgen.Level) { l.Arrivals = loadgen.Arrivals{Process: loadgen.TraceArrivals, Trace: trace} }
	}
	plain := func(*loadgen.Level) {}
	for name, c := range map[string]struct {
		a, b   func(*loadgen.Level)
		points int
		warned bool
	}{
		"the same":        {plain, plain, 1, false},
		"another seed":    {plain, func(l *loadgen.Level) { l.Seed = 5 }, 1, false},
		"another warmup":  {plain, func(l *loadgen.Level) { l.Warmup = 2 }, 2, true},
		"another timeout": {plain, func(l *loadgen.Level) { l.Timeout = time.Second }, 2, true},
		"retries":         {plain, func(l *loadgen.Level) { l.Retries = 1 }, 2, false},
		"another limit": {plain, func(l *loadgen.Level) {
			l.Objectives = []loadgen.Objective{{Metric: "e2e",
				Limit: 5}}
		}, 2, false},
		"the same trace":      {arrive(short), arrive(slices.Clone(short)), 1, false},
		"another trace":       {arrive(short), arrive(other), 2, true},
		"a part of the trace": {arrive(short), arrive(short[:5]), 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			runner := &Runner{Server: fixed("http://server"), Client: always(nil)}
			e, err := runner.Run(context.Background(), Steps{{Run: 1, Level: level(c.a)}, {Run: 2, Level: level(c.b)}})
			if err != nil {
				t.Fatal(err)
			}
			a := Analyze(e)
			if len(a.Points) != c.points || has(a.Warnings, WarnConditions) != c.warned {
				t.Errorf("%d points, want %d: %v", len(a.Points), c.points,
					cmp.Diff(a.Points[0], a.Points[len(a.Points)-1]))
				t.Errorf("%v", a.Warnings)
			}
		})
	}
}
