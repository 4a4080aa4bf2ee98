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
// schedule is absolute: a token that goes out late delays none after it. This is
// where a deeper simulation (a prefill in chunks that slows the others, a step
// that depends on the batch, a preemption) takes the place of two constants.
type sequence struct {
	start time.Time
	due   float64 // ns after start, of the token last generated
	begun bool

	prefill, step float64    // ns
	noise         *rand.Rand // nil: none
	mu, sigma     float64    // of the factor's logarithm
}

// sequence starts a request in its place.
func (s *Simulated) sequence(p *place, input int) *sequence {
	q := &sequence{start: p.start}
	q.prefill, q.step = s.times(input)
	if s.Noise > 0 {
		// The log-normal factor whose mean is 1 and whose SD is Noise.
		v := math.Log1p(s.Noise * s.Noise)
		q.mu, q.sigma = -v/2, math.Sqrt(v)
		// A stream of its own for each admission: a stream for all would hand
		// its numbers out in the order in which goroutines happen to run. ChaCha8
		// and not PCG, whose streams of neighbouring seeds are related.
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], s.Seed)
		binary.LittleEndian.PutUint64(seed[8:], p.number)
		q.noise = rand.New(rand.NewChaCha8(seed))
	}
	return q
}

// next generates the next token and returns when it is due.
func (q *sequence) next() time.Time {
	t := q.step
	if !q.begun {
		t, q.begun = q.prefill, true
	}
	if q.noise != nil {
		t *= math.Exp(q.mu + q.sigma*q.noise.NormFloat64())
	}
	q.due += t
	return q.start.Add(duration(q.due))
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
