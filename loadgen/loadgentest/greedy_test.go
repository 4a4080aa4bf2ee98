package loadgentest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// answerOf asks h for a completion and returns the body of the answer.
func answerOf(t *testing.T, h http.Handler, body string) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/v1/completions", strings.NewReader(body)))
	if w.Code != http.StatusOK {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// idsOf are the token ids of an answer, streamed or not, and how long its text is.
func idsOf(t *testing.T, answer string) (ids []int, words int) {
	t.Helper()
	for line := range strings.Lines(answer) {
		line = strings.TrimPrefix(strings.TrimSpace(line), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue
		}
		var chunk struct {
			Choices []struct {
				Text     string
				TokenIDs []int `json:"token_ids"`
			}
		}
		if err := json.Unmarshal([]byte(line), &chunk); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		for _, c := range chunk.Choices {
			ids = append(ids, c.TokenIDs...)
			words += len(strings.Fields(c.Text))
		}
	}
	return ids, words
}

// The answer is the function of the prompt that Next says, however it comes, and however the prompt is given; and what
// the server says of it is what Wrong says.
func TestGreedyAnswersByItsRule(t *testing.T) {
	g := &Greedy{}
	said := []int{5, 6, 7}
	var want []int
	for range 9 {
		best, _ := g.Next(append(slices.Clone(said), want...))
		want = append(want, best)
	}
	for _, prompt := range []string{"[5,6,7]", `"t5 t6 t7"`, `[5,"t6 t7"]`, `[[5],6,7]`} {
		for _, stream := range []bool{false, true} {
			body := fmt.Sprintf(`{"model":"greedy","prompt":%s,"max_tokens":9,"stream":%v,"return_token_ids":true}`,
				prompt, stream)
			if ids, words := idsOf(t, answerOf(t, g, body)); !slices.Equal(ids, want) || words != 9 {
				t.Errorf("%s: %v (%d words), want %v", body, ids, words, want)
			}
		}
	}
	if at := g.Wrong(said, want, 1); at != nil {
		t.Errorf("wrong at %v", at)
	}
	other := slices.Clone(want)
	other[4] = (other[4] + 1) % 4000
	// what followed was of the other
	if at := g.Wrong(said, other, 1); len(at) == 0 || at[0] != 4 || !slices.Contains(at, 5) {
		t.Errorf("wrong at %v", at)
	}
}

// What passes is the server's own, byte by byte; what is corrupted has as many tokens, and is counted and told of.
func TestCorrupting(t *testing.T) {
	body := func(i int, stream bool) string {
		return fmt.Sprintf(`{"model":"greedy","prompt":[%d],"max_tokens":20,"stream":%v,"return_token_ids":true}`, i,
			stream)
	}
	for _, kind := range []Corruption{Garbage, Repetition, AnothersReply} {
		var struck []string
		c := &Corrupting{Handler: &Greedy{}, Rate: 0.3, Kinds: []Corruption{kind}, Seed: 2,
			Struck: func(k Corruption, body []byte) { struck = append(struck, string(body)) }}
		changed := 0
		for i := range 60 {
			plain, through := answerOf(t, &Greedy{}, body(i, true)), answerOf(t, c, body(i, true))
			if plain == through {
				continue
			}
			changed++
			own, _ := idsOf(t, plain)
			ids, words := idsOf(t, through)
			if len(ids) != len(own) || words != len(own) || slices.Equal(ids, own) ||
				!slices.Contains(struck, body(i, true)) {
				t.Errorf("%s: %v with %d words for %v", kind, ids, words, own)
			}
		}
		if n := c.Counts(); n.Requests != 60 || n.Corrupted != changed || changed != len(struck) || changed < 8 ||
			changed > 30 {
			t.Errorf("%s: %+v, %d changed, %d told of", kind, n, changed, len(struck))
		}
	}
	if n := (&Corrupting{Handler: &Greedy{}, Rate: 1}); answerOf(t, n, body(1, false)) != answerOf(t, &Greedy{},
		body(1, false)) {
		t.Error("an answer in one piece is corrupted")
	}
	if n := (&Corrupting{Handler: &Greedy{}, Rate: 1, InFlight: 1}); answerOf(t, n, body(1, true)) != answerOf(t,
		&Greedy{}, body(1, true)) {
		t.Error("one at a time is corrupted, though that begins with two")
	}
	for _, c := range []*Corrupting{{}, {Handler: &Greedy{}, URL: "http://a"}, {URL: "http://a", Rate: 1.1},
		{URL: "http://a", Rate: -1},
		{URL: ":", Rate: 1}, {URL: "http://a", Kinds: []Corruption{"odd"}}} {
		if c.Validate() == nil {
			t.Errorf("%+v is valid", c)
		}
	}
}

// Through a network, in front of a server elsewhere, chunks come when they do.
func TestCorruptingIsAProxy(t *testing.T) {
	server := httptest.NewServer(&Greedy{Step: 20 * time.Millisecond})
	defer server.Close()
	proxy := httptest.NewServer(&Corrupting{URL: server.URL})
	defer proxy.Close()
	response, err := http.Post(proxy.URL+"/v1/completions", "application/json",
		strings.NewReader(`{"model":"greedy","prompt":[1],"max_tokens":5,"stream":true}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	reads := 0
	for buffer := make([]byte, 4096); err == nil; {
		var n int
		if n, err = response.Body.Read(buffer); n > 0 {
			reads++
		}
	}
	if reads < 3 {
		t.Errorf("5 chunks, 20 ms apart, came in %d reads", reads)
	}
}
