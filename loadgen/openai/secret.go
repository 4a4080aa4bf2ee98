package openai

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
)

// secrets are the texts that no error may hold, in the ways in which a server could spell them. Errors travel into
// results, and results into repositories; and servers do echo the key that they refuse.
type secrets []string

const (
	shortestSecret = 4     // bytes of a header's value; without less, too much of an error would be hidden for nothing
	longestError   = 400   // characters of an error, after the secrets have gone
	hidden         = "***" // in the place of a secret
)

// newSecrets collects the key, the values of headers and of fields of the body whose name says that they are secret,
// and the URL's password and query.
func newSecrets(c Config, user *url.Userinfo) secrets {
	var found secrets
	for name, values := range c.Header {
		if !secret.Name(name) {
			continue
		}
		for _, value := range values {
			for _, part := range append(strings.FieldsFunc(value, separates), value) {
				if len(part) >= shortestSecret && !slices.Contains(schemes, strings.ToLower(part)) {
					found = append(found, part)
				}
			}
		}
	}
	// A server that checks a password sees it decoded.
	if _, password, ok := (&http.Request{Header: canonical(c.Header)}).BasicAuth(); ok {
		found = append(found, password)
	}
	if password, ok := user.Password(); ok {
		found = append(found, password)
	} else {
		found = append(found, user.Username()) // some put a key there
	}
	if user != nil {
		password, _ := user.Password()
		found = append(found, base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	found = append(found, c.APIKey)
	if u, err := url.Parse(c.URL); err == nil {
		found = append(found, querySecrets(u)...)
	}
	// New has refused a body that is no JSON, and then there is nothing to find.
	_, inBody, _ := publicBody(c.Body, func(text string) string { return text })
	for _, text := range inBody {
		if len(text) >= shortestSecret {
			found = append(found, text)
		}
	}

	var spelled secrets
	for _, text := range found {
		quoted, _ := json.Marshal(text)
		spelled = append(spelled, text, strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(text), `"`),
			strings.ReplaceAll(text, "/", `\/`), url.QueryEscape(text), url.PathEscape(text))
	}
	spelled = slices.DeleteFunc(spelled, func(s string) bool { return s == "" })
	// The longest first: a secret may be a part of another, and the rest of that would stay.
	slices.SortFunc(spelled, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(spelled)
}

// querySecrets are the values of a URL's query that may be secret. Many keys travel there under short names (sig,
// code), so of any name a value is one that is long enough.
func querySecrets(u *url.URL) (found []string) {
	const long = 8 // bytes; versions and switches are shorter, but for dates, which are no loss
	for name, values := range u.Query() {
		for _, value := range values {
			if len(value) >= long || secret.Name(name) && len(value) >= shortestSecret {
				found = append(found, value)
			}
		}
	}
	return found
}

// canonical is a header with its names as net/http looks for them.
func canonical(given http.Header) http.Header {
	header := make(http.Header, len(given))
	for name, values := range given {
		header[http.CanonicalHeaderKey(name)] = values
	}
	return header
}

var schemes = []string{"bearer", "basic", "digest", "negotiate", "token"}

// separates tells what stands between the parts of a header's value, as in "Bearer x" and "a=x; b=y".
func separates(c rune) bool { return strings.ContainsRune(" \t;,=", c) }

// clean returns err without secrets, on one line, and of a length to be read.
func (s secrets) clean(err error) error {
	text := oneLine(s.hide(err.Error()))
	if runes := []rune(text); len(runes) > longestError {
		text = string(runes[:longestError]) + "…"
	}
	if text == err.Error() {
		return err
	}
	return &cleaned{text, err}
}

// hide returns text without the secrets, and without what looks like one that nobody named.
func (s secrets) hide(text string) string {
	for _, known := range s {
		text = strings.ReplaceAll(text, known, hidden)
	}
	return secret.Shapes(text)
}

// cleaned can be asked what it is, as in errors.Is(err, syscall.ECONNRESET), but the text that was cleaned cannot be
// had from it.
type cleaned struct {
	text string
	err  error
}

func (e *cleaned) Error() string { return e.text }

// Is makes errors.Is look at what was cleaned.
func (e *cleaned) Is(target error) bool { return errors.Is(e.err, target) }

// checkHeader refuses what HTTP cannot carry, which otherwise each request would fail on. The usual case is a key
// read from a file together with the end of its line.
func checkHeader(c Config) (field string, ok bool) {
	unprintable := func(s string) bool {
		return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
	}
	if unprintable(c.APIKey) {
		return "API key", false
	}
	for name, values := range c.Header {
		wrong := func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c) }
		if name == "" || strings.ContainsFunc(name, wrong) || slices.ContainsFunc(values, unprintable) {
			return "header " + strconv.Quote(http.CanonicalHeaderKey(name)), false
		}
	}
	return "", true
}
