package program

import (
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A level of 100 requests, of which 40 are over after 20 s: 30 s are left, at every width on one line.
func TestStatusLine(t *testing.T) {
	for _, c := range []struct {
		width int
		want  string
	}{
		{200, "run 2: concurrency 8, 40 of 100, 3 errors, 0:30 left, 1:05:00 of all, 8 in flight, 50 tok/s, TTFT " +
			"p50 20 p99 20 ms"},
		{61, "run 2: concurrency 8, 40 of 100, 3 errors, 0:30 left"},
		{20, "run 2: concurrency"}, // 19 runes, the last a space
		{1, "r"},
		{0, "r"},
	} {
		var out strings.Builder
		start := time.Now()
		line := &statusLine{
			out: &out, width: func() int { return c.width }, what: "run 2: concurrency 8", total: 100,
			rest: func() time.Duration { return time.Hour + 5*time.Minute },
		}
		line.observer()
		line.started = start
		record := &loadgen.Record{Sent: time.Second}
		record.Chunk(loadgen.Chunk{Seen: time.Second + 20*time.Millisecond})
		for i := range 40 {
			var err *loadgen.Error
			if i%15 == 0 {
				err = &loadgen.Error{}
			}
			line.record(record, err, start)
		}
		line.tick(loadgen.Progress{Elapsed: 10 * time.Second, Tokens: 500, InFlight: 8}, start)
		line.tick(loadgen.Progress{Elapsed: 20 * time.Second, Tokens: 1000, InFlight: 8}, start.Add(20*time.Second))
		lines := strings.Split(out.String(), "\r")
		last := strings.TrimSuffix(lines[len(lines)-1], "\x1b[K")
		if last != c.want {
			t.Errorf("in %d columns: %q, want %q", c.width, last, c.want)
		}
		if strings.Contains(out.String(), "\n") {
			t.Errorf("in %d columns a line ends: %q", c.width, out.String())
		}
		for _, l := range lines {
			if n := len([]rune(strings.TrimSuffix(l, "\x1b[K"))); n > max(c.width-1, 1) {
				t.Errorf("%d of %d columns: %q", n, c.width, l)
			}
		}
	}
}

// A level that is bounded by time ends by the clock, if it has not by its requests.
func TestStatusLineLeft(t *testing.T) {
	for _, c := range []struct {
		total, over int
		bound       time.Duration
		want        time.Duration
		known       bool
	}{
		{-1, 5, 30 * time.Second, 20 * time.Second, true},
		{100, 50, 0, 10 * time.Second, true},
		{100, 50, 15 * time.Second, 5 * time.Second, true},
		{100, 50, 5 * time.Second, 0, true},
		{100, 0, 0, 0, false},
		{-1, 0, 0, 0, false},
	} {
		line := &statusLine{total: c.total, over: c.over, bound: c.bound}
		if left, known := line.left(10 * time.Second); left != c.want || known != c.known {
			t.Errorf("%+v: %v, %v", c, left, known)
		}
	}
}

func TestClock(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0:00", 7400 * time.Millisecond: "0:07", 59999 * time.Millisecond: "1:00",
		12*time.Minute + 40*time.Second: "12:40",
		3*time.Hour + 5*time.Minute:     "3:05:00",
	} {
		if got := clock(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
