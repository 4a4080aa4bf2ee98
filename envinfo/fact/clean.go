package fact

import (
	"strings"
	"unicode"

	"github.com/servegauge/servegauge/internal/secret"
)

// Clean makes s fit for a terminal and for JSON, which would otherwise change invalid UTF-8 silently and break the
// round trip. It takes out what is a secret by its shape: everything that is recorded passes here.
func Clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, strings.TrimSpace(secret.Shapes(s)))
	// Twice, since what separated a word from a secret may have become a character of another kind.
	return strings.TrimSpace(secret.Shapes(s))
}

// Clip shortens what a file holds to what a message can take.
func Clip(s string) string {
	s = Clean(s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// JoinReasons is two reasons as one, or the one that there is.
func JoinReasons(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// Clip300 shortens what a tool said to what a reason can take.
func Clip300(s string) string {
	if r := []rune(Clean(s)); len(r) > 300 {
		return string(r[:300]) + "…"
	}
	return Clean(s)
}
