package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// fakeServer counts its starts and stops, and can fail at either.
type fakeServer struct {
	t           *testing.T
	starts      int
	running     int
	failStart   int // which start fails, from 1; 0: none
	failStop    int
	exitsAtOnce bool
	identity    func(start int) (Identity, error) // nil: each start has its own
	exited      chan struct{}                     // of the latest start
}

func (s *fakeServer) Start(context.Context) (*Instance, error) {
	if s.running > 0 {
		s.t.Error("a server is started while another runs")
	}
	s.starts++
	if s.starts == s.failStart {
		return nil, &ServerError{Phase: "start", Command: "SECRET=1 serve", Output: "SECRET", Err: errors.New("exit status 1")}
	}
	s.running++
	n := s.starts
	i := &Instance{
		URL:      fmt.Sprintf("http://server-%d", n),
		Identity: func(context.Context) (Identity, error) { return s.identify(n) },
		Log:      func() string { return "loading\nCUDA out of memory\n" },
		Err: func() error {
			return &ServerError{Phase: "run", Err: errors.New("it ended by itself (exit status 1)")}
		},
		Stop: func(ctx context.Context) (Stop, error) {
			s.running--
			if ctx.Err() != nil {
				s.t.Error("a server is stopped with a context that is over already")
			}
			if n == s.failStop {
				return Stop{}, &ServerError{Phase: "stop", Err: errors.New("it hangs")}
			}
			return Stop{}, nil
		},
	}
	s.exited = make(chan struct{})
	i.Exited = s.exited
	if s.exitsAtOnce {
		close(s.exited)
	}
	return i, nil
}

func (s *fakeServer) identify(n int) (Identity, error) {
	if s.identity != nil {
		return s.identity(n)
	}
	return Identity{Kind: "fake", Proof: fmt.Sprint("instance ", n)}, nil
}

// fixed is a server that is left as it is: its URL.
type fixed string

func (f fixed) Start(context.Context) (*Instance, error) { return &Instance{URL: string(f)}, nil }

// funcs is a Client; without ready every server is.
type funcs struct {
	ready  func(ctx context.Context, url string) error
	target func(ctx context.Context, url string, s workload.Spec) (loadgen.Target, error)
}

func (f *funcs) Ready(ctx context.Context, url string) error {
	if f.ready == nil {
		return nil
	}
	return f.ready(ctx, url)
}

func (f *funcs) Target(ctx context.Context, url string, s workload.Spec) (loadgen.Target, error) {
	return f.target(ctx, url, s)
}

// always is a Client whose targets answer at once, or are t.
func always(t loadgen.Target) *funcs {
	return &funcs{target: func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
		if t != nil {
			return t, nil
		}
		return answersAtOnce(s), nil
	}}
}

// small is a plan that takes no time on the fakes.
func small() Plan {
	return Plan{Name: "small", Runs: 3, Restart: true, Cooldown: time.Millisecond, Warmup: 2, Input: 8, Output: 4,
		Levels: []int{1, 2, 4}, Prompts: Prompts{PerConcurrency: 10}, Seed: 7}
}

// answersAtOnce is a target that has all its tokens.
func answersAtOnce(s workload.Spec) loadgen.Target {
	return loadgen.TargetFunc(func(ctx context.Context, i int, r *loadgen.Record) error {
		time.Sleep(100 * time.Microsecond)
		r.Counted, r.Input, r.Output = true, s.Input, s.Output
		return nil
	})
}

func newRunner(t *testing.T, server Server) *Runner {
	return &Runner{
		Server: server,
		Client: always(nil),
		Dir:    filepath.Join(t.TempDir(), "out"),
	}
}

