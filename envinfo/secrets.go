package envinfo

import (
	"encoding/base64"
	"regexp"
	"strings"
	"unicode/utf8"
)

// What may leave the host is decided here and nowhere else, in three lines of defence. Environment variables are recorded by an
// allow-list of prefixes. What is named like a secret (a variable, an option, a header, a field) loses its value. What is shaped like
// one loses it wherever it stands: every string of a [Value], its source, its reason and every warning passes through [clean], which
// calls scrubShapes, so that a source that forgets about secrets still cannot leak a token. What none of them can tell is a
// password without a shape under a name that does not say so.

// withheld is what a secret is replaced by, so that a reader sees that something was there.
const withheld = "[withheld]"

// secretWords in a name make its value one that is not recorded. It errs on the side of withholding: the path of a key file goes too.
var secretWords = []string{"token", "secret", "key", "passw", "passphrase", "pwd", "cred", "auth", "cookie", "signature"}

func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, w := range secretWords {
		if strings.Contains(name, w) {
			return true
		}
	}
	return strings.HasSuffix(name, "pass")
}

// secretOption is secretName where tokens are mostly those of the model: --max-num-batched-tokens 8192 and --tokenizer-mode belong in
// the record. The plural is let through only with a number, which an access token is not.
func secretOption(name, value string) bool {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(strings.ReplaceAll(name, "detokeniz", ""), "tokeniz", "")
	if plainNumber.MatchString(value) {
		name = strings.ReplaceAll(name, "tokens", "")
	}
	return secretName(name)
}

var plainNumber = regexp.MustCompile(`^[0-9]{1,9}[kKmMgG]?$`)

