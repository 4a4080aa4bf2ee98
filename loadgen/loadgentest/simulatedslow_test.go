package loadgentest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestLateness hands a place over late, as a busy machine does, and requires that
// the successor runs as though it had not been late.
func TestLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q queue
		begin := time.Now()
		first, err := q.enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		starts := make(chan time.Duration)
		wait := func() {
			p, err := q.enter(t.Context(), 1)
			if err != nil {
				t.Error(err)
			}
			starts <- p.start.Sub(begin)
			p.leave(p.start, true) // 0 s of service
		}
		go wait() // before the place is due to be free
		time.Sleep(15 * time.Millisecond)
		go wait() // after it was due, and before it is
		synctest.Wait()
		time.Sleep(5 * time.Millisecond)
		first.leave(begin.Add(10*time.Millisecond), true)
		if got := <-starts; got != 10*time.Millisecond {
			t.Errorf("the first to wait starts at %v, want when the place was due: 10 ms", got)
		}
		if got := <-starts; got != 15*time.Millisecond {
			t.Errorf("the second to wait starts at %v, want when it came: 15 ms", got)
		}
	})
}

// TestLatenessDoesNotReachThroughput has one place serve streams of 3 s and whole answers of 1 s in turn, and every
// stream late by 1.5 s when its last token is due: its client holds up the chunk before. Each request must start when
// its predecessor's last token was due, whether that was a stream or the whole answer that is late because of it, so
// that 4 s after each stream the next one starts.
func TestLatenessDoesNotReachThroughput(t *testing.T) {
	const delay = 2500 * time.Millisecond // from 2 s after the start of a stream to 4.5 s; it is due to end at 3 s
	for name, late := range map[string]func(*recorder){
		"write": func(r *recorder) {
			r.onWrite = func(n int) {
				if n == 2 {
					time.Sleep(delay)
				}
			}
		},
		"flush": func(r *recorder) {
			r.onFlush = func(n int) {
				if n == 3 { // the header was the first
					time.Sleep(delay)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 6
				sim := &Simulated{MaxSequences: 1, PrefillRate: 1, DecodeRate: 1}
				begin := time.Now()
				var streams, wholes [n]recorder
				var wg sync.WaitGroup
				for i := range n {
					late(&streams[i])
					wg.Go(func() { post(t.Context(), sim, completions, body(1, 3), &streams[i]) })
					synctest.Wait() // one by one into the queue
					wg.Go(func() { post(t.Context(), sim, completions, `{"prompt":[1],"max_tokens":1}`, &wholes[i]) })
					synctest.Wait()
				}
				wg.Wait()
				for i := range n {
					start := time.Duration(i) * 4 * time.Second
					if got, want := streams[i].writes[0].at.Sub(begin), start+time.Second; got != want {
						t.Errorf("stream %d has its first token after %v, want %v", i, got, want)
					}
					if got, want := wholes[i].writes[0].at.Sub(begin), start+4500*time.Millisecond; got != want {
						t.Errorf("whole answer %d comes after %v, want %v", i, got, want)
					}
				}
				if c := sim.Counts(); c != (Counts{PeakRunning: 1, Served: 2 * n}) {
					t.Errorf("counts are %+v", c)
				}
			})
		})
	}
}

// TestSlowClient has a client that takes its time with each chunk; the schedule
// must not wait for it.
func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{PrefillRate: 1, DecodeRate: 1}
		begin := time.Now()
		r := &recorder{onWrite: func(n int) {
			if n == 2 {
				time.Sleep(2500 * time.Millisecond)
			}
		}}
		post(t.Context(), sim, completions, body(1, 6), r)
		var got []time.Duration
		for _, e := range events(t, r.body()) {
			got = append(got, time.Duration(e.Stamp.Sent-begin.UnixNano()))
		}
		const s = time.Second
		if want := []time.Duration{1 * s, 2 * s, 4500 * time.Millisecond, 4500 * time.Millisecond, 5 * s,
			6 * s}; !reflect.DeepEqual(got, want) {
			t.Errorf("chunks were sent at %v, want %v", got, want)
		}
	})
}

func TestStreamIsFlushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var before recorder // as it was before the first Write
		r := &recorder{}
		r.onWrite = func(n int) {
			if n == 1 {
				before = recorder{status: r.status, flushed: r.flushed}
			}
		}
		sim := &Simulated{MaxSequences: 1, PrefillRate: 1, DecodeRate: 1}
		post(t.Context(), sim, chat, `{"messages":[{}],"stream":true,"max_tokens":3}`, r)
		if before.flushed != 1 || before.status != 200 {
			t.Errorf("before the first Write: %d flushes, status %d", before.flushed, before.status)
		}
		for i, w := range r.writes {
			if n := strings.Count(string(w.data), "data: {"); n > 1 {
				t.Errorf("%d chunks in one Write", n)
			}
			if last := i == len(r.writes)-1; w.flushed == last {
				t.Errorf("Write %d of %d: flushed is %v", i, len(r.writes), w.flushed)
			}
		}
	})
}

// TestGone has Writes fail, as they do when the client is gone.
func TestGone(t *testing.T) {
	for name, r := range map[string]*recorder{"write": {err: http.ErrHandlerTimeout},
		"flush": {flushErr: http.ErrHandlerTimeout}} {
		for _, path := range []string{completions, chat} {
			sim := &Simulated{MaxSequences: 1}
			post(t.Context(), sim, path, `{"prompt":[1],"messages":[{}],"stream":true}`, r)
			if c := sim.Counts(); c != (Counts{PeakRunning: 1, Cancelled: 1}) {
				t.Errorf("%s of %s: counts are %+v", name, path, c)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sim := &Simulated{MaxSequences: 1, DecodeRate: 1}
		begin := time.Now()
		r := post(ctx, sim, completions, `{"prompt":[1]}`, &recorder{})
		if c := sim.Counts(); c != (Counts{PeakRunning: 1, Cancelled: 1}) || len(r.writes) > 0 ||
			time.Since(begin) != time.Second {
			t.Errorf("not streamed: counts are %+v, %d Writes, after %v", c, len(r.writes), time.Since(begin))
		}
	})
}

// unflushable hides all methods but those of a ResponseWriter.
type unflushable struct{ http.ResponseWriter }

func TestCannotFlush(t *testing.T) {
	r := &recorder{}
	sim := &Simulated{}
	sim.ServeHTTP(unflushable{r}, httptest.NewRequest("POST", completions, strings.NewReader(body(1, 1))))
	if r.status != 500 || sim.Counts() != (Counts{Rejected: 1}) {
		t.Errorf("status %d, %+v", r.status, sim.Counts())
	}
	r, e := &recorder{}, &Echo{}
	e.ServeHTTP(unflushable{r}, httptest.NewRequest("POST", completions, strings.NewReader(body(1, 3))))
	if es := events(t, r.body()); len(es) != 3 {
		t.Errorf("echo sent %d chunks of 3", len(es))
	}
}
