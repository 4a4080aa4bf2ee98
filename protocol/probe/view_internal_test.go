package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

func metrics(t *testing.T, text string) families {
	t.Helper()
	f, err := parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// vllm is what vLLM says with two engines: so many output tokens, prompt tokens looked up and found, preemptions.
func vllm(tokens [2]int, queries, hits, preemptions int) string {
	var b strings.Builder
	for i, n := range tokens {
		fmt.Fprintf(&b, "vllm:generation_tokens_total{engine=\"%d\",model_name=\"m\"} %d\n", i, n)
		fmt.Fprintf(&b, "vllm:num_requests_running{engine=\"%d\",model_name=\"m\"} %d\n", i, 3+i)
		fmt.Fprintf(&b, "vllm:kv_cache_usage_perc{engine=\"%d\",model_name=\"m\"} 0.%d\n", i, 25+50*i)
	}
	fmt.Fprintf(&b, "vllm:prefix_cache_queries_total{engine=\"0\"} %d\nvllm:prefix_cache_hits_total{engine=\"0\"} %d\n", queries, hits)
	fmt.Fprintf(&b, "vllm:num_preemptions_total{engine=\"0\"} %d\n", preemptions)
	fmt.Fprintf(&b, "# TYPE vllm:time_to_first_token_seconds histogram\n")
	for _, le := range []string{"0.1", "0.25", "+Inf"} {
		n := map[string]int{"0.1": tokens[0] / 10, "0.25": tokens[0] / 2, "+Inf": tokens[0]}[le]
		fmt.Fprintf(&b, "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"%s\"} %d\n", le, n)
	}
	fmt.Fprintf(&b, "vllm:time_to_first_token_seconds_sum{engine=\"0\"} "+
		"%g\nvllm:time_to_first_token_seconds_count{engine=\"0\"} %d\n", .2*float64(tokens[0]), tokens[0])
	return b.String()
}

// scrapes are what a level saw that were so many; "": one that failed.
func scrapes(t *testing.T, texts ...string) (c course) {
	t.Helper()
	for _, text := range texts {
		if text == "" {
			c.note(nil, errors.New("refused"))
			continue
		}
		c.note(metrics(t, text), nil)
	}
	return c
}

func codes(r protocol.Reading) string {
	var out []string
	for _, w := range r.Warnings {
		out = append(out, w.Code)
	}
	return strings.Join(out, " ")
}

func TestBetween(t *testing.T) {
	level := protocol.Step{Level: loadgen.Level{Requests: 1000}}
	for name, c := range map[string]struct {
		view          ServerView
		before, after string
		want          string
	}{
		"nothing wrong": {ServerView{Unique: true}, vllm([2]int{100, 90}, 0, 0, 0),
			vllm([2]int{600, 580}, 1000, 0, 0), ""},
		"an engine idles": {ServerView{}, vllm([2]int{100, 90}, 0, 0, 0), vllm([2]int{1100, 90}, 0, 0, 0),
			WarnReplicaUnused},
		"an engine has a tenth": {ServerView{}, vllm([2]int{0, 0}, 0, 0, 0), vllm([2]int{900, 100}, 0, 0, 0),
			WarnReplicaUnused},
		"not quite even": {ServerView{}, vllm([2]int{0, 0}, 0, 0, 0), vllm([2]int{600, 400}, 0, 0, 0), ""},
		"three were said to be": {ServerView{Engines: 3}, vllm([2]int{0, 0}, 0, 0, 0),
			vllm([2]int{600, 400}, 0, 0, 0), WarnReplicaUnused},
		"prompts were known": {ServerView{Unique: true}, vllm([2]int{0, 0}, 100, 0, 0),
			vllm([2]int{500, 500}, 1100, 500, 0), WarnCacheHits},
		"prompts may be known": {ServerView{}, vllm([2]int{0, 0}, 100, 0, 0),
			vllm([2]int{500, 500}, 1100, 500, 0), ""},
		"a template's block": {ServerView{Unique: true}, vllm([2]int{0, 0}, 0, 0, 0),
			vllm([2]int{500, 500}, 1000, 16, 0), ""},
		"preempted": {ServerView{}, vllm([2]int{0, 0}, 0, 0, 3), vllm([2]int{500, 500}, 0, 0, 5),
			WarnPreempted},
		"preempted before the level": {ServerView{}, vllm([2]int{0, 0}, 0, 0, 3), vllm([2]int{500, 500}, 0, 0, 3), ""},
		"counters went down": {ServerView{}, vllm([2]int{500, 500}, 0, 0, 3), vllm([2]int{300, 900}, 0, 0, 3),
			WarnRestarted},
		"another process": {ServerView{}, "process_start_time_seconds 1000\nx 1\n",
			"process_start_time_seconds 1060\nx 1\n", WarnRestarted},
		"the same process": {ServerView{}, "process_start_time_seconds 1000.2\nx 1\n",
			"process_start_time_seconds 1000.2\nx 1\n", ""},
	} {
		var r protocol.Reading
		c.view.between(&r, scrapes(t, c.before, c.after), level)
		if got := codes(r); got != c.want {
			t.Errorf("%s: %q, want %q: %+v", name, got, c.want, r.Warnings)
		}
	}
}

// The other caches of vLLM are looked at as the prefix cache is, and named; only its share is a figure.
func TestOtherCaches(t *testing.T) {
	for name, said := range map[string]string{"external_prefix_cache": "the server's external prefix cache",
		"mm_cache": "the server's multimodal cache"} {
		at := func(queries, hits int) string {
			return fmt.Sprintf("vllm:%s_queries_total{engine=\"0\"} %d\nvllm:%s_hits_total{engine=\"0\"} %d\n", name,
				queries, name, hits)
		}
		for _, c := range []struct {
			unique bool
			hits   int
			want   string
		}{{true, 500, WarnCacheHits}, {true, 10, ""}, {false, 500, ""}} {
			var r protocol.Reading
			ServerView{Unique: c.unique}.between(&r, scrapes(t, at(100, 50), at(1100, 50+c.hits)), protocol.Step{})
			if got := codes(r); got != c.want || got != "" && !strings.Contains(r.Warnings[0].Message, said) {
				t.Errorf("%s, %+v: %+v", name, c, r.Warnings)
			}
			if slices.ContainsFunc(r.Figures, func(f loadgen.Figure) bool { return f.Name == "server_cache_hits" }) {
				t.Errorf("%s: %+v", name, r.Figures)
			}
		}
	}
}

// What the server says of the level is the difference of what it said after and before.
func TestFiguresBetween(t *testing.T) {
	var r protocol.Reading
	ServerView{}.between(&r, scrapes(t, vllm([2]int{100, 0}, 100, 10, 1), vllm([2]int{1100, 500}, 1100, 260, 1)),
		protocol.Step{})
	want := map[string]float64{
		"server_output_tokens": 1500, "server_preemptions": 0, "server_cache_hits": 25,
		"server_ttft_mean": 200, "server_ttft_p50": 175,
	}
	got := map[string]float64{}
	for _, f := range r.Figures {
		got[f.Name] = f.Value
	}
	for name, v := range want {
		if math.Abs(got[name]-v) > 1e-6*max(v, 1) {
			t.Errorf("%s = %v, want %v", name, got[name], v)
		}
	}
}

// A server that began anew within a level is seen although its counters are above what they were before the level, also
// where it was not there for a scrape; and what a level that ended without a last scrape served is not told.
func TestWithinLevel(t *testing.T) {
	for name, c := range map[string]struct {
		scrapes []string
		want    string
		tokens  bool
	}{
		"steady": {[]string{vllm([2]int{10, 10}, 0, 0, 0), vllm([2]int{50, 50}, 0, 0, 0),
			vllm([2]int{90, 90}, 0, 0, 0)}, "", true},
		"anew": {[]string{vllm([2]int{10, 10}, 0, 0, 0), vllm([2]int{50, 50}, 0, 0, 0),
			vllm([2]int{20, 20}, 0, 0, 0), vllm([2]int{90, 90}, 0, 0, 0)}, WarnRestarted, false},
		"anew, and away": {[]string{vllm([2]int{10, 10}, 0, 0, 0), vllm([2]int{50, 50}, 0, 0, 0), "",
			vllm([2]int{20, 20}, 0, 0, 0)}, WarnRestarted, false},
		"anew at once": {[]string{vllm([2]int{10, 10}, 0, 0, 0), vllm([2]int{0, 0}, 0, 0, 0)}, WarnRestarted,
			false},
		"one engine anew": {[]string{vllm([2]int{10, 10}, 0, 0, 0), vllm([2]int{50, 2}, 0, 0, 0),
			vllm([2]int{90, 90}, 0, 0, 0)}, WarnRestarted, false},
		"a gap":           {[]string{vllm([2]int{10, 10}, 0, 0, 0), "", vllm([2]int{90, 90}, 0, 0, 0)}, "", true},
		"gone at the end": {[]string{vllm([2]int{10, 10}, 0, 0, 0), vllm([2]int{50, 50}, 0, 0, 0), ""}, "", false},
		"other process, again": {[]string{"process_start_time_seconds 1000\n", "process_start_time_seconds 1060\n",
			"process_start_time_seconds 1060\n"}, WarnRestarted, false},
	} {
		var r protocol.Reading
		ServerView{}.between(&r, scrapes(t, c.scrapes...), protocol.Step{Level: loadgen.Level{Requests: 100}})
		if got := codes(r); got != c.want {
			t.Errorf("%s: %q, want %q: %+v", name, got, c.want, r.Warnings)
		}
		found := slices.ContainsFunc(r.Figures, func(f loadgen.Figure) bool { return f.Name == "server_output_tokens" })
		if found != c.tokens {
			t.Errorf("%s: output tokens told: %v, want %v", name, found, c.tokens)
		}
	}
}

// What is an engine's share depends on how many requests there were, not on whether the level was bounded by their
// number.
func TestShares(t *testing.T) {
	with := func(tokens [2]int, requests int) string {
		return vllm(tokens, 0, 0, 0) + fmt.Sprintf("vllm:request_success_total{engine=\"0\",finished_reason=\"length\"} %d\n", requests)
	}
	for name, c := range map[string]struct {
		level    loadgen.Level
		tokens   [2]int
		requests int
		want     string
	}{
		"by time, uneven": {loadgen.Level{Concurrency: 8}, [2]int{900, 100}, 1000, WarnReplicaUnused},
		"by time, idle":   {loadgen.Level{Concurrency: 8}, [2]int{900, 0}, 1000, WarnReplicaUnused},
		"by time, even":   {loadgen.Level{Concurrency: 8}, [2]int{500, 400}, 1000, ""},
		"too few to tell": {loadgen.Level{Concurrency: 2, Requests: 3}, [2]int{300, 0}, 3, ""},
		"seven, and idle": {loadgen.Level{Concurrency: 2, Requests: 7}, [2]int{1000, 0}, 7,
			WarnReplicaUnused},
		"one in flight": {loadgen.Level{Concurrency: 1, Requests: 100}, [2]int{1000, 0}, 100, ""},
		"an open loop, and idle": {loadgen.Level{Requests: 100,
			Arrivals: loadgen.Arrivals{Process: loadgen.PoissonArrivals, Rate: 10}}, [2]int{1000, 0}, 100,
			WarnReplicaUnused},
		"nothing was generated":    {loadgen.Level{Concurrency: 8}, [2]int{0, 0}, 0, ""},
		"a little below half, few": {loadgen.Level{Concurrency: 4, Requests: 8}, [2]int{800, 200}, 8, ""},
		"a little below half, many": {loadgen.Level{Concurrency: 4, Requests: 800}, [2]int{800, 200}, 800,
			WarnReplicaUnused},
	} {
		var r protocol.Reading
		ServerView{}.between(&r, scrapes(t, with([2]int{0, 0}, 0), with(c.tokens, c.requests)),
			protocol.Step{Level: c.level})
		if got := codes(r); got != c.want {
			t.Errorf("%s: %q, want %q: %+v", name, got, c.want, r.Warnings)
		}
	}
}

// SGLang tells what it found in its cache by where it was from, and llama.cpp how to have it tell anything.
func TestOtherServersCounters(t *testing.T) {
	sglang := func(prompt, device, host, retracted int) string {
		return fmt.Sprintf("sglang:prompt_tokens_total{model_name=\"m\"} "+
			"%d\nsglang:cached_tokens_total{cache_source=\"device\",model_name=\"m\"} %d\n"+
			"sglang:cached_tokens_total{cache_source=\"host\",model_name=\"m\"} "+
			"%d\nsglang:num_retracted_requests_total{model_name=\"m\"} %d\n",
			prompt, device, host, retracted)
	}
	var r protocol.Reading
	ServerView{Unique: true}.between(&r, scrapes(t, sglang(1000, 0, 0, 1), sglang(3000, 200, 300, 2)), protocol.Step{})
	if got, want := codes(r), WarnPreempted+" "+WarnCacheHits; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if i := slices.IndexFunc(r.Figures, func(f loadgen.Figure) bool { return f.Name == "server_cache_hits" }); i < 0 || r.Figures[i].Value != 25 {
		t.Errorf("%+v", r.Figures)
	}
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		w.WriteHeader(http.StatusNotImplemented)
	}))
	defer there.Close()
	_, err := ServerView{}.Watch(context.Background(), &protocol.Instance{URL: there.URL}, protocol.Step{})
	if err == nil || !strings.Contains(err.Error(), "--metrics") {
		t.Errorf("%v", err)
	}
}

