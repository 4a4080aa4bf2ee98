package openai_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
)

func prompt(t *testing.T, w openai.Workload, i int) openai.Prompt {
	t.Helper()
	var p openai.Prompt
	if err := w.Prompt(i, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// workloads by their seed.
var workloads = map[string]func(seed uint64) openai.Workload{
	"tokens": func(seed uint64) openai.Workload { return openai.RandomTokens{Seed: seed, Input: 60, Output: 9} },
	"few token ids": func(seed uint64) openai.Workload {
		return openai.RandomTokens{Seed: seed, Input: 60, Output: 9, Low: 5, High: 15}
	},
	"words": func(seed uint64) openai.Workload { return openai.RandomWords{Seed: seed, Input: 60, Output: 9} },
}

func equal(a, b openai.Prompt) bool {
	return slices.Equal(a.Tokens, b.Tokens) && a.Text == b.Text && a.Input == b.Input && a.Output == b.Output
}

// A prompt is a function of seed and number, and no two are the same.
func TestPromptsDependOnSeedAndNumber(t *testing.T) {
	for name, workload := range workloads {
		t.Run(name, func(t *testing.T) {
			var all []openai.Prompt
			for _, seed := range []uint64{0, 1, 2, 1 << 32, 1 << 63} {
				for _, i := range []int{0, 1, 2, 3, 1000, 1 << 30} {
					p := prompt(t, workload(seed), i)
					if again := prompt(t, workload(seed), i); !equal(p, again) {
						t.Errorf("prompt %d of seed %d is not always the same", i, seed)
					}
					if slices.ContainsFunc(all, func(other openai.Prompt) bool { return equal(p, other) }) {
						t.Errorf("prompt %d of seed %d came before", i, seed)
					}
					all = append(all, p)
				}
			}
		})
	}
}

// A prefix that prompts share would be served from the server's cache. Of 3,000 ids two prompts agree in the first by
// chance, 1 time in 3,000, and hardly ever in the first two.
func TestPromptsShareNoPrefix(t *testing.T) {
	starts := map[[2]int]int{}
	n := 0
	for seed := range uint64(20) {
		for i := range 50 {
			p := prompt(t, openai.RandomTokens{Seed: seed, Input: 2, Output: 1}, i)
			starts[[2]int(p.Tokens)]++
			n++
		}
	}
	if shared := n - len(starts); shared > 2 { // 0.06 expected
		t.Errorf("%d of %d prompts begin like another", shared, n)
	}
}

func TestRandomTokens(t *testing.T) {
	for _, test := range []struct{ low, high, from, to int }{{0, 0, 1000, 4000}, {0, 2, 0, 2}, {7, 8, 7, 8}, {100, 110, 100, 110}} {
		w := openai.RandomTokens{Input: 5000, Output: 3, Low: test.low, High: test.high}
		p := prompt(t, w, 0)
		if len(p.Tokens) != 5000 || p.Text != "" || p.Input != 5000 || p.Output != 3 {
			t.Errorf("%+v: %d ids, text %q, input %d, output %d", w, len(p.Tokens), p.Text, p.Input, p.Output)
		}
		least, most := slices.Min(p.Tokens), slices.Max(p.Tokens)
		if least < test.from || most >= test.to {
			t.Errorf("%+v: ids from %d to %d", w, least, most)
		}
		if test.to-test.from <= 10 && (least != test.from || most != test.to-1) {
			t.Errorf("%+v: of 5,000 ids none is at an end of its range: %d to %d", w, least, most)
		}
	}
}

func TestRandomWords(t *testing.T) {
	for _, n := range []int{1, 2, 500} {
		p := prompt(t, openai.RandomWords{Input: n, Output: 3}, 0)
		if words := strings.Fields(p.Text); len(words) != n || strings.Join(words, " ") != p.Text || len(p.Tokens) != 0 || p.Input != n || p.Output != 3 {
			t.Errorf("%d words: %+v", n, p)
		}
	}
}

func TestWorkloadsValidate(t *testing.T) {
	type validator interface {
		openai.Workload
		Validate() error
	}
	for _, test := range []struct {
		w     validator
		field string // empty: valid
	}{
		{openai.RandomTokens{Input: 1, Output: 1}, ""},
		{openai.RandomTokens{Input: 1, Output: 1, High: 1}, ""},
		{openai.RandomTokens{}, "input tokens"},
		{openai.RandomTokens{Input: -1, Output: 1}, "input tokens"},
		{openai.RandomTokens{Input: 10_000_001, Output: 1}, "input tokens"},
		{openai.RandomTokens{Input: 1}, "output tokens"},
		{openai.RandomTokens{Input: 1, Output: 10_000_001}, "output tokens"},
		{openai.RandomTokens{Input: 1, Output: 1, Low: 5}, "token ids"},
		{openai.RandomTokens{Input: 1, Output: 1, Low: 5, High: 5}, "token ids"},
		{openai.RandomTokens{Input: 1, Output: 1, Low: -1, High: 5}, "token ids"},
		{openai.RandomWords{Input: 1, Output: 1}, ""},
		{openai.RandomWords{Output: 1}, "input words"},
		{openai.RandomWords{Input: 1}, "output tokens"},
	} {
		for how, err := range map[string]error{"Validate": test.w.Validate(), "Prompt": test.w.Prompt(0, new(openai.Prompt))} {
			var invalid *loadgen.InvalidError
			switch {
			case test.field == "" && err != nil:
				t.Errorf("%s of %+v: %v", how, test.w, err)
			case test.field != "" && (!errors.As(err, &invalid) || invalid.Field != test.field):
				t.Errorf("%s of %+v: got %v, want an InvalidError for %s", how, test.w, err, test.field)
			}
		}
	}
}

func TestWorkloadsAreSafeForConcurrentUse(t *testing.T) {
	for name, workload := range workloads {
		t.Run(name, func(t *testing.T) {
			w := workload(3)
			want := make([]openai.Prompt, 20)
			for i := range want {
				want[i] = prompt(t, w, i)
			}
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for i := range want {
						var p openai.Prompt
						if err := w.Prompt(i, &p); err != nil || !equal(p, want[i]) {
							t.Errorf("prompt %d differs: %v", i, err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// mixed hands out what the one before would spoil, if anything of a prompt outlived it.
type mixed struct{ fixed []int }

func (w mixed) Prompt(i int, p *openai.Prompt) error {
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
	_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 30}, newTarget(t, openai.Config{URL: server.URL, Workload: w}))
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
