// Package strictjson reads what people write by hand as JSON: a member that nobody knows is an error, as a slip of the
// hand is, and each error says where in the text it is.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// An Error is what is wrong with a text, and where.
type Error struct {
	Line, Column int // both from 1; the column in bytes
	Err          error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Unmarshal decodes the one JSON value that text is into v, as [json.Unmarshal] does, and refuses members that v does not
// have, and whatever comes after the value. The error is an [*Error].
func Unmarshal(text []byte, v any) error {
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	err := in.Decode(v)
	if err == nil {
		end := in.InputOffset()
		if _, err := in.Token(); err != io.EOF {
			return at(text, end+int64(len(text[end:])-len(bytes.TrimLeft(text[end:], " \t\r\n"))), errors.New("something follows the value"))
		}
		return nil
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return at(text, max(syntax.Offset-1, 0), err)
	case errors.As(err, &kind):
		return at(text, max(kind.Offset-1, 0), fmt.Errorf("%s of %s: want another type, not %s", kind.Field, kind.Struct, kind.Value))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return at(text, int64(len(text)), errors.New("the text ends too early"))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return at(text, memberNamed(text, name), fmt.Errorf("there is no member %s", name))
	}
	return at(text, in.InputOffset(), err)
}

// memberNamed is where the first member of a name, in quotes, stands.
func memberNamed(text []byte, quoted string) int64 {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	var open []json.Delim // what is open, innermost last
	key := false          // the next token of an object is a key
	for {
		token, err := in.Token()
		if err != nil {
			return 0
		}
		inObject := len(open) > 0 && open[len(open)-1] == '{'
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				open = append(open, t)
				key = t == '{'
				continue
			}
			open = open[:len(open)-1]
		case string:
			if inObject && key {
				if fmt.Sprintf("%q", t) == quoted {
					end := in.InputOffset()
					return max(int64(bytes.LastIndex(text[:end-1], []byte(`"`))), 0)
				}
				key = false
				continue
			}
		}
		key = len(open) > 0 && open[len(open)-1] == '{'
	}
}

func at(text []byte, offset int64, err error) error {
	before := text[:min(offset, int64(len(text)))]
	line := bytes.Count(before, []byte("\n"))
	return &Error{Line: line + 1, Column: len(before) - bytes.LastIndexByte(before, '\n'), Err: err}
}
