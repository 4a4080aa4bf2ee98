package loadgentest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	openai "github.com/sashabaranov/go-openai"
)

// cachedBy sends requests one after another, and returns how many tokens of each
// were cached, by its usage, and how long it took until the answer was there.
func cachedBy(t *testing.T, sim *Simulated, path string, requests ...string) (cached []int, took []time.Duration) {
	t.Helper()
	for _, request := range requests {
		begin := time.Now()
		r := post(t.Context(), sim, path, request, &recorder{})
		var got struct {
			Usage struct {
				Details *struct {
					Cached int `json:"cached_tokens"`
				} `json:"prompt_tokens_details"`
			}
		}
		if err := json.Unmarshal(r.body(), &got); err != nil || r.status != 200 || got.Usage.Details == nil {
			t.Fatalf("%s: status %d, %v: %s", request, r.status, err, r.body())
		}
		cached = append(cached, got.Usage.Details.Cached)
		took = append(took, time.Since(begin))
	}
	return cached, took
}

// ids is a request for one token whose prompt is the numbers of these ranges.
func ids(from, to int, more ...int) string {
	var b strings.Builder
	for more = append([]int{from, to}, more...); len(more) > 0; more = more[2:] {
		for id := more[0]; id < more[1]; id++ {
			fmt.Fprintf(&b, ",%d", id)
		}
	}
	return fmt.Sprintf(`{"max_tokens":1,"prompt":[%s]}`, b.String()[1:])
}

// TestPrefixCacheByHand has prompts find each other's blocks of 4 tokens, and looks
// at what that spares: a step takes a second, and each token read a second more.
func TestPrefixCacheByHand(t *testing.T) {
	for name, test := range map[string]struct {
		path     string
		blocks   int
		requests []string
		cached   []int
		read     []int
	}{
		"the same again, to its end but for the last block": {completions, 99, []string{ids(0, 8), ids(0, 8)},
			[]int{0, 4},
			[]int{8, 4}},
		"the same again, but for a part of a block": {completions, 99, []string{ids(0, 10), ids(0, 10)}, []int{0,
			8}, []int{10, 2}},
		"longer":      {completions, 99, []string{ids(0, 8), ids(0, 9)}, []int{0, 8}, []int{8, 1}},
		"shorter":     {completions, 99, []string{ids(0, 12), ids(0, 7)}, []int{0, 4}, []int{12, 3}},
		"another end": {completions, 99, []string{ids(0, 12), ids(0, 8, 90, 95)}, []int{0, 8}, []int{12, 5}},
		"another beginning: a block is all that is before it": {completions, 99,
			[]string{ids(0, 12), ids(90, 94, 4, 12)},
			[]int{0, 0}, []int{12, 12}},
		"less than a block": {completions, 99, []string{ids(0, 3), ids(0, 3)}, []int{0, 0}, []int{3, 3}},
		"words": {completions, 99, []string{`{"max_tokens":1,"prompt":"a b c d e"}`,
			`{"max_tokens":1,"prompt":" a\tb  c d f"}`, `{"max_tokens":1,"prompt":["b b c d e"]}`}, []int{0, 4, 0},
			[]int{5, 1,
				5}},
		"a salt": {completions, 99, []string{
			`{"max_tokens":1,"prompt":"a b c d e"}`, `{"max_tokens":1,"cache_salt":"x","prompt":"a b c d e"}`,
			`{"max_tokens":1,"prompt":"a b c d e","cache_salt":"x"}`,
			`{"max_tokens":1,"prompt":"a b c d e","cache_salt":null}`,
		}, []int{0, 0, 4, 4}, []int{5, 5, 1, 1}},
		"a chat": {chat, 99, []string{
			`{"max_tokens":1,"messages":[{"role":"system","content":"a b c"},{"role":"user","content":"d e f"}]}`,
			`{"max_tokens":1,"messages":[{"role":"system","content":[{"type":"text","text":"a b"},{"type":"text","text":"x","text":"c"}]},{"content":"x y z z z","content":"d e f"}]}`,
		}, []int{0, 4}, []int{6, 2}},
		"the last of equal keys": {completions, 99, []string{`{"max_tokens":1,"prompt":[9,9],"prompt":[0,1,2,3,4]}`,
			ids(0,
				5)}, []int{0, 4}, []int{5, 1}},
		// Three blocks: two of each prompt are cached, and the third holds what is no full block. For the second
		// prompt the room of the first one's end is needed, for the third all of it.
		"no room": {completions, 3, []string{ids(0, 9), ids(50, 55), ids(0, 9), ids(50, 55)}, []int{0, 0,
			4, 0}, []int{9, 5, 5, 5}},
		"the one used last remains": {completions, 4, []string{ids(0, 5), ids(50, 55), ids(0, 5), ids(70, 79),
			ids(0, 5),
			ids(50, 55)}, []int{0, 0, 4, 0, 4, 0}, []int{5, 5, 1, 9, 1, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := &Simulated{MaxSequences: 1, PrefillRate: 1, DecodeRate: 1, KVBlocks: test.blocks, BlockTokens: 4,
					PrefixCache: true}
				cached, took := cachedBy(t, sim, test.path, test.requests...)
				queries, hits := 0, 0
				for i := range cached {
					if want := time.Duration(1+test.read[i]) * time.Second; cached[i] != test.cached[i] ||
						took[i] != want {
						t.Errorf("request %d has %d tokens cached after %v, want %d after %v", i, cached[i], took[i],
							test.cached[i],
							want)
					}
					queries += test.cached[i] + test.read[i]
					hits += test.cached[i]
				}
				if c := sim.Counts(); c != (Counts{PeakRunning: 1, Served: len(cached), PrefixQueries: queries,
					PrefixHits: hits}) {
					t.Errorf("counts are %+v", c)
				}
			})
		})
	}
}

