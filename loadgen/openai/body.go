package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/servegauge/servegauge/loadgen"
)

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
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if !t.replaced[name] {
			continue
		}
		if said[name] == "" {
			t.outputIs = t.outputIs || name == "max_tokens"
			continue
		}
		n, err := strconv.Atoi(said[name])
		if err != nil || n < 1 || n > mostTokens {
			return nil, invalid(name, said[name], "a number from 1 to 10,000,000")
		}
		t.output, t.outputIs = n, true
	}

	content := "prompt"
	if c.Endpoint == Chat {
		content = "messages"
	}
	var options string
	if !c.Whole {
		options = `{"include_usage":true}`
		if c.ContinuousUsage { // which servers heed only beside the other
			options = `{"include_usage":true,"continuous_usage_stats":true}`
		}
	} else if c.ContinuousUsage {
		return nil, &loadgen.InvalidError{Field: "continuous usage", Value: true, Want: "streamed answers: a Whole one has no chunks"}
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
			text += string(appendString(nil, f.name)) + ":" + f.text
			if f.slot != staticSlot {
				parts = append(parts, part{text: text}, part{slot: f.slot})
				text = ""
			}
		}
		return append(parts, part{text: text})
	}
	model := field{name: "model", slot: modelSlot}
	ours := []field{
		{name: content, slot: contentSlot}, {name: "max_tokens", slot: outputSlot},
		{name: "temperature", text: "0"}, {name: "ignore_eos", text: "true"},
	}
	stream := []field{{name: "stream", text: strconv.FormatBool(!c.Whole)}, {name: "stream_options", text: options}}
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
func (t *template) asked(p *Prompt) int {
	if t.outputIs && (len(p.Body) == 0 || p.Output != 0) {
		return t.output
	}
	return p.Output
}

// append appends the JSON that asks model for p.
func (t *template) append(b []byte, p *Prompt, model string, endpoint Endpoint) ([]byte, error) {
	if len(p.Body) > 0 {
		return t.appendVerbatim(b, p, model)
	}
	var err error
	for _, part := range t.usual {
		switch part.slot {
		case staticSlot:
			b = append(b, part.text...)
		case modelSlot:
			b = appendString(b, model)
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

func appendContent(b []byte, p *Prompt, endpoint Endpoint) ([]byte, error) {
	switch {
	case endpoint == Chat && len(p.Tokens) > 0:
		return b, errTokensToChat
	case endpoint == Chat && len(p.Messages) > 0:
		return append(b, p.Messages...), nil
	case endpoint == Chat:
		b = append(b, `[{"role":"user","content":`...)
		b = appendString(b, p.Text)
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
	return appendString(b, p.Text), nil
}

var (
	errTokensToChat          = errors.New("the chat endpoint takes text, not token ids; use a workload of text, or the completions endpoint")
	errMessagesToCompletions = errors.New("the completions endpoint takes text or token ids, not messages; use the chat endpoint")
)

// appendVerbatim appends p's body with our fields in front of its own.
func (t *template) appendVerbatim(b []byte, p *Prompt, model string) ([]byte, error) {
	for _, part := range t.verbatim {
		b = append(b, part.text...)
		if part.slot == modelSlot {
			b = appendString(b, model)
		}
	}
	body := bytes.TrimSpace(p.Body)
	if len(t.replaced) > 0 {
		fields, err := readFields(body)
		if err != nil {
			return b, fmt.Errorf("body: %w", err)
		}
		body = joinFields(fields, t.replaced)
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

// appendString appends s as JSON. What is not UTF-8 becomes U+FFFD, as encoding/json has it.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	start := 0 // of what is not written yet
	for i := 0; i < len(s); {
		c := s[i]
		size := 1
		switch {
		case c >= utf8.RuneSelf:
			var r rune
			if r, size = utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(append(b, s[start:i]...), `\ufffd`...)
		case c == '"' || c == '\\':
			b = append(append(b, s[start:i]...), '\\', c)
		case c == '\n':
			b = append(append(b, s[start:i]...), `\n`...)
		case c < ' ':
			b = append(append(b, s[start:i]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			i++
			continue
		}
		i += size
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// A jsonField is a field of an object, with its value as it was written.
type jsonField struct {
	name  string
	value json.RawMessage
}

const mostFields = 1000 // of an object; requests have some twenty

// readFields returns the fields of a JSON object in their order.
func readFields(object []byte) ([]jsonField, error) {
	in := json.NewDecoder(bytes.NewReader(object))
	if start, err := in.Token(); err != nil {
		return nil, err
	} else if start != json.Delim('{') {
		return nil, errors.New("want a JSON object")
	}
	var fields []jsonField
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		f := jsonField{name: name.(string)} // a JSON object has no other names
		if err := in.Decode(&f.value); err != nil {
			return nil, err
		}
		if fields = append(fields, f); len(fields) > mostFields {
			return nil, fmt.Errorf("more than %d fields", mostFields)
		}
	}
	if _, err := in.Token(); err != nil {
		return nil, err
	}
	if in.InputOffset() != int64(len(object)) && len(bytes.TrimSpace(object[in.InputOffset():])) > 0 {
		return nil, errors.New("more than one JSON value")
	}
	return fields, nil
}

// joinFields is the object of those fields that are not left out.
func joinFields(fields []jsonField, leaveOut map[string]bool) []byte {
	b := []byte{'{'}
	for _, f := range fields {
		if leaveOut[f.name] {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(appendString(b, f.name), ':')
		b = append(b, f.value...)
	}
	return append(b, '}')
}
