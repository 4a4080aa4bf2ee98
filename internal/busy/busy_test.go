package busy_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/servegauge/servegauge/internal/busy"
	"github.com/servegauge/servegauge/loadgen"
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
		name     string
		evidence string
		good     int // the time that is without fault; 0: none is
		times    int
		errors   int
	}{
		{"good at once", "busy", 1, 1, 0},
		{"good at the second time", "busy", 2, 2, 0},
		{"never good", "busy", 0, 3, 1},
		{"a fault without evidence", "", 2, 1, 1},
	} {
		n, r := 0, &recorder{}
		busy.Check(r, func() ([]string, string) {
			if n++; n == c.good {
				return nil, c.evidence
			}
			return []string{"a fault"}, c.evidence
		})
		if n != c.times || len(r.errors) != c.errors {
			t.Errorf("%s: measured %d times, %q", c.name, n, r.errors)
		}
	}
}

func TestCodesAreThoseOfWarnings(t *testing.T) {
	for _, code := range busy.Codes {
		if !slices.Contains(loadgen.Codes(), code) || busy.Said("a level with "+code+".") != code {
			t.Errorf("%s", code)
		}
	}
	if got := busy.Said("few-samples"); got != "" {
		t.Errorf("%s", got)
	}
}
