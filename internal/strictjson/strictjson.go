// Package strictjson reads what people write by hand as JSON: a member that nobody knows is an error, as a slip of
// the hand is, and each error says where in the text it is.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// An Error is what is wrong with a text, and where.
type Error struct {
	Line, Column int // both from 1; the column in bytes
	Err          error
}

func (e *Error) Error() string { return fmt.Sprintf("line %d, column %d: %v", e.Line, e.Column, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Unmarshal decodes the one JSON value that text is into v, as [json.Unmarshal] does, and refuses members that v
// does not have, two of one name in an object, and whatever comes after the value. The error is an [*Error].
func Unmarshal(text []byte, v any) error {
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	err := in.Decode(v)
	if err == nil {
		end := in.InputOffset()
		if _, err := in.Token(); err != io.EOF {
			return at(text, end+int64(len(text[end:])-len(bytes.TrimLeft(text[end:], " \t\r\n"))), errors.New("something follows the value"))
		}
		return twice(text)
	}
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return at(text, max(syntax.Offset-1, 0), err)
	case errors.As(err, &kind):
		if kind.Field == "" { // of the whole
			return at(text, max(kind.Offset-1, 0), fmt.Errorf("want an object, not: %s", kind.Value))
		}
		return at(text, max(kind.Offset-1, 0), fmt.Errorf("%s of %s: want another type, not %s", kind.Field, kind.Struct, kind.Value))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return at(text, int64(len(text)), errors.New("the text ends too early"))
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return at(text, memberNamed(text, name), fmt.Errorf("there is no member %s", name))
	}
	return at(text, culprit(text, v), err)
}

// memberNamed is where the first member of a name, in quotes, stands.
func memberNamed(text []byte, quoted string) (where int64) {
	members(text, func(_ int, name string, offset int64) bool {
		where = offset
		return fmt.Sprintf("%q", name) != quoted
	})
	return where
}

// twice is an error where an object has two members of one name, of which the decoder would take the second:
//
//	{"runs": 3, "levels": [1, 8], "runs": 5}
func twice(text []byte) (err error) {
	type member struct {
		object int
		name   string
	}
	seen := map[member]bool{}
	members(text, func(object int, name string, offset int64) bool {
		if seen[member{object, name}] {
			err = at(text, offset, fmt.Errorf("the member %q stands there twice", name))
		}
		seen[member{object, name}] = true
		return err == nil
	})
	return err
}

// members calls each with the members of all objects, in the order of the text, until it returns false: which
// object, by its number, what the member is called, and where that stands.
func members(text []byte, each func(object int, name string, offset int64) bool) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	type open struct {
		number int
		array  bool
	}
	var within []open // what is open, innermost last
	objects, key := 0, false
	for {
		token, err := in.Token()
		if err != nil {
			return
		}
		name, isString := token.(string)
		if isString && key {
			end := in.InputOffset()
			start := int64(bytes.LastIndexByte(text[:end-1], '"')) // a name with an escaped quote is found a little late
			if !each(within[len(within)-1].number, name, max(start, 0)) {
				return
			}
			key = false
			continue
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			objects++
			within = append(within, open{objects, token == json.Delim('[')})
		case json.Delim('}'), json.Delim(']'):
			within = within[:len(within)-1]
		}
		key = len(within) > 0 && !within[len(within)-1].array
	}
}

// culprit is where the first member of an object stands whose value v does not take, for errors that say no place,
// such as that of a type that reads text.
func culprit(text []byte, v any) (where int64) {
	members(text, func(object int, name string, offset int64) bool {
		if object != 1 {
			return true
		}
		var value json.RawMessage
		rest := text[offset+int64(bytes.IndexByte(text[offset:], ':'))+1:]
		if json.NewDecoder(bytes.NewReader(rest)).Decode(&value) != nil {
			return true
		}
		one, err := json.Marshal(map[string]json.RawMessage{name: value})
		if err != nil || json.Unmarshal(one, reflect.New(reflect.TypeOf(v).Elem()).Interface()) == nil {
			return true
		}
		where = offset
		return false
	})
	return where
}

func at(text []byte, offset int64, err error) error {
	before := text[:min(offset, int64(len(text)))]
	line := bytes.Count(before, []byte("\n"))
	return &Error{Line: line + 1, Column: len(before) - bytes.LastIndexByte(before, '\n'), Err: err}
}
