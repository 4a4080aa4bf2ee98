package loadgentest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// Greedy is a server whose answers are a function of the prompt, and which can say what it thinks of an answer: so
// that what a client makes of answers can be checked against the truth. Its model has no weights, only a rule: what
// was said so far, prompt and answer, decides which token is the most probable next one ([Greedy.Next]), with a
// log-probability of −0.1; every other has −8. At a tie, which is a share of all positions, a second one has −0.15,
// and is given in every other answer, as a healthy server does whose batches vary: what comes after it is another
// answer, by the same rule.
//
// It speaks completions and chat, streamed and not, and answers
//
//   - return_token_ids with the ids of prompt and answer, as vLLM does;
//   - prompt_logprobs with the log-probabilities of the prompt's tokens, each beside the most probable one;
//   - logprobs with the most probable tokens of each position, under return_tokens_as_token_ids by their ids.
//
// A token's text is " t" and its id; a word of a text that is none of these has an id by its hash. Prompts may also be
// arrays of ids and texts.
//
// The zero Greedy takes no time. A Greedy must not be copied, and its fields must not be changed, once it serves.
type Greedy struct {
	Model string        // the only model's name; "": "greedy"
	Vocab int           // how many tokens there are; 0: 4,000
	Step  time.Duration // for each token of an answer
	Ties  float64       // share of positions that are one

	// Flat has the model care little for what was said, as one with random weights: the most probable token still
	// depends on it, and no other is more than half a nat behind.
	Flat bool

	NoTokenIDs   bool // return_token_ids is ignored
	NoScores     bool // prompt_logprobs is ignored
	NoLogprobs   bool // logprobs is ignored
	MaxModelLen  int  // tokens of prompt and answer together, beyond which a request is refused; 0: no limit
	RefuseScores int  // with another status than 0, requests for prompt_logprobs are refused with it

	answers atomic.Uint64 // begun
}

const (
	bestLogprob = -0.1
	tieLogprob  = -0.15
	restLogprob = -8
	flatLogprob = -0.6
)

func (g *Greedy) vocab() int { return cmp.Or(g.Vocab, 4000) }

// Next is the most probable token after what was said, and the second one, which is −1 where the position is no tie.
func (g *Greedy) Next(said []int) (best, second int) {
	// Only the last 64 and their number count, so that an answer takes time in proportion to its length.
	h := fnv.New64a()
	for _, id := range said[max(0, len(said)-64):] {
		_, _ = h.Write(strconv.AppendInt(nil, int64(id), 36)) // a hash's Write cannot fail
		_, _ = h.Write([]byte{' '})
	}
	sum := h.Sum64() ^ uint64(len(said))*0x9e3779b97f4a7c15
	sum ^= sum >> 29
	sum *= 0xbf58476d1ce4e5b9
	sum ^= sum >> 32
	best, second = int(sum%uint64(g.vocab())), -1
	if float64(sum>>40)/(1<<24) < g.Ties {
		second = (best + 1) % g.vocab()
	}
	return best, second
}

// logprob is that of a token after what was said.
func (g *Greedy) logprob(said []int, id int) float64 {
	best, second := g.Next(said)
	switch {
	case id == best:
		return bestLogprob
	case g.Flat:
		return flatLogprob
	case id == second:
		return tieLogprob
	}
	return restLogprob
}

// A greedyRequest is what is asked.
type greedyRequest struct {
	Model         string
	Prompt        json.RawMessage
	Messages      []struct{ Content json.RawMessage }
	MaxTokens     *int `json:"max_tokens"`
	Stream        bool
	StreamOptions struct {
		Usage bool `json:"include_usage"`
	} `json:"stream_options"`
	TokenIDs bool `json:"return_token_ids"`
	Scores   *int `json:"prompt_logprobs"`
	Logprobs *int `json:"logprobs"`
	AsIDs    bool `json:"return_tokens_as_token_ids"`
}

