package openai

import (
	"bytes"
	"encoding/json"
	"strings"
)

// longestFinish bounds, in characters, a finish_reason that is none of those known.
const longestFinish = 40

// finishes are the regular ends that servers are known to write, so that each is there once for all records.
var finishes = func() map[string]string {
	known := map[string]string{}
	for _, reason := range []string{
		"stop", "length", "tool_calls", "function_call", "content_filter", // OpenAI
		"eos", "eos_token", "stop_sequence", // TGI
		"end_turn", "max_tokens", "tool_use", "pause_turn", "refusal", // Anthropic
		"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", // Google
		"COMPLETE", "model_length", "sensitive", "abort", "error", // others
	} {
		known[reason] = reason
	}
	return known
}()

// finishText is a finish_reason, as it stands between its quotes, in one line.
func finishText(raw []byte) string {
	if known, ok := finishes[string(raw)]; ok {
		return known
	}
	var text string
	if json.Unmarshal(append(append([]byte{'"'}, raw...), '"'), &text) != nil {
		text = string(raw)
	}
	return excerpt([]byte(text))
}

// finish is a finish_reason for a record: one that is not known may be anything, and is to hold no secret, and not too
// much.
func (s secrets) finish(reason string) string {
	if _, ok := finishes[reason]; ok || reason == "" {
		return reason
	}
	runes := []rune(s.hide(reason))
	if len(runes) > longestFinish {
		return string(runes[:longestFinish]) + "…"
	}
	return string(runes)
}

// irregular reports whether a word by which servers say how an answer ended, or what an event is, says that something
// went wrong: abort, error, cancelled, internal_server_error, timed_out, insufficient_system_resource. A word that is
// not known is taken for a regular one, and is counted by its name.
func irregular(word []byte) bool {
	if len(word) < len("fail") {
		return bytes.EqualFold(word, []byte("oom"))
	}
	for _, stem := range wrongs {
		if containsFold(word, stem) {
			return true
		}
	}
	return false
}

var wrongs = []string{"abort", "error", "cancel", "fail", "exception", "timeout", "timed", "time_out", "interrupt",
	"insufficient", "unavailable", "overload", "disconnect", "preempt", "evict", "killed", "crash", "deadline",
	"expired",
	"terminated", "rejected", "dropped", "denied", "lost", "stalled", "shutdown", "shut_down", "shutting", "panic",
	"out_of_memory", "unreachable", "throttled", "rate_limited", "rate_limit_", "quota_"}

// containsFold is bytes.Contains for ASCII, whatever the case.
func containsFold(text []byte, part string) bool {
	for ; len(text) >= len(part); text = text[1:] {
		if bytes.EqualFold(text[:len(part)], []byte(part)) {
			return true
		}
	}
	return false
}

// falsy reports whether data are a JSON value with nothing in it, which some servers write where others write nothing.
func falsy(data []byte) bool {
	if strings.TrimSpace(string(data)) == "" {
		return true
	}
	s := scanner{data: data}
	filled := s.filled()
	s.next()
	return s.wanted == "" && s.at == len(data) && !filled
}
