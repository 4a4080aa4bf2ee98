package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// says is a target that says which models it asks, and for what.
type says struct {
	loadgen.Target
	sent workload.Description
}

func (says) Models() []string             { return []string{"a", "b"} }
func (s says) Sent() workload.Description { return s.sent }

// What was sent, and to whom, is in the experiment, in what its journal reads as, and in the results; nothing of the
// server's URL is in any file that could be secret.
func TestWorkloadIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	plan := small()
	plan.Runs, plan.Levels, plan.Cooldown = 2, []int{1, 2}, 0
	want := &workload.Description{
		Endpoint: "chat", Whole: true, Prompts: "dataset", Prefix: 3,
		File:    &workload.File{Name: "a.jsonl", SHA256: strings.Repeat("0f", 32), Prompts: 12},
		Headers: []string{"Authorization"}, Body: json.RawMessage(`{"seed":18446744073709551615,"top_p":0.9}`),
	}
	runner := &Runner{
		Server: fixed("http://user:planted@server:8000/v1?key=planted#planted"), Dir: dir,
		Client: &funcs{target: func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
			return says{answersAtOnce(s), *want}, nil
		}},
	}
	ran, err := runner.Run(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ReadExperiment(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Analyze(read).Save(dir); err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]*Experiment{"ran": ran, "read": read} {
		if diff := cmp.Diff(want, e.Workload); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	var a Analysis
	text, err := os.ReadFile(filepath.Join(dir, ResultsFile))
	if err != nil || json.Unmarshal(text, &a) != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if a.Workload == nil || a.Workload.File == nil || *a.Workload.File != *want.File {
		t.Errorf("results: %+v", a.Workload)
	}
	if !slices.Equal(a.URLs, []string{"http://server:8000/v1"}) || !slices.Equal(a.Models, []string{"a", "b"}) {
		t.Errorf("URLs %q, models %q", a.URLs, a.Models)
	}
	holdNowhere(t, dir, "planted")
}

// holdNowhere checks that no file in dir holds a text.
func holdNowhere(t *testing.T, dir, planted string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(planted)) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil || files == 0 {
		t.Errorf("%d files, %v", files, err)
	}
}

// A journal of before there was a Workload, with the clock that it has instead of stamps, reads as ever.
func TestJournalWithoutWorkload(t *testing.T) {
	text := string(journalOf(t))
	old := strings.ReplaceAll(text, `,"url":"http://server"`, "")
	old = strings.ReplaceAll(old, `"makespan_ns":`, `"clock":"mixed","makespan_ns":`)
	if old == text || strings.Contains(old, `"url"`) || !strings.Contains(old, `"clock"`) ||
		strings.Contains(old, `"workload"`) {
		t.Fatalf("not an old journal:\n%s", old)
	}
	e, err := ReadJournal(strings.NewReader(old))
	if err != nil {
		t.Fatal(err)
	}
	a := Analyze(e)
	if !a.Valid() || len(a.Points) != 2 || a.Workload != nil || a.URLs != nil || a.Models != nil ||
		a.Stamps != (loadgen.Stamps{}) {
		t.Errorf("%+v", a)
	}
}

func TestPublicURL(t *testing.T) {
	for given, want := range map[string]string{
		"http://127.0.0.1:8000":           "http://127.0.0.1:8000",
		"https://key@host/v1/":            "https://host/v1/",
		"https://user:pass@host/a?key=b":  "https://host/a",
		"http://host#key":                 "http://host",
		"host:8000":                       "",
		"http://user:p%zz@host":           "",
		"user:password@host/where?secret": "",
	} {
		if got := PublicURL(given); got != want {
			t.Errorf("%s: %q, want %q", given, got, want)
		}
	}
}

// What journals of before said once for all of their steps reads as ever, and so do their steps; and a step is
// written as it was.
func TestJournalWithOneWorkload(t *testing.T) {
	old := string(journalOf(t))
	old = strings.Replace(old, `"environment":`,
		`"workload":{"endpoint":"chat","whole":true,"prompts":"dataset","prefix_tokens":3,`+
			`"dataset":{"name":"a.jsonl","sha256":"0f","prompts":12},"headers":["Authorization"],"body":{"top_p":0.9}},"environment":`, 1)
	e, err := ReadJournal(strings.NewReader(old))
	if err != nil {
		t.Fatal(err)
	}
	want := &workload.Description{Endpoint: "chat", Whole: true, Prompts: workload.FromFile, Prefix: 3,
		File: &workload.File{Name: "a.jsonl", SHA256: "0f",
			Prompts: 12}, Headers: []string{"Authorization"}, Body: json.RawMessage(`{"top_p":0.9}`)}
	if diff := cmp.Diff(want, Analyze(e).Workload); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := json.Marshal(Step{Run: 1, Spec: workload.Spec{Input: 7, Output: 5, Seed: 1 << 63}})
	if flat := `"input_tokens":7,"output_tokens":5,"seed":9223372036854775808,`; err != nil ||
		!strings.Contains(string(text), flat) {
		t.Errorf("%v: %s does not hold %s", err, text, flat)
	}
	var s Step
	if err := json.Unmarshal([]byte(`{"run":1,"seq":2,"input_tokens":7,"output_tokens":5,"seed":9,"level":{}}`),
		&s); err != nil || s.Spec != (workload.Spec{Input: 7, Output: 5, Seed: 9}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// Each measurement has what its own target sent.
func TestMeasurementsSayWhatWasSent(t *testing.T) {
	plan := small()
	plan.Runs, plan.Levels, plan.Cooldown, plan.Warmup = 1, []int{1, 2}, 0, 0
	n := 0
	runner := &Runner{
		Server: fixed("http://server:8000"), Dir: filepath.Join(t.TempDir(), "out"),
		Client: &funcs{target: func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
			n++
			return says{answersAtOnce(s), workload.Description{Prompts: workload.Words, Prefix: n}}, nil
		}},
	}
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	e, err := ReadExperiment(runner.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Measurements) != 2 || e.Measurements[0].Sent.Prefix != 1 || e.Measurements[1].Sent.Prefix != 2 ||
		e.Workload.Prefix != 1 {
		t.Errorf("%+v of %+v", e.Workload, e.Measurements)
	}
}
