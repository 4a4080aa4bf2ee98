package loadgentest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// talk holds a chat of some turns with a server, each of so many words, and returns what was cached of each.
func talk(t *testing.T, sim *Simulated, turns, words, output int, change func(turn int, answer string) string) []int {
	t.Helper()
	type message struct{ Role, Content string }
	var messages []message
	var cached []int
	for turn := range turns {
		user := strings.TrimSpace(strings.Repeat(fmt.Sprintf(" u%d", turn), words))
		messages = append(messages, message{"user", user})
		asked, _ := json.Marshal(map[string]any{"messages": messages, "max_tokens": output})
		r := post(t.Context(), sim, chat, strings.NewReplacer("Role", "role", "Content",
			"content").Replace(string(asked)), &recorder{})
		var got struct {
			Choices []struct{ Message struct{ Content string } }
			Usage   struct {
				Prompt  int `json:"prompt_tokens"`
				Details struct {
					Cached int `json:"cached_tokens"`
				} `json:"prompt_tokens_details"`
			}
		}
		if err := json.Unmarshal(r.body(), &got); err != nil || len(got.Choices) != 1 {
			t.Fatalf("%v: %s", err, r.body())
		}
		if want := (turn+1)*words + turn*output; got.Usage.Prompt != want {
			t.Errorf("turn %d has %d tokens, want %d", turn, got.Usage.Prompt, want)
		}
		var said []string
		for _, m := range messages {
			said = append(said, m.Content)
		}
		answer := got.Choices[0].Message.Content
		if want := Answer(strings.Join(said, " "), output); answer != want {
			t.Errorf("turn %d is answered by %q, want %q", turn, answer, want)
		}
		cached = append(cached, got.Usage.Details.Cached)
		messages = append(messages, message{"assistant", change(turn, answer)})
	}
	return cached
}

// A turn finds in the cache all of the turn before it, prompt and answer, but for the answer's last token, in whole
// blocks; and a server that was told of answers that it would not have given says so.
func TestAnswersDependOnThePrompt(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(turn int, answer string) string
		cached  []int
		strange int
	}{
		"its own": {func(_ int, a string) string { return a }, []int{0, 12, 28, 44}, 0},
		"with other space": {func(_ int, a string) string { return strings.ReplaceAll(a, " ", "\n ") },
			[]int{0, 12, 28, 44}, 0},
		"the first is another's": {func(turn int, a string) string {
			if turn == 0 {
				return Answer("x", 5)
			}
			return a
		}, []int{0, 8, 28, 44}, 3},
		"another text in the middle": {func(turn int, a string) string {
			if turn == 1 {
				return strings.Repeat(" x", 5)
			}
			return a
		}, []int{0, 12, 24, 44}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim := &Simulated{MaxSequences: 4, DecodeRate: 100, KVBlocks: 100, BlockTokens: 4, PrefixCache: true}
				// 11 words and 5 tokens: turns of 11, 27, 43 and 59 tokens, of which the computed are 15, 31 and 47.
				cached := talk(t, sim, 4, 11, 5, test.change)
				if fmt.Sprint(cached) != fmt.Sprint(test.cached) {
					t.Errorf("cached %v, want %v", cached, test.cached)
				}
				if c := sim.Counts(); c.Turns != 6 || c.Strange != test.strange {
					t.Errorf("%d turns, %d strange; want 6, %d", c.Turns, c.Strange, test.strange)
				}
			})
		})
	}
}
