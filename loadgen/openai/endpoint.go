package openai

import (
	"bytes"
	"errors"
	"slices"

	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// An Endpoint is one of the calls that put a model to work.
type Endpoint string

const (
	Completions Endpoint = "completions" // /v1/completions: takes token ids, so that the input length is exact
	Chat        Endpoint = "chat"        // /v1/chat/completions: takes text, through the model's chat template

	// Responses is /v1/responses: text or messages in, and a stream of typed events out, of which each delta is a
	// chunk. Its answers may end before the length that was asked for: not every server knows ignore_eos there.
	Responses Endpoint = "responses"
	// Embeddings is /v1/embeddings: whole answers, without output tokens; the throughput is that of input tokens
	// ([loadgen.InputThroughput]).
	Embeddings Endpoint = "embeddings"
	// Rerank is /v1/rerank, as vLLM, llama.cpp, Jina and Cohere have it: a query and documents. Of a prompt that is
	// text the first eighth of the words is the query, and the rest are seven documents as long. Otherwise as
	// Embeddings.
	Rerank Endpoint = "rerank"
)

// Endpoints are all of them.
func Endpoints() []Endpoint { return []Endpoint{Completions, Chat, Responses, Embeddings, Rerank} }

// path is where an endpoint stands below the version.
func (e Endpoint) path() string {
	switch e {
	case Chat:
		return "/chat/completions"
	default:
		return "/" + string(e)
	}
}

// generates reports whether answers are text, token by token.
func (e Endpoint) generates() bool { return e != Embeddings && e != Rerank }

// uncheckable says why the answers of an endpoint cannot be checked by what the server says of them; "": they can be.
func (e Endpoint) uncheckable() string {
	switch e {
	case Responses:
		return "the events of responses tell no token ids"
	case Embeddings, Rerank:
		return "an answer of " + string(e) +
			" is numbers, and no tokens of which the server could say how probable they are"
	}
	return ""
}

// inText reports whether an endpoint takes no token ids.
func (e Endpoint) inText() bool { return e == Chat || e == Responses || e == Rerank }

// fields are the names of what holds the prompt, and of how many tokens are asked for; "": nobody asks.
func (e Endpoint) fields() (content, output string) {
	switch e {
	case Chat:
		return "messages", "max_tokens"
	case Responses:
		return "input", "max_output_tokens"
	case Embeddings:
		return "input", ""
	case Rerank:
		return "query", ""
	}
	return "prompt", "max_tokens"
}

const rerankParts = 8

var errRerank = errors.New("the rerank endpoint takes text, of which it makes a query and documents, or a whole body")

// appendRerank appends a query and, as further fields, its documents.
func appendRerank(b []byte, p *workload.Prompt) ([]byte, error) {
	if len(p.Tokens) > 0 || len(p.Messages) > 0 {
		return b, errRerank
	}
	words := bytes.Fields([]byte(p.Text))
	each := max(1, (len(words)+rerankParts-1)/rerankParts)
	first := true
	for part := range slices.Chunk(words, each) {
		text := string(bytes.Join(part, []byte(" ")))
		switch {
		case first:
			b = append(jsontext.AppendString(b, text), `,"documents":[`...)
			first = false
			if len(words) <= each { // a query alone has to be compared with something
				b = jsontext.AppendString(b, text)
			}
			continue
		case b[len(b)-1] != '[':
			b = append(b, ',')
		}
		b = jsontext.AppendString(b, text)
	}
	return append(b, ']'), nil
}
