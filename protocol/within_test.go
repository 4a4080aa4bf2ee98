package protocol

import (
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// The throughput of one run has an interval over parts of the steady window, where these are two waves of requests
// each.
func TestThroughputOfOneRun(t *testing.T) {
	for _, c := range []struct {
		name        string
		completions int
		limit       string
		want        Decision
	}{
		{"two waves a part", 2 * 4 * 8, "steady_total_tokens_per_s>900", Holds},
		{"above it", 2 * 4 * 8, "steady_total_tokens_per_s>1.1k", Broken},
		{"at it", 2 * 4 * 8, "steady_total_tokens_per_s>1k", Undecided},
		{"shorter parts", 2*4*8 - 1, "steady_total_tokens_per_s>900", Undecided},
	} {
		e := runsOf(4, loadgen.Figure{Name: loadgen.SteadyTotalThroughput, Unit: "tok/s", N: 64}, 1000)
		r := &e.Measurements[0].Result
		r.Level = e.Measurements[0].Step.Level
		r.Steady = &loadgen.Window{To: 8 * time.Second, Completions: c.completions}
		r.Timeline = &loadgen.Timeline{Width: 250 * time.Millisecond, InFlight: make([]float64, 32)}
		for i := range 32 {
			r.Timeline.Input = append(r.Timeline.Input, 125)
			r.Timeline.Output = append(r.Timeline.Output, 120+10*(i/4%2)) // parts of 980 and of 1,020 tokens/s
		}
		j := Analyze(e).Judge(mustParse(t, c.limit)...)[0]
		if j.Decision != c.want {
			t.Errorf("%s: %v, want %v", c.name, j, c.want)
		}
	}
}
