package loadgentest

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	metadata = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	sample   = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+)$`)
	le       = regexp.MustCompile(`,le="([^"]*)"`)
)

// exposition parses Prometheus' text format, strictly: each family has its HELP, its
// TYPE and its samples in one piece and once, and a histogram has ascending buckets
// up to +Inf, each with all below it, then sum and count.
func exposition(text string) (series map[string]float64, err error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line does not end")
	}
	series = map[string]float64{}
	kinds := map[string]string{}
	var family, part string // part of a histogram: "", bucket, sum, count
	var bound, below float64
	finish := func() error {
		switch {
		case family != "" && kinds[family] == "":
			return fmt.Errorf("%s has no type", family)
		case kinds[family] == "histogram" && part != "_count":
			return fmt.Errorf("%s ends with %q", family, part)
		}
		return nil
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if m := metadata.FindStringSubmatch(line); m != nil {
			if m[1] == "HELP" {
				if err := finish(); err != nil {
					return nil, err
				}
				if _, ok := kinds[m[2]]; ok {
					return nil, fmt.Errorf("%s comes twice", m[2])
				}
				family, part, kinds[m[2]] = m[2], "", ""
				bound, below = math.Inf(-1), 0
				continue
			}
			if m[2] != family || kinds[family] != "" || m[3] != "gauge" && m[3] != "counter" && m[3] != "histogram" {
				return nil, fmt.Errorf("a type in the wrong place: %q", line)
			}
			kinds[family] = m[3]
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil || strings.HasSuffix(m[2], ",") {
			return nil, fmt.Errorf("no sample: %q", line)
		}
		v, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return nil, fmt.Errorf("no number: %q", line)
		}
		name := m[1] + "{" + m[2] + "}"
		if _, ok := series[name]; ok {
			return nil, fmt.Errorf("%s comes twice", name)
		}
		series[name] = v
		suffix, ok := strings.CutPrefix(m[1], family)
		if !ok || family == "" {
			return nil, fmt.Errorf("%q is not of %s", line, family)
		}
		kind := kinds[family]
		if kind == "counter" && v < 0 || kind != "histogram" && suffix != "" {
			return nil, fmt.Errorf("no %s: %q", kind, line)
		}
		if kind != "histogram" {
			continue
		}
		switch part + suffix {
		case "_bucket", "_bucket_bucket":
			b, err := strconv.ParseFloat(le.FindStringSubmatch(line + `,le=""`)[1], 64)
			if err != nil || b <= bound || v < below {
				return nil, fmt.Errorf("no further bucket: %q", line)
			}
			bound, below = b, v
		case "_bucket_sum":
			if !math.IsInf(bound, 1) {
				return nil, fmt.Errorf("%s has no bucket for +Inf", family)
			}
		case "_sum_count":
			if v != below {
				return nil, fmt.Errorf("%q is not what the last bucket says, %v", line, below)
			}
		default:
			return nil, fmt.Errorf("in the wrong place: %q", line)
		}
		part = suffix
	}
	return series, finish()
}

// TestExpositionIsStrict checks the parser itself, or it would prove nothing.
func TestExpositionIsStrict(t *testing.T) {
	const good = "# HELP a b c\n# TYPE a histogram\na_bucket{x=\"\\\"\",le=\"1.0\"} " +
		"1.0\na_bucket{x=\"\\\"\",le=\"+Inf\"} 2.0\na_sum{x=\"\\\"\"} 3.5\na_count{x=\"\\\"\"} 2.0\n" +
		"# HELP g b\n# TYPE g gauge\ng{} 0.5\n"
	if s, err := exposition(good); err != nil || len(s) != 5 {
		t.Errorf("%v, %v", s, err)
	}
	for _, change := range [][2]string{
		{"g{} 0.5\n", "g{} 0.5"}, {"g{}", "h{}"}, {"g{} 0.5", "g{} half"}, {"g{} 0.5", "g 0.5"},
		{"# TYPE g gauge\n", ""},
		{"# HELP g b\n", ""}, {"gauge\n", "thing\n"}, {"g{} 0.5\n", "g{} 0.5\ng{} 0.5\n"}, {"g{} 0.5\n", "g{} 0.5\n\n"},
		{"+Inf", "9"}, {"+Inf", "0.5"}, {"\"1.0\"} 1.0", "\"1.0\"} 3.0"}, {"a_count{x=\"\\\"\"} 2.0",
			"a_count{x=\"\\\"\"} 3.0"},
		{"a_sum", "a_total"}, {"a_count{x=\"\\\"\"} 2.0\n", ""}, {`\"`, `"`}, {"HELP g", "HELP a"},
	} {
		if _, err := exposition(strings.Replace(good, change[0], change[1], 1)); err == nil {
			t.Errorf("%q for %q is accepted", change[1], change[0])
		}
	}
}

