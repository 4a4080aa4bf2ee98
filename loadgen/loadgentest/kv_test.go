package loadgentest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestPreemptionByHand compares two requests that do not fit together with what a
// pencil gives.
func TestPreemptionByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 2, PrefillRate: 2, DecodeRate: 1, KVBlocks: 4, BlockTokens: 2}
		begin := time.Now()
		var a, b seen
		var wg sync.WaitGroup
		wg.Go(func() { a = do(t, t.Context(), sim, 2, 5) })
		synctest.Wait()
		wg.Go(func() { b = do(t, t.Context(), sim, 2, 5) })
		time.Sleep(4500 * time.Millisecond)
		if c := sim.Counts(); c.KVBlocks != 4 || c.Running != 2 {
			t.Errorf("before the preemption counts are %+v", c)
		}
		time.Sleep(time.Second)
		if c := sim.Counts(); c.KVBlocks != 3 || c.Running != 1 || c.Waiting != 1 {
			t.Errorf("after the preemption counts are %+v", c)
		}
		wg.Wait()
		// A step takes a second, and half a second for each token read. Blocks of the two at its beginning: 1 (a
		// reads 2 tokens); 2 and 1 (b reads 2); 2 and 2; then a's fifth token needs a third block, which it gets by
		// b's two; a's last; b reads its prompt and the 2 tokens it has; b; b.
		const s = time.Second
		if got, want := a.times(begin), []time.Duration{2 * s, 4 * s, 5 * s, 6 * s, 7 * s}; !reflect.DeepEqual(got,
			want) {
			t.Errorf("the first request has its tokens at %v, want %v", got, want)
		}
		if got, want := b.times(begin), []time.Duration{4 * s, 5 * s, 10 * s, 11 * s, 12 * s}; !reflect.DeepEqual(got,
			want) {
			t.Errorf("the second request has its tokens at %v, want %v", got, want)
		}
		if c := sim.Counts(); c != (Counts{PeakRunning: 2, Served: 2, Preemptions: 1}) {
			t.Errorf("counts are %+v", c)
		}
	})
}

// TestPreemptedGoFirst has a third request wait, for which there is room sooner than
// for the one preempted, and which must not overtake it.
func TestPreemptedGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 2, PrefillRate: 2, DecodeRate: 1, KVBlocks: 4, BlockTokens: 2}
		begin := time.Now()
		var b, c seen
		var wg sync.WaitGroup
		wg.Go(func() { do(t, t.Context(), sim, 2, 5) })
		synctest.Wait()
		wg.Go(func() { b = do(t, t.Context(), sim, 2, 5) })
		time.Sleep(4500 * time.Millisecond)
		wg.Go(func() { c = do(t, t.Context(), sim, 2, 1) })
		wg.Wait()
		// As by hand above; at 7 s both are admitted, and the step reads 4 + 2 tokens.
		const s = time.Second
		if got, want := b.times(begin), []time.Duration{4 * s, 5 * s, 11 * s, 12 * s, 13 * s}; !reflect.DeepEqual(got,
			want) {
			t.Errorf("the one preempted has its tokens at %v, want %v", got, want)
		}
		if got, want := c.times(begin), []time.Duration{11 * s}; !reflect.DeepEqual(got, want) {
			t.Errorf("the third request has its token at %v, want %v", got, want)
		}
	})
}

// memories are servers with a limit on memory, for requests of 100 tokens in and 9
// out.
func memories() map[string]*Simulated {
	return map[string]*Simulated{
		// 108 tokens are 7 blocks, as 100 are.
		"exact": {MaxSequences: 8, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond,
			KVBlocks: 30},
		"exact, budget": {MaxSequences: 8, PrefillRate: 9000, DecodeRate: 70, TokenBudget: 50, KVBlocks: 30},
		"one":           {MaxSequences: 8, PrefillRate: 9000, DecodeRate: 70, KVBlocks: 7},
		"enough": {MaxSequences: 4, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond,
			KVBlocks: 108, BlockTokens: 4},
		"enough, cache": {MaxSequences: 4, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond,
			KVBlocks: 28},
		// 108 tokens are 27 blocks, 100 are 25.
		"preempts": {MaxSequences: 8, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond,
			KVBlocks: 80, BlockTokens: 4},
		"preempts, budget": {MaxSequences: 8, PrefillRate: 9000, DecodeRate: 70, TokenBudget: 60, KVBlocks: 104,
			BlockTokens: 4},
	}
}

