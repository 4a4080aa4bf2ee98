// Package number writes figures as people read them: with commas between thousands, and a dash for what is no number.
package number

import (
	"math"
	"strconv"
	"strings"
)

// Fixed writes x with exactly so many decimals: 1,234.50. What rounds to zero has no sign, and what is not finite is
// "–".
func Fixed(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	s := strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	if x < 0 && strings.Trim(whole, "0.,") != "" {
		whole = "-" + whole
	}
	return whole
}

// Short is [Fixed] with at most so many decimals: zeros at the end of a fraction go, as in 1,234.5.
func Short(x float64, decimals int) string {
	s := Fixed(x, decimals)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
