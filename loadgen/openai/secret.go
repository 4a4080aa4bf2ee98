package openai

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// secrets are the texts that no error may hold, in the ways in which a server could spell them. Errors travel into
// results, and results into repositories; and servers do echo the key that they refuse.
type secrets []string

const (
	shortestSecret = 4     // bytes of a header's value; without less, too much of an error would be hidden for nothing
	longestError   = 400   // characters of an error, after the secrets have gone
	hidden         = "***" // in the place of a secret
)

// newSecrets collects the key, the values of headers and of fields of the body whose name says that they are secret, and
// the URL's password.
func newSecrets(c Config, user *url.Userinfo) secrets {
	var found secrets
	for name, values := range c.Header {
		if !secretName(name) {
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
	// New has refused a body that is no JSON, and then there is nothing to find.
	_, inBody, _ := publicBody(c.Body, func(text string) string { return text })
	for _, text := range inBody {
		if len(text) >= shortestSecret {
			found = append(found, text)
		}
	}

	var spelled secrets
	for _, secret := range found {
		quoted, _ := json.Marshal(secret)
		spelled = append(spelled, secret, strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(secret), `"`),
			strings.ReplaceAll(secret, "/", `\/`), url.QueryEscape(secret), url.PathEscape(secret))
	}
	spelled = slices.DeleteFunc(spelled, func(s string) bool { return s == "" })
	// The longest first: a secret may be a part of another, and the rest of that would stay.
	slices.SortFunc(spelled, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(spelled)
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

// secretName goes by what headers and fields with secrets are called: Authorization, Cookie, X-API-Key, auth_token.
func secretName(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "key", "token", "secret", "password", "cookie", "credential", "session", "signature"},
		func(word string) bool { return strings.Contains(name, word) })
}

// secretField goes by the names of a body's fields, where tokens may as well be those of the model: min_tokens,
// stop_token_ids. There it takes a text to be a secret.
func secretField(name string, texts []string) bool {
	other := strings.ReplaceAll(strings.ToLower(name), "token", "")
	return secretName(other) || secretName(name) && len(texts) > 0
}

// hideFields returns a body's value, as encoding/json reads it, without the secrets in it, and the texts of those that the
// names of fields gave away. hide takes out of a text what is known to be secret.
func hideFields(value any, hide func(string) string) (shown any, found []string) {
	switch v := value.(type) {
	case map[string]any:
		fields := make(map[string]any, len(v))
		for name, value := range v {
			if inside := texts(value); secretField(name, inside) {
				fields[hide(name)] = hidden
				found = append(found, inside...)
				continue
			}
			inner, more := hideFields(value, hide)
			fields[hide(name)] = inner
			found = append(found, more...)
		}
		return fields, found
	case []any:
		values := make([]any, len(v))
		for i := range v {
			inner, more := hideFields(v[i], hide)
			values[i] = inner
			found = append(found, more...)
		}
		return values, found
	case string:
		if scheme, _, ok := strings.Cut(v, "://"); ok && !strings.ContainsFunc(scheme, unicode.IsSpace) {
			v = redact(v)
		}
		return hide(v), nil
	case json.Number:
		if hide(v.String()) == hidden {
			return hidden, nil
		}
	}
	return value, nil
}

// texts are the strings in a value, at any depth.
func texts(value any) (found []string) {
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			found = append(found, texts(inner)...)
		}
	case []any:
		for _, inner := range v {
			found = append(found, texts(inner)...)
		}
	case string:
		found = append(found, v)
	}
	return found
}

// publicBody is the body as encoding/json reads it, through hideFields.
func publicBody(body map[string]any, hide func(string) string) (shown any, found []string, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, nil, err
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber() // a seed of 64 bits stays what it is
	var read any
	if err := in.Decode(&read); err != nil {
		return nil, nil, err
	}
	shown, found = hideFields(read, hide)
	return shown, found, nil
}

// PublicBody is Body as JSON, fit for a file that others read: with "***" in the place of each field whose name says that
// it is secret, and of the key, the secret headers and the URL's password wherever they stand in a text. Of a text that is
// a URL with a user or a query only the scheme is left. It is nil where Body is empty; an error is that of json.Marshal.
func (c Config) PublicBody() (json.RawMessage, error) {
	if len(c.Body) == 0 {
		return nil, nil
	}
	var user *url.Userinfo
	if u, err := url.Parse(c.URL); err == nil {
		user = u.User
	}
	shown, _, err := publicBody(c.Body, newSecrets(c, user).hide)
	if err != nil {
		return nil, err
	}
	return json.Marshal(shown)
}

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

// hide returns text with the secrets hidden.
func (s secrets) hide(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, hidden)
	}
	return text
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
