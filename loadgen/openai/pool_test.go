package openai_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func prompt(t *testing.T, w workload.Workload, i int) workload.Prompt {
	t.Helper()
	var p workload.Prompt
	if err := w.Prompt(i, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// mixed hands out what the one before would spoil, if anything of a prompt outlived it.
type mixed struct{ fixed []int }

func (w mixed) Prompt(i int, p *workload.Prompt) error {
	if len(p.Tokens) != 0 || p.Text != "" || p.Input != 0 || p.Output != 0 {
		return errors.New("the prompt was not empty")
	}
	switch i % 3 {
	case 0:
		p.Tokens, p.Input, p.Output = w.fixed, len(w.fixed), 2 // the workload's own memory
	case 1:
		p.Tokens = append(p.Tokens, 1)
		p.Input, p.Output = 1, 1
	case 2:
		p.Text, p.Output = "some text", 3
	}
	return nil
}

// Prompts reuse memory, but neither show a former prompt nor write into what is the workload's.
func TestPromptMemory(t *testing.T) {
	var seen capture
	server := serve(t, &seen)
	w := mixed{fixed: []int{7, 8, 9}}
	_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 30}, newTarget(t, openai.Config{URL: server.URL,
		Workload: w}))
	for i, q := range all {
		if q.err != nil {
			t.Fatal(q.err)
		}
		var ok bool
		switch got := seen.arrivals[i].body["prompt"].(type) {
		case string:
			ok = i%3 == 2 && got == "some text" && q.AskedInput == 0
		case []any:
			ok = i%3 == 0 && slices.Equal(got, []any{7., 8., 9.}) || i%3 == 1 && slices.Equal(got, []any{1.})
		}
		if !ok {
			t.Errorf("prompt %d arrived as %v", i, seen.arrivals[i].body["prompt"])
		}
	}
	if want := []int{7, 8, 9}; !slices.Equal(w.fixed, want) {
		t.Errorf("the workload's own ids are now %v", w.fixed)
	}
}
