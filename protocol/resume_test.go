package protocol

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
)

// stepsOf are the steps that were measured, as texts, without what a restart in the middle of a run may change.
func stepsOf(e *Experiment) (out []string) {
	for _, m := range e.Measurements {
		s := m.Step
		out = append(out, fmt.Sprintf("run %d, step %d: %s, seed %d, discard %v, %d completed", s.Run, s.Seq,
			s.Level.Load(), s.Seed, s.Discard, m.Result.Accounting.Completed))
	}
	return out
}

// Cut off at any byte, an experiment goes on to the steps that the uninterrupted one had: none is lost, and none is
// there twice.
func TestResumeAfterACut(t *testing.T) {
	plan := small()
	plan.Cooldown = 0
	whole := newRunner(t, &fakeServer{t: t})
	want, err := whole.Run(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(whole.Dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(journal, []byte("\n"))
	var cuts []int
	at := 0
	for _, line := range lines[:len(lines)-1] {
		// after a line, within the next, before its end
		cuts = append(cuts, at+len(line), at+len(line)+len(line)/2, at+len(line)-1)
		at += len(line)
	}
	for _, cut := range cuts {
		cut = min(cut, len(journal))
		if cut < len(lines[0]) || cut == len(journal) {
			continue
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, JournalFile), journal[:cut], 0o666); err != nil {
			t.Fatal(err)
		}
		server := &fakeServer{t: t, starts: 100} // other instances than before
		runner := newRunner(t, server)
		runner.Dir, runner.Resume = dir, true
		e, err := runner.Run(context.Background(), plan)
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got, want := stepsOf(e), stepsOf(want); !slices.Equal(got, want) {
			t.Errorf("cut at %d:\n%s\nwant\n%s", cut, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if server.running != 0 || !e.Complete || len(e.Resumes) != 1 {
			t.Errorf("cut at %d: %d servers run, complete %v, %d resumes", cut, server.running, e.Complete,
				len(e.Resumes))
		}
		read, err := ReadExperiment(dir)
		if err != nil {
			t.Fatal(err)
		}
		sameJSON(t, e, read)
		if a := Analyze(e); a.Unit != UnitRestart {
			t.Errorf("cut at %d: replicates are %s", cut, a.Unit)
		}
		// In the middle of a run the new server is warmed as the run's first was.
		done, _ := ReadJournal(bytes.NewReader(journal[:cut]))
		n := len(done.Measurements)
		if middle := n > 0 && n%4 != 0; middle != (len(e.Rewarms) == 1) {
			t.Errorf("cut after %d steps: %d rewarms", n, len(e.Rewarms))
		}
	}
}

// What was stopped within a level measures that level again.
func TestResumeAfterAStop(t *testing.T) {
	plan := small()
	plan.Cooldown = 0
	want, err := newRunner(t, &fakeServer{t: t}).Run(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 60; n += 7 {
		runner := newRunner(t, &fakeServer{t: t})
		stop := make(chan struct{})
		asked := 0
		runner.Stop = stop
		runner.Observe = func(Step) loadgen.Observer {
			return loadgen.Observer{Record: func(*loadgen.Record, *loadgen.Error) {
				if asked++; asked == n {
					close(stop)
				}
			}}
		}
		if _, err := runner.Run(context.Background(), plan); !errors.Is(err, ErrStopped) {
			t.Fatal(err)
		}
		runner.Stop, runner.Resume, runner.Server = nil, true, &fakeServer{t: t, starts: 100}
		e, err := runner.Run(context.Background(), plan)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := stepsOf(e), stepsOf(want); !slices.Equal(got, want) {
			t.Errorf("stopped after %d requests:\n%s\nwant\n%s", n, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(e.Superseded) > 1 {
			t.Errorf("%d levels were superseded", len(e.Superseded))
		}
	}
}

// A finished plan is resumed for more runs, and for nothing else.
func TestMoreRuns(t *testing.T) {
	plan := small()
	plan.Cooldown = 0
	runner := newRunner(t, &fakeServer{t: t})
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	before := plan.Runs
	plan.Runs += 2
	runner.Resume, runner.Server = true, &fakeServer{t: t, starts: 100}
	e, err := runner.Run(context.Background(), plan)
	if err != nil || len(e.Measurements) != plan.Runs*(len(plan.Levels)+1) {
		t.Fatalf("%v, %d measurements", err, len(e.Measurements))
	}
	if a := Analyze(e); a.Runs != before+2 || a.Unit != UnitRestart {
		t.Errorf("%d runs, %s", a.Runs, a.Unit)
	}
	if file, err := os.ReadFile(filepath.Join(runner.Dir, PlanFile)); err != nil ||
		!strings.Contains(string(file), fmt.Sprintf(`"runs": %d`, plan.Runs)) {
		t.Errorf("%s, %v", file, err)
	}
	for name, change := range map[string]func(*Plan){
		"levels: [1,2,4] → [1,2,3]": func(p *Plan) { p.Levels = []int{1, 2, 3} },
		"seed: 7 → 2":               func(p *Plan) { p.Seed = 2 },
		"runs":                      func(p *Plan) { p.Runs = 1 },
	} {
		other := plan
		change(&other)
		_, err := runner.Run(context.Background(), other)
		var wrong *ResumeError
		if !errors.As(err, &wrong) || wrong.What != "plan" || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

// Another environment and another server are errors that say in what they differ, or are accepted and written down.
func TestResumeElsewhere(t *testing.T) {
	plan := small()
	plan.Cooldown = 0
	runner := newRunner(t, &fakeServer{t: t})
	stop := make(chan struct{})
	runner.Stop = stop
	runner.Progress = func(e Event) {
		if e.Phase == PhaseMeasure && e.Step.Seq == 2 && e.Step.Run == 1 {
			close(stop)
		}
	}
	if _, err := runner.Run(context.Background(), plan); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	runner.Stop, runner.Progress, runner.Resume = nil, nil, true
	path := filepath.Join(runner.Dir, JournalFile)
	journal, _ := os.ReadFile(path)
	kernel := bytes.Index(journal, []byte(`"kernel":{"value":"`))
	if kernel < 0 {
		t.Fatalf("no kernel in %s", journal[:2000])
	}
	other := bytes.Replace(journal, []byte(`"kernel":{"value":"`), []byte(`"kernel":{"value":"old-`), 1)
	if err := os.WriteFile(path, other, 0o666); err != nil {
		t.Fatal(err)
	}
	runner.Server = &fakeServer{t: t, starts: 100}
	_, err := runner.Run(context.Background(), plan)
	var wrong *ResumeError
	if !errors.As(err, &wrong) || wrong.What != "environment" || !strings.Contains(err.Error(), "old-") {
		t.Fatal(err)
	}
	runner.AcceptChanges = true
	e, err := runner.Run(context.Background(), plan)
	if err != nil || len(e.Resumes) != 1 || len(e.Resumes[0].Changes) != 1 {
		t.Errorf("%v, %+v", err, e.Resumes)
	}
}

// A server that says it is another model than before is not what the experiment was about.
func TestResumeWithAnotherServer(t *testing.T) {
	plan := small()
	plan.Cooldown = 0
	asked := `{"image":"one"}`
	server := func(starts int) Server {
		fake := &fakeServer{t: t, starts: starts}
		return startFunc(func(ctx context.Context) (*Instance, error) {
			i, err := fake.Start(ctx)
			if i != nil {
				i.Asked = []byte(asked)
			}
			return i, err
		})
	}
	runner := newRunner(t, &fakeServer{t: t})
	runner.Server = server(0)
	stop := make(chan struct{})
	runner.Stop = stop
	runner.Progress = func(e Event) {
		if e.Phase == PhaseMeasure && e.Step.Seq == 2 {
			close(stop)
			runner.Progress = nil
		}
	}
	if _, err := runner.Run(context.Background(), plan); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	asked = `{"image":"two"}`
	runner.Stop, runner.Progress, runner.Resume, runner.Server = nil, nil, true, server(100)
	_, err := runner.Run(context.Background(), plan)
	var wrong *ResumeError
	if !errors.As(err, &wrong) || wrong.What != "server" || !strings.Contains(err.Error(), `image: "one" → "two"`) {
		t.Fatal(err)
	}
	runner.AcceptChanges, runner.Server = true, server(200)
	e, err := runner.Run(context.Background(), plan)
	if err != nil {
		t.Fatal(err)
	}
	flagged := 0
	for _, s := range e.Starts {
		if slices.ContainsFunc(s.Warnings, func(w loadgen.Warning) bool { return w.Code == WarnServerChanged }) {
			flagged++
		}
	}
	if flagged != 1 {
		t.Errorf("%d starts say that the server is another", flagged)
	}
}

type startFunc func(context.Context) (*Instance, error)

func (f startFunc) Start(ctx context.Context) (*Instance, error) { return f(ctx) }

// Two processes cannot write to one directory, and what the first one writes is not touched.
func TestDirectoryInUse(t *testing.T) {
	plan := small()
	runner := newRunner(t, &fakeServer{t: t})
	second := newRunner(t, &fakeServer{t: t})
	second.Dir = runner.Dir
	tried := false
	runner.Client.(*funcs).ready = func(context.Context, string) error { // before anything is measured
		if !tried {
			tried = true
			for _, resume := range []bool{false, true} {
				second.Resume = resume
				_, err := second.Run(context.Background(), plan)
				var busy *BusyError
				if !errors.As(err, &busy) || busy.Dir != runner.Dir {
					t.Errorf("resume %v: %v", resume, err)
				}
			}
		}
		return nil
	}
	plan.Cooldown = 0
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	if e, err := ReadExperiment(runner.Dir); err != nil || !e.Complete {
		t.Error(err)
	}
}

func TestNothingToResume(t *testing.T) {
	runner := newRunner(t, &fakeServer{t: t})
	runner.Resume = true
	if _, err := runner.Run(context.Background(), small()); err == nil ||
		!strings.Contains(err.Error(), "nothing to resume") {
		t.Error(err)
	}
	garbage := t.TempDir()
	runner.Dir = garbage
	for text, want := range map[string]string{
		"":               "is empty",
		"half a line":    "is empty",
		"no journal\n{}": "journal line 1",
		`{"schema":99,"begin":{"design":{}}}` + "\n": "schema 99, and this version reads 1",
	} {
		if err := os.WriteFile(filepath.Join(garbage, JournalFile), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := runner.Run(context.Background(), small()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		if now, _ := os.ReadFile(filepath.Join(garbage, JournalFile)); string(now) != text {
			t.Errorf("%q became %q", text, now)
		}
	}
}

// A copied directory analyses as the first does.
func TestCopiedDirectory(t *testing.T) {
	runner := newRunner(t, &fakeServer{t: t})
	plan := small()
	plan.Cooldown = 0
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(elsewhere, os.DirFS(runner.Dir)); err != nil {
		t.Fatal(err)
	}
	a, err := ReadExperiment(runner.Dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadExperiment(elsewhere)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, Analyze(a), Analyze(b))
}

// Memory that comes and goes a little is that of a virtual machine, and no other host.
func TestBallooned(t *testing.T) {
	for _, c := range []struct {
		path, a, b string
		want       bool
	}{
		{"host.numa.nodes[0].memory", "14186999808 B", "14321217536 B", true},
		{"host.memory", "14321217536 B", "14186999808 B", true},
		{"host.usable_memory", "100 B", "104 B", true},
		{"host.memory", "14186999808 B", "28373999616 B", false},
		{"host.memory", "unlimited", "14186999808 B", false},
		{"host.memory", "0 B", "14186999808 B", false},
		{"amd.cards[0].memory", "100 B", "101 B", false}, // a card's does not come and go
		{"host.kernel", "100 B", "101 B", false},
	} {
		if got := ballooned(envinfo.Difference{Kind: envinfo.Changed, Path: c.path, A: c.a, B: c.b}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if ballooned(envinfo.Difference{Kind: envinfo.OnlySecond, Path: "host.numa.nodes[1].memory", B: "100 B"}) {
		t.Error("a node that was not there")
	}
}
