package envinfo

import (
	"regexp"
	"strings"
)

// What a secret is replaced by, so that a reader sees that something was there.
const withheld = "[withheld]"

// secretWords in the name of a variable, an option or a field make its value one that is not recorded.
var secretWords = []string{"token", "secret", "key", "passw", "cred", "auth"}

// secretName tells whether what is called name is taken for a secret. It errs on the side of withholding: a path of a key file goes too.
func secretName(name string) bool {
	name = strings.ToLower(name)
	for _, w := range secretWords {
		if strings.Contains(name, w) {
			return true
		}
	}
	return false
}

// secretOption is secretName for options of a command line, where tokens are mostly those of the model: --max-num-batched-tokens 8192
// and --tokenizer-mode belong in the record. The plural is let through only with a number, which an access token is not.
func secretOption(name, value string) bool {
	name = strings.ToLower(name)
	name = strings.ReplaceAll(strings.ReplaceAll(name, "detokeniz", ""), "tokeniz", "")
	if plainNumber.MatchString(value) {
		name = strings.ReplaceAll(name, "tokens", "")
	}
	return secretName(name)
}

var plainNumber = regexp.MustCompile(`^[0-9]{1,9}[kKmMgG]?$`)

// secretShapes are values that are secrets wherever they stand. What the groups match is kept.
var secretShapes = []*regexp.Regexp{
	regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*://)[^/?#\s"']*(@)`),                                        // user info of a URL
	regexp.MustCompile(`(?i)()\b(?:hf|gh[pousr]|glpat|xox[abeoprs]|nvapi|pypi|npm)[_-][A-Za-z0-9_-]{6,}`), // access tokens by their prefix
	regexp.MustCompile(`()\bgithub_pat_[A-Za-z0-9_]{6,}`),
	regexp.MustCompile(`(?i)()\b[sprx]k[-_][A-Za-z0-9_-]{6,}`), // sk-…, sk_live_…
	regexp.MustCompile(`()\b(?:AKIA|ASIA)[A-Z0-9]{12,}`),
	regexp.MustCompile(`()\bAIza[A-Za-z0-9_-]{20,}`),
	regexp.MustCompile(`()\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?`), // a JSON web token
	regexp.MustCompile(`(?i)(\b(?:bearer|basic)\s+)[^\s"',;]+`),
	regexp.MustCompile(`()-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*`),
	regexp.MustCompile(`(?i)((?:proxy-)?authorization["']?\s*[:=]\s*["']?)[^"']+`),
}

// assignment is a name with its value inside a longer text: a script's variable or option, a URL's query, a JSON object's field.
var assignment = regexp.MustCompile(`([A-Za-z0-9_.-]+)(["']?\s*[:=]\s*|\s+)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s&;,"'{}\[\]]+)`)

// scrub returns s without what looks like a secret inside it.
func scrub(s string) string {
	for _, shape := range secretShapes {
		s = shape.ReplaceAllString(s, "${1}"+withheld+"${2}")
	}
	// One by one, since what one match takes for a value ("--x --api-key") may be the name of the next.
	var out strings.Builder
	for {
		m := assignment.FindStringSubmatchIndex(s)
		if m == nil {
			out.WriteString(s)
			return out.String()
		}
		name, sep, value := s[m[2]:m[3]], s[m[4]:m[5]], s[m[6]:m[7]]
		option := strings.TrimSpace(sep) != "" || strings.HasPrefix(name, "-") // "the key is" is prose, "--key x" is not
		if option && !strings.HasPrefix(value, "-") && secretOption(name, strings.Trim(value, `"'`)) {
			out.WriteString(s[:m[6]] + withheld)
			s = s[m[7]:]
			continue
		}
		out.WriteString(s[:m[5]])
		s = s[m[5]:]
	}
}

// scrubArgs returns the arguments of a command without the secrets among them: the values of options with telling names, as many as
// follow (--api-key takes several), and what looks like a secret anywhere.
func scrubArgs(args []string) []string {
	out := make([]string, len(args))
	hide := "" // the option whose values follow
	for i, a := range args {
		switch {
		case strings.HasPrefix(a, "-") && len(a) > 1:
			hide = ""
			name, value, joined := strings.Cut(a, "=")
			if joined && secretOption(name, value) {
				out[i] = name + "=" + withheld
				continue
			}
			if !joined && !strings.ContainsAny(a, " \t\n") {
				hide = a
			}
		case hide != "" && secretOption(hide, a):
			out[i] = withheld
			continue
		}
		out[i] = scrub(a)
	}
	return out
}

// allowedVariables are the prefixes of the environment variables that change what an inference server does. Others are not recorded,
// not even by name.
var allowedVariables = []string{"HIP_", "HSA_", "ROCR_", "ROCM_", "NCCL_", "RCCL_", "VLLM_", "AITER_", "TORCH_", "PYTORCH_", "CUDA_", "OMP_", "HF_"}

// Setting is one named setting: an environment variable, an option, a fact that a server states about itself.
type Setting struct {
	Name string `json:"name"`
	// Value is called reading in JSON, where "value" marks a leaf.
	Value Value[string] `json:"reading"`
}

// settingsOf returns the environment variables ("NAME=value") that may be recorded. One whose name says that it is a secret is listed
// as unknown: that HF_TOKEN was set may matter, what it was does not.
func settingsOf(environ []string, scope Scope, source string) []Setting {
	out := []Setting{}
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if !ok || len(out) == maxList || !hasPrefix(name, allowedVariables) {
			continue
		}
		out = append(out, Setting{clean(name), setting(name, value, scope, source)})
	}
	return out
}

func setting(name, value string, scope Scope, source string) Value[string] {
	if secretName(name) {
		return Unknown[string]("", scope, "withheld: its name says that it is a secret")
	}
	return recorded(value, scope, source)
}

// maxText is the most characters of a text from outside that are recorded, maxList the most entries of a list.
const (
	maxText = 8 << 10
	maxList = 1 << 10
)

// recorded is a text from outside: scrubbed, and of a size that a record can take.
func recorded(s string, scope Scope, source string) Value[string] {
	if len(s) > maxText {
		return Unknown[string]("", scope, source+": "+tooLarge{maxText, "bytes"}.Error())
	}
	return Known(scrub(s), "", scope, source)
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// shellQuote joins arguments so that a shell would split them again.
func shellQuote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\r\n\"'\\$&|;<>()*?[]#~`!{}") && a != withheld {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out[i] = a
	}
	return strings.Join(out, " ")
}
