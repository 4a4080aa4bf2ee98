package number

import (
	"math"
	"testing"
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
		{-1234.5, 2, "-1,234.50", "-1,234.5"},
		{-123456, 0, "-123,456", "-123,456"},
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
