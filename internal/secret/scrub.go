package secret

import (
	"regexp"
	"strings"
)

// assigned is a name and what is between it and its value inside a longer text: a script's variable or option, a URL's
// query, a JSON object's field. The value is not a part of the expression, or a text of names alone would be read to
// its end once for each.
var assigned = regexp.MustCompile(`([A-Za-z0-9_.-]+)(["']?\s*[:=]\s*|\s+)`)

// assignedValue returns how long the value at the start of s is: a quoted one to its closing quote, or to the end
// without one.
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

// Scrub returns the text of a command line, a configuration or a header without what looks like a secret in it: by its
// shape (hf_…, sk-…, ghp_…, AKIA…, JSON web tokens, PEM private keys, user info of URLs), or by the name before it
// (api_key=…, "token": "…", --password …). What it takes out becomes "[withheld]". It withholds rather too much: key=,
// whatever it is of, goes. A text over 64 KiB is withheld as a whole.
func Scrub(s string) string {
	if len(s) > maxScrub {
		return Withheld
	}
	s = Shapes(s)
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
		if spaced && !strings.HasPrefix(name, "-") || strings.HasPrefix(s, "--") || !Named(name, "") {
			continue // "the key is" is prose, "--key x" is not
		}
		n := assignedValue(s)
		if n == 0 || !Named(name, strings.Trim(s[:n], `"'`)) {
			continue
		}
		out.WriteString(Withheld)
		s = s[n:]
		for spaced {
			more := nextValue.FindStringSubmatchIndex(s)
			if more == nil {
				break
			}
			out.WriteString(" " + Withheld)
			s = s[more[2]:]
		}
	}
}

// Args returns the arguments of a command without the secrets among them, as many as there were: the values of options
// with telling names (--api-key X, --api-key=X, -e TOKEN=X, -H "Authorization: X", -u NAME:X), and all that [Scrub]
// takes out of each. An option can take several values, so all that follows one with a telling name goes, up to the
// next option.
func Args(args []string) []string {
	out := make([]string, len(args))
	option, first := "", false // whose values follow, and whether this is the first of them
	for i, a := range args {
		dashed := strings.HasPrefix(a, "-") && len(a) > 1
		if option != "" && Named(option, a) && (!dashed || first && !strings.HasPrefix(a, "--")) {
			out[i], first = Withheld, false
			continue
		}
		if first && (option == "-u" || option == "--user" || option == "--proxy-user") && userPassword.MatchString(a) {
			out[i], option = Withheld, ""
			continue
		}
		if dashed {
			option, first = "", false
		}
		if user, ok := strings.CutPrefix(a, "-u"); ok && userPassword.MatchString(user) {
			out[i] = "-u" + Withheld
			continue
		}
		if at := strings.IndexAny(a, "=:"); at > 0 && wholeName.MatchString(a[:at]) && Named(a[:at], a[at+1:]) {
			out[i] = a[:at+1] + Withheld // all of it: the value may have spaces
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
	wholeName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	// and not 1000:1000, which is a user and a group
	userPassword = regexp.MustCompile(`^[^:]*[^:0-9][^:]*:.|^[^:]+:.*[^0-9]`)
)
