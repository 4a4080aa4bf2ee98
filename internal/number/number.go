// Package number writes figures as people read them: with commas between thousands, a minus that is one (−), and a dash
// for what is no number. What programs read (JSON, CSV) is not written by it.
package number

import (
	"fmt"
	"io"
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
	return signed(x, grouped(strconv.FormatFloat(math.Abs(x), 'f', decimals, 64)))
}

// grouped puts commas between the thousands of digits.
func grouped(digits string) string {
	whole, fraction, _ := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		whole += "." + fraction
	}
	return whole
}

// signed puts a minus before the digits of a negative number, where they are not those of zero.
func signed(x float64, digits string) string {
	if x < 0 && strings.Trim(digits, "0.,") != "" {
		return minus + digits
	}
	return digits
}

const minus = "−"

// Signed is [Fixed] with a plus before what is above zero: +2.13, −0.40, 0.00.
func Signed(x float64, decimals int) string {
	s := Fixed(x, decimals)
	if x > 0 && strings.Trim(s, "0.,–") != "" {
		return "+" + s
	}
	return s
}

// Count writes a whole number: 10,000.
func Count[T int | int64](n T) string {
	return signed(float64(n), grouped(strings.TrimPrefix(strconv.FormatInt(int64(n), 10), "-")))
}

// Digits writes x with so many digits that count, or below 0 with as many as tell it from any other, and never with an
// exponent where people would write none: 12,350, and not 1.235e+04.
func Digits(x float64, digits int) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 0):
		return signed(x, "∞")
	}
	size := math.Abs(x)
	short := strconv.FormatFloat(size, 'g', digits, 64)
	if size >= 1e15 || size != 0 && size < 1e-6 {
		mantissa, exponent, _ := strings.Cut(short, "e")
		return signed(x, mantissa) + "e" + strings.Replace(exponent, "-", minus, 1)
	}
	rounded, err := strconv.ParseFloat(short, 64)
	if err != nil {
		return short
	}
	return signed(x, grouped(strconv.FormatFloat(rounded, 'f', -1, 64)))
}

// Sprintf is [fmt.Sprintf] for what people read: numbers have commas between thousands and a minus that is one, by %d as
// by %.4g. Those that are names, as of ports and processes, are texts.
func Sprintf(format string, args ...any) string {
	if false {
		_ = fmt.Sprintf(format, args...) // so that vet checks the formats of those who call this
	}
	return fmt.Sprintf(format, shown(args)...)
}

// Fprintf is to [fmt.Fprintf] as [Sprintf] is.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	if false {
		_, _ = fmt.Fprintf(w, format, args...)
	}
	return fmt.Fprintf(w, format, shown(args)...)
}

func shown(args []any) []any {
	out := make([]any, len(args))
	for i, arg := range args {
		switch x := arg.(type) {
		case int:
			out[i] = whole{int64(x), x}
		case int64:
			out[i] = whole{x, x}
		case float64:
			out[i] = real(x)
		default:
			out[i] = arg
		}
	}
	return out
}

// A whole number, as it was given too.
type whole struct {
	n     int64
	given any
}

// Format implements [fmt.Formatter].
func (x whole) Format(s fmt.State, verb rune) {
	if verb != 'd' && verb != 'v' {
		fmt.Fprintf(s, fmt.FormatString(s, verb), x.given)
		return
	}
	text := Count(x.n)
	if s.Flag('+') && x.n > 0 {
		text = "+" + text
	}
	pad(s, text)
}

type real float64

// Format implements [fmt.Formatter].
func (x real) Format(s fmt.State, verb rune) {
	precision, given := s.Precision()
	var text string
	switch verb {
	case 'f':
		if !given {
			precision = 6
		}
		text = Fixed(float64(x), precision)
	case 'g', 'v':
		if !given {
			precision = -1
		}
		text = Digits(float64(x), precision)
	default:
		fmt.Fprintf(s, fmt.FormatString(s, verb), float64(x))
		return
	}
	if s.Flag('+') && x > 0 && strings.Trim(text, "0.,–") != "" {
		text = "+" + text
	}
	pad(s, text)
}

// pad writes a text in the width that its verb asks for.
func pad(s fmt.State, text string) {
	if width, ok := s.Width(); ok {
		if s.Flag('-') {
			width = -width
		}
		text = fmt.Sprintf("%*s", width, text)
	}
	_, _ = io.WriteString(s, text)
}

// Short is [Fixed] with at most so many decimals: zeros at the end of a fraction go, as in 1,234.5.
func Short(x float64, decimals int) string {
	s := Fixed(x, decimals)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
