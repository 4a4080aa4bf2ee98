// Package protocoltest makes a gate of a measurement, for Go test suites: a test starts a server, measures it in
// several runs with restarts within a stated time, and fails unless limits hold. See the example, which is meant to be
// copied.
//
// A limit that is broken and one that is undecided fail in words of their own: the first is the server's, the second
// asks for more runs, and says how many. [Require] says so too where fewer runs would do.
package protocoltest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
)

// TB is what a test must have; a [testing.TB] has it. Where it has Helper, Context, Deadline and ArtifactDir or
// TempDir, as that has, they are used too.
type TB interface {
	Logf(format string, args ...any)
	Skipf(format string, args ...any)
	Fatalf(format string, args ...any) // does not return
}

// An Experiment is what [Run] measures.
type Experiment struct {
	// Server is started anew for each run: of package server Handler, Process, a preset or any other, or None for one
	// that runs already.
	Server protocol.Server

	// Client speaks to it. nil: an openai.Client, which asks for completions of the model that the server names first.
	Client protocol.Client

	// Plan is what is measured. What is zero in it is chosen: 5 runs, at a concurrency of 8, 20 requests for each one
	// in flight, 64 tokens in and 16 out, another seed each time, and levels that begin on a busy server.
	Plan protocol.Plan

	// Budget is how long all of it may take, starts and warmups included: levels get their part of it, and runs that
	// would go beyond it are left out. Zero: the Plan's, and 30 s where that has none.
	Budget time.Duration

	// Runner, if set, may set what else the runner is to do, such as probes and metrics of one's own.
	Runner func(*protocol.Runner)
}

// Runs is how many there are where nobody says. From five runs on the spread begins to be known to within a factor of
// two, and the interval is half as wide as that from three.
const Runs = 5

const defaultBudget = 30 * time.Second

// Run carries out an experiment, logs a table of what it showed, and returns it. Under -short it skips the test. All
// that was measured is kept in a folder of the test's artifacts ([testing.T.ArtifactDir], which go test -artifacts
// keeps). It fails the test where the experiment cannot be carried out.
func Run(t TB, e Experiment) *protocol.Analysis {
	help(t)
	if testing.Testing() && testing.Short() {
		t.Skipf("-short: measuring takes up to %v", e.plan().Budget)
		return nil
	}
	dir, err := folder(t)
	if err != nil {
		t.Fatalf("protocoltest: %v", err)
		return nil
	}
	plan := e.plan()
	warnings, err := plan.Check()
	if err != nil {
		t.Fatalf("protocoltest: the plan: %v", err)
		return nil
	}
	for _, w := range warnings {
		t.Logf("warning: %v", w)
	}
	runner := &protocol.Runner{Server: e.Server, Client: e.Client, Dir: dir}
	if e.Client == nil {
		runner.Client = &openai.Client{}
	}
	if e.Runner != nil {
		e.Runner(runner)
	}
	ctx, cancel := context.WithDeadline(contextOf(t))
	defer cancel()
	began := time.Now()
	experiment, err := runner.Run(ctx, plan)
	if err != nil {
		t.Fatalf("protocoltest: %v; what was measured is in %s", err, dir)
		return nil
	}
	a := protocol.Analyze(experiment)
	if err := a.Save(dir); err != nil {
		t.Fatalf("protocoltest: %v", err)
		return nil
	}
	t.Logf("%d runs in %v of the %v that they may take; the folder is %s\n%s", a.Runs,
		time.Since(began).Round(100*time.Millisecond),
		plan.Budget, dir, table(a))
	return a
}

// plan is the experiment's, with what is zero in it chosen.
func (e Experiment) plan() protocol.Plan {
	p := e.Plan
	p.Restart = true
	if e.Budget > 0 {
		p.Budget = e.Budget
	}
	if p.Budget == 0 {
		p.Budget = defaultBudget
	}
	if p.Name == "" {
		p.Name = "protocoltest"
	}
	if p.Runs == 0 {
		p.Runs = Runs
	}
	if len(p.Levels) == 0 {
		p.Levels = []int{8}
	}
	if p.Prompts == (protocol.Prompts{}) {
		p.Prompts.PerConcurrency = 20
	}
	if p.Input == 0 {
		p.Input = 64
	}
	if p.Output == 0 {
		p.Output = 16
	}
	if p.Warmup == 0 && p.WarmUntilSteady == 0 {
		p.Handover = true
	}
	if p.Timeout == 0 {
		p.Timeout = p.Budget
	}
	if p.Seed == 0 {
		p.Seed = rand.Uint64N(1 << 53)
	}
	return p
}

