package source

import (
	"bytes"
	"testing"
)

var mark = []byte("RCCL version : ")

// The search finds the mark wherever it lies between the pieces that it reads.
func FuzzFindAfter(f *testing.F) {
	f.Add(0, []byte("2.26.6"))
	for _, at := range []int{256<<10 - 20, 256<<10 - 15, 256<<10 - 1, 256 << 10, 256<<10 + 64, 1 << 20} {
		f.Add(at, []byte("2.26.6-HEAD"))
	}
	f.Fuzz(func(t *testing.T, at int, tail []byte) {
		if at < 0 || at > 1<<21 || bytes.Contains(tail, mark) {
			return
		}
		b := append(append(make([]byte, at), mark...), tail...)
		got, err := findAfter(t.Context().Err, bytes.NewReader(b), mark, 64)
		if want := tail[:min(len(tail), 64)]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("at %d: %q, %v; want %q", at, got, err, want)
		}
		if got, err := findAfter(t.Context().Err, bytes.NewReader(b[:at]), mark, 64); err == nil {
			t.Errorf("found %q where there is no mark", got)
		}
	})
}
