package protocoltest_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/compare"
	"github.com/servegauge/servegauge/protocol/protocoltest"
	"github.com/servegauge/servegauge/protocol/server"
)

// recorded is a test whose end is looked at: as in a real one, what follows Fatalf or Skipf does not happen.
type recorded struct {
	dir           string
	log           strings.Builder
	fatal, skip   string
	ended, helped bool
}

func (t *recorded) Logf(format string, args ...any) { fmt.Fprintf(&t.log, format+"\n", args...) }
func (t *recorded) ArtifactDir() string             { return t.dir }
func (t *recorded) Helper()                         { t.helped = true }

func (t *recorded) Fatalf(format string, args ...any) {
	t.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (t *recorded) Skipf(format string, args ...any) {
	t.skip = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// record runs a test to its end.
func record(t *testing.T, test func(protocoltest.TB)) *recorded {
	r := &recorded{dir: t.TempDir()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		test(r)
		r.ended = true
	}()
	<-done
	return r
}

// synthetic is an analysis of one level, of which runs have a value of a figure each.
func synthetic(values ...float64) *protocol.Analysis {
	e := &protocol.Experiment{Complete: true}
	for i, v := range values {
		e.Measurements = append(e.Measurements, protocol.Measurement{
			Step:     protocol.Step{Run: i + 1, Level: loadgen.Level{Concurrency: 8, Requests: 100}},
			Instance: fmt.Sprint(i),
			Result: loadgen.Result{Figures: []loadgen.Figure{{Name: "ttft_p50", Unit: "ms",
				Better: loadgen.LowerIsBetter, Value: v, N: 100}}},
		})
	}
	return protocol.Analyze(e)
}

func TestRequire(t *testing.T) {
	// The 95 % interval of the mean is [6395.9, 7074.5].
	a := synthetic(6808, 6512, 7011, 6390, 6955)
	cut := synthetic(6808, 6512, 7011, 6390, 6955)
	cut.Warnings = append(cut.Warnings, loadgen.Warning{Code: protocol.WarnIncomplete})
	for _, c := range []struct {
		name   string
		a      *protocol.Analysis
		limits string
		fatal  string // how it begins; "": it passes
		logs   string
	}{
		{"holds", a, "ttft_p50<8s", "", "runs worth having: 3, of which there were 5"},
		{"broken", a, "ttft_p50<6s", "protocoltest: 1 of 1 limits broken:\nbroken: ttft_p50<6000ms at concurrency " +
			"8: 6,735 ms [6,396, 7,074]", "broken"},
		{"undecided", a, "ttft_p50<7s", "protocoltest: no limit broken, but 1 of 1 undecided:\nundecided: " +
			"ttft_p50<7000ms", "runs worth having: 17, of which there were 5"},
		{"broken and undecided", a, "ttft_p50<7s,ttft_p50<6s,ttft_p50<9s",
			"protocoltest: 1 of 3 limits broken:\nbroken: ttft_p50<6000ms", "holds"},
		{"not valid", cut, "ttft_p50<9s", "protocoltest: the measurement is not valid: incomplete", "holds"},
		{"no such figure", a, "ttft_p51<9s", "protocoltest: no limit broken, but 1 of 1 undecided",
			"ttft_p50 is meant?"},
		{"no such load", a, "ttft_p50@9<9s", "protocoltest: no limit broken, but 1 of 1 undecided",
			"no point is at concurrency 9"},
		{"no grammar", a, "ttft_p50=9s", `protocoltest: limit "ttft_p50=9s", character 9`, ""},
		{"no measurement", nil, "ttft_p50<9s", "protocoltest: nothing is required", ""},
	} {
		r := record(t, func(t protocoltest.TB) { protocoltest.Require(t, c.a, protocoltest.Limits(t, c.limits)...) })
		if (r.fatal == "") != (c.fatal == "") || !strings.HasPrefix(r.fatal, c.fatal) ||
			!strings.Contains(r.log.String(), c.logs) || !r.helped {
			t.Errorf("%s: %s\n%s\nwant %s", c.name, r.fatal, &r.log, c.fatal)
		}
	}
	if r := record(t, func(t protocoltest.TB) { protocoltest.Require(t, a) }); r.fatal == "" {
		t.Error("a gate without a limit passes")
	}
}

func small(s protocol.Server) protocoltest.Experiment {
	return protocoltest.Experiment{Server: s, Budget: 20 * time.Second,
		Plan: protocol.Plan{Runs: 2, Levels: []int{4}, Prompts: protocol.Prompts{Count: 12}, Output: 8}}
}

var simulated = server.Handler(func(start int) http.Handler {
	return &loadgentest.Simulated{MaxSequences: 8, PrefillRate: 8000, DecodeRate: 1000, Seed: uint64(start)}
})

// What is measured is kept: each experiment of a test in a folder of its own, which can be a baseline.
func TestRunKeepsTheFolder(t *testing.T) {
	var a *protocol.Analysis
	r := record(t, func(t protocoltest.TB) {
		a = protocoltest.Run(t, small(simulated))
		protocoltest.Run(t, small(simulated))
	})
	if !r.ended || a == nil || a.Runs != 2 || a.Unit != protocol.UnitRestart || len(a.Points) != 1 {
		t.Fatalf("%s %s %+v\n%s", r.fatal, r.skip, a, &r.log)
	}
	for _, name := range []string{"experiment-1", "experiment-2"} {
		for _, file := range []string{protocol.PlanFile, protocol.JournalFile, protocol.ResultsFile} {
			if _, err := os.Stat(filepath.Join(r.dir, name, file)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, s := range []string{"2 runs in", "of the 20s", r.dir, "output_tokens_per_s", "e2e_p50", "concurrency 4"} {
		if !strings.Contains(r.log.String(), s) {
			t.Errorf("the log does not say %q:\n%s", s, &r.log)
		}
	}
	baseline, err := compare.Read(filepath.Join(r.dir, "experiment-1"))
	if err != nil || len(baseline.Parts) != 1 {
		t.Errorf("%+v, %v", baseline, err)
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "experiment-1", protocol.PlanFile))
	var plan protocol.Plan
	if err := errors.Join(err, json.Unmarshal(text, &plan)); err != nil || plan.Input != 64 || plan.Output != 8 ||
		!plan.Restart || plan.Budget != 20*time.Second || plan.Seed == 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}

type broken struct{}

func (broken) Start(context.Context) (*protocol.Instance, error) {
	return nil, &protocol.ServerError{Phase: "start", Err: errors.New("no port")}
}

func TestRunThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		e     protocoltest.Experiment
		fatal string
	}{
		"server": {small(broken{}), "no port"},
		"plan":   {protocoltest.Experiment{Server: simulated, Plan: protocol.Plan{Levels: []int{-1}}}, "the plan: "},
		"budget": {protocoltest.Experiment{Server: simulated, Budget: time.Nanosecond}, "budget"},
	} {
		r := record(t, func(t protocoltest.TB) { protocoltest.Run(t, c.e) })
		if r.ended || !strings.HasPrefix(r.fatal, "protocoltest: ") || !strings.Contains(r.fatal, c.fatal) {
			t.Errorf("%s: %q, want %s", name, r.fatal, c.fatal)
		}
	}
}

// Under -short nothing is measured.
func TestShort(t *testing.T) {
	short := flag.Lookup("test.short")
	before := short.Value.String()
	if err := short.Value.Set("true"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = short.Value.Set(before) }()
	r := record(t, func(t protocoltest.TB) { protocoltest.Run(t, small(broken{})) })
	if r.ended || !strings.Contains(r.skip, "-short") || !strings.Contains(r.skip, "20s") {
		t.Errorf("%+v", r)
	}
	entries, err := os.ReadDir(r.dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// A testing.TB is one, and a server that runs already is measured as it is.
func TestRunOnAServerThatRuns(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	var _ protocoltest.TB = testing.TB(t)
	instance, err := simulated.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := instance.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	a := protocoltest.Run(t, small(server.None(instance.URL)))
	if a.Runs != 2 || a.Unit != protocol.UnitWithinServer || !slices.Contains(a.Codes(), protocol.WarnWithinServer) {
		t.Errorf("%d runs, %s, %v", a.Runs, a.Unit, a.Codes())
	}
}
