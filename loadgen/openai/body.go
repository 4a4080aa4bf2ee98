package openai

import (
	"encoding/json"
	"errors"

	goopenai "github.com/sashabaranov/go-openai"
)

// The request types are go-openai's. It leaves a temperature of 0 out, knows no ignore_eos, and deprecates the max_tokens
// that inference servers go by, so these are ours; an outer field takes the place of the embedded one of its name.
type completionBody struct {
	goopenai.CompletionRequest
	MaxTokens   int     `json:"max_tokens"`
	Temperature float32 `json:"temperature"`
	IgnoreEOS   bool    `json:"ignore_eos"`
}

type chatBody struct {
	goopenai.ChatCompletionRequest
	MaxTokens   int     `json:"max_tokens"`
	Temperature float32 `json:"temperature"`
	IgnoreEOS   bool    `json:"ignore_eos"`
}

// body is the JSON that asks for prompt.
func (t *Target) body(prompt *Prompt) ([]byte, error) {
	var options *goopenai.StreamOptions
	if !t.config.Whole {
		options = &goopenai.StreamOptions{IncludeUsage: true}
	}
	var request any
	switch t.config.Endpoint {
	case Chat:
		if len(prompt.Tokens) > 0 {
			return nil, errors.New("the chat endpoint takes text, not token ids; use a workload of text, or the completions endpoint")
		}
		request = chatBody{MaxTokens: prompt.Output, IgnoreEOS: true, ChatCompletionRequest: goopenai.ChatCompletionRequest{
			Model:         t.config.Model,
			Messages:      []goopenai.ChatCompletionMessage{{Role: goopenai.ChatMessageRoleUser, Content: prompt.Text}},
			Stream:        !t.config.Whole,
			StreamOptions: options,
		}}
	default:
		var content any = prompt.Text
		if len(prompt.Tokens) > 0 {
			content = prompt.Tokens
		}
		request = completionBody{MaxTokens: prompt.Output, IgnoreEOS: true, CompletionRequest: goopenai.CompletionRequest{
			Model:         t.config.Model,
			Prompt:        content,
			Stream:        !t.config.Whole,
			StreamOptions: options,
		}}
	}
	body, err := json.Marshal(request)
	if err != nil || len(t.config.Body) == 0 {
		return body, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, err
	}
	for name, value := range t.config.Body {
		if value == nil {
			delete(fields, name)
			continue
		}
		if fields[name], err = json.Marshal(value); err != nil {
			return nil, err
		}
	}
	return json.Marshal(fields)
}
