package strictjson

import (
	"errors"
	"fmt"
	"testing"
)

type inner struct {
	A int    `json:"a"`
	B string `json:"b"`
}

type outer struct {
	Name  string  `json:"name"`
	Inner inner   `json:"inner"`
	List  []inner `json:"list"`
	When  when    `json:"when"`
}

// when reads text, and its errors say no place.
type when string

func (w *when) UnmarshalText(text []byte) error { return fmt.Errorf("%q is no time", text) }

func TestUnmarshal(t *testing.T) {
	for text, want := range map[string]string{
		`{"name":"x","inner":{"a":1},"list":[{"b":"y"}]}`: "",
		" {} \n":                 "",
		"{\n  \"nam\": \"x\"\n}": `line 2, column 3: there is no member "nam"`,
		"{\"name\": \"a\",\n \"list\": [{\"a\": 1}, {\"c\": 2}]}":  `line 2, column 22: there is no member "c"`,
		"{\"name\": \"c\", \"inner\":\n{\"b\": \"c\", \"c\": {}}}": `line 2, column 12: there is no member "c"`,
		"[1]":                                  "line 1, column 1: want an object, not: array",
		"{\n\"name\": 5}":                      "line 2, column 9: name of outer: want another type, not number",
		"{\n\"name\": \"x\",\n}":               "line 3, column 1: invalid character '}' looking for beginning of object key string",
		"{\"name\": \"x\"":                     "line 1, column 13: the text ends too early",
		"":                                     "line 1, column 1: the text ends too early",
		"{\"name\": \"a\",\n \"name\": \"b\"}": "line 2, column 2: the member \"name\" stands there twice",
		"{\"list\": [{\"a\": 1}, {\"a\": 2,\n\"a\": 2}]}":        "line 2, column 1: the member \"a\" stands there twice",
		"{\"name\": \"a\",\n \"when\": \"soon\", \"inner\": {}}": "line 2, column 2: \"soon\" is no time",
		"{}\n{}": "line 2, column 1: something follows the value",
	} {
		var v outer
		err := Unmarshal([]byte(text), &v)
		got := ""
		var e *Error
		if err != nil {
			if !errors.As(err, &e) {
				t.Errorf("%q: %T", text, err)
			}
			got = err.Error()
		}
		if want != "" && err != nil && errors.Unwrap(err) == nil {
			t.Errorf("%q: nothing wrapped", text)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(`{"name":"x","list":[{"c":1}]}`)
	f.Add("{\"a\\u0041\": 1,\n}")
	f.Fuzz(func(t *testing.T, text string) {
		var v outer
		err := Unmarshal([]byte(text), &v)
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.Line < 1 || e.Column < 1) {
			t.Errorf("%v", err)
		}
	})
}
