package loadgentest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// tokenize answers /tokenize as vLLM does: for a prompt that is a text, or for
// messages, it counts as many tokens as a completion's usage would, and gives each
// word an id, the same wherever it stands.
func (x *exchange) tokenize(w http.ResponseWriter, l limits) {
	var q struct {
		Model    *string
		Prompt   *string
		Messages []struct {
			Content json.RawMessage
		}
	}
	if err := json.Unmarshal(x.body, &q); err != nil {
		fail(w, http.StatusBadRequest, "", "The request is not one for /tokenize: "+err.Error())
		return
	}
	if q.Model != nil && *q.Model != "" && !l.anyModel && *q.Model != l.model {
		noModel(w, *q.Model)
		return
	}
	var words []string
	switch {
	case q.Prompt != nil:
		words = strings.Fields(*q.Prompt)
	case len(q.Messages) > 0:
		for _, m := range q.Messages {
			words = append(words, messageWords(m.Content)...)
		}
	default:
		fail(w, http.StatusBadRequest, "", "prompt and messages are missing")
		return
	}
	if len(words) == 0 {
		words = []string{""} // a real server adds a first token of its own
	}
	b := append(x.out[:0], `{"count":`...)
	b = strconv.AppendInt(b, int64(len(words)), 10)
	b = append(b, `,"max_model_len":`...)
	if l.length > 0 {
		b = strconv.AppendInt(b, int64(l.length), 10)
	} else {
		b = append(b, `null`...)
	}
	b = append(b, `,"tokens":[`...)
	for i, word := range words {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, wordID([]byte(word), l.vocab), 10)
	}
	x.out = append(b, `],"token_strs":null}`...)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(x.out)
}

// detokenize answers /detokenize: a word for each id, so that /tokenize counts as
// many again. They are not the words that had those ids, which nobody keeps.
func (x *exchange) detokenize(w http.ResponseWriter, l limits) {
	var q struct {
		Model  *string
		Tokens []uint32
	}
	if err := json.Unmarshal(x.body, &q); err != nil {
		fail(w, http.StatusBadRequest, "", "The request is not one for /detokenize: "+err.Error())
		return
	}
	if q.Model != nil && *q.Model != "" && !l.anyModel && *q.Model != l.model {
		noModel(w, *q.Model)
		return
	}
	b := append(x.out[:0], `{"prompt":"`...)
	for i, id := range q.Tokens {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(b, 'w')
		b = strconv.AppendUint(b, uint64(id), 10)
	}
	x.out = append(b, `"}`...)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(x.out)
}

// messageWords returns the words of a message's content, a text or parts.
func messageWords(content json.RawMessage) []string {
	var text string
	if json.Unmarshal(content, &text) == nil {
		return strings.Fields(text)
	}
	var parts []struct{ Text string }
	if json.Unmarshal(content, &parts) != nil {
		return nil // null, or what a completion would refuse
	}
	var words []string
	for _, p := range parts {
		words = append(words, strings.Fields(p.Text)...)
	}
	return words
}
