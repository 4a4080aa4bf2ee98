package protocol

import (
	"math"

	"github.com/servegauge/servegauge/loadgen"
)

// A course is how latency and TTFT went over a level: windows of as many requests as were in flight, in the order in
// which they were issued. (In the order in which they ended short answers would come first, and a level would seem to
// slow down.)
type course struct {
	inFlight int // the level's concurrency
	size     int // requests of a window, a multiple of inFlight
	issued   int
	windows  []courseWindow
}

// A courseWindow has sums over its requests that completed, in s.
type courseWindow struct {
	n         int
	ttft, e2e float64
}

const courseWindows = 64 // at most; then they are joined two by two

func newCourse(l loadgen.Level) *course {
	c := max(l.Concurrency, 1)
	return &course{inFlight: c, size: c}
}

func (c *course) record(r *loadgen.Record, err *loadgen.Error) {
	c.issued = max(c.issued, r.Index+1)
	if err != nil {
		return
	}
	for r.Index/c.size >= courseWindows {
		c.join()
	}
	for r.Index/c.size >= len(c.windows) {
		c.windows = append(c.windows, courseWindow{})
	}
	e2e := r.E2E()
	ttft, ok := r.TTFT()
	if !ok {
		ttft = e2e // an answer in one piece: all of it is the first
	}
	c.windows[r.Index/c.size].add(courseWindow{1, ttft.Seconds(), e2e.Seconds()})
}

func (w *courseWindow) add(o courseWindow) {
	w.n += o.n
	w.ttft += o.ttft
	w.e2e += o.e2e
}

func (c *course) join() {
	c.size *= 2
	for i, w := range c.windows {
		if i%2 == 0 {
			c.windows[i/2] = w
		} else {
			c.windows[i/2].add(w)
		}
	}
	c.windows = c.windows[:(len(c.windows)+1)/2]
}

// steady are the logarithms of the windows' means, without those of the first wave, which finds an idle server, and
// of the last, whose answers come while the load goes down.
func (c *course) steady() (ttft, e2e []float64) {
	for i, w := range c.windows {
		if i == 0 || (i+1)*c.size > c.issued-c.inFlight || w.n == 0 || w.ttft <= 0 || w.e2e <= 0 {
			continue
		}
		ttft, e2e = append(ttft, math.Log(w.ttft/float64(w.n))), append(e2e, math.Log(w.e2e/float64(w.n)))
	}
	return ttft, e2e
}
