package workload_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
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

// workloads by their seed.
var workloads = map[string]func(seed uint64) workload.Workload{
	"tokens": func(seed uint64) workload.Workload { return workload.RandomTokens{Seed: seed, Input: 60, Output: 9} },
	"few token ids": func(seed uint64) workload.Workload {
		return workload.RandomTokens{Seed: seed, Input: 60, Output: 9, Low: 5, High: 15}
	},
	"words": func(seed uint64) workload.Workload { return workload.RandomWords{Seed: seed, Input: 60, Output: 9} },
}

func equal(a, b workload.Prompt) bool {
	return slices.Equal(a.Tokens, b.Tokens) && a.Text == b.Text && a.Input == b.Input && a.Output == b.Output
}

// A prompt is a function of seed and number, and no two are the same.
func TestPromptsDependOnSeedAndNumber(t *testing.T) {
	for name, seeded := range workloads {
		t.Run(name, func(t *testing.T) {
			var all []workload.Prompt
			for _, seed := range []uint64{0, 1, 2, 1 << 32, 1 << 63} {
				for _, i := range []int{0, 1, 2, 3, 1000, 1 << 30} {
					p := prompt(t, seeded(seed), i)
					if again := prompt(t, seeded(seed), i); !equal(p, again) {
						t.Errorf("prompt %d of seed %d is not always the same", i, seed)
					}
					if slices.ContainsFunc(all, func(other workload.Prompt) bool { return equal(p, other) }) {
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
			p := prompt(t, workload.RandomTokens{Seed: seed, Input: 2, Output: 1}, i)
			starts[[2]int(p.Tokens)]++
			n++
		}
	}
	if shared := n - len(starts); shared > 2 { // 0.06 expected
		t.Errorf("%d of %d prompts begin like another", shared, n)
	}
}

func TestRandomTokens(t *testing.T) {
	for _, test := range []struct{ low, high, from, to int }{{0, 0, 1000, 4000}, {0, 2, 0, 2}, {7, 8, 7, 8},
		{100, 110, 100, 110}} {
		w := workload.RandomTokens{Input: 5000, Output: 3, Low: test.low, High: test.high}
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
		p := prompt(t, workload.RandomWords{Input: n, Output: 3}, 0)
		if words := strings.Fields(p.Text); len(words) != n || strings.Join(words, " ") != p.Text ||
			len(p.Tokens) != 0 || p.Input != n || p.Output != 3 {
			t.Errorf("%d words: %+v", n, p)
		}
	}
}

func TestWorkloadsValidate(t *testing.T) {
	type validator interface {
		workload.Workload
		Validate() error
	}
	for _, test := range []struct {
		w     validator
		field string // empty: valid
	}{
		{workload.RandomTokens{Input: 1, Output: 1}, ""},
		{workload.RandomTokens{Input: 1, Output: 1, High: 1}, ""},
		{workload.RandomTokens{}, "input tokens"},
		{workload.RandomTokens{Input: -1, Output: 1}, "input tokens"},
		{workload.RandomTokens{Input: 10_000_001, Output: 1}, "input tokens"},
		{workload.RandomTokens{Input: 1}, "output tokens"},
		{workload.RandomTokens{Input: 1, Output: 10_000_001}, "output tokens"},
		{workload.RandomTokens{Input: 1, Output: 1, Low: 5}, "token ids"},
		{workload.RandomTokens{Input: 1, Output: 1, Low: 5, High: 5}, "token ids"},
		{workload.RandomTokens{Input: 1, Output: 1, Low: -1, High: 5}, "token ids"},
		{workload.RandomWords{Input: 1, Output: 1}, ""},
		{workload.RandomWords{Output: 1}, "input words"},
		{workload.RandomWords{Input: 1}, "output tokens"},
	} {
		for how, err := range map[string]error{"Validate": test.w.Validate(),
			"Prompt": test.w.Prompt(0, new(workload.Prompt))} {
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
	for name, seeded := range workloads {
		t.Run(name, func(t *testing.T) {
			w := seeded(3)
			want := make([]workload.Prompt, 20)
			for i := range want {
				want[i] = prompt(t, w, i)
			}
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for i := range want {
						var p workload.Prompt
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
