package loadgentest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokenize compares the count with the usage of a completion: the one thing
// that a client asks it for.
func TestTokenize(t *testing.T) {
	for name, h := range servers() {
		for _, test := range []struct{ path, body string }{
			{completions, `{"prompt":"one two  three\n\tfour \u00e9"}`},
			{completions, `{"prompt":""}`},
			{completions, `{"model":"m\"1","prompt":"a a b"}`},
			{chat, `{"messages":[{"role":"system","content":"be brief"},{"content":[{"type":"text","text":"why is that"},{"type":"image_url"}]},{"content":null}]}`},
			{chat, `{"messages":[{"content":""}]}`},
		} {
			r := post(t.Context(), h, "/tokenize", test.body, &recorder{})
			var got struct {
				Count       int
				MaxModelLen *int `json:"max_model_len"`
				Tokens      []int
			}
			if err := json.Unmarshal(r.body(), &got); err != nil || r.status != 200 {
				t.Fatalf("%s: status %d, %v: %s", name, r.status, err, r.body())
			}
			usage := unmarshal(t, post(t.Context(), h, test.path, test.body, &recorder{}).body()).Usage
			if got.Count != usage.Prompt || len(got.Tokens) != got.Count {
				t.Errorf("%s: %s counts %d and has %d tokens, a completion's usage says %d", name, test.body, got.Count,
					len(got.Tokens), usage.Prompt)
			}
			if limited := name == "simulated"; (got.MaxModelLen != nil) != limited || limited &&
				*got.MaxModelLen != 4096 {
				t.Errorf("%s: max_model_len is %v", name, got.MaxModelLen)
			}
			if strings.Contains(test.body, "a a b") && (got.Tokens[0] != got.Tokens[1] ||
				got.Tokens[1] == got.Tokens[2]) {
				t.Errorf("%s: the ids of a a b are %v", name, got.Tokens)
			}
			for _, id := range got.Tokens {
				if name == "simulated" && (id < 0 || id >= 4000) {
					t.Errorf("id %d is out of vocabulary", id)
				}
			}
		}
		for body, status := range map[string]int{`{}`: 400, `{`: 400, `{"prompt":[1,2]}`: 400,
			`{"model":"other","prompt":"a"}`: 404} {
			if (name == "echo" || name == "flushing") && status == 404 {
				status = 200 // an Echo is any model
			}
			if r := post(t.Context(), h, "/tokenize", body, &recorder{}); r.status != status {
				t.Errorf("%s: %s has status %d, want %d", name, body, r.status, status)
			}
		}
		// Only the completions above are counted.
		if c := h.(interface{ Counts() Counts }).Counts(); c.Served != 5 || c.Rejected != 0 {
			t.Errorf("%s: counts are %+v", name, c)
		}
	}
}

func TestMetrics(t *testing.T) {
	for name, h := range servers() {
		const label = `{engine="0",model_name="m\"1"`
		want := map[string]float64{
			"vllm:num_requests_running" + label + "}":                           0,
			"vllm:num_requests_waiting" + label + "}":                           0,
			"vllm:prompt_tokens_total" + label + "}":                            0,
			"vllm:generation_tokens_total" + label + "}":                        0,
			"vllm:request_success_total" + label + `,finished_reason="stop"}`:   0,
			"vllm:request_success_total" + label + `,finished_reason="length"}`: 0,
			"vllm:request_success_total" + label + `,finished_reason="abort"}`:  0,
		}
		check := func(when string) {
			t.Helper()
			got := scrape(t, h)
			for series, v := range want {
				if g, ok := got[series]; !ok || g != v {
					t.Errorf("%s, %s: %s is %v, want %v", name, when, series, g, v)
				}
			}
			got = withoutHistograms(got)
			if len(got) != len(want) {
				t.Errorf("%s, %s: %d series, want %d: %v", name, when, len(got), len(want), got)
			}
		}
		check("at first")
		post(t.Context(), h, completions, body(5, 7), &recorder{})
		post(t.Context(), h, completions, `{"prompt":[1,2],"max_tokens":3}`, &recorder{})
		want["vllm:prompt_tokens_total"+label+"}"] = 7
		want["vllm:generation_tokens_total"+label+"}"] = 10
		want["vllm:request_success_total"+label+`,finished_reason="length"}`] = 2
		check("after two")
		post(t.Context(), h, completions, `{}`, &recorder{})
		check("after an error")
	}
}

// TestMetricsOfABusyServer reads them while requests run, wait and go away.
func TestMetricsOfABusyServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 1, DecodeRate: 1}
		ctx, cancel := context.WithCancel(t.Context())
		for range 3 {
			go post(ctx, sim, completions, body(4, 10), &recorder{})
		}
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		const label = `{engine="0",model_name="simulated"`
		for series, want := range map[string]float64{"vllm:num_requests_running": 1, "vllm:num_requests_waiting": 2,
			"vllm:prompt_tokens_total": 4, "vllm:generation_tokens_total": 3} { // the prefill takes no time
			if got := scrape(t, sim)[series+label+"}"]; got != want {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
		cancel()
		synctest.Wait()
		if got := scrape(t, sim)["vllm:request_success_total"+label+`,finished_reason="abort"}`]; got != 3 {
			t.Errorf("%v aborted, want 3", got)
		}
	})
}

// withoutHistograms returns the series that are no part of one.
func withoutHistograms(series map[string]float64) map[string]float64 {
	rest := map[string]float64{}
	for name, v := range series {
		if !strings.Contains(name, "_seconds_") {
			rest[name] = v
		}
	}
	return rest
}
