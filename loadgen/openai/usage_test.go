package openai

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// Pieces of streams with the usage so far, as vLLM sends them.
func soFar(index int, content string, completion int) string {
	return fmt.Sprintf(`data: {"choices":[{"index":%d,"delta":{"content":"%s"},"finish_reason":null,"token_ids":null}],"usage":{"prompt_tokens":12,"total_tokens":%d,"completion_tokens":%d,"completion_tokens_details":null}}`+"\n\n",
		index, content, 12+completion, completion)
}

func usageOf(completion int) string {
	return fmt.Sprintf(`data: {"choices":[],"usage":{"prompt_tokens":12,"total_tokens":%d,"completion_tokens":%d}}`+"\n\n", 12+completion, completion)
}

// How many tokens each chunk held is told by the usage so far, wherever nothing makes that doubtful; and a stream that
// is cut has the tokens that came.
func TestTokensOfChunks(t *testing.T) {
	for _, test := range []struct {
		name    string
		body    string
		chunks  []int // tokens, less than 0 where there is nothing to see
		counted bool
		output  int
	}{
		{"a token each", soFar(0, "", 0) + soFar(0, "a", 1) + soFar(0, "b", 2) + usageOf(2) + done, []int{1, 1}, true,
			2},
		{"several tokens", soFar(0, "", 0) + soFar(0, "a", 3) + soFar(0, "b", 4) + soFar(0, "c", 9) + usageOf(9) + done,
			[]int{3, 1, 5}, true, 9},
		{"a token without text is an arrival", soFar(0, "a", 1) + soFar(0, "", 2) + soFar(0, "b", 3) + usageOf(3) +
			done,
			[]int{1, -1, 1}, true, 3},
		{"several without text", soFar(0, "", 0) + soFar(0, "", 3) + soFar(0, "a", 5) + soFar(0, "", 5) +
			soFar(0, "", 9) +
			usageOf(9) + done, []int{-3, 2, -4}, true, 9},
		{"eight in the first", soFar(0, "a", 8) + soFar(0, "b", 9) + soFar(0, "c", 10) + usageOf(10) + done,
			[]int{8, 1, 1},
			true, 10},
		{"the finish has one", soFar(0, "a", 1) + strings.Replace(soFar(0, "", 2), "null", `"stop"`, 1) + usageOf(2) +
			done,
			[]int{1, -1}, true, 2},
		{"only the finish has it", role + strings.Replace(soFar(0, "", 7), "null", `"stop"`, 1) + done, nil, true, 7},
		{"none until the end", soFar(0, "", 0) + soFar(0, "a", 0) + soFar(0, "b", 0) + strings.Replace(soFar(0, "", 7),
			"null", `"stop"`, 1) + done, []int{0, 0}, true, 7},
		{"one in each", soFar(0, "a", 1) + soFar(0, "b", 1) + soFar(0, "c", 1) + usageOf(3) + done, []int{1, 0, 0},
			true, 3},
		{"usage alone, underway", soFar(0, "a", 1) + usageOf(3) + usageOf(4) + soFar(0, "b", 5) + usageOf(5) + done,
			[]int{1, -2, -1, 1}, true, 5},
		{"usage alone, that does not grow", soFar(0, "a", 1) + usageOf(1) + soFar(0, "b", 2) + usageOf(2) + done,
			[]int{1,
				1}, true, 2},
		{"usage alone, at the end", soFar(0, "a", 1) + usageOf(4) + done, []int{1}, true, 4},
		{"the last token has no text", soFar(0, "a", 1) + soFar(0, "", 2) + usageOf(2) + done, []int{1, -1}, true, 2},
		{"cut", soFar(0, "a", 3) + soFar(0, "b", 4), []int{3, 1}, true, 4},
		{"cut before content", soFar(0, "", 0), nil, true, 0},
		{"no usage but at the end", text + text + usageOf(2) + done, []int{0, 0}, true, 2},
		{"the last chunk has the usage of all", hello + hello + soFar(0, "a", 3) + done, []int{0, 0, 0}, true, 3},
		{"one chunk lacks it", soFar(0, "a", 1) + hello + soFar(0, "b", 3) + usageOf(3) + done, []int{1, 0, 0}, true,
			3},
		{"it counts backwards", soFar(0, "a", 5) + soFar(0, "b", 3) + soFar(0, "c", 6) + usageOf(6) + done,
			[]int{5, 0, 0},
			true, 6},
		{"the final usage overrides", soFar(0, "a", 1) + soFar(0, "b", 2) + usageOf(7) + done, []int{1, 1}, true, 7},
		{"several choices", soFar(0, "a", 1) + soFar(1, "a", 1) + soFar(0, "b", 2) + soFar(1, "b", 2) + usageOf(4) +
			done,
			[]int{1, 0, 0, 0}, true, 4},
		{"several choices, cut", soFar(0, "a", 1) + soFar(1, "a", 1) + soFar(0, "b", 2), []int{1, 0, 0}, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for how, read := range ways {
				r := new(loadgen.Record)
				_ = readStream(read(body(test.body, nil)), nil, r) // the cut ones are truncated
				var tokens []int
				for chunk := range r.Chunks() {
					n := chunk.Tokens
					if chunk.Hidden {
						n = -n
					}
					tokens = append(tokens, n)
				}
				if !slices.Equal(tokens, test.chunks) || r.Counted != test.counted || r.Output != test.output ||
					r.Counted &&
						r.Input != 12 {
					t.Errorf("%s: chunks of %v tokens, %t, %d in, %d out; want %v, %t, %d", how, tokens, r.Counted,
						r.Input,
						r.Output, test.chunks, test.counted, test.output)
				}
			}
		})
	}
}