// scrape reads /metrics into a map from the series to its value.
func scrape(t *testing.T, h http.Handler) map[string]float64 {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("status %d, header %v", w.Code, w.Header())
	}
	series, err := exposition(w.Body.String())
	if err != nil {
		t.Fatalf("/metrics is not in the text format: %v\n%s", err, w.Body)
	}
	return series
}

// TestHistogramsByHand has two requests in a queue of one place, with and without a
// batch, streamed and not: all four tell the same times.
func TestHistogramsByHand(t *testing.T) {
	for name, sim := range map[string]func() *Simulated{
		"places": func() *Simulated { return &Simulated{MaxSequences: 1, PrefillRate: 10, DecodeRate: 20} },
		"batch": func() *Simulated {
			return &Simulated{MaxSequences: 1, PrefillRate: 20, DecodeRate: 20, TokenBudget: 99}
		},
	} {
		for _, stream := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				sim := sim()
				// The first tokens come after 0.1 s, or as long as a step of 1/20 s and a token's reading; then 2
				// gaps of 0.05 s.
				request := fmt.Sprintf(`{"prompt":[1],"max_tokens":3,"stream":%v}`, stream)
				for range 2 {
					go post(t.Context(), sim, completions, request, &recorder{})
				}
				time.Sleep(time.Minute)
				got := scrape(t, sim)
				for series, want := range map[string]float64{
					`time_to_first_token_seconds_bucket{engine="0",model_name="simulated",le="0.08"}`: 0,
					// at the bound
					`time_to_first_token_seconds_bucket{engine="0",model_name="simulated",le="0.1"}`:   1,
					`time_to_first_token_seconds_bucket{engine="0",model_name="simulated",le="0.25"}`:  1,
					`time_to_first_token_seconds_bucket{engine="0",model_name="simulated",le="0.5"}`:   2,
					`time_to_first_token_seconds_sum{engine="0",model_name="simulated"}`:               0.1 + 0.3,
					`time_to_first_token_seconds_count{engine="0",model_name="simulated"}`:             2,
					`inter_token_latency_seconds_bucket{engine="0",model_name="simulated",le="0.025"}`: 0,
					`inter_token_latency_seconds_bucket{engine="0",model_name="simulated",le="0.05"}`:  4,
					`inter_token_latency_seconds_sum{engine="0",model_name="simulated"}`:               0.2,
					`e2e_request_latency_seconds_sum{engine="0",model_name="simulated"}`:               0.2 + 0.4,
					`e2e_request_latency_seconds_bucket{engine="0",model_name="simulated",le="0.3"}`:   1,
					`e2e_request_latency_seconds_bucket{engine="0",model_name="simulated",le="0.5"}`:   2,
					`request_queue_time_seconds_sum{engine="0",model_name="simulated"}`:                0.2,
					`request_queue_time_seconds_count{engine="0",model_name="simulated"}`:              2,
				} {
					if v, ok := got["vllm:"+series]; !ok || math.Abs(v-want) > 1e-9 {
						t.Errorf("%s, stream %v: %s is %v, want %v", name, stream, series, v, want)
					}
				}
			})
		}
	}
}

// TestMemoryMetrics reads what a server with KV blocks and a prefix cache adds.
func TestMemoryMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 2, PrefillRate: 2, DecodeRate: 1, KVBlocks: 4, BlockTokens: 2,
			PrefixCache: true}
		go do(t, t.Context(), sim, 2, 5)
		synctest.Wait()
		go do(t, t.Context(), sim, 3, 4)
		const label = `{engine="0",model_name="simulated"}`
		check := func(when string, usage, preemptions, queries, hits float64) {
			t.Helper()
			got := scrape(t, sim)
			for name, want := range map[string]float64{"kv_cache_usage_perc": usage,
				"num_preemptions_total":      preemptions,
				"prefix_cache_queries_total": queries, "prefix_cache_hits_total": hits} {
				if v, ok := got["vllm:"+name+label]; !ok || v != want {
					t.Errorf("%s: %s is %v, want %v", when, name, v, want)
				}
			}
		}
		// The second request waits until 2 s; its first block is the first request's.
		time.Sleep(2500 * time.Millisecond)
		check("with both", 0.75, 0, 5, 2)
		time.Sleep(time.Minute)
		check("after both", 0, float64(sim.Counts().Preemptions), 5, 2)
		if sim.Counts().Preemptions == 0 || sim.Counts().Served != 2 {
			t.Errorf("counts are %+v", sim.Counts())
		}
	})
}
