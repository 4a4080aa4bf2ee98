package source

import (
	"bytes"
	"strings"
	"testing"
)

func FuzzList(f *testing.F) {
	f.Add("0-63,128-191")
	f.Add("3-1")
	f.Add("0-18446744073709551615,,")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := ParseList(s)
		if n < 0 || n > maxProcessor+1 || err == nil && n == 0 && strings.TrimSpace(s) != "" {
			t.Errorf("%q are %d, %v", s, n, err)
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add([]byte("always [madvise] never"))
	f.Add([]byte("0.20 0.18 0.12 1/80 11206"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseChoice(b); err == nil && !bytes.Contains(b, []byte("["+s+"]")) {
			t.Errorf("choice %q", s)
		}
		if x, err := ParseNumbers(b, 3); err == nil && !(x[0] >= 0 && x[1] >= 0 && x[2] >= 0) {
			t.Errorf("numbers %v", x)
		}
	})
}
