package protocol

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// A Warming is how a server warmed: the course of a step that lasted until its throughput and TTFT had stopped
// moving, by the rule of [stats.Warmup], or until its time was over. The rule reads no clock: feeding it the windows
// again gives the same answers.
type Warming struct {
	stats.Warmup // throughput in requests/s, TTFT in seconds: means of a window

	Completions int           `json:"completions"` // of a window, at least: as many requests as were in flight
	Length      time.Duration `json:"length_ns"`   // of a window, at least
	Took        time.Duration `json:"took_ns"`     // until it was steady or its time was over, without the drain
	Reason      string        `json:"reason"`      // in words, after the last window
}

// Steady reports whether throughput and TTFT had stopped moving.
func (w *Warming) Steady() bool { return w.SteadyAfter > 0 }

// SteadyBound is how long warming until steady may take where nobody says otherwise.
const SteadyBound = 10 * time.Minute

// warmWindows is how many windows fit into the time for warming, at most. The rule asks for 16 and takes 20 to 60
// more, so that a server that answers faster than these windows are long pays some hundredths of its bound for being
// warm.
const warmWindows = 1000

// A warmer warms: an observer of the requests of a step that ends it. Its windows are of as many completions as there
// are requests in flight, at least, so that a wave of requests that end together is in one.
type warmer struct {
	Warming
	steady chan struct{} // closed once it is

	n    int           // completions of the present window
	from time.Duration // when it began
	ttft time.Duration // their sum
}

func newWarmer(l loadgen.Level) *warmer {
	return &warmer{
		Warming: Warming{
			Completions: max(l.Concurrency, 1), Length: l.Duration / warmWindows, Reason: "no window was over",
		},
		steady: make(chan struct{}),
	}
}

func (w *warmer) record(r *loadgen.Record, err *loadgen.Error) {
	if w.Steady() || err != nil { // of the drain nothing is needed
		return
	}
	ttft, ok := r.TTFT()
	if !ok {
		ttft = r.E2E() // an answer in one piece: all of it is the first
	}
	w.Took = max(w.Took, r.Done)
	w.n++
	w.ttft += ttft
	long := w.Took - w.from
	if w.n < w.Completions || long < max(w.Length, 1) {
		return
	}
	n := float64(w.n)
	state, addErr := w.Add(stats.WarmupWindow{Throughput: n / long.Seconds(), TTFT: w.ttft.Seconds() / n})
	if w.Reason = state.Reason; addErr != nil {
		w.Reason = addErr.Error()
	}
	w.n, w.from, w.ttft = 0, w.Took, 0
	if w.Steady() {
		close(w.steady)
	}
}

// warmed ends a step that was there for warming: what follows is cold where it has not become steady.
func (r *running) warmed(m *Measurement, w *warmer) {
	m.Warming = &w.Warming
	if w.Steady() {
		// It was ended because it had come to its end.
		m.Result.CutShort = false
		m.Result.Warnings = slices.DeleteFunc(slices.Clone(m.Result.Warnings), func(w loadgen.Warning) bool {
			return w.Code == loadgen.WarnCutShort
		})
		r.cold, r.unproven = "", false
		return
	}
	r.unproven = false
	r.cold = fmt.Sprintf("the %v for warming were over after %d windows, and %s", w.Took.Round(time.Millisecond),
		len(w.Windows), w.Reason)
}

// warmIdle is how long a server may be without load and still count as warm: clocks fall and caches are dropped within
// seconds to minutes.
const warmIdle = 30 * time.Second

// rewarmIdle warms again where the run was warmed until steady and the server has been idle since for long.
func (r *running) rewarmIdle(ctx context.Context, step Step) error {
	if step.UntilSteady || r.loaded.IsZero() || time.Since(r.loaded) < warmIdle {
		return nil
	}
	for _, m := range r.experiment.Measurements {
		if m.Step.UntilSteady && m.Step.Run == step.Run && m.Step.Arm == step.Arm {
			return r.measure(ctx, againFor(m.Step, step, len(r.experiment.Rewarms)), true)
		}
	}
	return nil
}

// againFor is a discarded step that is repeated before another one; one that warms does so at the load of that.
func againFor(discarded, next Step, nth int) Step {
	again := discarded
	again.Restart, again.Cooldown = false, 0
	again.Seed = ^(again.Seed + uint64(nth)) >> 11 // other prompts, which no cache knows
	if again.UntilSteady && !next.Discard {
		again.Spec.Input, again.Spec.Output = next.Input, next.Output
		bound := again.Level.Duration
		again.Level = next.Level
		again.Level.Requests, again.Level.Sessions, again.Level.Warmup = 0, 0, 0
		again.Level.Duration, again.Level.Objectives = bound, nil
	}
	return again
}
