package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// mostTokens is more than any model takes or gives in one request.
const mostTokens = workload.MaxTokens

// A template is the JSON of a target's requests with holes for what changes from request to request. Most of a body is
// the same each time, and a prompt of token ids is digits and commas: writing it takes half the
// time of json.Marshal, and no memory.
type template struct {
	usual    []part // around a prompt's content
	verbatim []part // in front of a body's own fields

	replaced map[string]bool // fields that are said by [Config].Body
	output   int             // max_tokens by [Config].Body, 0: it takes them out
	outputIs bool            // whether output counts
}

type part struct {
	text string // JSON, where slot is staticSlot
	slot slot
}

type slot int

const (
	staticSlot slot = iota
	modelSlot
	contentSlot
	outputSlot
)

// newTemplate returns the template for c, or a [*loadgen.InvalidError] for its Body.
func newTemplate(c *Config) (*template, error) {
	invalid := func(name string, value any, want string) error {
		return &loadgen.InvalidError{Field: "body field " + strconv.Quote(name), Value: value, Want: want}
	}
	t := &template{replaced: map[string]bool{}}
	said := map[string]string{}
	for name, value := range c.Body {
		if name == "stream" {
			return nil, invalid(name, value, "it left to Whole, by which answers are read")
		}
		t.replaced[name] = true
		if value == nil {
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, invalid(name, "(not shown)", "what JSON can hold: "+err.Error())
		}
		said[name] = string(text)
	}
	// Servers prefer the newer name where both are there.
	for _, name := range []string{"max_tokens", "max_output_tokens", "max_completion_tokens"} {
		if !t.replaced[name] {
			continue
		}
		if said[name] == "" {
			t.outputIs = t.outputIs || name != "max_completion_tokens"
			continue
		}
		n, err := strconv.Atoi(said[name])
		if err != nil || n < 1 || n > mostTokens {
			return nil, invalid(name, said[name], "a number from 1 to 10,000,000")
		}
		t.output, t.outputIs = n, true
	}

	content, output := c.Endpoint.fields()
	var options string
	if !c.Whole && c.Endpoint != Responses {
		options = `{"include_usage":true}`
		if c.ContinuousUsage { // which servers heed only beside the other
			options = `{"include_usage":true,"continuous_usage_stats":true}`
		}
	} else if c.ContinuousUsage && c.Whole {
		return nil, &loadgen.InvalidError{Field: "continuous usage", Value: true,
			Want: "streamed answers: a Whole one has no chunks"}
	}
	type field struct {
		name, text string
		slot       slot
	}
	write := func(fields ...field) []part {
		var parts []part
		text := "{"
		for _, f := range fields {
			if t.replaced[f.name] {
				if f.text, f.slot = said[f.name], staticSlot; f.text == "" {
					continue
				}
			}
			if f.slot == staticSlot && f.text == "" {
				continue
			}
			if len(text) > 1 || len(parts) > 0 {
				text += ","
			}
			text += string(jsontext.AppendString(nil, f.name)) + ":" + f.text
			if f.slot != staticSlot {
				parts = append(parts, part{text: text}, part{slot: f.slot})
				text = ""
			}
		}
		return append(parts, part{text: text})
	}
	model := field{name: "model", slot: modelSlot}
	ours := []field{
		{name: content, slot: contentSlot}, {name: output, slot: outputSlot},
		{name: "temperature", text: "0"}, {name: "ignore_eos", text: "true"},
	}
	stream := []field{{name: "stream", text: strconv.FormatBool(!c.Whole)}, {name: "stream_options", text: options}}
	if !c.Endpoint.generates() {
		ours, stream = ours[:1], nil
	}
	var more []field
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if name != "model" && name != "stream_options" {
			more = append(more, field{name: name})
		}
	}
	t.verbatim = write(slices.Concat([]field{model}, stream, more)...)
	more = slices.DeleteFunc(more, func(f field) bool {
		return slices.ContainsFunc(ours, func(o field) bool { return o.name == f.name })
	})
	t.usual = write(slices.Concat([]field{model}, ours, stream, more)...)
	return t, nil
}

// asked is how many tokens the body of p asks for, 0 if it does not say.
func (t *template) asked(p *workload.Prompt) int {
	if t.outputIs && (len(p.Body) == 0 || p.Output != 0) {
		return t.output
	}
	return p.Output
}

// append appends the JSON that asks model for p.
func (t *template) append(b []byte, p *workload.Prompt, model string, endpoint Endpoint) ([]byte, error) {
	if len(p.Body) > 0 {
		return t.appendVerbatim(b, p, model)
	}
	var err error
	for _, part := range t.usual {
		switch part.slot {
		case staticSlot:
			b = append(b, part.text...)
		case modelSlot:
			b = jsontext.AppendString(b, model)
		case outputSlot:
			b = strconv.AppendInt(b, int64(p.Output), 10)
		case contentSlot:
			if b, err = appendContent(b, p, endpoint); err != nil {
				return b, err
			}
		}
	}
	return append(b, '}'), nil
}

func appendContent(b []byte, p *workload.Prompt, endpoint Endpoint) ([]byte, error) {
	switch {
	case endpoint == Rerank:
		return appendRerank(b, p)
	case endpoint.inText() && len(p.Tokens) > 0:
		return b, errTokensToChat
	case endpoint.inText() && len(p.Messages) > 0:
		return append(b, p.Messages...), nil
	case endpoint == Chat:
		b = append(b, `[{"role":"user","content":`...)
		b = jsontext.AppendString(b, p.Text)
		return append(b, "}]"...), nil
	case len(p.Tokens) > 0:
		b = slices.Grow(b, 6*len(p.Tokens))
		b = append(b, '[')
		for _, id := range p.Tokens {
			b = append(strconv.AppendInt(b, int64(id), 10), ',')
		}
		b[len(b)-1] = ']'
		return b, nil
	case len(p.Messages) > 0:
		return b, errMessagesToCompletions
	}
	return jsontext.AppendString(b, p.Text), nil
}

var (
	errTokensToChat = errors.New("the endpoint takes text, not token ids; use a workload of text, or the " +
		"completions endpoint")
	errMessagesToCompletions = errors.New("the endpoint takes text or token ids, not messages; use the " +
		"chat endpoint")
)

// appendVerbatim appends p's body with our fields in front of its own.
func (t *template) appendVerbatim(b []byte, p *workload.Prompt, model string) ([]byte, error) {
	for _, part := range t.verbatim {
		b = append(b, part.text...)
		if part.slot == modelSlot {
			b = jsontext.AppendString(b, model)
		}
	}
	body := bytes.TrimSpace(p.Body)
	if len(t.replaced) > 0 {
		fields, err := jsontext.Fields(body)
		if err != nil {
			return b, fmt.Errorf("body: %w", err)
		}
		body = jsontext.Join(fields, t.replaced)
	}
	if len(body) < 2 || body[0] != '{' || body[len(body)-1] != '}' {
		return b, errors.New("body: want a JSON object")
	}
	if rest := bytes.TrimLeft(body[1:], " \t\r\n"); rest[0] != '}' {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		return append(b, rest...), nil
	}
	return append(b, '}'), nil
}
