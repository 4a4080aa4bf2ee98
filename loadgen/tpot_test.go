package loadgen

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A streamed answer is what came of one request: its arrivals, each so long after it was sent, in ms.
type streamed struct {
	visible []int // chunks of content
	hidden  []int // chunks in which only the usage grew
	tokens  []int // of each of the two, in the order in which they came; nil: not told
	done    int
	choices int
	output  int
	finish  string
}

// every is n numbers from first on, step apart.
func every(first, step, n int) (out []int) {
	for i := range n {
		out = append(out, first+i*step)
	}
	return out
}

func (s streamed) Do(_ context.Context, _ int, r *Record) error {
	type arrival struct {
		at     int
		hidden bool
	}
	var all []arrival
	for _, at := range s.visible {
		all = append(all, arrival{at, false})
	}
	for _, at := range s.hidden {
		all = append(all, arrival{at, true})
	}
	slices.SortStableFunc(all, func(a, b arrival) int { return a.at - b.at })
	for i, a := range all {
		c := Chunk{Seen: r.Sent + time.Duration(a.at)*time.Millisecond, Hidden: a.hidden}
		if s.tokens != nil {
			c.Tokens = s.tokens[i]
		}
		time.Sleep(c.Seen - r.Now())
		r.Chunk(c)
	}
	time.Sleep(r.Sent + time.Duration(s.done)*time.Millisecond - r.Now())
	r.Done = r.Now()
	r.Choices, r.Finish = s.choices, s.finish
	r.Counted, r.Input, r.Output = true, 4, s.output
	return nil
}

