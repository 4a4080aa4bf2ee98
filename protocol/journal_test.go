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
	"time"
)

// journalOf is the journal of a small experiment, as written.
func journalOf(t testing.TB) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "out")
	plan := small()
	plan.Runs, plan.Levels, plan.Cooldown = 2, []int{1, 2}, 0
	runner := &Runner{Server: fixed("http://server"), Dir: dir, Client: always(nil)}
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, JournalFile))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What a crash leaves is whole: a journal cut anywhere reads as the experiment up to the last line that was written.
func TestJournalCutAnywhere(t *testing.T) {
	text := journalOf(t)
	lines := bytes.Count(text, []byte("\n"))
	if lines != 1+2+2*3+1 {
		t.Fatalf("%d lines, want a begin, two starts, two runs of three steps, and an end", lines)
	}
	for cut := range text {
		// Every place near the end of a line, and some between.
		if !bytes.Contains(text[max(cut-2, 0):min(cut+2, len(text))], []byte("\n")) && cut%499 != 0 {
			continue
		}
		whole := bytes.Count(text[:cut], []byte("\n"))
		e, err := ReadJournal(bytes.NewReader(text[:cut]))
		if whole == 0 {
			if err == nil {
				t.Fatalf("cut at %d, in its first line, it reads as an experiment", cut)
			}
			continue
		}
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if got := 1 + len(e.Starts) + len(e.Measurements); got != whole || e.Complete {
			t.Fatalf("cut at %d: %d entries, complete %v, want %d", cut, got, e.Complete, whole)
		}
	}
	e, err := ReadJournal(bytes.NewReader(text))
	if err != nil || !e.Complete {
		t.Errorf("the whole journal: complete %v, %v", e.Complete, err)
	}
}

func TestJournalThatIsNone(t *testing.T) {
	text := string(journalOf(t))
	first, rest, _ := strings.Cut(text, "\n")
	for _, c := range []struct{ name, text, say string }{
		{"empty", "", "empty"},
		{"no begin", rest, "line 1"},
		{"two begins", first + "\n" + text, "line 2"},
		{"not JSON", first + "\n" + "nonsense\n" + rest,
			"the 1 before it can be read: to go on from there, keep them alone in a copy of the directory (head -n 1)"},
		{"another schema", strings.Replace(text, `"schema":1`, `"schema":99`, 1), "schema 99, written by servegauge"},
		{"another schema later", first + "\n" + strings.Replace(rest, `"schema":1`, `"schema":2`, 1),
			"line 2: schema 2, and this version reads 1"},
		{"a shape that came later", `{"schema":2,"begin":{"tool":"servegauge v9"},"time":[1,2],"start":7}` + "\n",
			"schema 2, written by servegauge v9"},
		{"no schema", "{}\n", "line 1: it is no line of an experiment's journal"},
		{"another program's", `{"level":"info","msg":"hello"}` + "\n",
			"line 1: it is no line of an experiment's journal"},
		{"two things in a line", first + "\n" + `{"schema":1,"end":{},"stop":{}}` + "\n", "line 2: it is of 2 things"},
		{"half a line of garbage", first + "\n" + rest[:len(rest)/2] + "\n" + rest, "journal line"},
		{"zeros, as a crash can leave", first + "\n\x00\x00\x00\n", "line 2"},
		{"a blank line", first + "\n\n" + rest, "line 2"},
	} {
		if e, err := ReadJournal(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v %v, want an error that says %q", c.name, e, err, c.say)
		}
	}
	if _, err := ReadExperiment(t.TempDir()); err == nil {
		t.Error("an empty directory holds an experiment")
	}
}

