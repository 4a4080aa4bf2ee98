package openai

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"unicode"

	"github.com/servegauge/servegauge/internal/secret"
)

// secretField tells whether a body's field is secret, by its name and the texts in it. Of a field without texts no more
// matters than that it may be a count: min_tokens, stop_token_ids, skip_special_tokens.
func secretField(name string, texts []string) bool {
	if len(texts) == 0 {
		return secret.Named(name, "0")
	}
	return secret.Named(name, "")
}

// hideFields returns a body's value, as encoding/json reads it, without the secrets in it, and the texts of those that
// the names of fields gave away. hide takes out of a text what is known to be secret.
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

// PublicBody is Body as JSON, fit for a file that others read: with "***" in the place of each field whose name says
// that it is secret, and of the key, the secret headers and the URL's password wherever they stand in a text. Of a text
// that is a URL with a user or a query only the scheme is left. It is nil where Body is empty; an error is that of
// json.Marshal.
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
