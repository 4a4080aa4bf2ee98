package protocol

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Codes of the warnings about servers, beside those of the kinds.
const (
	WarnNoEvidence      = "no-evidence"      // what the server is could not be asked
	WarnServerDied      = "server-died"      // the server ended while the level was measured
	WarnNotPrepared     = "not-prepared"     // what was to be done before the level failed
	WarnServerRestarted = "server-restarted" // another instance answered at the level's end than at its beginning
)

// server is that of an arm.
func (r *Runner) server(arm string) (Server, error) {
	server := r.Arms[arm]
	if server == nil && arm == "" {
		server = r.Server
	}
	if server == nil {
		return nil, &loadgen.InvalidError{
			Field: "arm", Value: fmt.Sprintf("%q", arm), Want: "one that the Runner has a server for",
		}
	}
	return server, nil
}

// vacant asks the servers that can tell whether there is room for them.
func (r *Runner) vacant(ctx context.Context) error {
	servers := []Server{r.Server}
	for _, arm := range slices.Sorted(maps.Keys(r.Arms)) {
		servers = append(servers, r.Arms[arm])
	}
	for _, s := range servers {
		if v, ok := s.(Vacancy); ok {
			if err := v.Vacant(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// restart stops what runs, cools down, starts the step's server and waits until it is ready.
func (r *running) restart(ctx context.Context, step Step) error {
	server, err := r.server(step.Arm)
	if err != nil {
		return err
	}
	if r.instance != nil {
		r.progress(Event{Phase: PhaseStop, Step: step})
		if err := r.stop(ctx); err != nil {
			return err
		}
		if err := r.released(ctx); err != nil {
			return err
		}
	}
	if err := r.idle(ctx); err != nil {
		return err
	}
	if err := r.cooldown(ctx, step); err != nil {
		return err
	}
	r.progress(Event{Phase: PhaseStart, Step: step})
	begin := time.Now()
	starting, cancel := r.untilStopped(ctx)
	instance, err := server.Start(starting)
	stopped := errors.Is(context.Cause(starting), ErrStopped)
	cancel()
	if err != nil && stopped {
		return ErrStopped
	}
	if err != nil {
		return err
	}
	r.instance, r.arm, r.run, r.answered, r.dead = instance, step.Arm, step.Run, false, nil
	r.loaded, r.cold, r.unproven = time.Time{}, "", false
	r.progress(Event{Phase: PhaseReady, Step: step})
	if err := r.ready(ctx, step); err != nil {
		return err
	}
	return r.started(ctx, step, time.Since(begin))
}

// cooldown rests for as long as the step says.
func (r *running) cooldown(ctx context.Context, step Step) error {
	if step.Cooldown <= 0 {
		return nil
	}
	r.progress(Event{Phase: PhaseCooldown, Step: step, Wait: step.Cooldown})
	return rest(ctx, r.Stop, step.Cooldown)
}

// started finds out what has been started, and journals it.
func (r *running) started(ctx context.Context, step Step, took time.Duration) error {
	i := r.instance
	start := Start{Run: step.Run, Arm: step.Arm, URL: PublicURL(i.URL), Ready: took, Asked: i.Asked}
	r.identity = Identity{}
	if i.Identity != nil {
		id, err := r.identify(ctx)
		if err != nil {
			return err
		}
		if last := r.before[step.Arm]; id.Proof != "" && id.Proof == last.Proof {
			return &ServerError{Phase: "start", Err: fmt.Errorf(
				"it is the instance of the run before (%s): the restart did nothing", id.Proof)}
		}
		r.identity, r.before[step.Arm] = id, id
		start.Instance, start.Identity = id.Proof, &id
	}
	if i.Path != nil {
		path := i.Path(ctx)
		start.Path = &path
		start.Warnings = append(start.Warnings, path.Warning()...)
	}
	if r.Inspect != nil {
		evidence, err := r.Inspect(ctx, i)
		if err != nil {
			start.Warnings = append(start.Warnings, loadgen.Warning{Code: WarnNoEvidence, Message: fmt.Sprintf(
				"what the server is could not be asked: %v", err)})
		}
		start.Server = evidence
	}
	start.Warnings = append(start.Warnings, i.Warnings...) // those too that came with the evidence
	if err := r.compareStart(&start); err != nil {
		return err
	}
	r.progress(Event{Phase: PhaseStarted, Step: step, Warnings: start.Warnings})
	return r.note(Entry{Start: &start})
}

// identify asks who answers, again where the answer is an error that may pass.
func (r *running) identify(ctx context.Context) (id Identity, err error) {
	for try := range 3 {
		if try > 0 && rest(ctx, r.instance.Exited, time.Second) != nil {
			break
		}
		if id, err = r.instance.Identity(ctx); err == nil {
			return id, nil
		}
	}
	if died := r.died(); died != nil {
		return id, died
	}
	if _, ok := errors.AsType[*ServerError](err); !ok {
		err = &ServerError{Phase: "identity", Err: err}
	}
	return id, err
}

// died is how the instance ended by itself, nil if it did not.
func (r *running) died() error {
	select {
	case <-r.instance.Exited:
		if r.instance.Err != nil {
			return r.instance.Err()
		}
		return &ServerError{Phase: "run", Err: errors.New("it ended by itself")}
	default:
		return nil
	}
}

var errExited = errors.New("it ended by itself")

// untilExited is ctx until the instance ends by itself. release ends its goroutine.
func (r *running) untilExited(ctx context.Context) (living context.Context, release func()) {
	living, cancel := context.WithCancelCause(ctx)
	exited := r.instance.Exited
	go func() {
		select {
		case <-exited:
			cancel(errExited)
		case <-living.Done():
		}
	}()
	return living, func() { cancel(nil) }
}

// ready waits until the instance can be measured, or cannot any more.
func (r *running) ready(ctx context.Context, step Step) error {
	if r.Client == nil {
		return nil
	}
	ctx, release := r.untilStopped(ctx)
	defer release()
	ctx, releaseExited := r.untilExited(ctx)
	defer releaseExited()
	timeout := r.ReadyTimeout
	if timeout == 0 {
		timeout = defaultReadyTimeout
	}
	ctx, cancelTimeout := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("it was not ready within %v", timeout))
	defer cancelTimeout()
	err := r.client(step.Arm).Ready(ctx, r.instance.URL)
	if err == nil && r.instance.Stop != nil { // one that is not ours to start is there, and is asked for nothing more
		err = r.generates(ctx, step)
	}
	if died := r.died(); died != nil { // also where somebody else answers in its place
		return died
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), ErrStopped):
		return ErrStopped
	}
	return &ServerError{Phase: "readiness", Output: lastLine(r.log()), Err: err}
}

// generates returns nil once the server has answered a request such as the step's, for one token. A server may say
// that it is well before its model is; it is asked until it answers or ctx ends.
func (r *running) generates(ctx context.Context, step Step) error {
	spec := step.Spec
	spec.Output = 1
	spec.Seed = ^spec.Seed // no level's, whose prompts a cache should not know
	target, err := r.client(step.Arm).Target(ctx, r.instance.URL, spec)
	if err != nil {
		return err
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		once, cancel := context.WithTimeoutCause(ctx, generationTimeout,
			fmt.Errorf("no answer within %v", generationTimeout))
		err := target.Do(once, 0, new(loadgen.Record))
		cancel()
		if err == nil {
			return nil
		}
		err = fmt.Errorf("it says that it is ready, and a request for one token fails: %w", err)
		if refusedForGood(err) {
			return err
		}
		if rest(ctx, nil, pause) != nil {
			return fmt.Errorf("%w; %w", context.Cause(ctx), err)
		}
	}
}

// generationTimeout is how long the first answer may take: some servers compile at their first request.
const generationTimeout = 5 * time.Minute

// refusedForGood says that the server will not answer such a request however long one waits: the request is wrong, or
// not allowed.
func refusedForGood(err error) bool {
	e, ok := errors.AsType[*loadgen.Error](err)
	if !ok {
		return false
	}
	switch e.Status {
	case 400, 401, 403, 404, 405, 413, 422: // Bad Request, Unauthorized, Forbidden, Not Found, …
		return true
	}
	return false
}

func (r *running) log() string {
	if r.instance == nil || r.instance.Log == nil {
		return ""
	}
	return r.instance.Log()
}

// stop stops the instance, if there is one and it is ours, also when ctx is done already, and journals how it ended.
func (r *running) stop(ctx context.Context) error {
	if r.instance == nil {
		return nil
	}
	instance := r.instance
	r.instance = nil
	if instance.Stop == nil {
		return nil
	}
	// Whoever cancels, be it before or meanwhile, does not want to wait for long.
	grace, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		_ = rest(grace, nil, stopImpatience)
		cancel(context.Cause(ctx))
	})()
	begin := time.Now()
	stop, err := instance.Stop(grace)
	stop.Run, stop.Arm, stop.Instance, stop.Took = r.run, r.arm, r.identity.Proof, time.Since(begin)
	if err != nil {
		return err
	}
	stop.Warnings = append(stop.Warnings, r.leftInSharedMemory()...)
	return r.note(Entry{Stop: &stop})
}

// stopImpatience is how long a server may take to stop once the experiment has been cancelled.
const stopImpatience = 10 * time.Second

// lastLine is the last line of a text that says something, short enough for an error.
func lastLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	for i := len(lines) - 1; i >= 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" {
			return line[:min(len(line), 300)]
		}
	}
	return ""
}
