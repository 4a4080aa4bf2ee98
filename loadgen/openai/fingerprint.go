package openai

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// fingerprintPrompts is how many prompts a fingerprint is of: enough for prompts of other words, another seed or
// another order to be told apart.
const fingerprintPrompts = 8

// Fingerprint is a hash of the target's first prompts, or of how its first conversations begin, and of what it adds
// to them, secrets included: of two targets that have the same one, requests of the same number are the same.
func (t *Target) Fingerprint() string {
	sum := sha256.New()
	out := json.NewEncoder(sum) // of a hash, which takes everything
	for i := range fingerprintPrompts {
		first, err := t.first(i)
		if err != nil {
			_, _ = fmt.Fprintln(sum, err)
			continue
		}
		_ = out.Encode(first)
	}
	_ = out.Encode(t.config.Body)
	return fmt.Sprintf("%x", sum.Sum(nil)[:16])
}

// first is prompt i, or what conversation i begins with.
func (t *Target) first(i int) (any, error) {
	if t.config.Conversations == nil {
		var p workload.Prompt
		err := t.config.Workload.Prompt(i, &p)
		return p, err
	}
	talk, err := t.config.Conversations.Conversation(i)
	if err != nil {
		return nil, err
	}
	return talk.Next(-1, "")
}