// TestPrefixOfOneThatRuns has a request find what another holds, and read no sooner
// than that was.
func TestPrefixOfOneThatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 4, PrefillRate: 1, DecodeRate: 1, KVBlocks: 5, BlockTokens: 4,
			PrefixCache: true}
		go post(t.Context(), sim, completions, strings.Replace(ids(0, 8), `"max_tokens":1`, `"max_tokens":5`, 1),
			&recorder{})
		synctest.Wait()
		begin := time.Now()
		cached, took := cachedBy(t, sim, completions, ids(0, 9))
		// It waits for the first step, of 1 + 8 s, and is in the next one with one token to read: 1 + 1 s.
		if want := 11 * time.Second; cached[0] != 8 || took[0] != want || time.Since(begin) != want {
			t.Errorf("%d tokens cached after %v, want 8 after %v", cached[0], took[0], want)
		}
		// 8 tokens of prompt and those generated; the last one's third block is free
		if c := sim.Counts(); c.KVBlocks != 3 {
			t.Errorf("counts are %+v", c)
		}
		time.Sleep(time.Minute)
	})
}

// TestCachedTokensOnTheWire reads them with a client of others, and checks that they
// are where vLLM has them: in the last chunk, and nowhere without a cache.
func TestCachedTokensOnTheWire(t *testing.T) {
	for _, caching := range []bool{true, false} {
		sim := &Simulated{MaxSequences: 1, DecodeRate: 1e6, KVBlocks: 99, BlockTokens: 4, PrefixCache: caching}
		server := httptest.NewServer(sim)
		config := openai.DefaultConfig("")
		config.BaseURL = server.URL + "/v1"
		config.HTTPClient = http.DefaultClient
		client := openai.NewClientWithConfig(config)
		request := openai.ChatCompletionRequest{Model: "simulated", MaxCompletionTokens: 3,
			Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "a b c d e"}}}
		for want := range 2 {
			answer, err := client.CreateChatCompletion(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if details := answer.Usage.PromptTokensDetails; (details != nil) != caching || caching &&
				details.CachedTokens != 4*want {
				t.Errorf("caching %v: details are %+v", caching, details)
			}
		}
		server.Close()
		r := post(t.Context(), sim, chat,
			`{"max_tokens":3,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},"messages":[{"content":"a b c d e"}]}`, &recorder{})
		if n := strings.Count(string(r.body()), "cached_tokens"); caching && n != 1 || !caching && n != 0 {
			t.Errorf("caching %v: %d chunks tell the cached tokens: %s", caching, n, r.body())
		}
		if caching && !strings.Contains(string(r.body()),
			`"choices":[],"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":4}}}`) {
			t.Errorf("the last chunk has no cached tokens: %s", r.body())
		}
	}
}

func TestDetokenize(t *testing.T) {
	for name, h := range servers() {
		r := post(t.Context(), h, "/detokenize", `{"tokens":[3,1,4,1]}`, &recorder{})
		var got struct{ Prompt string }
		if err := json.Unmarshal(r.body(), &got); err != nil || r.status != 200 ||
			len(strings.Fields(got.Prompt)) != 4 {
			t.Errorf("%s: status %d, %v: %s", name, r.status, err, r.body())
		}
		for _, bad := range []string{`{`, `{"tokens":[-1]}`, `{"tokens":["a"]}`} {
			if r := post(t.Context(), h, "/detokenize", bad, &recorder{}); r.status != 400 {
				t.Errorf("%s: %s has status %d", name, bad, r.status)
			}
		}
		if c := h.(interface{ Counts() Counts }).Counts(); c != (Counts{}) {
			t.Errorf("%s: counts are %+v", name, c)
		}
	}
	if r := post(t.Context(), &Simulated{}, "/detokenize", `{"model":"other","tokens":[1]}`,
		&recorder{}); r.status != 404 {
		t.Errorf("another model has status %d", r.status)
	}
}

func TestResetPrefixCache(t *testing.T) {
	sim := &Simulated{MaxSequences: 1, DecodeRate: 1e6, KVBlocks: 9, BlockTokens: 4, PrefixCache: true}
	reset := func(want int) {
		t.Helper()
		if r := post(t.Context(), sim, "/reset_prefix_cache", "", &recorder{}); r.status != want {
			t.Errorf("status %d, want %d", r.status, want)
		}
	}
	reset(200)
	a, _ := cachedBy(t, sim, completions, ids(0, 9), ids(0, 9))
	reset(200)
	b, _ := cachedBy(t, sim, completions, ids(0, 9), ids(0, 9))
	if fmt.Sprint(a, b) != "[0 8] [0 8]" {
		t.Errorf("cached are %v, and %v after the reset", a, b)
	}
	sim = &Simulated{}
	reset(404)
}
