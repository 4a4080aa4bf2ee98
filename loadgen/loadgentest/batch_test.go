package loadgentest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// batches are servers whose requests share their steps: without and with a budget
// that is a limit, and with nothing but a budget.
func batches() map[string]*Simulated {
	return map[string]*Simulated{
		"no budget": {MaxSequences: 4, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond},
		"budget": {MaxSequences: 4, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond,
			TokenBudget: 50},
		"only budget": {MaxSequences: 4, PrefillRate: 9000, DecodeRate: 70, TokenBudget: 40},
		"one place":   {MaxSequences: 1, PrefillRate: 9000, DecodeRate: 70, TokenBudget: 64},
		"no prefill":  {MaxSequences: 4, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond},
	}
}

// times are when the chunks of a request came, since begin.
func (s seen) times(begin time.Time) []time.Duration {
	at := s.first.Sub(begin)
	all := []time.Duration{at}
	for _, g := range s.gaps {
		at += g
		all = append(all, at)
	}
	return all
}

// TestBatchByHand compares two requests that meet with what a pencil gives.
func TestBatchByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 4, PrefillRate: 1000, DecodeRate: 100, StepPerSequence: time.Millisecond,
			TokenBudget: 8}
		begin := time.Now()
		var a, b seen
		var wg sync.WaitGroup
		wg.Go(func() { a = do(t, t.Context(), sim, 4, 3) })
		time.Sleep(5 * time.Millisecond)
		wg.Go(func() { b = do(t, t.Context(), sim, 12, 2) })
		wg.Wait()
		// Steps: 10 + 4 prompt tokens of a; 10 + 1 for a second sequence + 7 of b, a's decode having taken one of 8;
		// 10 + 1 + the other 5; 10 for b alone.
		const ms = time.Millisecond
		if got, want := a.times(begin), []time.Duration{14 * ms, 32 * ms, 48 * ms}; !reflect.DeepEqual(got, want) {
			t.Errorf("the first request has its tokens at %v, want %v", got, want)
		}
		if got, want := b.times(begin), []time.Duration{48 * ms, 58 * ms}; !reflect.DeepEqual(got, want) {
			t.Errorf("the second request has its tokens at %v, want %v", got, want)
		}
		if c := sim.Counts(); c != (Counts{PeakRunning: 2, Served: 2}) {
			t.Errorf("counts are %+v", c)
		}
	})
}

func TestBatchTruthOfOneRequest(t *testing.T) {
	for name, sim := range batches() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const input, output = 100, 9
				truth := sim.Truth(input, output)
				s := do(t, t.Context(), sim, input, output)
				if got := s.first.Sub(s.sent); got != truth.TTFT {
					t.Errorf("TTFT %v, want %v", got, truth.TTFT)
				}
				if got := s.done.Sub(s.sent); got != truth.Service {
					t.Errorf("E2E %v, want %v", got, truth.Service)
				}
				for _, g := range s.gaps {
					if g != truth.ITL {
						t.Errorf("ITL %v, want %v", g, truth.ITL)
					}
				}
				if x := truth.RequestThroughput(1); math.Abs(x*truth.Service.Seconds()-1) > 1e-9 {
					t.Errorf("one client has %v requests/s of %v each", x, truth.Service)
				}
			})
		})
	}
}

// TestBatchTruth has a closed loop reach the truth, over a period of it.
func TestBatchTruth(t *testing.T) {
	const input, output = 100, 9
	for name := range batches() {
		for _, c := range []int{1, 3, 4, 5, 8, 20} {
			t.Run(fmt.Sprint(name, "/", c), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					sim := batches()[name]
					truth := sim.Truth(input, output)
					cycle := sim.batchConfig().loop(c, input, output)
					n := 12*c + 3*int(cycle.requests)
					all, _ := closedLoop(t, sim, c, n, input, output)

					// Whatever interval of that length is taken, once the loop has
					// settled and before it ends.
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
					if x, want := float64(count)/end.Sub(begin).Seconds(), truth.RequestThroughput(c); math.Abs(x/want-1) > 1e-9 {
						t.Errorf("%v requests/s, want %v", x, want)
					}
					if got, want := ttft/time.Duration(count), truth.MeanTTFT(c); !within(got, want, 2) {
						t.Errorf("mean TTFT %v, want %v", got, want)
					}
					if got, want := e2e/time.Duration(count), truth.MeanE2E(c); !within(got, want, 2) {
						t.Errorf("mean E2E %v, want %v", got, want)
					}
					// a step is a whole number of ns
					if x := truth.RequestThroughput(c); c >= 2*sim.MaxSequences &&
						math.Abs(x/truth.SaturationRequests-1) > 1e-6 ||
						c < 2*sim.MaxSequences && x > truth.SaturationRequests*(1+1e-6) {
						t.Errorf("%v requests/s at %d clients, %v in saturation", x, c, truth.SaturationRequests)
					}
					if got := sim.Counts(); got != (Counts{PeakRunning: min(c, sim.MaxSequences), Served: n}) {
						t.Errorf("counts are %+v", got)
					}
				})
			})
		}
	}
}

