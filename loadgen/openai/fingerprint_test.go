package openai_test

import (
	"testing"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func TestFingerprint(t *testing.T) {
	of := func(c openai.Config) string {
		t.Helper()
		c.URL, c.Model = "http://127.0.0.1:1", "m"
		target, err := openai.New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		return target.Fingerprint()
	}
	tokens := workload.RandomTokens{Seed: 1, Input: 10, Output: 5}
	want := of(openai.Config{Workload: tokens})
	if got := of(openai.Config{Workload: tokens}); got != want || len(got) != 32 {
		t.Errorf("%q, and then %q", want, got)
	}
	other := tokens
	other.Seed = 2
	for what, c := range map[string]openai.Config{
		"another seed": {Workload: other},
		"words":        {Workload: workload.RandomWords{Seed: 1, Input: 10, Output: 5}},
		"another body": {Workload: tokens, Body: map[string]any{"top_p": 0.5}},
	} {
		if of(c) == want {
			t.Errorf("%s has the same fingerprint", what)
		}
	}
	talks := workload.Talks{Seed: 1, Turns: workload.Fixed(2), Input: workload.Fixed(9), Output: workload.Fixed(5)}
	of1 := of(openai.Config{Conversations: talks})
	if again := of(openai.Config{Conversations: talks}); again != of1 {
		t.Errorf("sessions: %q, and then %q", of1, again)
	}
	if talks.Seed = 2; of(openai.Config{Conversations: talks}) == of1 {
		t.Error("sessions of another seed have the same fingerprint")
	}
}
