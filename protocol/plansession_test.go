package protocol

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A plan of sessions has levels that count sessions: so many of them, led in by as many as the concurrency, at each
// concurrency or rate, and never requests.
func TestPlanOfSessions(t *testing.T) {
	closed := Plan{Name: "sessions", Runs: 2, Restart: true, Warmup: 4, Input: 8, Output: 4, Levels: []int{2, 5},
		Prompts: Prompts{PerConcurrency: 10}, Handover: true, Seed: 7, Unit: loadgen.UnitSession}
	open := closed
	open.Levels, open.Rates, open.Unit = nil, []float64{2, 5}, loadgen.UnitRequest
	seeds := map[uint64]bool{}
	for _, p := range []Plan{closed, open} {
		n := 0
		for _, s := range steps(t, p) {
			l := s.Level
			if s.Discard { // single requests
				if l.Unit != "" || l.Requests != 4 || l.Sessions != 0 {
					t.Errorf("%+v", l)
				}
				continue
			}
			n++
			size := l.Concurrency + int(l.Arrivals.Rate)
			if l.Unit != p.Unit || l.Sessions != 10*size || l.Requests != 0 || l.Warmup != size || l.Validate() != nil ||
				s.Load().Unit != p.Unit {
				t.Errorf("%+v: %v", l, l.Validate())
			}
			if p.Levels != nil && seeds[s.Seed] {
				t.Errorf("seed %d is there twice", s.Seed)
			}
			seeds[s.Seed] = true
		}
		if n != 4 {
			t.Errorf("%d levels", n)
		}
		again, err := ReadPlan(strings.NewReader(compactJSON(t, p)))
		if err != nil || compactJSON(t, again) != compactJSON(t, p) {
			t.Errorf("%v: %s", err, compactJSON(t, again))
		}
	}
	closed.Prompts = Prompts{Count: 3}
	warnings, err := closed.Check()
	if err != nil || len(warnings) == 0 || !strings.Contains(warnings[0].Message, "3 sessions at most 3 sessions are ever in flight") {
		t.Errorf("%v, %v", warnings, err)
	}
	closed.Unit = "users"
	var invalid *loadgen.InvalidError
	if _, err := closed.Check(); !errors.As(err, &invalid) || invalid.Field != "unit" {
		t.Errorf("%v", err)
	}
	if got := (Load{Concurrency: 4, Unit: loadgen.UnitSession}).String(); got != "concurrency 4 of sessions" {
		t.Error(got)
	}
}

func compactJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A plan of a trace has it as its one load, whole, in each run; kept by its hash it is the same plan, which may have more
// runs.
func TestPlanOfATrace(t *testing.T) {
	trace := []time.Duration{0, time.Second, 3 * time.Second, 10 * time.Second}
	p := Plan{Name: "trace", Runs: 3, Restart: true, Warmup: 9, Input: 8, Output: 4, Handover: true, Seed: 7,
		Arrivals: loadgen.Arrivals{Process: loadgen.TraceArrivals, Trace: trace}}
	if _, err := p.Check(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, s := range steps(t, p) {
		l := s.Level
		if s.Discard { // no more prompts than there are
			if l.Requests != 4 || l.Arrivals.Process != "" || l.Validate() != nil {
				t.Errorf("%+v", l)
			}
			continue
		}
		n++
		if len(l.Arrivals.Trace) != 4 || l.Requests != 4 || l.Warmup != 0 || l.Validate() != nil {
			t.Errorf("%+v: %v", l, l.Validate())
		}
	}
	if n != 3 {
		t.Errorf("%d levels", n)
	}
	if got := p.Estimate(1e12); got < 30*time.Second || got > 31*time.Second {
		t.Errorf("it takes %v, and three times the trace's 10 s were expected", got)
	}
	if h, err := p.Heaviest(); err != nil || len(h.Level.Arrivals.Trace) != 4 {
		t.Errorf("%+v, %v", h, err)
	}
	kept := compactJSON(t, p.WithoutTrace())
	if strings.Contains(kept, "trace_ns") || !strings.Contains(kept, loadgen.HashTrace(trace)) || strings.Contains(kept, "prompts") {
		t.Errorf("%s", kept)
	}
	before, err := ReadPlan(strings.NewReader(kept))
	if err != nil {
		t.Fatal(err)
	}
	more := p
	more.Runs = 4
	if !more.Extends(json.RawMessage(kept)) {
		t.Error("more runs of the same trace are another plan")
	}
	more.Arrivals.Trace = trace[:3]
	if more.Extends(json.RawMessage(kept)) {
		t.Error("another trace is the same plan")
	}
	if s, err := before.Next(nil); err == nil { // its times are elsewhere
		if s, err = before.at(1); err != nil || s.Level.Validate() == nil {
			t.Errorf("%+v, %v", s, err)
		}
	}
	for field, bad := range map[string]func(*Plan){
		"prompts":              func(p *Plan) { p.Prompts.PerConcurrency = 3 },
		"arrivals":             func(p *Plan) { p.Levels = []int{1}; p.Prompts.Count = 9 },
		"unit":                 func(p *Plan) { p.Unit = loadgen.UnitSession },
		"warming until steady": func(p *Plan) { p.Warmup, p.WarmUntilSteady = 0, time.Minute },
		"trace":                func(p *Plan) { p.Prompts.Count = 5 },
	} {
		q := p
		bad(&q)
		var invalid *loadgen.InvalidError
		if _, err := q.Check(); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Sessions that a level's time has cut are told of as sessions, and their turns are no sign that a server warms.
func TestBudgetOfSessions(t *testing.T) {
	m := Measurement{Step: Step{Level: loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 8, Sessions: 80, Duration: time.Second}},
		Result: loadgen.Result{Accounting: loadgen.Accounting{Issued: 90, Completed: 90},
			Sessions: &loadgen.SessionCounts{Accounting: loadgen.Accounting{Issued: 20, Completed: 20}}}}
	w, ok := m.budgetWarning()
	if !ok || !strings.Contains(w.Message, "after 20 of 80 sessions, of which 20 completed") {
		t.Errorf("%v, %v", w, ok)
	}
	m.Result.Sessions.Accounting.Issued = 80
	if w, ok := m.budgetWarning(); ok {
		t.Errorf("all 80 were begun: %v", w)
	}
	c := newCourse(m.Step.Level) // latency falls, as it does where first turns have all to read, and later ones little
	for i := range 160 {
		took := time.Duration(400-2*i) * time.Millisecond
		c.record(&loadgen.Record{Index: i, Sent: time.Second, Done: time.Second + took}, nil)
	}
	if w, cold := (&running{Runner: &Runner{}}).judgeWarmth(&m, c); cold {
		t.Error(w)
	}
	m.Step.Level.Unit, m.Result.Sessions = "", nil
	if _, cold := (&running{Runner: &Runner{}}).judgeWarmth(&m, c); !cold {
		t.Error("of single requests that is a server that warms")
	}
}