// Cached tokens and drafts are what the server tells, in a stream and in one piece alike, and unknown where it does
// not.
func TestDetailsOfUsage(t *testing.T) {
	type told struct {
		cachedTold         bool
		cached             int
		draftTold          bool
		accepted, rejected int
	}
	for _, test := range []struct {
		name, usage, beside string
		want                told
	}{
		{"nothing", ``, ``, told{}},
		{"null", `,"prompt_tokens_details":null,"completion_tokens_details":null`, `,"metrics":null`, told{}},
		{"cached", `,"prompt_tokens_details":{"cached_tokens":96,"created_cache_tokens":0}`, ``, told{cachedTold: true,
			cached: 96}},
		{"none cached", `,"prompt_tokens_details":{"cached_tokens":0}`, ``, told{cachedTold: true}},
		{"all cached", `,"prompt_tokens_details":{"cached_tokens":100}`, ``, told{cachedTold: true, cached: 100}},
		{"more than there are", `,"prompt_tokens_details":{"cached_tokens":101}`, ``, told{}},
		{"fewer than none", `,"prompt_tokens_details":{"cached_tokens":-1}`, ``, told{}},
		{"drafts", `,"completion_tokens_details":{"reasoning_tokens":0,"accepted_prediction_tokens":5,"rejected_prediction_tokens":3}`, ``, told{draftTold: true, accepted: 5, rejected: 3}},
		{"half of it", `,"completion_tokens_details":{"accepted_prediction_tokens":5}`, ``, told{}},
		{"negative drafts", `,"completion_tokens_details":{"accepted_prediction_tokens":5,"rejected_prediction_tokens":-3}`,
			``, told{}},
		{"vLLM's metrics", ``,
			`,"metrics":{"speculative_decoding":{"num_accepted_draft_tokens":10,"num_draft_tokens":129}}`,
			told{draftTold: true, accepted: 10, rejected: 119}},
		{"no drafts", ``, `,"metrics":{"speculative_decoding":{"num_accepted_draft_tokens":0,"num_draft_tokens":0}}`,
			told{draftTold: true}},
		{"more accepted than proposed", ``,
			`,"metrics":{"speculative_decoding":{"num_accepted_draft_tokens":2,"num_draft_tokens":1}}`, told{}},
		{"other metrics", ``, `,"metrics":[1]`, told{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tail := `"usage":{"prompt_tokens":100,"completion_tokens":2` + test.usage + `}` + test.beside + `}`
			var whole, streamed loadgen.Record
			if err := readWhole(strings.NewReader(`{"choices":[{"text":"a b"}],`+tail), nil, &whole); err != nil {
				t.Fatal(err)
			}
			if err := readStream(strings.NewReader(text+text+`data: {"choices":[],`+tail+"\n\n"+done), nil,
				&streamed); err != nil {
				t.Fatal(err)
			}
			for how, r := range map[string]*loadgen.Record{"whole": &whole, "streamed": &streamed} {
				got := told{r.CachedTold, r.Cached, r.DraftTold, r.AcceptedDraft, r.RejectedDraft}
				if got != test.want || !r.Counted || r.Input != 100 || r.Output != 2 {
					t.Errorf("%s: got %+v of %d and %d, want %+v", how, got, r.Input, r.Output, test.want)
				}
			}
		})
	}
}