// Limits reads limits as [protocol.ParseLimits] does, and fails the test where they cannot be meant.
func Limits(t TB, text string) []protocol.Limit {
	help(t)
	limits, err := protocol.ParseLimits(text)
	if err != nil {
		t.Fatalf("protocoltest: %v", err)
	}
	return limits
}

// Require fails the test unless all limits hold, as [protocol.Analysis.Check] says: with "broken" where one does not,
// and else with "undecided" where it was not shown. It fails too where the measurement is not valid: it was cut short,
// or more than 1 % of the requests failed. The table of all limits, and how many runs are worth having, are in the log.
func Require(t TB, a *protocol.Analysis, limits ...protocol.Limit) {
	help(t)
	if a == nil || len(limits) == 0 {
		t.Fatalf("protocoltest: nothing is required: want an analysis and at least one limit")
		return
	}
	judged := a.Judge(limits...)
	var text strings.Builder
	if err := protocol.WriteJudgements(&text, judged); err != nil {
		t.Fatalf("protocoltest: %v", err)
		return
	}
	t.Logf("required:\n%s%s", &text, worth(judged))
	if !a.Valid() {
		t.Fatalf("protocoltest: the measurement is not valid: %s", strings.Join(a.Codes(), ", "))
		return
	}
	var broken, undecided []string
	for _, b := range a.Check(limits...) {
		if b.Decision == protocol.Broken {
			broken = append(broken, b.Error())
		} else {
			undecided = append(undecided, b.Error())
		}
	}
	switch {
	case len(broken) > 0:
		t.Fatalf("protocoltest: %d of %d limits broken:\n%s", len(broken), len(judged),
			strings.Join(append(broken, undecided...), "\n"))
	case len(undecided) > 0:
		t.Fatalf("protocoltest: no limit broken, but %d of %d undecided:\n%s", len(undecided), len(judged),
			strings.Join(undecided, "\n"))
	}
}

// worth says how many runs are worth having for the limits.
func worth(judged []protocol.Judgement) string {
	var most protocol.Judgement
	for _, j := range judged {
		if j.RunsToDecide > most.RunsToDecide {
			most = j
		}
	}
	if most.RunsToDecide == 0 {
		return ""
	}
	return fmt.Sprintf("runs worth having: %d, of which there were %d: so many decide %v 4 times in 5, if mean "+
		"and spread are as they look\n",
		most.RunsToDecide, most.Runs, most.Limit)
}

func help(t TB) {
	if h, ok := t.(interface{ Helper() }); ok {
		h.Helper()
	}
}

// contextOf is the test's context, with a deadline early enough before its own for servers to be stopped.
func contextOf(t TB) (context.Context, time.Time) {
	ctx := context.Background()
	if c, ok := t.(interface{ Context() context.Context }); ok {
		ctx = c.Context()
	}
	if d, ok := t.(interface{ Deadline() (time.Time, bool) }); ok {
		if at, set := d.Deadline(); set {
			return ctx, at.Add(-min(10*time.Second, time.Until(at)/10))
		}
	}
	return ctx, time.Now().Add(24 * time.Hour)
}

// folder makes a folder for an experiment among what the test keeps; a test may have several.
func folder(t TB) (string, error) {
	parent := ""
	if d, ok := t.(interface{ ArtifactDir() string }); ok {
		parent = d.ArtifactDir()
	} else if d, ok := t.(interface{ TempDir() string }); ok {
		parent = d.TempDir()
	}
	if parent == "" {
		return os.MkdirTemp("", "protocoltest")
	}
	for n := 1; ; n++ {
		dir := filepath.Join(parent, fmt.Sprintf("experiment-%d", n))
		if err := os.Mkdir(dir, 0o755); !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
	}
}
