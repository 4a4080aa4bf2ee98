package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// plainFields are the fields of a body by which the most probable token is the one that a server gives: the field may
// be missing, null, or one of these.
var plainFields = map[string][]string{
	"n": {"1"}, "best_of": {"1"}, "use_beam_search": {"false"}, "echo": {"false"},
	"presence_penalty": {"0"}, "frequency_penalty": {"0"}, "repetition_penalty": {"1"}, "repeat_penalty": {"1"},
	"logit_bias": {"{}", "[]"}, "min_tokens": {"0"}, "bad_words": {"[]"}, "allowed_token_ids": {},
	"structured_outputs": {}, "grammar": {`""`}, "json_schema": {}, "guided_json": {}, "guided_regex": {},
	"guided_choice": {}, "guided_grammar": {}, "logits_processors": {"[]"}, "prompt_embeds": {},
	"tool_choice": {`"auto"`, `"none"`},
}

// notGreedy says why the answer to a request need not be of most probable tokens, or cannot be scored by its token ids;
// "": it is, and can.
func notGreedy(body []byte) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return "its body cannot be read"
	}
	number := func(name string) (value float64, told bool) {
		text := fields[name]
		return value, len(text) > 0 && string(text) != "null" && json.Unmarshal(text, &value) == nil
	}
	k, told := number("top_k")
	if t, ok := number("temperature"); (!ok || t != 0) && !(told && k == 1) {
		if !ok {
			return "it has no temperature, and a server then samples"
		}
		return fmt.Sprintf("its temperature is %g and not 0", t)
	}
	for name, text := range fields {
		plain, matters := plainFields[name]
		value := strings.TrimSpace(string(text))
		if !matters || value == "null" || slices.Contains(plain, value) {
			continue
		}
		if x, ok := number(name); ok && slices.ContainsFunc(plain, func(p string) bool { return p == fmt.Sprint(x) }) {
			continue // 0.0
		}
		return fmt.Sprintf("%s moves it from the most probable tokens", name)
	}
	var format struct{ Type string }
	if json.Unmarshal(fields["response_format"], &format) == nil && format.Type != "" && format.Type != "text" {
		return "response_format moves it from the most probable tokens"
	}
	var messages []struct{ Content json.RawMessage }
	_ = json.Unmarshal(fields["messages"], &messages) // what are none is no matter here
	for _, m := range messages {
		var parts []struct{ Type string }
		if json.Unmarshal(m.Content, &parts) != nil {
			continue // a text
		}
		for _, part := range parts {
			if part.Type != "text" {
				return fmt.Sprintf("its prompt has a part of type %s, which token ids do not carry", part.Type)
			}
		}
	}
	return ""
}
