package protocol

import (
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A trajectory is the course of a step: windows of as many completions as there are requests in flight, at least, so that
// each of those had its turn in a window, and a wave of requests that end together is in one.
type trajectory struct {
	completions int           // of a window, at least
	length      time.Duration // of a window, at least; 0: no more than its completions take
	most        int           // windows, which are then joined two by two; 0: no bound

	windows []window
	n       int // completions of the present one
	present window
}

// A window is a part of a trajectory.
type window struct {
	from, to   time.Duration
	throughput float64 // requests/s
	ttft, e2e  float64 // means of its requests, s; of the present window sums
}

// record takes a request that is over, and says whether a window ended with it.
func (t *trajectory) record(r *loadgen.Record, err *loadgen.Error) bool {
	if err != nil {
		return false
	}
	e2e := r.E2E()
	ttft, ok := r.TTFT()
	if !ok {
		ttft = e2e // an answer in one piece: all of it is the first
	}
	w := &t.present
	t.n++
	w.ttft += ttft.Seconds()
	w.e2e += e2e.Seconds()
	w.to = max(w.to, r.Done)
	long := w.to - w.from
	if t.n < t.completions || long < t.length || long <= 0 || w.ttft <= 0 {
		return false
	}
	n := float64(t.n)
	w.throughput, w.ttft, w.e2e = n/long.Seconds(), w.ttft/n, w.e2e/n
	t.windows = append(t.windows, *w)
	t.present, t.n = window{from: w.to, to: w.to}, 0
	if t.most > 0 && len(t.windows) >= t.most {
		t.join()
	}
	return true
}

// join makes one window of two, which are of about as many completions.
func (t *trajectory) join() {
	t.completions *= 2
	half := t.windows[:0]
	for i := 0; i+1 < len(t.windows); i += 2 {
		a, b := t.windows[i], t.windows[i+1]
		half = append(half, window{
			from: a.from, to: b.to, throughput: 2 / (1/a.throughput + 1/b.throughput),
			ttft: (a.ttft + b.ttft) / 2, e2e: (a.e2e + b.e2e) / 2,
		})
	}
	t.windows = half
}

// inside are the windows of a level's steady part: without the first wave, which finds an idle server, and the drain.
func (t *trajectory) inside(w *loadgen.Window) (out []window) {
	if w == nil {
		return nil
	}
	for _, x := range t.windows {
		// A window ends with an answer, the steady part begins when that has left its slot: a moment later.
		if x.from+(x.to-x.from)/4 >= w.From && x.to <= w.To {
			out = append(out, x)
		}
	}
	return out
}
