package loadgentest

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// A constrained answer comes later by what its grammar takes, and by nothing else.
func TestGrammarDelaysTheFirstToken(t *testing.T) {
	for format, want := range map[string]time.Duration{
		"null": 0, `{"type":"text"}`: 0, `{"type":"json_object"}`: 30 * time.Millisecond,
		`{"json_schema":{"type":"text"},"type":"json_schema"}`: 30 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			sim := &Simulated{DecodeRate: 100, Grammar: 30 * time.Millisecond}
			began := time.Now()
			post(t.Context(), sim, chat,
				fmt.Sprintf(`{"messages":[{"role":"user","content":"hi"}],"max_tokens":4,"response_format":%s}`,
					format),
				&recorder{})
			if took := time.Since(began) - 30*time.Millisecond; took != want { // three steps; the prompt takes no time
				t.Errorf("%s: %v more, want %v", format, took, want)
			}
		})
	}
}
