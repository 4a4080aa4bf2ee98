package report

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Each figure of a level that has nearly all of them is in the glossary.
func TestGlossary(t *testing.T) {
	var text strings.Builder
	if err := Glossary(&text); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text.String()) {
		if n := len([]rune(line)); n > 110 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		level := loadgen.Level{
			Arrivals: loadgen.Arrivals{Process: loadgen.ConstantArrivals, Rate: 10}, Requests: 100,
			Objectives: []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 500}},
		}
		result, err := loadgen.Measure(t.Context(), level, loadgen.TargetFunc(streamed))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range result.Figures {
			name := f.Name
			if metric, _, ok := loadgen.QuantileOf(name); ok {
				name = metric
			}
			name = strings.TrimSuffix(strings.TrimPrefix(name, "steady_"), "_mean")
			if strings.HasPrefix(name, loadgen.Attainment) {
				name = loadgen.Attainment
			}
			switch name {
			case "offered_requests_per_s", "achieved_requests_per_s":
				name = "offered_, achieved_requests_per_s"
			case "offered_sessions_per_s", "achieved_sessions_per_s":
				name = "offered_, achieved_sessions_per_s"
			case "in_flight_peak":
				name = "in_flight"
			}
			if !strings.Contains(text.String(), name) {
				t.Errorf("%s is not in the glossary", f.Name)
			}
		}
	})
}

// A tenth of the requests each have 10, 20 … 100 ms a token: interactivity is 1000 ÷ that, and its slow end 10 tokens/s.
func TestPercentilesOfLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		level := loadgen.Level{Concurrency: 1, Requests: 1000, Percentiles: []float64{99.9, 75}}
		result, err := loadgen.Measure(t.Context(), level, loadgen.TargetFunc(streamed))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := LevelText(&text, result); err != nil {
			t.Fatal(err)
		}
		words := strings.Join(strings.Fields(text.String()), " ")
		for _, want := range []string{
			"metric mean p50 p75 p99 p99.9 max n",
			"tpot, ms 55.0 55.0 80.0 100 100? 100 1,000",
			"interactivity, tok/s 29.3 18.3 33.3 100 100? 100 1,000",
			"at least – 18.3 12.5 10.0 10.0? – 1,000",
		} {
			if !strings.Contains(words, want) {
				t.Errorf("there is no %q in\n%s", want, text.String())
			}
		}
	})
}

// streamed answers with eleven tokens in as many chunks.
func streamed(_ context.Context, i int, r *loadgen.Record) error {
	for range 11 {
		time.Sleep(time.Duration(1+i%10) * 10 * time.Millisecond)
		r.Chunk(loadgen.Chunk{Tokens: 1})
	}
	r.Input, r.Output, r.Counted = 8, 11, true
	return nil
}
