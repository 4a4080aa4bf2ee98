package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A Sample is one number at one moment.
type Sample struct {
	// of the quantity, which its figures begin with: "server_running" gives "server_running_mean" and "…_peak"
	Name  string
	Unit  string
	Of    string // of which device or engine; "": of the whole. Figures are of the whole alone
	Value float64
}

// Sampled is a probe that calls sample when a level begins, then every so often until it is over, and once more then.
// Each quantity becomes a series, and those of the whole also a mean over the time and a peak, where there are four
// samples. A call that fails is a gap in all of them, and ends the level no more than one that takes long, which
// costs the samples that were due meanwhile. every is at least 10 ms; below, that is taken.
//
// sample is called from a goroutine of the probe, one call at a time. Where the first call fails, so does Watch.
func Sampled(name string, every time.Duration, sample func(ctx context.Context, i *protocol.Instance) ([]Sample,
	error)) protocol.Probe {
	return sampled{name, max(every, 10*time.Millisecond), sample}
}

type sampled struct {
	name   string
	every  time.Duration
	sample func(context.Context, *protocol.Instance) ([]Sample, error)
}

// Watch implements [protocol.Probe].
func (p sampled) Watch(ctx context.Context, i *protocol.Instance, _ protocol.Step) (func() (protocol.Reading, error),
	error) {
	ask := func(ctx context.Context) ([]Sample, error) { return p.sample(ctx, i) }
	poll, err := startPoll(ctx, p.every, ask)
	if err != nil {
		return nil, fmt.Errorf("probe %s: %w", p.name, err)
	}
	return func() (protocol.Reading, error) {
		poll.stop()
		return protocol.Reading{Name: p.name, Figures: poll.figures(), Series: poll.series(), Error: poll.failed()}, nil
	}, nil
}

// A poll asks again and again, in bounded memory.
type poll struct {
	every  time.Duration
	ask    func(context.Context) ([]Sample, error)
	start  time.Time
	cancel context.CancelFunc
	done   chan struct{}

	tracks []*track
	index  map[[2]string]*track
	asked  int
	fails  int
	why    error // of the last failure
}

// mostTracks bounds how many quantities a probe may have: a server that invents a label for each request has no end
// of them.
const mostTracks = 4096

var errTooMany = fmt.Errorf("more than %d quantities", mostTracks)

func startPoll(ctx context.Context, every time.Duration, ask func(context.Context) ([]Sample, error)) (*poll, error) {
	p := &poll{every: every, ask: ask, start: time.Now(), done: make(chan struct{}), index: map[[2]string]*track{}}
	if err := p.once(ctx); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	p.cancel = cancel
	go p.run(running)
	return p, nil
}

func (p *poll) run(ctx context.Context) {
	defer close(p.done)
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = p.once(ctx) // it is counted
		}
	}
}

// once asks once. A failure while everything ends is none.
func (p *poll) once(ctx context.Context) error {
	samples, err := p.ask(ctx)
	at := time.Since(p.start)
	if err != nil {
		if ctx.Err() == nil {
			p.asked++
			p.fails++
			p.why = err
			for _, t := range p.tracks {
				t.gaps++
			}
		}
		return err
	}
	p.asked++
	for _, s := range samples {
		key := [2]string{s.Name, s.Of}
		t := p.index[key]
		if t == nil {
			if len(p.tracks) == mostTracks {
				p.why = errTooMany
				continue
			}
			t = &track{name: s.Name, unit: s.Unit, of: s.Of}
			p.index[key] = t
			p.tracks = append(p.tracks, t)
		}
		t.add(at, s.Value, time.Duration(2.5*float64(p.every)))
	}
	return nil
}

// stop ends the asking and asks once more, so that the end of the level is seen; for five seconds at most.
func (p *poll) stop() {
	p.cancel()
	<-p.done
	last, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.once(last)
}

// fewest is how many samples a mean takes: the first and the last are from before the load and from after it, and of
// a level that is over between them they say nothing.
const fewest = 4

func (p *poll) figures() (out []loadgen.Figure) {
	for _, t := range p.tracks {
		mean, ok := t.mean()
		if t.of != "" || !ok || t.n < fewest {
			continue
		}
		out = append(out,
			loadgen.Figure{Name: loadgen.MeanName(t.name), Unit: t.unit, Value: mean, N: t.n},
			loadgen.Figure{Name: t.name + "_peak", Unit: t.unit, Value: t.peak, N: t.n})
	}
	return out
}

func (p *poll) series() (out []protocol.Series) {
	for _, t := range p.tracks {
		out = append(out, t.series(p.start, p.every))
	}
	return out
}

// failed says how many of the samples failed, and how; "" where none did.
func (p *poll) failed() string {
	switch {
	case p.fails > 0:
		return fmt.Sprintf("%d of %d samples failed, the last one with: %v", p.fails, p.asked, p.why)
	case errors.Is(p.why, errTooMany):
		return p.why.Error()
	}
	return ""
}
