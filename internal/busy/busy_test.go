package busy

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// recorder is a test that notes its errors.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Error(args ...any)   { r.errors = append(r.errors, fmt.Sprint(args...)) }

// A fault is reported at once where nothing excuses it, and where something does, after three times.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name   string
		lag    time.Duration
		good   int // the time that is without fault; 0: none is
		times  int
		errors int
	}{
		{"good at once", time.Second, 1, 1, 0},
		{"good at the second time", late, 2, 2, 0},
		{"never good", late, 0, 3, 1},
		{"a fault on an idle machine", late - 1, 2, 1, 1},
	} {
		n, r := 0, &recorder{}
		check(r, func(f *Faults) {
			if n++; n != c.good {
				f.Addf("%d was a fault", n)
			}
		}, func() func() time.Duration { return func() time.Duration { return c.lag } })
		if n != c.times || len(r.errors) != c.errors {
			t.Errorf("%s: measured %d times, %q", c.name, n, r.errors)
		}
	}
}

// A process that is kept from running for so long is seen to be.
func TestWatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	latest := watch()
	for begun := time.Now(); time.Since(begun) < 300*time.Millisecond; { // the only processor is held
	}
	if got := latest(); got < late {
		t.Errorf("woken %v late", got)
	}
}