// Whatever is in a journal, reading and analysing it ends in an error or an analysis, and not in a panic.
func FuzzReadJournal(f *testing.F) {
	text := journalOf(f)
	f.Add(text)
	f.Add([]byte(`{"schema":1,"begin":{"design":{}}}` + "\n" +
		`{"schema":1,"measurement":{"step":{"run":1},"result":{"figures":[{"name":"x","value":1e308}]}}}` + "\n"))
	f.Add([]byte(`{"schema":1,"begin":null}` + "\n"))
	f.Add([]byte(`{"schema":1,"begin":{"design":{}}}` + "\n" +
		`{"schema":1,"trace":{"sha256":"x","left":1,"offsets":"wIQ9gIl6"}}` + "\n" +
		`{"schema":1,"measurement":{"step":{"level":{"arrivals":{"process":"trace","trace_sha256":"x"}}}}}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ReadJournal(bytes.NewReader(text))
		if err != nil {
			return
		}
		a := Analyze(e)
		for i := range a.Points {
			for _, estimate := range a.Points[i].Estimates {
				if estimate.Interval.Defined() && !(estimate.Interval.Low <= estimate.Interval.High) {
					t.Errorf("interval %+v", estimate.Interval)
				}
			}
		}
	})
}

// A part of a line, as a full disk leaves it, is taken back, and nothing is written after it.
func TestJournalThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	j, _, err := openJournal(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.append(Entry{Schema: SchemaVersion, Begin: &Begin{Design: []byte("{}")}}); err != nil {
		t.Fatal(err)
	}
	writable := j.file
	if j.file, err = os.Open(filepath.Join(dir, JournalFile)); err != nil { // for reading alone
		t.Fatal(err)
	}
	defer j.file.Close()
	if err := j.append(Entry{Schema: SchemaVersion, Start: &Start{Run: 1}}); err == nil {
		t.Fatal("a write to a file that is open for reading alone is no error")
	}
	j.file = writable
	if err := j.append(Entry{Schema: SchemaVersion, End: &End{}}); err == nil {
		t.Error("the journal goes on after a line that was not written")
	}
	if _, err := writable.WriteString(`{"schema":1,"sta`); err != nil { // what a short write leaves
		t.Fatal(err)
	}
	j.failed = nil
	j.file.Close()
	if err := j.append(Entry{}); err == nil {
		t.Error("a write to a closed file is no error")
	}
	if e, err := ReadExperiment(dir); err != nil || e.Complete || len(e.Starts) != 0 {
		t.Errorf("%+v %v", e, err)
	}
}

// What lies in the directory and is of no experiment is not written over; what an attempt that came to nothing left is.
func TestFilesOfOthersStay(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		free             bool
	}{
		{"another's journal, without an end of line", JournalFile, "my own notes", false},
		{"another's journal, in JSON", JournalFile, `{"time":1}`, false},
		{"another's journal, with lines", JournalFile, "a\nb\n", false},
		{"a plan", PlanFile, `{"runs":1}`, false},
		{"results", ResultsFile, "mine", false},
		{"requests", RequestsFile, "", false},
		{"a report", "report.html", "mine", false},
		{"figures", "levels.csv", "", false},
		{"half a line of ours", JournalFile, `{"schema":1,"time":"20`, true},
		{"less of it", JournalFile, `{"sc`, true},
		{"zeros", JournalFile, "\x00\x00\x00", true},
		{"nothing", JournalFile, "", true},
		{"something else", "notes.txt", "mine", true},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, c.file)
		if err := os.WriteFile(name, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		plan := small()
		plan.Runs, plan.Levels, plan.Cooldown = 1, []int{1}, 0
		runner := &Runner{Server: fixed("http://server"), Dir: dir, Client: always(nil)}
		_, err := runner.Run(context.Background(), plan)
		left, _ := os.ReadFile(name)
		var taken *TakenError
		if !c.free && (!errors.As(err, &taken) || !slices.Equal(taken.Files, []string{c.file}) ||
			strings.Contains(err.Error(), "resume")) {
			t.Errorf("%s: %v", c.name, err)
		}
		if (err == nil) != c.free || !c.free && (string(left) != c.text || !strings.Contains(err.Error(), dir)) {
			t.Errorf("%s: %v; it is now %.40q", c.name, err, left)
		}
	}
}

// What ended before a step that counts leaves its directory to the same design again, and to be resumed.
func TestStoppedBeforeAMeasurement(t *testing.T) {
	for _, at := range []Phase{PhaseCalibrate, PhaseReady, PhaseMeasure} {
		for _, resume := range []bool{false, true} {
			t.Run(fmt.Sprint(at, resume), func(t *testing.T) {
				plan := small()
				plan.Runs, plan.Levels, plan.Cooldown, plan.Warmup = 1, []int{1}, 0, 2
				stop := make(chan struct{})
				dir := t.TempDir()
				again := Runner{Server: &fakeServer{t: t}, Dir: dir, Client: always(nil), Stop: stop}
				again.Calibration = Calibration{Instant: fixed("http://instant"), For: 10 * time.Millisecond}
				first := again
				first.Progress = func(e Event) {
					if e.Phase == at && (at != PhaseMeasure || e.Step.Discard) {
						close(stop)
					}
				}
				before, err := first.Run(t.Context(), plan)
				if !errors.Is(err, ErrStopped) || before.Measured() {
					t.Fatalf("%v, %+v", err, before)
				}
				again.Stop, again.Resume = nil, resume
				e, err := again.Run(t.Context(), plan)
				if err != nil || !e.Complete || !e.Measured() || (len(e.Resumes) == 1) != resume {
					t.Fatalf("%v, %+v", err, e)
				}
				again.Resume = false
				if _, err := again.Run(t.Context(), plan); !errors.As(err, new(*TakenError)) {
					t.Errorf("what was measured is written over: %v", err)
				}
			})
		}
	}
}