// A token's time and its count cover the same tokens: where they are known, TPOT is exact; where it is an estimate,
// that is said; where the chunks plainly do not match the count, it is spoiled.
func TestTPOTCoversItsTokens(t *testing.T) {
	ones := func(first, n int) []int { return append([]int{first}, slices.Repeat([]int{1}, n)...) }
	for _, c := range []struct {
		name    string
		answer  streamed
		tpot    float64
		basis   TPOTBasis // of one request
		spoiled bool
	}{
		{"a token a chunk",
			streamed{visible: every(20, 10, 100), done: 1010, choices: 100, output: 100}, 10, TPOTBasis{Known: 1},
			false},
		{"95 chunks without text at the end", // the issue's: ignore_eos
			streamed{visible: every(10, 10, 5), done: 1020, choices: 101,
				output: 100}, 1010.0 / 99, TPOTBasis{Estimated: 1}, false},
		{"the same with usage in each",
			streamed{visible: every(10, 10, 5), hidden: every(60, 10, 95), tokens: ones(1, 99), done: 1020,
				choices: 101, output: 100},
			1010.0 / 99, TPOTBasis{Known: 1}, false},
		{"8 tokens in the first chunk with usage in each", // the issue's: 10.3 per token
			streamed{visible: every(72, 10, 93), tokens: ones(8, 92), done: 1020, choices: 94,
				output: 100}, 948.0 / 92, TPOTBasis{Known: 1}, false},
		{"8 tokens in the first chunk without",
			streamed{visible: every(72, 10, 93), done: 1020, choices: 94,
				output: 100}, 948.0 / 99, TPOTBasis{Estimated: 1}, false},
		{"a silent tail", // 30 tokens in 300 ms, then the finish chunk
			streamed{visible: every(20, 10, 70), done: 1010, choices: 71, output: 100}, 10, TPOTBasis{Estimated: 1},
			false},
		{"a silent tail after a long prefill",
			streamed{visible: every(3020, 10, 70), done: 4010, choices: 71, output: 100}, 10, TPOTBasis{Estimated: 1},
			false},
		{"a hidden head",
			streamed{visible: every(620, 10, 40), done: 1020, choices: 41,
				output: 100}, 400.0 / 99, TPOTBasis{Unmatched: 1}, true},
		{"a hidden head of chunks without text",
			streamed{visible: every(970, 10, 5), done: 1010, choices: 100,
				output: 100}, 40.0 / 99, TPOTBasis{Unmatched: 1}, true},
		{"a hidden head with usage in each",
			streamed{visible: every(620, 10, 40), hidden: every(20, 10, 60), tokens: ones(1, 99), done: 1020,
				choices: 101, output: 100},
			400.0 / 39, TPOTBasis{Known: 1}, false},
		{"a hidden head that the first usage tells",
			streamed{visible: every(620, 10, 40), tokens: ones(61, 39), done: 1010, choices: 40,
				output: 100}, 10, TPOTBasis{Known: 1}, false},
		{"one chunk in the middle, of a tool call",
			streamed{visible: []int{800}, done: 1020, choices: 2, output: 100}, 220.0 / 99, TPOTBasis{Unmatched: 1},
			true},
		{"one chunk, and a hidden tail",
			streamed{visible: []int{20}, done: 1010, choices: 2, output: 100}, 10, TPOTBasis{Estimated: 1}, false},
		{"speculative decoding", // 2.5 tokens a chunk
			streamed{visible: every(50, 25, 40), done: 1025, choices: 40,
				output: 100}, 975.0 / 99, TPOTBasis{Estimated: 1}, false},
		{"the end token has no text",
			streamed{visible: every(20, 10, 99), done: 1010, choices: 100, output: 100}, 10, TPOTBasis{Estimated: 1},
			false},
		{"at once, four tokens a chunk",
			streamed{visible: every(1, 0, 25), done: 1, choices: 25, output: 100}, 0, TPOTBasis{Estimated: 1}, false},
		{"usage that says more in the first chunk than the others leave room for",
			streamed{visible: every(20, 10, 100), tokens: ones(100, 99), done: 1010, choices: 100,
				output: 100}, 10, TPOTBasis{Known: 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustMeasure(t, Level{Concurrency: 1, Requests: 4, Objectives: []Objective{{TPOT, 50}}},
					TargetFunc(c.answer.Do))
				near(t, "TPOT", figure(t, r, MeanName(TPOT)), c.tpot)
				near(t, "E2E", figure(t, r, MeanName(E2E)), float64(c.answer.done))
				near(t, "in flight", r.InFlight.Mean, 1)
				if c.tpot > 0 {
					near(t, "interactivity", figure(t, r, MeanName(Interactivity)), 1000/c.tpot)
				}
				want := TPOTBasis{4 * c.basis.Known, 4 * c.basis.Estimated, 4 * c.basis.Unmatched}
				if r.TPOT != want {
					t.Errorf("basis %+v, want %+v", r.TPOT, want)
				}
				tpots := []string{MeanName(TPOT), QuantileName(TPOT, 99), QuantileName(Interactivity, 50), Attainment,
					IssuedName(TPOT, 99)}
				others := []string{MeanName(TTFT), QuantileName(ITL, 99), OutputThroughput, MeanName(E2E)}
				if c.spoiled {
					checkSpoiled(t, r, tpots, others)
				} else {
					checkSpoiled(t, r, nil, append(tpots, others...))
				}
				if got := hasWarning(r, WarnTPOTEstimated); got != (want.Estimated > 0) {
					t.Errorf("%s: %t", WarnTPOTEstimated, got)
				}
			})
		})
	}
}

// All tokens in the first chunk: nobody waits for another, so that there is no TPOT, and none is missed.
func TestNoTokenAfterTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := streamed{visible: []int{30}, tokens: []int{8}, done: 40, choices: 2, output: 8}
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 3, Objectives: []Objective{{TPOT, 1}}},
			TargetFunc(answer.Do))
		if f, ok := r.Figure(MeanName(TPOT)); ok {
			t.Errorf("there is %+v", f)
		}
		near(t, "attainment", figure(t, r, Attainment), 100)
	})
}

