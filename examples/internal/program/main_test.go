package program

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"
)

// A full disk is named once, by the first that met it; what else is wrong is said too.
func TestCausesNameAFullDiskOnce(t *testing.T) {
	full := func(name string) error { return &fs.PathError{Op: "write", Path: name, Err: syscall.ENOSPC} }
	other := errors.New("the server ended")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{other, []string{"the server ended"}},
		{errors.Join(full("journal.jsonl"), full("results.json")), []string{full("journal.jsonl").Error()}},
		{
			errors.Join(errors.Join(other, fmt.Errorf("journal: %w; what was measured is kept", full("a"))), full("b"), other),
			[]string{"the server ended", "journal: write a: no space left on device; what was measured is kept",
				"the server ended"},
		},
		{fmt.Errorf("%w, and %w", full("a"), other), []string{full("a").Error() + ", and the server ended"}},
		{errors.Join(&fs.PathError{Op: "open", Path: "a", Err: syscall.EACCES}, full("b")),
			[]string{"open a: permission denied", full("b").Error()}},
	} {
		if got := causes(c.err, new(bool)); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