// TestKVTruth has a closed loop reach the truth, over a period of it.
func TestKVTruth(t *testing.T) {
	const input, output = 100, 9
	for name, fit := range map[string]int{"exact": 4, "exact, budget": 4, "one": 1, "enough": 4, "enough, cache": 4,
		"preempts": 2, "preempts, budget": 3} {
		for _, c := range []int{1, 2, 3, 4, 5, 8, 20} {
			t.Run(fmt.Sprint(name, "/", c), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sim := memories()[name]
					truth := sim.Truth(input, output)
					if preempts := strings.HasPrefix(name, "preempts"); truth.Fit != fit || truth.Preempts != preempts {
						t.Fatalf("%d fit, preempts %v", truth.Fit, truth.Preempts)
					}
					cycle := sim.batchConfig().loop(c, input, output)
					n := 20*c + 3*int(cycle.requests)
					all, _ := closedLoop(t, sim, c, n, input, output)
					end := all[n-1].sent
					begin := end.Add(-duration(cycle.period))
					var count int
					var ttft, e2e time.Duration
					for _, s := range all {
						if s.done.After(begin) && !s.done.After(end) {
							count++
							ttft += s.first.Sub(s.sent)
							e2e += s.done.Sub(s.sent)
						}
					}
					if count == 0 {
						t.Fatal("nothing was served")
					}
					x := float64(count) / end.Sub(begin).Seconds()
					if want := truth.RequestThroughput(c); math.Abs(x/want-1) > 1e-9 {
						t.Errorf("%v requests/s, want %v", x, want)
					}
					if got, want := e2e/time.Duration(count), truth.MeanE2E(c); !within(got, want, 2) {
						t.Errorf("mean E2E %v, want %v", got, want)
					}
					if got, want := ttft/time.Duration(count), truth.MeanTTFT(c); !within(got, want, 2) {
						t.Errorf("mean TTFT %v, want %v", got, want)
					}
					if bound := truth.RequestBound(); x > bound*(1+1e-6) {
						t.Errorf("%v requests/s are above the bound, %v", x, bound)
					}
					switch preemptions := sim.Counts().Preemptions; {
					case (!truth.Preempts || c <= truth.Fit) && preemptions > 0:
						t.Errorf("%d preemptions with %d clients, %d fit", preemptions, c, truth.Fit)
					case truth.Preempts && c == 20 && preemptions == 0:
						t.Error("nothing was preempted")
					}
					if truth.Preempts {
						if truth.SaturationConcurrency != -1 || !math.IsNaN(truth.SaturationRequests) ||
							!math.IsNaN(truth.SaturationTokens) {
							t.Errorf("a saturation is claimed: %+v", truth)
						}
						return
					}
					m := min(sim.MaxSequences, fit)
					if truth.SaturationConcurrency != m {
						t.Errorf("saturation at %d, want %d", truth.SaturationConcurrency, m)
					}
					if c >= 2*m && math.Abs(x/truth.SaturationRequests-1) > 1e-6 {
						t.Errorf("%v requests/s in saturation, want %v", x, truth.SaturationRequests)
					}
					// The closed form, where TokenBudget is no limit.
					form := float64(m) / (output*(1/sim.DecodeRate+float64(m-1)*sim.StepPerSequence.Seconds()) +
						float64(m)*input/sim.PrefillRate)
					if sim.TokenBudget == 0 && math.Abs(truth.SaturationRequests/form-1) > 1e-6 {
						t.Errorf("%v requests/s in saturation, want %v", truth.SaturationRequests, form)
					}
				})
			})
		}
	}
}

