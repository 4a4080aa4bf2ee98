package program

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// recent is how many of the last requests the TTFT in a status line is of.
const recent = 256

// A statusLine is one line of a terminal that says how a level goes on. It is written over and over in its place, and
// never wider than the terminal, because a line that wraps cannot be written over: what has no room is left out, from
// the end.
type statusLine struct {
	out   io.Writer
	width func() int
	what  string
	total int                  // requests; −1: bounded by time
	bound time.Duration        // of the level in time; 0: none
	rest  func() time.Duration // that the whole experiment takes from now on; 0: not known

	mu       sync.Mutex
	started  time.Time
	drawn    time.Time
	over     int
	failed   int
	inFlight int
	ttft     []time.Duration // of the last requests, in a ring
	next     int
	ticks    []loadgen.Progress // of the last ten seconds
}

// observer tells the line what happens.
func (s *statusLine) observer() loadgen.Observer {
	s.started = time.Now()
	return loadgen.Observer{
		Record: func(r *loadgen.Record, err *loadgen.Error) { s.record(r, err, time.Now()) },
		Tick:   func(p loadgen.Progress) { s.tick(p, time.Now()) },
	}
}

func (s *statusLine) record(r *loadgen.Record, err *loadgen.Error, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over++
	if err != nil {
		s.failed++
	} else if ttft, ok := r.TTFT(); ok {
		if len(s.ttft) < recent {
			s.ttft = append(s.ttft, ttft)
		} else {
			s.ttft[s.next%recent] = ttft
		}
		s.next++
	}
	if now.Sub(s.drawn) >= 100*time.Millisecond {
		s.draw(now)
	}
}

func (s *statusLine) tick(p loadgen.Progress, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight = p.InFlight
	s.ticks = append(s.ticks, p)
	if n := len(s.ticks); n > 10 {
		s.ticks = slices.Delete(s.ticks, 0, n-10)
	}
	s.draw(now)
}

// draw writes the line over the one before. The lock is held.
func (s *statusLine) draw(now time.Time) {
	s.drawn = now
	fmt.Fprintf(s.out, "\r%s\x1b[K", fitted(s.parts(now), s.width()-1))
}

// finish leaves the line as it stands.
func (s *statusLine) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draw(time.Now())
	fmt.Fprintln(s.out)
}

// parts are what there is to say, the most important first.
func (s *statusLine) parts(now time.Time) []string {
	elapsed := now.Sub(s.started)
	parts := []string{s.what}
	if s.total < 0 {
		parts = append(parts, fmt.Sprintf("%d over", s.over))
	} else {
		parts = append(parts, fmt.Sprintf("%d of %d", s.over, s.total))
	}
	if s.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d errors", s.failed))
	}
	left, known := s.left(elapsed)
	if known {
		parts = append(parts, clock(left)+" left")
		if all := s.rest(); all > left {
			parts = append(parts, clock(all)+" of all")
		}
	}
	if s.inFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d in flight", s.inFlight))
	}
	if n := len(s.ticks); n > 1 {
		first, last := s.ticks[0], s.ticks[n-1]
		if span := (last.Elapsed - first.Elapsed).Seconds(); span > 0 && last.Tokens > 0 {
			parts = append(parts, fmt.Sprintf("%.0f tok/s", float64(last.Tokens-first.Tokens)/span))
		}
	}
	if len(s.ttft) > 0 {
		sorted := slices.Sorted(slices.Values(s.ttft))
		at := func(p int) float64 { return sorted[(len(sorted)-1)*p/100].Seconds() * 1000 }
		parts = append(parts, fmt.Sprintf("TTFT p50 %.0f p99 %.0f ms", at(50), at(99)))
	}
	return parts
}

// left is how long the level will take, if it goes on as it did. A bound in time is the most.
func (s *statusLine) left(elapsed time.Duration) (time.Duration, bool) {
	var left time.Duration
	known := false
	if s.total > 0 && s.over > 0 {
		left = time.Duration(float64(elapsed) / float64(s.over) * float64(max(s.total-s.over, 0)))
		known = true
	}
	if s.bound > 0 {
		if byTime := max(s.bound-elapsed, 0); !known || byTime < left {
			left, known = byTime, true
		}
	}
	return left, known
}

// clock is a time as people read it off: 0:07, 12:40, 3:05:00.
func clock(d time.Duration) string {
	seconds := int(d.Round(time.Second).Seconds())
	if hours := seconds / 3600; hours > 0 {
		return fmt.Sprintf("%d:%02d:%02d", hours, seconds/60%60, seconds%60)
	}
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// fitted is as many of the parts as have room in a width; of the first one what has.
func fitted(parts []string, width int) string {
	width = max(width, 1)
	line := []rune(oneLine(parts[0]))
	if len(line) > width {
		line = line[:width]
	}
	for _, part := range parts[1:] {
		longer := append(slices.Clip(line), []rune(", "+part)...)
		if len(longer) > width {
			break
		}
		line = longer
	}
	return strings.TrimRight(string(line), " ")
}
