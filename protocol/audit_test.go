package protocol_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/server"
)

// slowStreams has streams take a fifth of a millisecond a token, so that several are in flight together.
func slowStreams() http.Handler {
	fast, slow := &loadgentest.Greedy{}, &loadgentest.Greedy{Step: 200 * time.Microsecond}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte(`"stream":true`)) {
			slow.ServeHTTP(w, r)
		} else {
			fast.ServeHTTP(w, r)
		}
	})
}

func level(seq, concurrency, requests int, restart bool) protocol.Step {
	return protocol.Step{Run: 1, Seq: seq, Restart: restart,
		Spec:  workload.Spec{Input: 12, Output: 12, Seed: uint64(seq)},
		Level: loadgen.Level{Concurrency: concurrency, Requests: requests}}
}

// A fault that comes with load spoils the levels that have it, and no other; the journal and the report say so. The
// warmup is not checked, and the sample at one in flight is taken once for both levels.
func TestRunnerAuditsLevels(t *testing.T) {
	const rate = 0.2
	var proxy *loadgentest.Corrupting
	dir := filepath.Join(t.TempDir(), "out")
	var phases []string
	runner := &protocol.Runner{
		Server: server.Handler(func(int) http.Handler {
			proxy = &loadgentest.Corrupting{Handler: slowStreams(), Rate: rate, InFlight: 3, Seed: 4}
			return proxy
		}),
		Client:   &openai.Client{Config: openai.Config{Audit: &openai.Audit{}}},
		Dir:      dir,
		Progress: func(e protocol.Event) { phases = append(phases, string(e.Phase)) },
	}
	warmup := level(0, 8, 16, true)
	warmup.Discard = true
	e, err := runner.Run(t.Context(), protocol.Steps{warmup, level(1, 1, 30, false), level(2, 8, 80, false)})
	if err != nil {
		t.Fatal(err)
	}
	if e.Measurements[0].Audit != nil {
		t.Error("a warmup is audited")
	}
	low, high := e.Measurements[1], e.Measurements[2]
	if low.Audit.Verdict != audit.Passed || low.Audit.Level.Answers != 30 ||
		low.Audit.Healthy.Answers != audit.HealthyAnswers {
		t.Errorf("at 1: %v", low.Audit)
	}
	if high.Audit.Verdict != audit.Spoiled || high.Audit.Level.Answers != 80 ||
		high.Audit.Healthy != low.Audit.Healthy {
		t.Errorf("at 8: %v", high.Audit)
	}
	// One for readiness, 16 + 30 + 80 of the levels, 40 alone with a score each, and a score for each audited answer;
	// each audit has 20 controls and a first try, or more where its first answer is a wrong one.
	if asked, want := proxy.Counts().Requests, 1+126+2*40+110+2*21; asked < want || asked > want+2 {
		t.Errorf("%d requests, want %d", asked, want)
	}
	if n := len(phases); n < 4 || phases[n-1] != string(protocol.PhaseAudit) ||
		phases[n-3] != string(protocol.PhaseAudit) {
		t.Errorf("%v: an audit comes after each level", phases)
	}
	a := protocol.Analyze(e)
	for _, p := range a.Points {
		_, err := p.Figure(loadgen.RequestThroughput)
		spoiled, _ := errors.AsType[*protocol.SpoiledError](err)
		if got := spoiled != nil && slices.Contains(spoiled.Codes,
			protocol.WarnAnswersWrong); got != (p.Concurrency == 8) {
			t.Errorf("at %d: %v", p.Concurrency, err)
		}
	}
	var text bytes.Buffer
	if err := report.Text(&text, a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"at 1, run 1: passed: 0 of 30 answers are wrong", "at 8, run 1: spoiled: ", "wrong: request ",
		"answers-wrong at 8: spoiled", "an audit does not catch an always-wrong server",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	read, err := protocol.ReadExperiment(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(high.Audit.Faults, read.Measurements[2].Audit.Faults); diff != "" ||
		read.Measurements[2].Audit.String() != high.Audit.String() {
		t.Errorf("the journal has another audit: %s", diff)
	}
}

// blocked is a target whose audit lasts until it is called off.
type blocked struct {
	loadgen.TargetFunc
	begun chan struct{}
}

func (b blocked) Audits() bool { return true }

func (b blocked) Audit(ctx context.Context, _ audit.Tally) *audit.Outcome {
	close(b.begun)
	<-ctx.Done()
	return audit.Impossible("%v", context.Cause(ctx))
}

// client has the one target.
type client struct{ target loadgen.Target }

func (client) Ready(context.Context, string) error { return nil }

func (c client) Target(context.Context, string, workload.Spec) (loadgen.Target, error) {
	return c.target, nil
}

// An audit does not outlast the wish to stop; the level is kept, and what could not be checked is not called passed.
func TestRunnerStopsAnAudit(t *testing.T) {
	b := blocked{begun: make(chan struct{}), TargetFunc: func(context.Context, int,
		*loadgen.Record) error {
		return nil
	}}
	stop := make(chan struct{})
	go func() {
		<-b.begun
		close(stop)
	}()
	runner := &protocol.Runner{Server: server.Handler(func(int) http.Handler { return http.NotFoundHandler() }),
		Client: client{b}, Stop: stop}
	e, err := runner.Run(t.Context(), protocol.Steps{level(0, 1, 10, true), level(1, 1, 10, false)})
	if !errors.Is(err, protocol.ErrStopped) || len(e.Measurements) != 1 {
		t.Fatalf("%v, %d measurements", err, len(e.Measurements))
	}
	m := e.Measurements[0]
	if m.Audit.Verdict != audit.NotCheckable || !strings.Contains(m.Audit.Reason, protocol.ErrStopped.Error()) ||
		!slices.ContainsFunc(m.Result.Warnings,
			func(w loadgen.Warning) bool { return w.Code == protocol.WarnAnswersNotCheckable }) {
		t.Errorf("%v, %v", m.Audit, m.Result.Warnings)
	}
	if m.Result.Accounting.Completed != 10 {
		t.Errorf("%+v", m.Result.Accounting)
	}
}
