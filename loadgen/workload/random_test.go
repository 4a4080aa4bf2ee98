package workload_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Lengths in a range: both ends occur, each about as often as any other, and input says nothing about output.
func TestRangedLengths(t *testing.T) {
	const n = 6000
	for name, w := range map[string]workload.Workload{
		"tokens": workload.RandomTokens{Seed: 7, Input: 3, InputMax: 5, Output: 1, OutputMax: 2},
		"words":  workload.RandomWords{Seed: 7, Input: 3, InputMax: 5, Output: 1, OutputMax: 2},
	} {
		counts := map[[2]int]int{}
		for i := range n {
			p := prompt(t, w, i)
			if got := len(p.Tokens) + len(strings.Fields(p.Text)); got != p.Input {
				t.Fatalf("%s: prompt %d is %d long and says %d", name, i, got, p.Input)
			}
			counts[[2]int{p.Input, p.Output}]++
		}
		if len(counts) != 6 {
			t.Errorf("%s: %v, want three lengths of input with two of output each", name, counts)
		}
		for lengths, times := range counts {
			if times < n/6-180 || times > n/6+180 { // six standard deviations
				t.Errorf("%s: input and output %v %d times of %d, want about a sixth", name, lengths, times, n)
			}
		}
	}
}

// A range of one length, or none, is that length, and the same prompt.
func TestRangeOfOneLength(t *testing.T) {
	fixed := workload.RandomTokens{Seed: 7, Input: 9, Output: 3}
	ranged := fixed
	ranged.InputMax, ranged.OutputMax = 9, 3
	for i := range 50 {
		if a, b := prompt(t, fixed, i), prompt(t, ranged, i); !equal(a, b) || a.Input != 9 || a.Output != 3 {
			t.Errorf("prompt %d: %v and %v", i, a, b)
		}
	}
}

// common is how many elements a and b begin with that are the same.
func common[T comparable](a, b []T) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}

func TestPrefix(t *testing.T) {
	const prefix = 40
	for _, groups := range []int{0, 1, 3} {
		for name, content := range map[string]func(seed uint64, i int) []string{
			"tokens": func(seed uint64, i int) []string {
				w := workload.RandomTokens{Seed: seed, Input: 60, InputMax: 70, Output: 1, Prefix: prefix,
					Prefixes: groups}
				p := prompt(t, w, i)
				var ids []string
				for _, id := range p.Tokens {
					ids = append(ids, string(rune(id)))
				}
				if len(ids) != p.Input {
					t.Errorf("%d ids, says %d: the prefix is part of the input", len(ids), p.Input)
				}
				return ids
			},
			"words": func(seed uint64, i int) []string {
				w := workload.RandomWords{Seed: seed, Input: 60, InputMax: 70, Output: 1, Prefix: prefix,
					Prefixes: groups}
				return strings.Fields(prompt(t, w, i).Text)
			},
		} {
			for i := 1; i < 30; i++ {
				got := common(content(5, 0), content(5, i))
				if same := groups < 2 || i%groups == 0; same && (got < prefix || got > prefix+3) || !same && got > 3 {
					t.Errorf("%s, %d prefixes: prompts 0 and %d share their first %d", name, groups, i, got)
				}
				if got := common(content(5, i), content(6, i)); got > 3 {
					t.Errorf("%s: prompts %d of different seeds share their first %d", name, i, got)
				}
			}
		}
	}
	whole := workload.RandomTokens{Input: 8, Output: 1, Prefix: 8}
	if a, b := prompt(t, whole, 0), prompt(t, whole, 1); !slices.Equal(a.Tokens, b.Tokens) {
		t.Error("prompts that are all prefix differ")
	}
}

func TestRandomWorkloadsValidateRangesAndPrefixes(t *testing.T) {
	for _, test := range []struct {
		change func(*workload.RandomTokens)
		field  string // of RandomTokens; empty: valid
	}{
		{func(w *workload.RandomTokens) { w.InputMax, w.OutputMax, w.Prefix, w.Prefixes = 20, 20, 10, 1000 }, ""},
		{func(w *workload.RandomTokens) { w.InputMax = 9 }, "most input tokens"},
		{func(w *workload.RandomTokens) { w.InputMax = 10_000_001 }, "most input tokens"},
		{func(w *workload.RandomTokens) { w.OutputMax = -1 }, "most output tokens"},
		{func(w *workload.RandomTokens) { w.OutputMax = 10_000_001 }, "most output tokens"},
		{func(w *workload.RandomTokens) { w.Prefix = -1 }, "prefix tokens"},
		{func(w *workload.RandomTokens) { w.Prefix, w.InputMax = 11, 20 }, "prefix tokens"},
		{func(w *workload.RandomTokens) { w.Prefixes = -1 }, "number of prefixes"},
	} {
		w := workload.RandomTokens{Input: 10, Output: 10}
		test.change(&w)
		text := workload.RandomWords{Input: w.Input, InputMax: w.InputMax, Output: w.Output, OutputMax: w.OutputMax,
			Prefix: w.Prefix, Prefixes: w.Prefixes}
		for unit, err := range map[string]error{"tokens": w.Validate(), "words": text.Validate()} {
			field := test.field
			if unit == "words" && !strings.Contains(field, "output") {
				field = strings.Replace(field, "tokens", unit, 1)
			}
			var invalid *loadgen.InvalidError
			if field == "" && err != nil || field != "" && (!errors.As(err, &invalid) || invalid.Field != field) {
				t.Errorf("%+v: got %v, want an InvalidError for %q", w, err, field)
			}
		}
	}
}

func TestRandomTokensAllocateNothing(t *testing.T) {
	w := workload.RandomTokens{Seed: 1, Input: 100, InputMax: 200, Output: 5, Prefix: 50}
	p := workload.Prompt{Tokens: make([]int, 0, 200)}
	i := 0
	if n := testing.AllocsPerRun(100, func() {
		i++
		p.Tokens = p.Tokens[:0]
		if err := w.Prompt(i, &p); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for a prompt, want none", n)
	}
}

func BenchmarkRandomTokens(b *testing.B) {
	w := workload.RandomTokens{Seed: 1, Input: 2048, Output: 5}
	var p workload.Prompt
	b.ReportAllocs()
	for b.Loop() {
		p.Tokens = p.Tokens[:0]
		if err := w.Prompt(0, &p); err != nil {
			b.Fatal(err)
		}
	}
}
