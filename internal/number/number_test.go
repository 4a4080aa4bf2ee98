package number

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestFixedAndShort(t *testing.T) {
	for _, c := range []struct {
		x            float64
		decimals     int
		fixed, short string
	}{
		{0, 0, "0", "0"},
		{999, 0, "999", "999"},
		{1000, 0, "1,000", "1,000"},
		{1000, 2, "1,000.00", "1,000"},
		{100, 0, "100", "100"}, // no fraction, so its zeros stay
		{1234567.891, 2, "1,234,567.89", "1,234,567.89"},
		{-1234.5, 2, "−1,234.50", "−1,234.5"},
		{-123456, 0, "−123,456", "−123,456"},
		{999.95, 1, "1,000.0", "1,000"},
		{-0.001, 1, "0.0", "0"},
		{3.277, 3, "3.277", "3.277"},
		{math.NaN(), 1, "–", "–"},
		{math.Inf(1), 1, "–", "–"},
		{math.Inf(-1), 1, "–", "–"},
	} {
		if got := Fixed(c.x, c.decimals); got != c.fixed {
			t.Errorf("Fixed(%v, %d) = %q, want %q", c.x, c.decimals, got, c.fixed)
		}
		if got := Short(c.x, c.decimals); got != c.short {
			t.Errorf("Short(%v, %d) = %q, want %q", c.x, c.decimals, got, c.short)
		}
	}
}

func TestSprintf(t *testing.T) {
	for _, c := range []struct {
		want, format string
		args         []any
	}{
		{"10,000 of 999 requests (12.3 %)", "%d of %d requests (%.3g %%)", []any{10_000, 999, 12.34}},
		{"12,350 tok/s", "%.4g tok/s", []any{12345.678}},
		{"0.001235 and 1,234,567.9", "%.4g and %g", []any{0.00123456, 1234567.9}},
		{"−2.50 %, +2.5 %, 0.0 %", "%.2f %%, %+.1f %%, %+.1f %%", []any{-2.5, 2.5, 0.0}},
		{"−5, +5, 0, +1,000", "%d, %+d, %+d, %+d", []any{-5, 5, 0, 1000}},
		{"2e+16 1e−07 0 –", "%g %g %g %g", []any{2e16, 1e-7, 0.0, math.NaN()}},
		{"∞ −∞", "%.3g %.3g", []any{math.Inf(1), math.Inf(-1)}},
		{"  1,000|1,000  |  1.5", "%7d|%-7d|%5.1f", []any{1000, 1000, 1.5}},
		{"1m30s failed: [1000] x 8000", "%v %s %v x %s", []any{90 * time.Second, errors.New("failed:"), []int{1000}, "8000"}},
		{"1234567 3e8 0x3e8", "%[2]s %[1]x %#[1]x", []any{1000, "1234567"}},
		{"-9223372036854775808", "%s", []any{"-9223372036854775808"}},
		{"−9,223,372,036,854,775,808", "%d", []any{int64(math.MinInt64)}},
		{"1,000", "%v", []any{int64(1000)}},
	} {
		if got := Sprintf(c.format, c.args...); got != c.want {
			t.Errorf("%q: %q, want %q", c.format, got, c.want)
		}
	}
}

func TestSigned(t *testing.T) {
	for x, want := range map[float64]string{1234.5: "+1,234.5", -1: "−1.0", 0: "0.0", 0.01: "0.0", -0.01: "0.0", math.Inf(1): "–"} {
		if got := Signed(x, 1); got != want {
			t.Errorf("%g: %q, want %q", x, got, want)
		}
	}
}