// TestBatchSaturation holds the engine to a formula that it does not know, however
// the clients begin.
func TestBatchSaturation(t *testing.T) {
	for _, shape := range [][2]int{{100, 9}, {1, 1}, {700, 2}, {3, 50}} {
		input, output := shape[0], shape[1]
		for _, m := range []int{1, 2, 7} {
			sim := &Simulated{MaxSequences: m, PrefillRate: 9000, DecodeRate: 70, StepPerSequence: 3 * time.Millisecond}
			i, o, n := float64(input), float64(output), float64(m)
			want := n / (o*(1.0/70+(n-1)*0.003) + n*i/9000)
			if got := sim.Truth(input, output).SaturationRequests; math.Abs(got/want-1) > 1e-6 {
				t.Errorf("%d places, %v: %v requests/s, want %v", m, shape, got, want)
			}
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(1, 2))
				const settle, requests = 10, 100 // × m
				var served atomic.Int64
				var wg sync.WaitGroup
				times := make([]time.Time, (settle+requests)*m)
				for range 3 * m {
					wait := time.Duration(random.Int64N(int64(100 * time.Millisecond)))
					wg.Go(func() {
						time.Sleep(wait)
						for {
							s := do(t, t.Context(), sim, input, output)
							i := int(served.Add(1)) - 1
							if i >= len(times) {
								return
							}
							times[i] = s.done
						}
					})
				}
				wg.Wait()
				x := float64(requests*m-1) / times[len(times)-1].Sub(times[settle*m]).Seconds()
				if math.Abs(x/want-1) > 2.0/requests { // the ends of the interval cut through up to m requests each
					t.Errorf("%d places, %v: %v requests/s at random beginnings, want %v", m, shape, x, want)
				}
			})
		}
	}
}

// TestBatchLoop holds many engines to what must be true of all: the loop comes
// round, all places are taken where enough wait for them, and no more than the places and the budget allow.
func TestBatchLoop(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		config := batchConfig{slots: 1 + random.IntN(12), base: random.Float64() * 1e7,
			perSequence: random.Float64() * 1e6,
			perPrompt:   random.Float64() * 1e5}
		if random.IntN(2) == 0 {
			config.budget = config.slots + random.IntN(100)
		}
		c, input, output := 1+random.IntN(40), 1+random.IntN(200), 1+random.IntN(40)
		l := config.loop(c, input, output)
		running := float64(c) - l.queued
		if running > float64(config.slots)+1e-9 || c >= 2*config.slots && running < float64(config.slots)-1e-9 &&
			config.budget == 0 {
			t.Errorf("%+v, %d clients: %v in %d places", config, c, running, config.slots)
		}
		if l.queued < 0 || l.queued > l.unbegun || l.unbegun > float64(c) {
			t.Errorf("%+v: %+v", config, l)
		}
		// A step takes at least base, and does no more than budget.
		work := l.requests * float64(input+output-1)
		if config.budget > 0 && work > float64(config.budget)*(l.period/config.base+1) {
			t.Errorf("%+v: %v tokens in %v ns", config, work, l.period)
		}
	}
}