func TestRunnerCarriesOutAPlan(t *testing.T) {
	server := &fakeServer{t: t}
	runner := newRunner(t, server)
	var phases []string
	runner.Progress = func(e Event) { phases = append(phases, fmt.Sprintf("%d %s", e.Step.Run, e.Phase)) }
	ready := 0
	runner.Client.(*funcs).ready = func(_ context.Context, url string) error {
		if ready++; url != fmt.Sprintf("http://server-%d", ready) {
			t.Errorf("start %d is waited for at %s", ready, url)
		}
		return nil
	}
	seen := 0
	runner.Observe = func(Step) loadgen.Observer {
		return loadgen.Observer{Record: func(*loadgen.Record, *loadgen.Error) { seen++ }}
	}

	e, err := runner.Run(context.Background(), small())
	if err != nil {
		t.Fatal(err)
	}
	if server.starts != 3 || server.running != 0 || ready != 3 {
		t.Errorf("%d starts, %d running at the end, %d times ready", server.starts, server.running, ready)
	}
	if seen != 3*(2+10+20+40) {
		t.Errorf("the observers saw %d requests", seen)
	}
	var got []Step
	for _, m := range e.Measurements {
		got = append(got, m.Step)
		if want := fmt.Sprint("instance ", m.Step.Run); m.Instance != want {
			t.Errorf("run %d was measured on %q", m.Step.Run, m.Instance)
		}
		if m.Result.Accounting.Completed != m.Step.Level.Requests {
			t.Errorf("%+v: %+v", m.Step, m.Result.Accounting)
		}
	}
	if diff := cmp.Diff(steps(t, small()), got); diff != "" {
		t.Errorf("steps (-plan +measured):\n%s", diff)
	}
	measure := []string{"measure", "measure", "measure", "measure"}
	want := []string{"start the server", "wait until it is ready", "it is ready"}
	want = append(want, measure...)
	for range 2 {
		want = append(append(want, "stop the server", "cool down", "start the server", "wait until it is ready", "it is ready"), measure...)
	}
	for i := range phases {
		_, phases[i], _ = strings.Cut(phases[i], " ")
	}
	if diff := cmp.Diff(want, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}

	// The journal says the same as the experiment that was returned, and the other files are there.
	if !e.Complete || len(e.Starts) != 3 || e.Environment == nil {
		t.Errorf("complete %v, %d starts, environment %v", e.Complete, len(e.Starts), e.Environment != nil)
	}
	read, err := ReadExperiment(runner.Dir)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON(t, e, read)
	sameJSON(t, Analyze(e), Analyze(read))
	var plan Plan
	text, err := os.ReadFile(filepath.Join(runner.Dir, PlanFile))
	if err != nil || json.Unmarshal(text, &plan) != nil || cmp.Diff(small(), plan) != "" {
		t.Errorf("%s: %v %s", PlanFile, err, text)
	}
	if _, err := os.Stat(filepath.Join(runner.Dir, EnvironmentFile)); err != nil {
		t.Error(err)
	}

	// Resuming is replay: the design has nothing left to do after what the journal says.
	if _, err := small().Next(read.Measurements); err == nil {
		t.Error("the journal of a finished experiment leaves something to do")
	}
	if _, err := runner.Run(context.Background(), small()); err == nil || !strings.Contains(err.Error(), "holds an experiment already") {
		t.Errorf("a second experiment in the same directory: %v", err)
	}
}

func sameJSON(t *testing.T, a, b any) {
	t.Helper()
	x, err := json.MarshalIndent(a, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.MarshalIndent(b, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(x), "\n"), strings.Split(string(y), "\n")); diff != "" {
		t.Errorf("they differ:\n%s", diff)
	}
}