// Each server's own names lead to the same quantities; the mean of what is a share, the sum of what is counted.
func TestGauges(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want map[string]float64
	}{
		"vLLM": {vllm([2]int{1, 1}, 0, 0, 0), map[string]float64{
			"server_running ": 7, "server_running engine 0": 3, "server_running engine 1": 4,
			"server_kv_usage ": 50, "server_kv_usage engine 0": 25, "server_kv_usage engine 1": 75}},
		"an older vLLM": {"vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n",
			map[string]float64{"server_kv_usage ": 50}},
		"SGLang": {"sglang:num_running_reqs{model_name=\"m\"} 5.0\nsglang:num_queue_reqs{model_name=\"m\"} " +
			"2\nsglang:token_usage{model_name=\"m\"} 0.25\n",
			map[string]float64{"server_running ": 5, "server_waiting ": 2, "server_kv_usage ": 25}},
		"llama.cpp": {"# HELP llamacpp:requests_processing Number of requests processing.\n# TYPE " +
			"llamacpp:requests_processing gauge\nllamacpp:requests_processing 3\nllamacpp:requests_deferred 1\n",
			map[string]float64{"server_running ": 3, "server_waiting ": 1}},
		"another":   {"up 1\n", map[string]float64{}},
		"no number": {"vllm:num_requests_running NaN\n", map[string]float64{}},
	} {
		got := map[string]float64{}
		for _, s := range metrics(t, c.text).gauges() {
			got[s.Name+" "+s.Of] = s.Value
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestMetricsAt(t *testing.T) {
	for in, want := range map[string]string{
		"http://h:8000":                         "http://h:8000/metrics",
		"http://h:8000/":                        "http://h:8000/metrics",
		"http://h:8000/v1":                      "http://h:8000/metrics",
		"http://h/llm/v1/chat/completions?k=se": "http://h/llm/metrics",
	} {
		if got, err := metricsAt(in); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", in, got, err, want)
		}
	}
	if _, err := metricsAt("no url"); err == nil {
		t.Error("no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(vllm([2]int{1, 2}, 3, 4, 5))
	f.Add("a{b=\"c\\\"d\"} 1 2\n# TYPE x histogram\nx_bucket{le=\"+Inf\"} 3\nx_sum NaN\nx_count 4\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := parse(strings.NewReader(text))
		all.gauges()
		var r protocol.Reading
		ServerView{Unique: true}.between(&r, course{first: all, last: all}, protocol.Step{})
		for _, figure := range r.Figures {
			if math.IsNaN(figure.Value) || math.IsInf(figure.Value, 0) {
				t.Errorf("%+v", figure)
			}
		}
	})
}