// TestBatchCancel has clients go away in the queue, in their prefill, and while
// they decode.
func TestBatchCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 2, PrefillRate: 100, DecodeRate: 10, TokenBudget: 10}
		var cancels []context.CancelFunc
		var wg sync.WaitGroup
		for _, shape := range [][2]int{{1, 100}, {1000, 5}, {1, 5}, {1, 5}} {
			ctx, cancel := context.WithCancel(t.Context())
			cancels = append(cancels, cancel)
			wg.Go(func() { post(ctx, sim, completions, body(shape[0], shape[1]), &recorder{}) })
			synctest.Wait() // one by one into the queue
		}
		time.Sleep(time.Second)
		check := func(when string, want Counts) {
			t.Helper()
			synctest.Wait()
			if got := sim.Counts(); got != want {
				t.Errorf("%s: counts are %+v, want %+v", when, got, want)
			}
		}
		check("all", Counts{Running: 2, Waiting: 2, PeakRunning: 2})
		cancels[2]()
		check("one has left the queue", Counts{Running: 2, Waiting: 1, PeakRunning: 2, Cancelled: 1})
		cancels[1]()
		check("one has left its prefill", Counts{Running: 1, Waiting: 1, PeakRunning: 2, Cancelled: 2})
		time.Sleep(5 * time.Second)
		check("the last one has had the place", Counts{Running: 1, PeakRunning: 2, Cancelled: 2, Served: 1})
		cancels[0]()
		check("one has left its decode", Counts{PeakRunning: 2, Cancelled: 3, Served: 1})
		wg.Wait()
		time.Sleep(time.Second) // the step that it was in ends
		s := do(t, t.Context(), sim, 1, 5)
		if got, want := s.done.Sub(s.sent), sim.Truth(1, 5).Service; got != want {
			t.Errorf("afterwards a request takes %v, want %v", got, want)
		}
		for _, cancel := range cancels {
			cancel()
		}
	})
}

// TestBatchSlowClient has a client that holds up its handler: neither the other
// requests nor the steps may wait for it.
func TestBatchSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim := &Simulated{MaxSequences: 1, DecodeRate: 1, TokenBudget: 1}
		slow := &recorder{}
		slow.onWrite = func(n int) {
			if n == 1 {
				time.Sleep(time.Minute)
			}
		}
		var wg sync.WaitGroup
		begin := time.Now()
		wg.Go(func() { post(t.Context(), sim, completions, body(1, 3), slow) })
		synctest.Wait()
		s := do(t, t.Context(), sim, 1, 2)
		if got, want := s.times(begin), []time.Duration{4 * time.Second, 5 * time.Second}; !reflect.DeepEqual(got,
			want) {
			t.Errorf("the one behind has its tokens at %v, want %v", got, want)
		}
		wg.Wait()
		if es := events(t, slow.body()); len(es) != 3 {
			t.Errorf("the slow client has %d chunks", len(es))
		}
	})
}

// TestBatchNoise checks that noise is the steps', and leaves their mean.
func TestBatchNoise(t *testing.T) {
	run := func(seed uint64) (s seen) {
		synctest.Test(t, func(t *testing.T) {
			sim := &Simulated{MaxSequences: 1, PrefillRate: 100, DecodeRate: 10, TokenBudget: 10, Noise: 0.2,
				Seed: seed}
			s = do(t, t.Context(), sim, 10, 3000)
		})
		return s
	}
	a, b, c := run(1), run(1), run(2)
	if !reflect.DeepEqual(a.gaps, b.gaps) {
		t.Error("two servers with one seed differ")
	}
	if reflect.DeepEqual(a.gaps, c.gaps) {
		t.Error("two seeds have the same noise")
	}
	truth := (&Simulated{MaxSequences: 1, PrefillRate: 100, DecodeRate: 10, TokenBudget: 10, Noise: 0.2}).Truth(10,
		3000)
	if off := (a.done.Sub(a.sent) - truth.Service).Abs(); off == 0 || off > 4*truth.ServiceSD {
		t.Errorf("E2E %v, want %v ± %v", a.done.Sub(a.sent), truth.Service, truth.ServiceSD)
	}
}

func TestBatchValidate(t *testing.T) {
	for want, sim := range map[string]*Simulated{
		"StepPerSequence is -1": {StepPerSequence: -1},
		"TokenBudget is -1":     {TokenBudget: -1},
		"MaxSequences is 0":     {TokenBudget: 5, DecodeRate: 1},
		"DecodeRate is 0":       {TokenBudget: 5, MaxSequences: 1},
		"at least MaxSequences": {TokenBudget: 5, MaxSequences: 6, DecodeRate: 1},
	} {
		if err := sim.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	for name, sim := range batches() {
		if err := sim.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
