package loadgentest

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"
)

// times returns, in nanoseconds, how long the prefill of a prompt of input tokens
// takes and how long a step, without noise.
func (s *Simulated) times(input int) (prefill, step float64) {
	if s.PrefillRate > 0 {
		prefill = float64(input) / s.PrefillRate * 1e9
	}
	if s.DecodeRate > 0 {
		step = 1e9 / s.DecodeRate
	}
	return prefill, step
}

// sequence is a request that runs, and knows when its next token is due. The
// schedule is absolute: a token that goes out late delays none after it. Where
// requests share their steps, a seat takes its place.
type sequence struct {
	start time.Time
	due   float64 // ns after start, of the token last generated
	begun bool

	prefill, step float64        // ns
	factor        func() float64 // of each; nil: 1
}

// sequence starts a request in its place.
func (s *Simulated) sequence(p *place, input int) *sequence {
	q := &sequence{start: p.start}
	q.prefill, q.step = s.times(input)
	slow := s.Slowdown(p.number - 1)
	q.prefill, q.step = slow*q.prefill, slow*q.step
	q.factor = s.factors(p.number)
	return q
}

// factors returns the n-th stream of noise, nil without noise: log-normal factors
// whose mean is 1 and whose SD is Noise. Each admission has a stream of its own: a
// stream for all would hand its numbers out in the order in which goroutines
// happen to run. ChaCha8 and not PCG, whose streams of neighbouring seeds are
// related.
func (s *Simulated) factors(n uint64) func() float64 {
	if s.Noise == 0 {
		return nil
	}
	v := math.Log1p(s.Noise * s.Noise)
	mu, sigma := -v/2, math.Sqrt(v)
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], s.Seed)
	binary.LittleEndian.PutUint64(seed[8:], n)
	noise := rand.New(rand.NewChaCha8(seed))
	return func() float64 { return math.Exp(mu + sigma*noise.NormFloat64()) }
}

// next generates the next token and returns when it is due.
func (q *sequence) next() time.Time {
	t := q.step
	if !q.begun {
		t, q.begun = q.prefill, true
	}
	if q.factor != nil {
		t *= q.factor()
	}
	q.due += t
	return q.start.Add(duration(q.due))
}

// turn is a request on its way through a [Simulated], whichever way that works.
type turn interface {
	number() uint64                                      // in its server, from 1
	tokens(ctx context.Context, n int, l *latency) error // waits for the next n, and notes when they were due
	// once there was a token: when it first ran, and the tokens found in the prefix cache
	queued() (until time.Time, cached int)
	served() // all tokens were there
	close()  // the request is over, one way or the other
}

// placed is a request that has a place of its own.
type placed struct {
	*place
	*sequence
	alarm
	now time.Time // when the token last waited for was due
}

func (t *placed) number() uint64 { return t.place.number }

func (t *placed) tokens(ctx context.Context, n int, l *latency) error {
	due := make([]time.Time, 0, 1) // of one, all but always: on the stack
	for range n {
		t.now = t.next()
		due = append(due, t.now)
	}
	if err := t.wait(ctx, t.now); err != nil {
		return err
	}
	for _, at := range due {
		l.token(at)
	}
	return nil
}

func (t *placed) queued() (time.Time, int) { return t.sequence.start, 0 }

func (t *placed) served() { t.leave(t.now, true) }

func (t *placed) close() {
	t.leave(time.Now(), false)
	t.stop()
}

// alarm waits for absolute times.
type alarm struct{ timer *time.Timer }

// wait returns nil once it is at, or not much later, and an error if ctx is done
// before.
func (a *alarm) wait(ctx context.Context, at time.Time) error {
	d := time.Until(at)
	if d <= 0 { // already late: no timer, but a client that is gone must be noticed
		return ctx.Err()
	}
	if a.timer == nil {
		a.timer = time.NewTimer(d)
	} else {
		a.timer.Reset(d)
	}
	select {
	case <-a.timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop frees the timer.
func (a *alarm) stop() {
	if a.timer != nil {
		a.timer.Stop()
	}
}