// ServeHTTP answers a request.
func (g *Greedy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	model := cmp.Or(g.Model, "greedy")
	switch r.URL.Path {
	case "/v1/models":
		x := receive()
		defer x.release()
		x.models(w, limits{model: model, length: g.MaxModelLen})
		return
	case "/health":
		return
	case "/v1/completions", "/v1/chat/completions":
	default:
		fail(w, http.StatusNotFound, "", "Not Found")
		return
	}
	var q greedyRequest
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	var said []int
	chat := r.URL.Path == "/v1/chat/completions"
	if err == nil {
		said, err = g.read(&q, chat)
	}
	switch {
	case err != nil:
		fail(w, http.StatusBadRequest, "", err.Error())
		return
	case q.Model != model:
		noModel(w, q.Model)
		return
	case q.Scores != nil && g.RefuseScores != 0:
		fail(w, g.RefuseScores, "", "It was to be refused.")
		return
	}
	n := defaultOutput
	if q.MaxTokens != nil {
		n = *q.MaxTokens
	}
	if g.MaxModelLen > 0 && len(said)+n > g.MaxModelLen {
		fail(w, http.StatusBadRequest, "", fmt.Sprintf("This model's maximum context length is %d tokens.",
			g.MaxModelLen))
		return
	}
	a := greedyAnswer{of: g, w: w, request: &q, chat: chat, prompt: len(said), said: said}
	a.write(r, n)
}

// read is the prompt as token ids.
func (g *Greedy) read(q *greedyRequest, chat bool) (said []int, err error) {
	if chat {
		for _, m := range q.Messages {
			said = append(said, g.words(strings.Join(messageWords(m.Content), " "))...)
		}
	} else if said, err = g.prompt(q.Prompt); err != nil {
		return nil, err
	}
	for _, id := range said {
		if id < 0 || id >= g.vocab() {
			return nil, fmt.Errorf("token id %d is out of vocabulary", id)
		}
	}
	if len(said) == 0 {
		return nil, fmt.Errorf("there is no prompt")
	}
	return said, nil
}

// prompt reads a text, or an array of ids and texts.
func (g *Greedy) prompt(raw json.RawMessage) (said []int, err error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return g.words(text), nil
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fmt.Errorf("prompt: %w", err)
	}
	for _, part := range parts {
		var id int
		if json.Unmarshal(part, &id) == nil {
			said = append(said, id)
			continue
		}
		more, err := g.prompt(part)
		if err != nil {
			return nil, err
		}
		said = append(said, more...)
	}
	return said, nil
}

// words are the ids of a text's words.
func (g *Greedy) words(text string) (ids []int) {
	for _, word := range strings.Fields(text) {
		digits, own := strings.CutPrefix(word, "t")
		if id, err := strconv.Atoi(digits); own && err == nil && id >= 0 && id < g.vocab() {
			ids = append(ids, id)
			continue
		}
		h := fnv.New32a()
		_, _ = h.Write([]byte(word))
		ids = append(ids, int(h.Sum32()%uint32(g.vocab())))
	}
	return ids
}

// A greedyAnswer is one that is being given.
type greedyAnswer struct {
	of      *Greedy
	w       http.ResponseWriter
	request *greedyRequest
	chat    bool
	prompt  int   // tokens of it
	said    []int // with the prompt
}

type jsonObject = map[string]any

// write gives n tokens.
func (a *greedyAnswer) write(r *http.Request, n int) {
	g := a.of
	second := g.answers.Add(1)%2 == 0 // of a tie
	flusher := http.NewResponseController(a.w)
	if a.request.Stream {
		a.w.Header()["Content-Type"] = contentSSE
		if a.chat {
			a.event(a.choice(nil, "", -1), jsonObject{"prompt_token_ids": a.promptIDs()})
		}
	}
	var texts strings.Builder
	var tops []jsonObject
	for i := range n {
		if g.Step > 0 {
			select {
			case <-time.After(g.Step):
			case <-r.Context().Done():
				return
			}
		}
		id, other := g.Next(a.said)
		if other >= 0 && second {
			id = other
		}
		few := a.few()
		a.said = append(a.said, id)
		text := " t" + strconv.Itoa(id)
		if texts.WriteString(text); !a.request.Stream {
			tops = append(tops, few...)
			continue
		}
		finish := ""
		if i == n-1 {
			finish = "length"
		}
		choice := a.choice([]int{id}, text, i)
		if finish != "" {
			choice["finish_reason"] = finish
		}
		a.event(choice, jsonObject{})
		if flusher.Flush() != nil {
			return
		}
	}
	usage := jsonObject{"prompt_tokens": a.prompt, "completion_tokens": n, "total_tokens": a.prompt + n}
	if a.request.Stream {
		if a.request.StreamOptions.Usage {
			a.send(jsonObject{"choices": []any{}, "usage": usage})
		}
		_, _ = io.WriteString(a.w, "data: [DONE]\n\n")
		return
	}
	whole := a.choice(a.said[a.prompt:], texts.String(), 0)
	whole["finish_reason"] = "length"
	if len(tops) > 0 {
		whole["logprobs"] = jsonObject{"top_logprobs": tops}
	}
	if a.request.Scores != nil && !g.NoScores {
		whole["prompt_logprobs"] = a.scores()
	}
	answer := jsonObject{"choices": []any{whole}, "usage": usage}
	if a.chat {
		answer["prompt_token_ids"] = a.promptIDs()
	}
	a.w.Header()["Content-Type"] = contentJSON
	_ = json.NewEncoder(a.w).Encode(answer) // the client is gone: nobody is left to be told
}

