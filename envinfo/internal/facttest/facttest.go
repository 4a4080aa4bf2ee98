// Package facttest compares values, for tests.
package facttest

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// Known fails the test unless v is want.
func Known[T fact.Scalar](t testing.TB, name string, v fact.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", name, v, want)
	}
}

// Unknown fails the test unless v is unknown for a reason that contains why.
func Unknown[T fact.Scalar](t testing.TB, name string, v fact.Value[T], why string) {
	t.Helper()
	if _, ok := v.Get(); ok || !strings.Contains(v.Reason(), why) {
		t.Errorf("%s is %v, want unknown with %q in the reason", name, v, why)
	}
}