// Whatever goes wrong, Run says so, stops what it started, and the journal has what was measured before.
func TestRunnerFailures(t *testing.T) {
	for _, c := range []struct {
		name     string
		server   fakeServer
		change   func(*Runner)
		say      string
		measured int
	}{
		{"the first start fails", fakeServer{failStart: 1}, nil, "server start", 0},
		{"the second start fails", fakeServer{failStart: 2}, nil, "server start", 4},
		{"a stop fails", fakeServer{failStop: 1}, nil, "it hangs", 4},
		{"never ready", fakeServer{}, func(r *Runner) {
			r.Client.(*funcs).ready = func(context.Context, string) error { return errors.New("503 Service Unavailable") }
		}, "503", 0},
		{"it takes too long", fakeServer{}, func(r *Runner) {
			r.ReadyTimeout = 10 * time.Millisecond
			r.Client.(*funcs).ready = func(ctx context.Context, _ string) error { <-ctx.Done(); return context.Cause(ctx) }
		}, "server readiness: it was not ready within 10ms", 0},
		{"it ends before it is ready", fakeServer{exitsAtOnce: true}, func(r *Runner) {
			r.Client.(*funcs).ready = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		}, "it ended by itself", 0},
		{"no target", fakeServer{}, func(r *Runner) {
			r.Client.(*funcs).target = func(context.Context, string, workload.Spec) (loadgen.Target, error) {
				return nil, errors.New("model \"x\": no such model")
			}
		}, "no such model", 0},
		{"every request fails in the second run", fakeServer{}, func(r *Runner) {
			r.Client.(*funcs).target = func(_ context.Context, url string, s workload.Spec) (loadgen.Target, error) {
				if url == "http://server-1" || s.Output == 1 { // one token: whether it is ready
					return answersAtOnce(s), nil
				}
				return loadgen.TargetFunc(func(context.Context, int, *loadgen.Record) error {
					return &loadgen.Error{Class: loadgen.ClassStatus, Status: 404, Err: errors.New("the model `x` does not exist")}
				}), nil
			}
		}, "the warmup of run 2: no request completed: ", 5},
		{"no server for the arm", fakeServer{}, func(r *Runner) { r.Server = nil }, `arm ""`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := c.server
			server.t = t
			runner := newRunner(t, &server)
			if c.change != nil {
				c.change(runner)
			}
			e, err := runner.Run(context.Background(), small())
			if err == nil || !strings.Contains(err.Error(), c.say) {
				t.Errorf("error %v, want one that says %q", err, c.say)
			}
			if server.running != 0 {
				t.Errorf("%d servers are left running", server.running)
			}
			read, readErr := ReadExperiment(runner.Dir)
			if readErr != nil {
				t.Fatal(readErr)
			}
			sameJSON(t, e, read)
			if len(read.Measurements) != c.measured || read.Complete || read.Error == "" {
				t.Errorf("the journal has %d measurements, complete %v, error %q; want %d", len(read.Measurements), read.Complete, read.Error, c.measured)
			}
			text, _ := os.ReadFile(filepath.Join(runner.Dir, JournalFile))
			if strings.Contains(string(text), "SECRET") {
				t.Errorf("a command's text reached the journal:\n%s", text)
			}
		})
	}
}

// A level in which nothing works is given up once as many requests as its concurrency have failed.
func TestRunnerGivesUp(t *testing.T) {
	runner := newRunner(t, &fakeServer{t: t})
	runner.Client.(*funcs).target = func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
		return loadgen.TargetFunc(func(context.Context, int, *loadgen.Record) error {
			time.Sleep(time.Millisecond)
			if s.Output == 1 {
				return nil
			}
			return errors.New("no")
		}), nil
	}
	plan := small()
	plan.Warmup, plan.Levels, plan.Prompts = 0, []int{4}, Prompts{Count: 100_000}
	e, err := runner.Run(context.Background(), plan)
	var level *LevelError
	if !errors.As(err, &level) || level.Step.Level.Concurrency != 4 {
		t.Fatalf("error %v, want a LevelError", err)
	}
	if issued := e.Measurements[0].Result.Accounting.Issued; issued > 100 {
		t.Errorf("%d requests were issued before the level was given up", issued)
	}
}

