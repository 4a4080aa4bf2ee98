package protocol

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Calibration is what a runner measures its client by, on this host and right before the experiment: servers that
// are no limit. The zero Calibration measures nothing.
type Calibration struct {
	Instant Server        // answers at once: what the client can do at most. nil: not measured
	Paced   Server        // answers at a pace and stamps its chunks: by how much arrivals are off. nil: not measured
	For     time.Duration // how long each is loaded; zero: 2 s
}

// A ClientCheck is what a client was seen to do against servers that are no limit, at the shape and the greatest
// concurrency of the experiment. It shares the host with them, so that what it sustained is less than it could: a
// lower bound.
type ClientCheck struct {
	Time        time.Time `json:"time"`
	Concurrency int       `json:"concurrency"`
	Input       int       `json:"input_tokens"`
	Output      int       `json:"output_tokens"`

	// Generators are how many measured it as one, where the levels are measured so; 0: one.
	Generators int `json:"generators,omitempty"`

	Requests float64 `json:"requests_per_s"`         // it sustained at least so many
	Chunks   float64 `json:"chunks_per_s,omitempty"` // and at least so many chunks; 0: it did not stream

	// Errors are by how much what it said of a server that stamps its chunks was off, in ms: ttft_error and itl_error,
	// means and percentiles. None: not measured.
	Errors []loadgen.Figure `json:"errors,omitempty"`

	Error string `json:"error,omitempty"` // why there is nothing, or not all of it
}

// A Headroom is how many times as much as a point needed the client was seen to sustain, at least.
type Headroom struct {
	Requests float64 `json:"requests"`         // × its requests/s
	Chunks   float64 `json:"chunks,omitempty"` // × its chunks/s; 0: not known
}

// Least is the smaller of the two that are known.
func (h Headroom) Least() float64 {
	if h.Chunks > 0 {
		return min(h.Requests, h.Chunks)
	}
	return h.Requests
}

// Codes of the warnings about the client, beside [loadgen.WarnClientBound], which a level finds out by itself.
const (
	WarnClientUnchecked = "client-unchecked" // what the client can do was to be measured, and could not be
	WarnLittleHeadroom  = "little-headroom"  // a point needed more than half of what the client was seen to sustain
)

const (
	calibrationTime   = 2 * time.Second
	calibrationOutput = 128 // tokens at most: what a chunk costs does not depend on how many come before it
	enoughHeadroom    = 2   // × what a point needs
)

// heaviest is the step whose load is the most to a client, as far as the design tells beforehand.
func heaviest(d Design) (Step, error) {
	if h, ok := d.(interface{ Heaviest() (Step, error) }); ok {
		return h.Heaviest()
	}
	return d.Next(nil)
}

// Heaviest is the first step of the greatest concurrency, or rate.
func (p Plan) Heaviest() (most Step, err error) {
	err = io.EOF
	for _, s := range p.Steps() {
		if s.Run == 1 && !s.Discard && (err != nil || byLoad(s.Level, most.Level) > 0) {
			most, err = s, nil
		}
	}
	return most, err
}

// calibrate measures the client, and journals what it found. Only being stopped is an error.
func (r *running) calibrate(ctx context.Context, d Design) error {
	c := r.Calibration
	if r.Client == nil || c.Instant == nil && c.Paced == nil {
		return nil
	}
	step, err := heaviest(d)
	if err != nil {
		return nil // the design says so itself, in a moment
	}
	r.progress(Event{Phase: PhaseCalibrate, Step: step})
	level := loadgen.Level{Concurrency: inFlight(step.Level), Duration: c.For, Timeout: time.Minute}
	if level.Duration == 0 {
		level.Duration = calibrationTime
	}
	level.Warmup = level.Concurrency
	if n := len(step.Level.Arrivals.Trace); n > 0 { // beyond its end a trace has no prompts
		level.Warmup = min(level.Warmup, n/2)
		level.Requests = n - level.Warmup
	}
	spec := workload.Spec{Input: step.Input, Output: min(step.Output, calibrationOutput), Seed: step.Seed}
	check := ClientCheck{Time: time.Now().UTC(), Concurrency: level.Concurrency, Input: spec.Input, Output: spec.Output}
	instant, err := r.against(ctx, c.Instant, spec, level)
	if err == nil && instant != nil {
		check.Requests, check.Chunks = sustained(instant)
		check.Generators = instant.Generators
	}
	paced, pacedErr := (*loadgen.Result)(nil), error(nil)
	if err == nil {
		paced, pacedErr = r.against(ctx, c.Paced, spec, level)
	}
	if paced != nil && pacedErr == nil {
		for _, f := range paced.Figures {
			for _, metric := range []string{loadgen.TTFTError, loadgen.ITLError} {
				if f.Name == loadgen.MeanName(metric) || f.Name == loadgen.QuantileName(metric, 99) {
					check.Errors = append(check.Errors, f)
				}
			}
		}
	}
	if stopped := r.stopped(ctx); stopped != nil {
		return stopped
	}
	if err := errors.Join(err, pacedErr); err != nil {
		check.Error = reason(err)
	}
	return r.note(Entry{Client: &check})
}

