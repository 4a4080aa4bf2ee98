package examples_test

import (
	"encoding/json"
	"errors"
	"fmt"
	pictures "image"
	"image/png"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// workloadFiles are files of each kind, by a short name: a trace of 40 requests in a second, three conversations, numbers,
// pairs.
func workloadFiles(t *testing.T) map[string]string {
	t.Helper()
	var trace strings.Builder
	for i := range 40 {
		fmt.Fprintf(&trace, `{"timestamp":%d,"input_length":520,"output_length":3,"hash_ids":[7,%d]}`+"\n", 25*i, 100+i/4)
	}
	files := map[string]string{}
	for name, text := range map[string]string{
		"trace": trace.String(),
		"talks": strings.Repeat(`{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"so"},{"role":"user","content":"why?"}]}`+"\n", 2) +
			`{"conversations":[{"from":"human","value":"one"},{"from":"gpt","value":"two"},{"from":"human","value":"three"}]}` + "\n",
		"turns": "2\n3\n",
		"pairs": "20,3\n40,2\n",
	} {
		files[name] = filepath.Join(t.TempDir(), name+".txt")
		if err := os.WriteFile(files[name], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// quickRuns are the flags of two runs of a second each.
var quickRuns = []string{"-cooldown", "0s", "-warmup", "2", "-seed", "7"}

// withLoRA is the URL of a server that is restarted by nobody, and has a model base and its adapter lora.
func withLoRA(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(&loadgentest.Simulated{Model: "base", Adapters: []string{"lora"}})
	t.Cleanup(server.Close)
	return server.URL
}

// What loadtest sends an experiment sends at each of its levels and at each restart: other prompts each time, with what it
// was in the journal, by the SHA-256 of each file, and figures over the restarts.
func TestWorkloadsOfExperiments(t *testing.T) {
	f := workloadFiles(t)
	for name, c := range map[string]struct {
		program string
		args    []string
		levels  int // of a run, or of a block
		check   func(t *testing.T, l loadgen.Level, d *workload.Description)
		figures []string // of each point, over the restarts
		says    []string
	}{
		"sessions, three for each in use": {
			"multirun", []string{"-sessions", "3x", "-levels", "1,3", "-turns", "file:" + f["turns"], "-input", "9", "-output", "3", "-runs", "2"}, 2,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if l.Unit != loadgen.UnitSession || l.Sessions != 3*l.Concurrency || l.Requests != 0 ||
					d.Sessions == nil || d.Sessions.Input != "9" || len(d.Files) != 1 || len(d.Files[0].SHA256) != 64 {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{loadgen.SessionThroughput, "session_duration_p50", "ttft_mean{turn=1}", "cached_share{turn=2}"},
			[]string{"By turn:", "Sessions:", "turns file:turns.txt", "concurrency  sessions"},
		},
		"sessions of a file, by their requests": {
			"finesweep", []string{"-conversations", f["talks"], "-sessions", "6", "-concurrency-of", "request", "-levels", "1,2", "-output", "3",
				"-runs", "2"}, 2,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if l.Unit != loadgen.UnitRequest || l.Sessions != 6 || d.File == nil || d.File.Prompts != 3 || len(d.File.SHA256) != 64 {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{loadgen.SessionThroughput, "e2e_mean{turn=2}"}, []string{"conversations talks.txt of 3 sessions"},
		},
		"sessions that arrive": {
			"multirun", []string{"-sessions", "8", "-rates", "40", "-turns", "2", "-input", "9", "-output", "3", "-runs", "2"}, 1,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if l.Unit != loadgen.UnitSession || l.Sessions != 8 || l.Arrivals.Rate != 40 {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{loadgen.SessionThroughput}, nil,
		},
		"a trace, whole in each run": {
			"multirun", []string{"-trace", f["trace"], "-speed", "2", "-runs", "2"}, 1,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if l.Arrivals.Process != loadgen.TraceArrivals || len(l.Arrivals.Trace) != 40 || l.Requests != 40 ||
					d.Trace == nil || d.Trace.Speed != 2 || d.File == nil || len(d.File.SHA256) != 64 {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{"ttft_p50", loadgen.OutputThroughput}, []string{"a trace of 40 requests at 2 times its speed", "520 tokens in, 3 out in the mean"},
		},
		"a tree": {
			"multirun", []string{"-tree", "30x1,20x2", "-input", "9", "-output", "3", "-levels", "2", "-requests", "6x", "-runs", "2"}, 1,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if !slices.Equal(d.Tree, []string{"30x1", "20x2"}) || l.Requests != 12 {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{loadgen.CachedShare}, []string{"a tree of prefixes 30x1, 20x2"},
		},
		"pairs of lengths": {
			"multirun", []string{"-length-pairs", f["pairs"], "-levels", "2", "-requests", "6x", "-runs", "2"}, 1,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if d.Lengths != "2 pairs of pairs.txt" || len(d.Files) != 1 || len(d.Files[0].SHA256) != 64 {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{"ttft_p50"}, []string{"2 pairs of pairs.txt"},
		},
		"sessions of two servers": {
			"ablation", []string{"-sessions", "4x", "-levels", "2", "-turns", "2", "-input", "9", "-output", "3", "-blocks", "3"}, 2,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if l.Unit != loadgen.UnitSession || l.Sessions != 8 || d.Sessions == nil {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{loadgen.SessionThroughput}, nil,
		},
		"images and adapters": {
			"multirun", []string{"-url", withLoRA(t), "-images", "4", "-image-size", "32x32", "-model", "base*2,lora", "-input", "30",
				"-output", "3", "-levels", "2", "-requests", "6x", "-runs", "2"}, 1,
			func(t *testing.T, l loadgen.Level, d *workload.Description) {
				if d.Endpoint != "chat" || d.Media == nil || d.Media.Number != 4 || d.Media.SHA256 != "" {
					t.Errorf("%+v, %+v", l, d)
				}
			},
			[]string{"ttft_mean{model=base}", "ttft_mean{model=lora}"}, []string{"4 images of 32x32", "By model:"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			p := run(t, c.program, slices.Concat(quickRuns, c.args, []string{"-out", out})...)
			e, err := protocol.ReadExperiment(out)
			if err != nil || p.code > 1 || !e.Complete { // 1: a machine that others use spoils figures
				t.Fatalf("exit code %d, %v\n%s\n%s", p.code, err, p.stdout, p.stderr)
			}
			seeds := map[uint64]bool{}
			levels := 0
			for _, m := range e.Measurements {
				seeds[m.Step.Seed] = true
				if m.Result.Accounting.Failed > 0 || m.Sent == nil {
					t.Errorf("%+v, sent %v", m.Result.Accounting, m.Sent)
				}
				if !m.Step.Discard {
					levels++
					c.check(t, m.Step.Level, m.Sent)
				}
			}
			a := protocol.Analyze(e)
			runs := 2
			if c.program == "ablation" {
				runs = 3
			}
			different := len(e.Measurements)
			if c.program == "ablation" { // arms are paired, and have the same
				different /= 2
			}
			if len(seeds) != different {
				t.Errorf("%d steps of %d seeds: prompts repeat", len(e.Measurements), len(seeds))
			}
			if levels != runs*c.levels {
				t.Errorf("%d levels in %d runs", levels, runs)
			}
			for i := range a.Points {
				for _, name := range c.figures {
					f, _ := a.Points[i].Figure(name)
					if len(f.Values) < 2 || f.Summary.N != len(f.Values) {
						t.Errorf("%v: %s of %v", a.Points[i].Load, name, f.Values)
					}
				}
			}
			page, err := os.ReadFile(filepath.Join(out, "report.md"))
			if err != nil {
				t.Fatal(err)
			}
			for _, say := range c.says {
				if !strings.Contains(strings.Join(strings.Fields(p.stdout), " "), strings.Join(strings.Fields(say), " ")) {
					t.Errorf("the text does not say %q:\n%s", say, p.stdout)
				}
			}
			if sent := e.Workload.String(); !strings.Contains(string(page), strings.Split(sent, ";")[0]) {
				t.Errorf("the report does not say %q", sent)
			}
		})
	}
}

// What is sent travels to workers: sessions are theirs as a whole, files reach them by SHA-256, folders as one file, and
// what is made from seeds each of them makes. That they send the same, and what this process would, is checked before the
// level; here it is that they do it at all, and what came of it.
func TestWorkloadsOfAFleet(t *testing.T) {
	f := workloadFiles(t)
	folder := t.TempDir()
	for i := range 3 {
		file, err := os.Create(filepath.Join(folder, fmt.Sprint(i, ".png")))
		if err != nil {
			t.Fatal(err)
		}
		picture := pictures.NewGray(pictures.Rect(0, 0, 8, 8+i))
		if err := errors.Join(png.Encode(file, picture), file.Close()); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		args     []string
		requests int
		check    func(*loadgen.Result) bool
	}{
		"sessions": {[]string{"-sessions", "5x", "-turns", "file:" + f["turns"], "-concurrency", "4", "-input", "9"}, 0,
			func(r *loadgen.Result) bool {
				return r.Sessions.Accounting.Completed == 20 && r.Accounting.Completed >= 40 && r.Accounting.Completed <= 60
			}},
		"sessions of a file": {[]string{"-conversations", f["talks"], "-sessions", "9", "-concurrency", "3"}, 18,
			func(r *loadgen.Result) bool { return r.Sessions.Accounting.Completed == 9 }},
		"a trace": {[]string{"-trace", f["trace"], "-speed", "2"}, 40,
			func(r *loadgen.Result) bool { return r.Tokens.Input == 40*520 && r.Open != nil }},
		"pairs": {[]string{"-length-pairs", f["pairs"], "-requests", "20", "-concurrency", "4"}, 20, nil},
		"a folder of images": {[]string{"-media", folder, "-media-each", "2", "-requests", "12", "-concurrency", "2"}, 12,
			func(r *loadgen.Result) bool { return r.Distributions[loadgen.RequestBytes] != nil }},
		"images that are made": {[]string{"-images", "5", "-image-size", "16x16", "-requests", "12", "-concurrency", "2"}, 12,
			func(r *loadgen.Result) bool { return r.Distributions[loadgen.RequestBytes] != nil }},
		"a tree": {[]string{"-tree", "20x1,9x2", "-requests", "12", "-concurrency", "2"}, 12, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			output := []string{"-output", "3"}
			if name == "a trace" || name == "pairs" {
				output = nil
			}
			p := run(t, "loadtest", slices.Concat([]string{"-fleet", "2", "-json"}, output, c.args)...)
			var r loadgen.Result
			if err := json.Unmarshal([]byte(p.stdout), &r); err != nil {
				t.Fatalf("%v\n%s", err, p.stderr)
			}
			if r.Generators != 2 || r.Accounting.Failed != 0 || c.requests > 0 && r.Accounting.Completed != c.requests ||
				c.check != nil && !c.check(&r) {
				t.Errorf("%d generators, %+v, sessions %v, %+v\n%s", r.Generators, r.Accounting, r.Sessions, r.Tokens, p.stderr)
			}
		})
	}
}

// An experiment is taken up again with what it sends, which the flags say again; with anything else it is not.
func TestWorkloadsAreResumed(t *testing.T) {
	f := workloadFiles(t)
	other := filepath.Join(t.TempDir(), filepath.Base(f["turns"]))
	if err := os.WriteFile(other, []byte("3\n2\n"), 0o600); err != nil { // of the same name, and as many numbers
		t.Fatal(err)
	}
	small := []string{"-cooldown", "0s", "-warmup", "1", "-runs", "1", "-seed", "7"}
	sessions, trace := filepath.Join(t.TempDir(), "sessions"), filepath.Join(t.TempDir(), "trace")
	for dir, args := range map[string][]string{
		sessions: {"-sessions", "2x", "-turns", "file:" + f["turns"], "-levels", "1,2", "-input", "9", "-output", "2"},
		trace:    {"-trace", f["trace"], "-speed", "4"},
	} {
		if p := run(t, "multirun", slices.Concat(small, args, []string{"-out", dir})...); p.code > 1 {
			t.Fatalf("%d: %s", p.code, p.stderr)
		}
	}
	for _, c := range []struct {
		dir  string
		args []string
		say  []string
	}{
		{sessions, nil, []string{"its levels are of sessions", "-sessions 2x"}},
		{sessions, []string{"-sessions", "3x"}, []string{"-sessions 3x with -resume", "has 2x"}},
		{sessions, []string{"-sessions", "2x", "-concurrency-of", "request"}, []string{"-concurrency-of request", "has session"}},
		{sessions, []string{"-trace", f["trace"]}, []string{"-resume", "its levels are of sessions"}},
		{trace, nil, []string{"it replays a trace", "-trace"}},
		{trace, []string{"-sessions", "2x"}, []string{"-sessions with -resume", "single requests"}},
	} {
		failsWith(t, 2, c.say, "multirun", append([]string{"-resume", c.dir, "-runs", "2"}, c.args...)...)
	}
	for _, c := range []struct {
		dir  string
		args []string
		say  []string
	}{
		{sessions, []string{"-sessions", "2x", "-turns", "file:" + other}, []string{"the requests differs", "files"}},
		{sessions, []string{"-sessions", "2x", "-turns", "file:" + f["turns"], "-think", "0.01"}, []string{"the requests differs", "think"}},
		{trace, []string{"-trace", f["trace"], "-speed", "5"}, []string{"the plan differs", "arrivals"}},
	} {
		failsWith(t, 1, c.say, "multirun", append([]string{"-resume", c.dir, "-runs", "2"}, c.args...)...)
	}
	for dir, args := range map[string][]string{
		sessions: {"-sessions", "2x", "-turns", "file:" + f["turns"]},
		trace:    {"-trace", f["trace"], "-speed", "4"},
	} {
		p := run(t, "multirun", append([]string{"-resume", dir, "-runs", "2"}, args...)...)
		e, err := protocol.ReadExperiment(dir)
		if err != nil || p.code > 1 || !e.Complete || len(e.Starts) < 2 || e.Measurements[len(e.Measurements)-1].Step.Run != 2 {
			t.Errorf("exit code %d, %v\n%s", p.code, err, p.stderr)
		}
	}
}