func TestRunnerStop(t *testing.T) {
	for _, how := range []string{"stop", "cancel"} {
		t.Run(how, func(t *testing.T) {
			server := &fakeServer{t: t}
			runner := newRunner(t, server)
			stop := make(chan struct{})
			runner.Stop = stop
			why := errors.New("interrupted twice")
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			runner.Observe = func(s Step) loadgen.Observer {
				n := 0
				return loadgen.Observer{Record: func(*loadgen.Record, *loadgen.Error) {
					if n++; s.Run != 2 || s.Level.Concurrency != 4 || n != 5 {
						return
					}
					if how == "stop" {
						close(stop)
					} else {
						cancel(why)
					}
				}}
			}
			e, err := runner.Run(ctx, small())
			want := ErrStopped
			if how == "cancel" {
				want = why
			}
			if !errors.Is(err, want) {
				t.Errorf("error %v, want %v", err, want)
			}
			if server.running != 0 {
				t.Error("the server is left running")
			}
			if len(e.Measurements) != 8 {
				t.Fatalf("%d measurements, want those of run 1 and four of run 2", len(e.Measurements))
			}
			last := e.Measurements[7].Result
			if a := last.Accounting; !last.CutShort || a.Issued != a.Completed+a.Cancelled || a.Issued >= 40 {
				t.Errorf("the level that was cut: %+v", last)
			}
			if how == "stop" && last.Accounting.Cancelled != 0 {
				t.Errorf("a stop cancelled %d requests", last.Accounting.Cancelled)
			}
			a := Analyze(e)
			if p := a.Points[2]; !slices.Equal(p.Runs, []int{1}) {
				t.Errorf("level 4 has runs %v, want the one that was not cut short", p.Runs)
			}
			if got := warningCodes(a.Warnings); !slices.Contains(got, WarnIncomplete) || !slices.Contains(got, WarnCutShortLeftOut) || a.Valid() {
				t.Errorf("warnings %v, valid %v", got, a.Valid())
			}
		})
	}
}

func TestRunnerStopsDuringCooldownAndReadiness(t *testing.T) {
	stop := make(chan struct{})
	close(stop)
	for _, phase := range []Phase{PhaseCooldown, PhaseReady} {
		server := &fakeServer{t: t}
		runner := newRunner(t, server)
		plan := small()
		plan.Cooldown = time.Hour
		late := make(chan struct{})
		runner.Stop = late
		runner.Progress = func(e Event) {
			if e.Phase == phase && (phase == PhaseReady || e.Step.Run == 2) {
				close(late)
			}
		}
		runner.Client.(*funcs).ready = func(ctx context.Context, _ string) error {
			if phase == PhaseReady {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		if _, err := runner.Run(context.Background(), plan); !errors.Is(err, ErrStopped) {
			t.Errorf("stopped during %q: %v", phase, err)
		}
		if server.running != 0 {
			t.Error("the server is left running")
		}
	}
}

func TestRunnerNeedsADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	server := &fakeServer{t: t}
	runner := newRunner(t, server)
	runner.Dir = filepath.Join(file, "below")
	if _, err := runner.Run(context.Background(), small()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want one that names %s", err, file)
	}
	if server.starts != 0 {
		t.Error("a server was started before it was known that nothing can be written")
	}
	runner.Dir = "" // nothing is written
	if e, err := runner.Run(context.Background(), small()); err != nil || !e.Complete {
		t.Errorf("without a directory: %v", err)
	}
}

// A cancel that comes while the server is being stopped ends the wait as well.
func TestRunnerCancelWhileStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(context.Background())
		r := &running{Runner: &Runner{}, instance: &Instance{Stop: func(ctx context.Context) (Stop, error) {
			<-ctx.Done()
			return Stop{}, ctx.Err()
		}}}
		go func() {
			time.Sleep(3 * time.Second)
			cancel(errors.New("interrupted twice"))
		}()
		begin := time.Now()
		_ = r.stop(ctx)
		if took := time.Since(begin); took != 3*time.Second+stopImpatience {
			t.Errorf("it took %v to stop", took)
		}
	})
}

