package loadgen

import "time"

// A Window is the part of a level in which the load was steady: from when the first wave had gone (as many requests as
// the concurrency, and all of the warmup) to the issue of the last request. That of merged results is whole bins of
// their timeline, those that lie inside the windows of all parts.
type Window struct {
	From        time.Duration `json:"from_ns"`
	To          time.Duration `json:"to_ns"`
	Completions int           `json:"completions"`        // requests that completed in it, warmup included
	InFlight    float64       `json:"in_flight"`          // mean over the window, Sent to Done
	Occupied    float64       `json:"occupied,omitempty"` // the same, Sent to Left: slots that were taken
	Input       float64       `json:"input_tokens"`       // that arrived in it: with their request's first content
	Output      float64       `json:"output_tokens"`      // that arrived in it, chunk by chunk
}

// Length is the window's duration.
func (w *Window) Length() time.Duration { return w.To - w.From }

// held is how much of the load that the client was to keep was there. (InFlight alone is what results of older versions
// have; it is never more than what was occupied.)
func (w *Window) held() float64 { return max(w.Occupied, w.InFlight) }

// view is what must be known of the level at the moment in which a request ended, so that its part in the steady
// window and in the makespan can be counted at once and exactly, and its record need not be kept until the end.
type view struct {
	measuredAt time.Duration // when the measured part began, or never: not before the request ended
	from       time.Duration // when the steady window opened, or never: not before the request ended
	to         time.Duration // when the window closed, or never: not before the request ended
}

// open opens the steady window where the first wave has gone: as many requests as the concurrency, which was reached,
// and all of the warmup, of which one may hold its slot for long. It is called with the lock held, when a request is
// over.
func (s *slots) open(now time.Duration) {
	c := s.own.Concurrency
	if s.steadyAt == never && s.finished >= c && s.peak >= c && s.warmedUp == s.own.Warmup {
		s.steadyAt = now
	}
}

// A window is a Window in the making.
type window struct {
	Window                    // From and To are not known yet
	busy, taken time.Duration // Σ (Done − Sent) and Σ (Left − Sent) inside
}

// add counts a request's time and tokens in the window. Warmup requests and failed ones load the server like any other,
// but only completed ones are completions.
func (w *window) add(r *Record, v view, completed bool) {
	if v.from == never {
		return
	}
	to := v.to
	if to == never {
		to = r.Left
	}
	inside := func(t time.Duration) bool { return t > v.from && t <= to } // so that what marks the start is not in it
	w.busy += max(0, min(r.Done, to)-max(r.Sent, v.from))
	w.taken += max(0, min(r.Left, to)-max(r.Sent, v.from))
	if completed && inside(r.Done) {
		w.Completions++
	}
	if !r.Counted {
		return
	}
	if r.chunks.n == 0 { // a whole answer: all its tokens arrive with it
		if inside(r.Done) {
			w.Input += float64(r.Input)
			w.Output += float64(r.Output)
		}
		return
	}
	if inside(r.chunks.first.At()) {
		w.Input += float64(r.Input)
	}
	// Where the server does not say how many tokens a chunk holds, a request's tokens are spread over its chunks
	// evenly.
	told := r.chunks.tokens == r.Output
	even := float64(r.Output) / float64(r.chunks.n)
	for chunk := range r.Chunks() {
		switch {
		case !inside(chunk.At()):
		case told:
			w.Output += float64(chunk.Tokens)
		default:
			w.Output += even
		}
	}
}

// close is the window of a level that is over; nil where it never opened. It is called with the slots' lock held.
func (w *window) close(s *slots) *Window {
	if s.steadyAt == never || s.lastIssue <= s.steadyAt {
		return nil
	}
	out := w.Window
	out.From, out.To = s.steadyAt, s.lastIssue
	out.InFlight = float64(w.busy) / float64(out.Length())
	out.Occupied = float64(w.taken) / float64(out.Length())
	return &out
}

// mergeWindows is the window that all parts share, which began later than the first by so much: the whole bins of their
// merged timeline that are inside each part's. nil where there is none.
func mergeWindows(parts []*Result, later []time.Duration, t *Timeline) *Window {
	if t == nil || len(t.Occupied) != t.Len() {
		return nil
	}
	from, to := time.Duration(0), timelineEnd
	for k, r := range parts {
		if r.Steady == nil {
			return nil
		}
		from, to = max(from, later[k]+r.Steady.From), min(to, later[k]+r.Steady.To)
	}
	if to < from {
		return nil
	}
	first := int((from - t.From + t.Width - 1) / t.Width)
	last := min(int((to-t.From)/t.Width), t.Len())
	if last <= first {
		return nil
	}
	w := &Window{From: t.From + time.Duration(first)*t.Width, To: t.From + time.Duration(last)*t.Width}
	for i := first; i < last; i++ {
		w.Completions += t.Completed[i]
		w.InFlight += t.InFlight[i] / float64(last-first)
		w.Occupied += t.Occupied[i] / float64(last-first)
		w.Input += float64(t.Input[i])
		w.Output += float64(t.Output[i])
	}
	return w
}
