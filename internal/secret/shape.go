package secret

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode/utf8"
)

// shapes are values that are secrets wherever they stand. The first group is kept. hints are what one of must be in the
// text for the expression to match: looking for them is a hundred times cheaper, and every string of a capture is
// looked at.
var shapes = []struct {
	hints []string
	shape *regexp.Regexp
}{
	// The user info of a URL: up to the last @ of the authority, since passwords with an @ in them are pasted
	// unescaped.
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s"']*@`)},
	// not hf_transfer
	{[]string{"hf_"}, regexp.MustCompile(`(^|[^A-Za-z0-9])hf_(?:[A-Za-z0-9]{10,}|[A-Za-z]*[A-Z0-9][A-Za-z0-9]{3,})`)},
	{
		[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"},
		regexp.MustCompile(`(^|[^A-Za-z0-9])(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{6,}`),
	},
	{[]string{"sk-"}, regexp.MustCompile(`(^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{6,}`)},
	{[]string{"k_live_", "k_test_"}, regexp.MustCompile(`(^|[^A-Za-z0-9])[prs]k_(?:live|test)_[A-Za-z0-9]{6,}`)},
	{[]string{"glpat-", "nvapi-", "dckr_pat_", "npm_", "gsk_", "pypi-", "hvs.", "dop_v1_", "r8_"}, regexp.MustCompile(
		`(^|[^A-Za-z0-9])(?:glpat-|nvapi-|dckr_pat_|npm_|gsk_|pypi-|hvs\.|dop_v1_|r8_)[A-Za-z0-9_-]{16,}`)},
	{[]string{"xox", "xapp-"}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{8,}`)},
	{[]string{"AKIA", "ASIA"}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}`)},
	{[]string{"AIza", "ya29."}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:AIza|ya29\.)[A-Za-z0-9_-]{20,}`)},
	// a JSON web token
	{
		[]string{"eyJ"},
		regexp.MustCompile(`(^|[^A-Za-z0-9])eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)*`),
	},
	{[]string{"SG."}, regexp.MustCompile(`(^|[^A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`)},
	{[]string{"earer", "EARER"}, regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}`)},
	// to the end: lines can be lost
	{[]string{"PRIVATE KEY"}, regexp.MustCompile(`()-----BEGIN [A-Z0-9 ]*PRIVATE KEY[\s\S]*`)},
	{
		[]string{"uthorization", "UTHORIZATION"},
		regexp.MustCompile(`(?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^"'\s][^"']*`),
	},
}

// basicAuth is a user and a password in base64. The word is too common for its shape alone to tell.
var basicAuth = regexp.MustCompile(`(?i)\bbasic\s+([A-Za-z0-9+/]{4,}={0,2})`)

// Shapes returns s without what is a secret by its shape, wherever it stands in s. Scrubbing twice is scrubbing once.
func Shapes(s string) string {
	for _, known := range shapes {
		for _, hint := range known.hints {
			if strings.Contains(s, hint) {
				s = known.shape.ReplaceAllString(s, "${1}"+Withheld)
				break
			}
		}
	}
	if strings.Contains(s, "asic ") || strings.Contains(s, "ASIC ") {
		s = basicAuth.ReplaceAllStringFunc(s, func(m string) string {
			words := strings.Fields(m)
			if b, err := base64.StdEncoding.DecodeString(words[1]); err != nil || !strings.Contains(string(b), ":") ||
				!utf8.Valid(b) {
				return m
			}
			return words[0] + " " + Withheld
		})
	}
	return s
}