// TestKVTruthUnknown checks that what is not known is not made up.
func TestKVTruthUnknown(t *testing.T) {
	sim := memories()["preempts"]
	sim.PrefixCache = true
	truth := sim.Truth(100, 9)
	if x := truth.RequestThroughput(2); math.IsNaN(x) || truth.MeanE2E(2) < 0 {
		t.Errorf("two clients fit, and have %v requests/s", x)
	}
	if !math.IsNaN(truth.RequestThroughput(3)) || !math.IsNaN(truth.TotalThroughput(3)) ||
		!math.IsNaN(truth.OutputThroughput(3)) {
		t.Error("the throughput of three clients is claimed to be known")
	}
	if truth.MeanTTFT(3) != -1 || truth.MeanE2E(3) != -1 || truth.Wait(3) != -1 {
		t.Error("the latency of three clients is claimed to be known")
	}
}

// TestLoopGivesUp checks that a search that preempts ends, and one that does not is
// not cut short.
func TestLoopGivesUp(t *testing.T) {
	for name, sim := range memories() {
		l := sim.batchConfig().search(8, 100, 9, 16)
		if preempts := strings.HasPrefix(name, "preempts"); preempts != (l.requests == 0) {
			t.Errorf("%s: %v requests", name, l.requests)
		}
	}
}

// TestRequestBound compares the bound with loops of random servers: those with
// memory to spare, those that preempt, and those whose steps grow faster than they
// are worth.
func TestRequestBound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	near, preempted := 0.0, 0
	for i := range 200 {
		sim := &Simulated{MaxSequences: 1 + rng.IntN(8), PrefillRate: 1000 * rng.Float64(),
			DecodeRate:      1 + 50*rng.Float64(),
			StepPerSequence: time.Duration(rng.IntN(100)) * time.Millisecond, KVBlocks: 8 + rng.IntN(20),
			BlockTokens: 1 +
				rng.IntN(4)}
		if i%3 == 0 {
			sim.TokenBudget = sim.MaxSequences + rng.IntN(20)
		}
		room := sim.KVBlocks * sim.BlockTokens
		input := 1 + rng.IntN(min(room-1, 20))
		output := 1 + rng.IntN(min(room-input, 10))
		truth := sim.Truth(input, output)
		for c := 1; c <= 10; c++ {
			x := truth.RequestThroughput(c)
			if x > truth.RequestBound()*(1+1e-6) {
				t.Errorf("%+v serves %d clients %d + %d tokens with %v requests/s, bound %v", sim, c, input, output, x,
					truth.RequestBound())
			}
			if !math.IsNaN(x) {
				near = max(near, x/truth.RequestBound())
				if truth.Preempts && c > truth.Fit {
					preempted++
				}
			}
		}
	}
	if near < 0.99 || preempted == 0 {
		t.Errorf("the bound is attained to %v at best, and %d loops preempt", near, preempted)
	}
}

