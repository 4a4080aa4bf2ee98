// Package jsontext reads and writes JSON where the text itself counts: fields in their order, values as they were
// written, and strings without memory of their own.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// AppendString appends s as a JSON string, without memory of its own. What is not UTF-8 becomes U+FFFD, as
// encoding/json has it.
func AppendString(b []byte, s string) []byte {
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

// A Field is a field of an object, with its value as it was written.
type Field struct {
	Name  string
	Value json.RawMessage
}

const mostFields = 1000 // of an object; requests have some twenty

// Fields returns the fields of a JSON object in their order.
func Fields(object []byte) ([]Field, error) {
	in := json.NewDecoder(bytes.NewReader(object))
	if start, err := in.Token(); err != nil {
		return nil, err
	} else if start != json.Delim('{') {
		return nil, errors.New("want a JSON object")
	}
	var fields []Field
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return nil, err
		}
		f := Field{Name: name.(string)} // a JSON object has no other names
		if err := in.Decode(&f.Value); err != nil {
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

// Join is the object of those fields that are not left out.
func Join(fields []Field, leaveOut map[string]bool) []byte {
	b := []byte{'{'}
	for _, f := range fields {
		if leaveOut[f.Name] {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(AppendString(b, f.Name), ':')
		b = append(b, f.Value...)
	}
	return append(b, '}')
}