// inFlight is how many requests a load has in flight at once: of an open loop without a bound as many as arrive in a
// second, in the mean, for want of knowing how long they take.
func inFlight(l loadgen.Level) int {
	if l.Concurrency == 0 {
		rate := l.Arrivals.Rate
		if n := len(l.Arrivals.Trace); n > 0 {
			rate = float64(n) / max(l.Arrivals.Trace[n-1].Seconds(), 1)
		}
		return int(max(min(math.Ceil(rate), loadgen.MaxConcurrency), 1))
	}
	return l.Concurrency
}

// against loads a server that is no limit, and ends it again. nil: there is none.
func (r *running) against(ctx context.Context, s Server, spec workload.Spec, level loadgen.Level) (result *loadgen.Result, err error) {
	if s == nil {
		return nil, nil
	}
	ctx, release := r.untilStopped(ctx)
	defer release()
	i, err := s.Start(ctx)
	if err != nil {
		return nil, err
	}
	if i.Stop != nil {
		defer func() {
			_, stopErr := i.Stop(context.WithoutCancel(ctx))
			err = errors.Join(err, stopErr)
		}()
	}
	if err := r.Client.Ready(ctx, i.URL); err != nil {
		return nil, err
	}
	target, err := r.Client.Target(ctx, i.URL, spec)
	if err != nil {
		return nil, err
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	g := &loadgen.Generator{Target: target, Stop: r.Stop}
	if r.Measure != nil { // whoever measures the levels is the client
		result, err = r.Measure(ctx, i, Step{Spec: spec, Level: level}, g)
	} else {
		result, err = g.Measure(ctx, level)
	}
	if err == nil && result.Accounting.Completed == 0 {
		err = fmt.Errorf("against a server that is no limit no request completed: %v", result.Errors)
	}
	return result, err
}

// sustained are the requests/s and the chunks/s of a level, in its steady window where it has one.
func sustained(r *loadgen.Result) (requests, chunks float64) {
	for _, name := range []string{loadgen.SteadyRequestThroughput, loadgen.RequestThroughput} {
		if f, ok := r.Figure(name); ok {
			requests = f.Value
			break
		}
	}
	if n := r.Accounting.Completed; n > 0 {
		chunks = requests * float64(r.Stamps.Chunks()) / float64(n)
	}
	return requests, chunks
}

// headrooms compares each point with what the client was seen to sustain.
func (a *Analysis) headrooms() {
	if a.Client == nil {
		return
	}
	if a.Client.Error != "" {
		a.warn(WarnClientUnchecked, "what the client can do on this host was to be measured, and could not be: %s", a.Client.Error)
	}
	if a.Client.Requests <= 0 {
		return
	}
	for i := range a.Points {
		p := &a.Points[i]
		rate, err := p.anyFigure(loadgen.SteadyRequestThroughput, loadgen.RequestThroughput)
		if err != nil || !(rate > 0) {
			continue
		}
		h := Headroom{Requests: a.Client.Requests / rate}
		tokens, err := p.anyFigure(loadgen.SteadyOutputThroughput, loadgen.OutputThroughput)
		if each, eachErr := p.anyFigure(loadgen.TokensPerChunk); err == nil && eachErr == nil && tokens > 0 && each > 0 {
			h.Chunks = a.Client.Chunks / (tokens / each)
		}
		p.Headroom = &h
		if least := h.Least(); least < enoughHeadroom {
			p.Warnings = append(p.Warnings, PointWarning{Runs: p.Runs, Warning: loadgen.Warning{Code: WarnLittleHeadroom, Message: number.Sprintf(
				"the client was seen to sustain %.2g × what this point had, and less than %d × is little: it may have been a part of the limit; use a machine of its own, or more generators",
				least, enoughHeadroom)}})
		}
	}
}

// clientJudged reports whether the level was long enough for its client to know whether it was the limit: where there were
// several, each of them.
func clientJudged(r *loadgen.Result) bool {
	if r.Client != nil || len(r.Parts) == 0 {
		return r.Client != nil && r.Client.Verdict.Judged
	}
	return !slices.ContainsFunc(r.Parts, func(p loadgen.Part) bool { return p.Client == nil || !p.Client.Verdict.Judged })
}

// nearestLimit is the one of two generators whose client was nearer to being the limit.
func nearestLimit(a, b *loadgen.Part) *loadgen.Part {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	return (&loadgen.Result{Parts: []loadgen.Part{*a, *b}}).Worst()
}

// generatorHeadroom is that of levels which several generators measured, each of which says by itself what it was seen to
// sustain: that of the worst of them, of which its level has warned where that is little. nil: none of them says.
func generatorHeadroom(group []Measurement) (worst *Headroom) {
	for _, m := range group {
		for k := range m.Result.Parts {
			h, known := m.Result.Parts[k].Headroom()
			if known && (worst == nil || h.Least() < worst.Least()) {
				worst = &Headroom{Requests: h.Requests, Chunks: h.Chunks}
			}
		}
	}
	return worst
}

// anyFigure is the mean over runs of the first of the figures that there is, whatever spoils it.
func (p *Point) anyFigure(names ...string) (float64, error) {
	var err error
	for _, name := range names {
		e, why := p.Figure(name)
		if e.Name != "" {
			return e.Summary.Mean, nil
		}
		err = why
	}
	return 0, err
}