// TestBatchMemory runs engines with random requests, many of which share prompts or
// go away, and looks at the memory after every step.
func TestBatchMemory(t *testing.T) {
	run := func(seed uint64) (trace []time.Duration, preemptions, hits int) {
		rng := rand.New(rand.NewPCG(seed, 0))
		size := 1 + rng.IntN(4)
		b := newBatch(batchConfig{slots: 1 + rng.IntN(6), base: 100, perSequence: 10, perPrompt: 1, kvBlocks: 12 +
			rng.IntN(12), blockTokens: size, caching: true})
		if rng.IntN(2) == 0 {
			b.budget = b.slots + rng.IntN(8)
		}
		var now time.Duration
		var live []*job
		cancelled := 0
		left := 300
		for left > 0 || b.stepping {
			if left > 0 && rng.IntN(3) > 0 {
				left--
				q := request{prefix: prefix{most: 1 << 20}, input: 1 + rng.IntN(6*size), output: 1 + rng.IntN(5*size)}
				kind := rng.IntN(3)
				for i := range q.input {
					q.note(uint64(kind*(i/(2*size)+1) + i)) // prompts that begin alike, and part
				}
				m := &job{input: q.input, output: q.output, hashes: q.hashes(size)}
				live = append(live, m)
				b.arrive(m, now)
			}
			if len(live) > 0 && rng.IntN(12) == 0 {
				if m := live[rng.IntN(len(live))]; !m.gone && m.done < m.output {
					b.leave(m)
					cancelled++
				}
			}
			if rng.IntN(2) == 0 && b.stepping {
				now = b.end
				b.advance(now, func(at time.Duration, got []*job) {
					trace = append(trace, at,
						time.Duration(len(got)))
				})
			}
			used, seen := 0, map[*block]int{}
			for _, m := range b.running {
				if need := blocksOf(max(m.prefill, m.input+m.done), size); !m.gone && m.holding.blocks() < need {
					t.Fatalf("%d blocks for %d + %d tokens", m.holding.blocks(), m.input, m.done)
				}
				if m.holding.private < 0 {
					t.Fatalf("%d private blocks", m.holding.private)
				}
				used += m.holding.private
				for _, s := range m.holding.shared {
					seen[s]++
				}
			}
			for s, n := range seen {
				if s.holders != n || b.kv.cached[s.hash] != s {
					t.Fatalf("a block of %d holders says %d", n, s.holders)
				}
			}
			if used += len(seen); used != b.kv.used || used+b.kv.idle.Len() > b.kv.total ||
				len(b.kv.cached) != len(seen)+b.kv.idle.Len() {
				t.Fatalf("%d blocks held and %d idle, counted %d of %d, %d cached", used, b.kv.idle.Len(), b.kv.used,
					b.kv.total,
					len(b.kv.cached))
			}
		}
		served := 0
		for _, m := range live {
			if m.done == m.output {
				served++
			}
		}
		if b.kv.used != 0 || served+cancelled != 300 {
			t.Fatalf("%d blocks are left, %d served, %d cancelled", b.kv.used, served, cancelled)
		}
		return trace, b.preemptions, b.kv.hits
	}
	preemptions, hits := 0, 0
	for seed := range uint64(60) {
		trace, p, h := run(seed)
		if again, _, _ := run(seed); !reflect.DeepEqual(trace, again) {
			t.Fatalf("seed %d: two runs differ", seed)
		}
		preemptions += p
		hits += h
	}
	if preemptions == 0 || hits == 0 {
		t.Errorf("%d preemptions, %d hits", preemptions, hits)
	}
}

func TestKVValidate(t *testing.T) {
	for want, sim := range map[string]*Simulated{
		"KVBlocks is -1":         {KVBlocks: -1},
		"BlockTokens is -1":      {BlockTokens: -1},
		"KVBlocks is 1073741825": {KVBlocks: 1<<30 + 1, MaxSequences: 1, DecodeRate: 1},
		"BlockTokens is 1048577": {BlockTokens: 1<<20 + 1},
		"with a PrefixCache":     {PrefixCache: true},
		"MaxSequences is 0":      {KVBlocks: 5, DecodeRate: 1},
		"DecodeRate is 0":        {KVBlocks: 5, MaxSequences: 1},
	} {
		if err := sim.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
}

// TestTooLongForMemory checks what can never run is refused.
func TestTooLongForMemory(t *testing.T) {
	sim := &Simulated{MaxSequences: 2, DecodeRate: 1e9, KVBlocks: 4, BlockTokens: 8, MaxModelLen: 100}
	if r := post(t.Context(), sim, completions, body(20, 12), &recorder{}); r.status != 200 {
		t.Errorf("32 tokens have status %d", r.status)
	}
	r := post(t.Context(), sim, completions, body(20, 13), &recorder{})
	if e := unmarshal(t, r.body()).Error; r.status != 400 || e == nil || !strings.Contains(e.Message,
		"maximum context length is 32 tokens") {
		t.Errorf("33 tokens have status %d: %s", r.status, r.body())
	}
	sim.MaxModelLen = 30
	if got := sim.maxLength(); got != 30 {
		t.Errorf("the limit is %d, want 30", got)
	}
}
