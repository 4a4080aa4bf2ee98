package protocol

import (
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// A trajectory is the course of a step: windows of as many completions as there are requests in flight, at least, so that
// each of those had its turn in a window, and a wave of requests that end together is in one.
type trajectory struct {
	completions int           // of a window, at least
	length      time.Duration // of a window, at least; 0: no more than its completions take
	most        int           // windows, which are then joined two by two; 0: no bound

	windows []stats.WarmupWindow
	began   time.Duration // the present window
	n       int           // its completions
	ttft    time.Duration // their sum
}

// record takes a request that is over, and says whether a window ended with it.
func (t *trajectory) record(r *loadgen.Record, err *loadgen.Error) bool {
	if err != nil {
		return false
	}
	ttft, ok := r.TTFT()
	if !ok {
		ttft = r.E2E() // an answer in one piece: all of it is the first
	}
	t.n++
	t.ttft += ttft
	long := r.Done - t.began
	if t.n < t.completions || long < t.length || long <= 0 || t.ttft <= 0 {
		return false
	}
	t.windows = append(t.windows, stats.WarmupWindow{
		Throughput: float64(t.n) / long.Seconds(), TTFT: t.ttft.Seconds() / float64(t.n),
	})
	t.began, t.n, t.ttft = r.Done, 0, 0
	if t.most > 0 && len(t.windows) >= t.most {
		t.completions *= 2
		t.windows = joined(t.windows)
	}
	return true
}

// joined makes one window of two. Windows of one trajectory are of about as many completions.
func joined(windows []stats.WarmupWindow) []stats.WarmupWindow {
	out := make([]stats.WarmupWindow, 0, len(windows)/2)
	for i := 0; i+1 < len(windows); i += 2 {
		a, b := windows[i], windows[i+1]
		out = append(out, stats.WarmupWindow{
			Throughput: 2 / (1/a.Throughput + 1/b.Throughput), TTFT: (a.TTFT + b.TTFT) / 2,
		})
	}
	return out
}