// A step of another arm has its own server started, and a target with a Close method is closed after its step.
func TestRunnerArmsAndTargets(t *testing.T) {
	a, b := &fakeServer{t: t}, &fakeServer{t: t}
	closed := 0
	runner := &Runner{
		Arms: map[string]Server{"A": a, "B": b},
		Client: &funcs{target: func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
			return closing{answersAtOnce(s), &closed}, nil
		}},
		Metrics: []loadgen.Metric{{Name: "mine", Unit: "x", Of: func(*loadgen.Record) (float64, bool) { return 5, true }}},
	}
	level := loadgen.Level{Concurrency: 1, Requests: 3}
	e, err := runner.Run(context.Background(), Steps{
		{Run: 1, Arm: "A", Level: level}, {Run: 1, Arm: "A", Level: level}, {Run: 1, Arm: "B", Level: level}, {Run: 2, Arm: "A", Level: level},
	})
	if err != nil {
		t.Fatal(err)
	}
	if a.starts != 2 || b.starts != 1 || a.running+b.running != 0 || closed != 4+3 { // each start has one too
		t.Errorf("%d and %d starts, %d targets closed; want 2, 1 and 7", a.starts, b.starts, closed)
	}
	if f, ok := e.Measurements[0].Result.Figure(loadgen.MeanName("mine")); !ok || f.Value != 5 {
		t.Errorf("the user's own metric: %+v", f)
	}
}

// Arms of one server that are asked otherwise have clients of their own, and the analysis says in what they differ; an
// experiment that is taken up again has each compared with itself.
func TestRunnerClientsOfArms(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	client := func(body string) *funcs {
		return &funcs{target: func(_ context.Context, _ string, s workload.Spec) (loadgen.Target, error) {
			return describing{answersAtOnce(s), workload.Description{Endpoint: "chat", Body: json.RawMessage(body)}}, nil
		}}
	}
	server := &fakeServer{t: t}
	level := loadgen.Level{Concurrency: 1, Requests: 3}
	steps := Steps{{Run: 1, Arm: "b", Level: level}, {Run: 1, Arm: "a", Level: level}, {Run: 2, Arm: "a", Level: level}, {Run: 2, Arm: "b", Level: level}}
	run := func(b string, resume bool) (*Experiment, error) {
		stop := make(chan struct{})
		runner := &Runner{Arms: map[string]Server{"a": server, "b": server}, Client: client(`{"x":1}`), Dir: dir, Resume: resume, Stop: stop,
			Clients: map[string]Client{"b": client(b)}}
		n := 0
		runner.Measured = func(*Experiment) {
			if n++; n == 1 && !resume {
				close(stop)
			}
		}
		return runner.Run(context.Background(), steps)
	}
	if _, err := run(`{"x":2}`, false); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	if _, err := run(`{"x":3}`, true); err == nil || !strings.Contains(err.Error(), "requests") {
		t.Errorf("another body on resume: %v", err)
	}
	e, err := run(`{"x":2}`, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Measurements) != 4 || string(e.Measurements[1].Sent.Body) != `{"x":1}` || string(e.Measurements[3].Sent.Body) != `{"x":2}` {
		t.Errorf("%+v", e.Measurements)
	}
	a := Analyze(e)
	i := slices.IndexFunc(a.Warnings, func(w loadgen.Warning) bool { return w.Code == WarnArmsAsked })
	if i < 0 || !strings.Contains(a.Warnings[i].Message, "a is asked otherwise than b") {
		t.Errorf("%v", a.Warnings)
	}
}

type describing struct {
	loadgen.Target
	sent workload.Description
}

func (d describing) Sent() workload.Description { return d.sent }

type closing struct {
	loadgen.Target
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

// A journal in which nothing was measured makes way for the next attempt; others do not.
func TestRetryInTheSameDirectory(t *testing.T) {
	server := &fakeServer{t: t, failStart: 1}
	runner := newRunner(t, server)
	if _, err := runner.Run(context.Background(), small()); err == nil {
		t.Fatal("the server started")
	}
	runner.Client = always(nil)
	if _, err := runner.Run(context.Background(), small()); err != nil {
		t.Errorf("the second attempt: %v", err)
	}
	if _, err := runner.Run(context.Background(), small()); err == nil {
		t.Error("an experiment was overwritten")
	}
}
