package workload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
)

// An entry is the prompt of a line.
type entry struct {
	Prompt
	line int // in the file, from 1
}

// parse reads a line.
func (e *entry) parse(line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("not UTF-8")
	}
	fields, err := jsontext.Fields(line)
	if err != nil {
		return incomplete(err)
	}
	var shape string
	var length []byte
	for _, f := range fields {
		switch f.Name {
		case "max_tokens", "output_tokens":
			if length != nil && !bytes.Equal(length, f.Value) {
				return errors.New("max_tokens and output_tokens are not the same")
			}
			length = f.Value
		case "model":
			if err := json.Unmarshal(f.Value, &e.Model); err != nil || e.Model == "" {
				return errors.New("model: want a name")
			}
		}
		if !slices.Contains(shapes, f.Name) {
			continue
		}
		if shape != "" {
			return fmt.Errorf("both %s and %s", shape, f.Name)
		}
		shape = f.Name
		if err := e.parseContent(shape, f.Value); err != nil {
			return fmt.Errorf("%s: %w", shape, err)
		}
	}
	switch {
	case shape == "":
		return errors.New("want one of " + strings.Join(shapes, ", "))
	case length == nil:
		return nil
	case shape == "body":
		return errors.New("max_tokens beside a body: want it in the body")
	}
	if e.Output, err = tokenNumber(length); err != nil {
		return fmt.Errorf("max_tokens: %w", err)
	}
	return nil
}

var shapes = []string{"prompt", "prompt_token_ids", "messages", "conversations", "body"}

func (e *entry) parseContent(shape string, value []byte) error {
	switch shape {
	case "prompt":
		if json.Unmarshal(value, &e.Text) != nil || e.Text == "" {
			return errors.New("want a text")
		}
	case "prompt_token_ids":
		const mostID = math.MaxInt32
		if json.Unmarshal(value, &e.Tokens) != nil || len(e.Tokens) == 0 || slices.Min(e.Tokens) < 0 ||
			slices.Max(e.Tokens) > mostID {
			return errors.New("want an array of token ids, from 0 to 2³¹ − 1")
		}
		e.Tokens = slices.Clip(e.Tokens)
		e.Input = len(e.Tokens)
	case "messages":
		var messages []struct {
			Role string `json:"role"`
		}
		if json.Unmarshal(value, &messages) != nil || len(messages) == 0 {
			return errors.New("want an array of messages")
		}
		for i, m := range messages {
			if m.Role == "" {
				return fmt.Errorf("message %d has no role", i)
			}
		}
		e.Messages = bytes.Clone(value)
	case "conversations":
		var turns []struct{ From, Value string }
		if json.Unmarshal(value, &turns) != nil {
			return errors.New("want an array of turns")
		}
		for _, turn := range turns {
			if turn.Value != "" && (turn.From == "human" || turn.From == "user") {
				e.Text = turn.Value
				return nil
			}
		}
		return errors.New("no turn of human or user has a value")
	case "body":
		return e.parseBody(value)
	}
	return nil
}

// parseBody takes out of a body what the target says itself.
func (e *entry) parseBody(value []byte) error {
	fields, err := jsontext.Fields(value)
	if err != nil {
		return incomplete(err)
	}
	ignoreEOS, output := false, 0
	leaveOut := map[string]bool{}
	newer := false
	for _, f := range fields {
		switch f.Name {
		case "stream", "stream_options":
			leaveOut[f.Name] = true
		case "model":
			if err := json.Unmarshal(f.Value, &e.Model); err != nil || e.Model == "" {
				return errors.New("model: want a name")
			}
			leaveOut[f.Name] = true
		case "max_tokens", "max_completion_tokens":
			if string(f.Value) == "null" || newer && f.Name == "max_tokens" {
				continue
			}
			if output, err = tokenNumber(f.Value); err != nil {
				return fmt.Errorf("%s: %w", f.Name, err)
			}
			newer = f.Name == "max_completion_tokens" // which servers prefer
		case "ignore_eos":
			ignoreEOS = string(f.Value) == "true"
		}
	}
	if ignoreEOS {
		e.Output = output
	}
	if e.Body = bytes.Clone(value); len(leaveOut) > 0 {
		e.Body = jsontext.Join(fields, leaveOut)
	}
	return nil
}

func tokenNumber(value []byte) (int, error) {
	n, err := strconv.Atoi(string(value))
	if err != nil || n < 1 || n > MaxTokens {
		return 0, errors.New("want a number from 1 to 10,000,000")
	}
	return n, nil
}

// incomplete says what an end of input is in a line that has one.
func incomplete(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object is not complete")
	}
	return err
}