// ids are ids as far as they are told.
func (a *greedyAnswer) ids(ids []int) any {
	if !a.request.TokenIDs || a.of.NoTokenIDs {
		return nil
	}
	return ids
}

func (a *greedyAnswer) promptIDs() any { return a.ids(a.said[:a.prompt]) }

// choice is the choice of a chunk that is the i-th, or of a whole answer; −1: it is the first of a chat.
func (a *greedyAnswer) choice(ids []int, text string, i int) jsonObject {
	c := jsonObject{"index": 0, "logprobs": nil, "finish_reason": nil, "token_ids": a.ids(ids)}
	switch {
	case a.chat && i < 0:
		c["delta"] = jsonObject{"role": "assistant", "content": ""}
	case a.chat && a.request.Stream:
		c["delta"] = jsonObject{"content": text}
	case a.chat:
		c["message"] = jsonObject{"role": "assistant", "content": text}
	default:
		c["text"], c["prompt_token_ids"] = text, nil
		if i == 0 {
			c["prompt_token_ids"] = a.promptIDs()
		}
	}
	return c
}

// event sends a chunk.
func (a *greedyAnswer) event(choice jsonObject, more jsonObject) {
	more["choices"] = []any{choice}
	a.send(more)
}

func (a *greedyAnswer) send(o jsonObject) {
	text, _ := json.Marshal(o) // of plain values: cannot fail
	_, _ = fmt.Fprintf(a.w, "data: %s\n\n", text)
}

// few are the most probable tokens of the next position, where they were asked for.
func (a *greedyAnswer) few() []jsonObject {
	if a.request.Logprobs == nil || a.of.NoLogprobs {
		return nil
	}
	best, second := a.of.Next(a.said)
	if second < 0 {
		second = (best + 1) % a.of.vocab()
	}
	few := jsonObject{}
	for _, id := range []int{best, second, (best + 2) % a.of.vocab()} {
		name := " t" + strconv.Itoa(id)
		if a.request.AsIDs {
			name = "token_id:" + strconv.Itoa(id)
		}
		few[name] = a.of.logprob(a.said, id)
	}
	return []jsonObject{few}
}

// scores are the log-probabilities of the prompt.
func (a *greedyAnswer) scores() []any {
	scores := []any{nil}
	for i := 1; i < a.prompt; i++ {
		before := a.said[:i]
		best, _ := a.of.Next(before)
		entry := jsonObject{}
		for _, id := range []int{best, a.said[i]} {
			entry[strconv.Itoa(id)] = jsonObject{"logprob": a.of.logprob(before, id),
				"decoded_token": " t" + strconv.Itoa(id)}
		}
		scores = append(scores, entry)
	}
	return scores
}

// Wrong is at which positions of an answer a token was given that is less probable than the best one by more than so
// many nats.
func (g *Greedy) Wrong(prompt, answer []int, nats float64) (at []int) {
	said := slices.Clone(prompt)
	for i, id := range answer {
		best, _ := g.Next(said)
		if g.logprob(said, best)-g.logprob(said, id) > nats {
			at = append(at, i)
		}
		said = append(said, id)
	}
	return at
}