// Few requests of which the tokens are not known do not spoil the others; chunks without text are no chunks of many
// tokens.
func TestTPOTOfMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hidden := streamed{visible: every(620, 10, 40), done: 1020, output: 100, choices: 41}
		plain := streamed{visible: every(20, 10, 100), done: 1010, output: 100, choices: 100}
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 200}, TargetFunc(func(ctx context.Context, i int,
			r *Record) error {
			if i == 7 || i == 8 {
				return hidden.Do(ctx, i, r)
			}
			return plain.Do(ctx, i, r)
		}))
		if want := (TPOTBasis{Known: 198, Unmatched: 2}); r.TPOT != want {
			t.Errorf("basis %+v, want %+v", r.TPOT, want)
		}
		checkSpoiled(t, r, nil, []string{QuantileName(TPOT, 50)})
		silent := streamed{visible: every(10, 10, 5), done: 1020, choices: 101, output: 100}
		if r := mustMeasure(t, Level{Concurrency: 1, Requests: 4}, TargetFunc(silent.Do)); hasWarning(r,
			WarnMultiTokenChunks) {
			t.Errorf("chunks of many tokens: %+v", r.Tokens.Chunking)
		}
	})
}

// Tokens that came together are fast, but not a billion a second: they have no part in the interactivity, and meet any
// objective of it.
func TestInteractivityOfWhatCameTogether(t *testing.T) {
	for name, apart := range map[string]time.Duration{"at once": 0, "a nanosecond": 1,
		"in one read": 20 * time.Microsecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := Level{Concurrency: 1, Requests: 40, Objectives: []Objective{{Interactivity, 60}, {TPOT, 20}}}
				r := mustMeasure(t, l, TargetFunc(func(ctx context.Context, i int, r *Record) error {
					step := 10 * time.Millisecond
					if i%4 == 3 {
						step = apart
					}
					for range 100 {
						time.Sleep(step)
						r.Chunk(Chunk{})
					}
					r.Counted, r.Input, r.Output = true, 1, 100
					return nil
				}))
				f, _ := r.Figure(MeanName(Interactivity))
				if near(t, "mean", f.Value, 100); f.N != 30 {
					t.Errorf("%+v", f)
				}
				near(t, "TPOT", figure(t, r, MeanName(TPOT)), 7.5+apart.Seconds()*1000/4)
				near(t, "attainment", figure(t, r, Attainment), 100)
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // 0.05 ms is fast, and told
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 4},
			TargetFunc(func(ctx context.Context, i int, r *Record) error {
				for range 200 {
					time.Sleep(50 * time.Microsecond)
					r.Chunk(Chunk{})
				}
				r.Counted, r.Output = true, 200
				return nil
			}))
		near(t, "mean", figure(t, r, MeanName(Interactivity)), 20_000)
	})
}

// Chunks of speculative decoding behind a long prefill look like the tail of a hidden head, unless the server tells how
// many tokens of its drafts it took.
func TestTPOTOfSpeculativeDecoding(t *testing.T) {
	answer := streamed{visible: every(3000, 40, 25), done: 3960, choices: 26, output: 100}
	for accepted, want := range map[int]TPOTBasis{-1: {Unmatched: 2}, 0: {Unmatched: 2}, 74: {Estimated: 2},
		70: {Estimated: 2}} {
		synctest.Test(t, func(t *testing.T) {
			r := mustMeasure(t, Level{Concurrency: 1, Requests: 2}, TargetFunc(func(ctx context.Context, i int,
				r *Record) error {
				if accepted >= 0 {
					r.DraftTold, r.AcceptedDraft = true, accepted
				}
				return answer.Do(ctx, i, r)
			}))
			if near(t, "TPOT", figure(t, r, MeanName(TPOT)), 960.0/99); r.TPOT != want {
				t.Errorf("%d accepted: %+v, want %+v", accepted, r.TPOT, want)
			}
		})
	}
}
