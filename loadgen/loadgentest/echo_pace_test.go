package loadgentest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The truth of a paced Echo is arithmetic, and in a bubble a handler is never late.
func TestEchoPace(t *testing.T) {
	const ms = time.Millisecond
	for _, test := range []struct {
		echo   *Echo
		stream bool
		tokens int
		want   []time.Duration // when something was written
	}{
		{&Echo{FirstToken: 50 * ms}, true, 1, []time.Duration{50, 50}},
		{&Echo{FirstToken: 50 * ms}, true, 5, []time.Duration{50, 50}}, // the rest at once, and in one piece
		{&Echo{FirstToken: 50 * ms}, false, 5, []time.Duration{50}},
		{&Echo{FirstToken: 50 * ms, Gap: 10 * ms}, true, 3, []time.Duration{50, 60, 70, 70}},
		{&Echo{FirstToken: 50 * ms, Gap: 10 * ms}, false, 3, []time.Duration{70}},
		{&Echo{Gap: 10 * ms}, true, 3, []time.Duration{0, 10, 20, 20}},
		{&Echo{Gap: 10 * ms}, false, 1, []time.Duration{0}},
		{&Echo{FirstToken: 50 * ms, Gap: 10 * ms, TokensPerChunk: 2}, true, 5, []time.Duration{50, 60, 70, 70}},
		{&Echo{FirstToken: 50 * ms, Gap: 10 * ms, TokensPerChunk: 2}, false, 5, []time.Duration{70}},
	} {
		t.Run(fmt.Sprintf("%v,%v/stream=%v,%d", test.echo.FirstToken, test.echo.Gap, test.stream, test.tokens),
			func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					begin := time.Now()
					r := post(t.Context(), test.echo, completions,
						fmt.Sprintf(`{"prompt":[1],"stream":%v,"max_tokens":%d}`,
							test.stream, test.tokens), &recorder{})
					var got []time.Duration
					for _, w := range r.writes {
						got = append(got, w.at.Sub(begin)/ms)
					}
					if !slices.Equal(got, test.want) { // the last of a stream is its end
						t.Errorf("written at %v ms, want %v", got, test.want)
					}
				})
			})
	}
}

// However many requests there are, none waits for another.
func TestEchoPaceHasNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Echo{FirstToken: 50 * time.Millisecond, Gap: 10 * time.Millisecond}
		begin := time.Now()
		var all sync.WaitGroup
		for range 1000 {
			all.Go(func() { do(t, t.Context(), e, 1, 3) })
		}
		all.Wait()
		if took := time.Since(begin); took != 70*time.Millisecond {
			t.Errorf("1,000 requests at once took %v, want 70ms", took)
		}
		if got, want := e.Counts(), (Counts{PeakRunning: 1000, Served: 1000}); got != want {
			t.Errorf("counts are %+v, want %+v", got, want)
		}
	})
}

// A client that goes away is not waited for.
func TestEchoPaceCancelled(t *testing.T) {
	for _, stream := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			e := &Echo{FirstToken: time.Second, Gap: time.Second}
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			begin := time.Now()
			post(ctx, e, completions, fmt.Sprintf(`{"prompt":[1],"stream":%v,"max_tokens":9}`, stream), &recorder{})
			if took := time.Since(begin); took != 1500*time.Millisecond {
				t.Errorf("the handler took %v, want 1.5s", took)
			}
			if got, want := e.Counts(), (Counts{PeakRunning: 1, Cancelled: 1}); got != want {
				t.Errorf("counts are %+v, want %+v", got, want)
			}
		})
	}
}

func TestEchoPaceInvalid(t *testing.T) {
	for _, e := range []*Echo{{FirstToken: -1}, {Gap: -1}} {
		if e.Validate() == nil {
			t.Errorf("%v, %v is valid", e.FirstToken, e.Gap)
		}
		if r := post(t.Context(), e, completions, `{"prompt":[1]}`, &recorder{}); r.status != 500 {
			t.Errorf("status is %d, want 500", r.status)
		}
	}
}
