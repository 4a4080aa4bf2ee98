package jsontext

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c/d", "\x00\x1f\x7f\n\t\r\b\f", "é€😀\u2028<>&", "\xff\xc3",
		"a\xed\xa0\x80b", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := AppendString([]byte("x"), s)
		var got string
		if err := json.Unmarshal(b[1:], &got); err != nil {
			t.Fatalf("%q is written as %s: %v", s, b, err)
		}
		want := s
		if !utf8.ValidString(s) {
			quoted, _ := json.Marshal(s)
			_ = json.Unmarshal(quoted, &want)
		}
		if got != want {
			t.Errorf("%q arrives as %q, want %q", s, got, want)
		}
	})
}