// secretShapes are values that are secrets wherever they stand. The first group is kept. hints are what one of must be in the text
// for the expression to match: looking for them is a hundred times cheaper, and every string of a capture is looked at.
var secretShapes = []struct {
	hints []string
	shape *regexp.Regexp
}{
	// The user info of a URL: up to the last @ of the authority, since passwords with an @ in them are pasted unescaped.
	{[]string{"://"}, regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s"']*@`)},
	{[]string{"hf_"}, regexp.MustCompile(`(^|[^A-Za-z0-9])hf_(?:[A-Za-z0-9]{10,}|[A-Za-z]*[A-Z0-9][A-Za-z0-9]{3,})`)}, // not hf_transfer
	{[]string{"ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:gh[pousr]|github_pat)_[A-Za-z0-9_]{6,}`)},
	{[]string{"sk-"}, regexp.MustCompile(`(^|[^A-Za-z0-9])sk-[A-Za-z0-9_-]{6,}`)},
	{[]string{"k_live_", "k_test_"}, regexp.MustCompile(`(^|[^A-Za-z0-9])[prs]k_(?:live|test)_[A-Za-z0-9]{6,}`)},
	{[]string{"glpat-", "nvapi-", "dckr_pat_", "npm_", "gsk_", "pypi-", "hvs.", "dop_v1_", "r8_"}, regexp.MustCompile(
		`(^|[^A-Za-z0-9])(?:glpat-|nvapi-|dckr_pat_|npm_|gsk_|pypi-|hvs\.|dop_v1_|r8_)[A-Za-z0-9_-]{16,}`)},
	{[]string{"xox", "xapp-"}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{8,}`)},
	{[]string{"AKIA", "ASIA"}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{12,}`)},
	{[]string{"AIza", "ya29."}, regexp.MustCompile(`(^|[^A-Za-z0-9])(?:AIza|ya29\.)[A-Za-z0-9_-]{20,}`)},
	{[]string{"eyJ"}, regexp.MustCompile(`(^|[^A-Za-z0-9])eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{2,}(?:\.[A-Za-z0-9_-]*)*`)}, // a JSON web token
	{[]string{"SG."}, regexp.MustCompile(`(^|[^A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`)},
	{[]string{"earer", "EARER"}, regexp.MustCompile(`(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}`)},
	{[]string{"PRIVATE KEY"}, regexp.MustCompile(`()-----BEGIN [A-Z0-9 ]*PRIVATE KEY[\s\S]*`)}, // to the end: lines can be lost
	{[]string{"uthorization", "UTHORIZATION"}, regexp.MustCompile(`(?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^"'\s][^"']*`)},
}

// basicAuth is a user and a password in base64. The word is too common for its shape alone to tell.
var basicAuth = regexp.MustCompile(`(?i)\bbasic\s+([A-Za-z0-9+/]{4,}={0,2})`)

// scrubShapes returns s without what is a secret by its shape. Scrubbing twice is scrubbing once.
func scrubShapes(s string) string {
	for _, secret := range secretShapes {
		for _, hint := range secret.hints {
			if strings.Contains(s, hint) {
				s = secret.shape.ReplaceAllString(s, "${1}"+withheld)
				break
			}
		}
	}
	if strings.Contains(s, "asic ") || strings.Contains(s, "ASIC ") {
		s = basicAuth.ReplaceAllStringFunc(s, func(m string) string {
			words := strings.Fields(m)
			if b, err := base64.StdEncoding.DecodeString(words[1]); err != nil || !strings.Contains(string(b), ":") || !utf8.Valid(b) {
				return m
			}
			return words[0] + " " + withheld
		})
	}
	return s
}

// assigned is a name and what is between it and its value inside a longer text: a script's variable or option, a URL's query, a JSON
// object's field. The value is not a part of the expression, or a text of names alone would be read to its end once for each.
var assigned = regexp.MustCompile(`([A-Za-z0-9_.-]+)(["']?\s*[:=]\s*|\s+)`)

// assignedValue returns how long the value at the start of s is: a quoted one to its closing quote, or to the end without one.
func assignedValue(s string) int {
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		for i := 1; i < len(s); i++ {
			switch {
			case s[i] == '\\' && s[0] == '"':
				i++
			case s[i] == s[0]:
				return i + 1
			}
		}
		return len(s)
	}
	if n := strings.IndexAny(s, " \t\r\n\v\f&;,\"'{}[]"); n >= 0 {
		return n
	}
	return len(s)
}

// nextValue is one more value of an option that takes several, as vLLM's --api-key does.
var nextValue = regexp.MustCompile(`^\s+[^-\s=:]+(\s|$)`)

// maxScrub is the longest text that is searched for secrets; a longer one is withheld as a whole.
const maxScrub = 64 << 10

// Scrub returns the text of a command line, a configuration or a header without what looks like a secret in it: by its shape (hf_…,
// sk-…, ghp_…, AKIA…, JSON web tokens, PEM private keys, user info of URLs), or by the name before it (api_key=…, "token": "…",
// --password …). What it takes out becomes "[withheld]". It withholds rather too much: key=, whatever it is of, goes. A text over 64 KiB
// is withheld as a whole.
func Scrub(s string) string {
	if len(s) > maxScrub {
		return withheld
	}
	s = scrubShapes(s)
	// One by one, since what looks like a value ("--x --api-key") may be the name of the next.
	var out strings.Builder
	for {
		m := assigned.FindStringSubmatchIndex(s)
		if m == nil {
			out.WriteString(s)
			return out.String()
		}
		name, spaced := s[m[2]:m[3]], strings.TrimSpace(s[m[4]:m[5]]) == ""
		out.WriteString(s[:m[1]])
		s = s[m[1]:]
		if spaced && !strings.HasPrefix(name, "-") || strings.HasPrefix(s, "--") || !secretOption(name, "") {
			continue // "the key is" is prose, "--key x" is not
		}
		n := assignedValue(s)
		if n == 0 || !secretOption(name, strings.Trim(s[:n], `"'`)) {
			continue
		}
		out.WriteString(withheld)
		s = s[n:]
		for spaced {
			more := nextValue.FindStringSubmatchIndex(s)
			if more == nil {
				break
			}
			out.WriteString(" " + withheld)
			s = s[more[2]:]
		}
	}
}

// ScrubArgs returns the arguments of a command without the secrets among them, as many as there were: the values of options with
// telling names (--api-key X, --api-key=X, -e TOKEN=X, -H "Authorization: X", -u NAME:X), and all that [Scrub] takes out of each. An
// option can take several values, so all that follows one with a telling name goes, up to the next option.
func ScrubArgs(args []string) []string {
	out := make([]string, len(args))
	option, first := "", false // whose values follow, and whether this is the first of them
	for i, a := range args {
		dashed := strings.HasPrefix(a, "-") && len(a) > 1
		if option != "" && secretOption(option, a) && (!dashed || first && !strings.HasPrefix(a, "--")) {
			out[i], first = withheld, false
			continue
		}
		if first && (option == "-u" || option == "--user" || option == "--proxy-user") && userPassword.MatchString(a) {
			out[i], option = withheld, ""
			continue
		}
		if dashed {
			option, first = "", false
		}
		if at := strings.IndexAny(a, "=:"); at > 0 && wholeName.MatchString(a[:at]) && secretOption(a[:at], a[at+1:]) {
			out[i] = a[:at+1] + withheld // all of it: the value may have spaces
			continue
		}
		if dashed && wholeName.MatchString(a) {
			option, first = a, true
		}
		out[i] = Scrub(a)
	}
	return out
}

var (
	wholeName    = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	userPassword = regexp.MustCompile(`^[^:]*[^:0-9][^:]*:.|^[^:]+:.*[^0-9]`) // and not 1000:1000, which is a user and a group
)

// allowedVariables are the prefixes of the environment variables that change what an inference server does. Others are not recorded,
// not even by name.
var allowedVariables = []string{
	"HIP_", "HSA_", "ROCR_", "ROCM_", "NCCL_", "RCCL_", "VLLM_", "AITER_", "TORCH_", "PYTORCH_", "CUDA_", "OMP_", "HF_",
}

// Setting is one named setting, such as an environment variable.
type Setting struct {
	Name  string        `json:"name"`
	Value Value[string] `json:"value"`
}

// maxText is the most bytes of a text from outside that are recorded, maxList the most entries of a list.
const (
	maxText = 8 << 10
	maxList = 1 << 10
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// settingsOf returns the environment variables ("NAME=value") that may be recorded, of a name that occurs twice the first, as getenv(3)
// does. One whose name says that it is a secret is listed as unknown: that HF_TOKEN was set may matter, what it was does not.
func settingsOf(environ []string, scope Scope, source string) []Setting {
	out := []Setting{}
	seen := map[string]bool{}
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if !ok || seen[name] || len(out) == maxList || !hasPrefix(name, allowedVariables) || !variableName.MatchString(name) ||
			scrubShapes(name) != name {
			continue
		}
		seen[name] = true
		out = append(out, Setting{name, setting(name, value, scope, source)})
	}
	return out
}

func setting(name, value string, scope Scope, source string) Value[string] {
	if secretOption(name, value) {
		return Unknown[string]("", scope, "withheld: its name says that it is a secret")
	}
	return recorded(value, scope, source)
}

// recorded is a text from outside: scrubbed, and of a size that a record can take.
func recorded(s string, scope Scope, source string) Value[string] {
	if len(s) > maxText {
		return Unknown[string]("", scope, source+": "+tooLarge{maxText, "bytes"}.Error())
	}
	return Known(Scrub(s), "", scope, source)
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
