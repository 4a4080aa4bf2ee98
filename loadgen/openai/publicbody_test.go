package openai_test

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// What a body says can be read and sent again, but for its secrets.
func TestPublicBody(t *testing.T) {
	for name, c := range map[string]struct {
		config openai.Config
		want   string
	}{
		"none": {openai.Config{}, ""},
		"nothing": {openai.Config{Body: map[string]any{"temperature": nil, "top_p": 0.9, "seed": uint64(1<<64 - 1)}},
			`{"seed":18446744073709551615,"temperature":null,"top_p":0.9}`},
		"counts and ids of tokens": {openai.Config{Body: map[string]any{"min_tokens": 3, "stop_token_ids": []int{1, 2},
			"skip_special_tokens": true}},
			`{"min_tokens":3,"skip_special_tokens":true,"stop_token_ids":[1,2]}`},
		"secrets by name": {openai.Config{Body: map[string]any{"api_key": "k", "token": "t", "password": 1234,
			"auth": map[string]any{"user": "u"}, "tokens": []string{"t"}}},
			`{"api_key":"***","auth":"***","password":"***","token":"***","tokens":"***"}`},
		"inside": {openai.Config{Body: map[string]any{"tools": []any{map[string]any{"name": "a",
			"Authorization": "Bearer x"}}}},
			`{"tools":[{"Authorization":"***","name":"a"}]}`},
		"a number under a secret's name, and a tokenizer": {openai.Config{Body: map[string]any{"token": 1234,
			"tokenizer": "mistral", "max_tokens": 9}},
			`{"max_tokens":9,"token":"***","tokenizer":"mistral"}`},
		"secrets by shape": {openai.Config{Body: map[string]any{"note": "with hf_AbCdEfGhIjKlMn in it"}},
			`{"note":"with [withheld] in it"}`},
		"the key, a header and the password": {openai.Config{
			URL: "http://user:pass-word@host", APIKey: "the-key", Header: http.Header{"X-Api-Key": {"in-a-header"}},
			Body: map[string]any{"user": "the-key", "note": "not in-a-header", "pass-word": []any{"of pass-word"}},
		}, `{"***":["of ***"],"note":"not ***","user":"***"}`},
		"the key, also as a number": {openai.Config{APIKey: "123456", Body: map[string]any{"a": 123456, "b": 1234567}},
			`{"a":"***","b":1234567}`},
		"a key of one character": {openai.Config{APIKey: "1", Body: map[string]any{"a": 0.1, "b": "1"}},
			`{"a":0.1,"b":"***"}`},
		"a secret that stands elsewhere": {openai.Config{Body: map[string]any{"session": "planted",
			"user": "a planted b"}},
			`{"session":"***","user":"a *** b"}`},
		"URLs": {openai.Config{Body: map[string]any{"a": "https://u:p@host/x",
			"b": "s3://x?sig=1", "c": "http://host/x"}}, `{"a":"https://…","b":"…","c":"http://host/x"}`},
		"what is no URL": {openai.Config{Body: map[string]any{"stop": []string{"?", "#", "a@b"},
			"note": "is it at a://b?"}}, `{"note":"is it at a://b?","stop":["?","#","a@b"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.config.PublicBody()
			if err != nil || string(got) != c.want {
				t.Errorf("%s %v, want %s", got, err, c.want)
			}
		})
	}
	if got, err := (openai.Config{Body: map[string]any{"a": func() {}}}).PublicBody(); err == nil {
		t.Errorf("%s of what JSON cannot hold", got)
	}
}

// A server that echoes the body that it refuses does not bring its secrets into the errors.
func TestErrorsHoldNoSecretOfTheBody(t *testing.T) {
	server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusBadRequest)
		sends(w, `{"error":{"message":`+strconv.Quote("refused: "+string(text))+`}}`)
	}))
	body := map[string]any{"backend": map[string]any{"api_key": "planted"}, "top_p": 0.9}
	r, _ := measure(t, loadgen.Level{Concurrency: 1, Requests: 1}, newTarget(t, openai.Config{URL: server.URL,
		Body: body}))
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Example, "top_p") || strings.Contains(r.Errors[0].Example,
		"planted") {
		t.Errorf("%v", r.Errors)
	}
}
