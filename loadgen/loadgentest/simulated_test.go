package loadgentest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// body is a streamed completion of a shape.
func body(input, output int) string {
	return fmt.Sprintf(`{"prompt":[1%s],"stream":true,"max_tokens":%d}`, strings.Repeat(",1", input-1), output)
}

// seen is what a perfect client saw of a request.
type seen struct {
	sent  time.Time
	first time.Time
	done  time.Time
	gaps  []time.Duration
}

// do is a perfect client: no network, and in a bubble no lateness either.
func do(t *testing.T, ctx context.Context, h http.Handler, input, output int) seen {
	t.Helper()
	s := seen{sent: time.Now()}
	r := post(ctx, h, completions, body(input, output), &recorder{})
	last := s.sent
	for _, w := range r.writes {
		if !strings.Contains(string(w.data), `"servegauge"`) {
			continue
		}
		if s.first.IsZero() {
			s.first = w.at
		} else {
			s.gaps = append(s.gaps, w.at.Sub(last))
		}
		last = w.at
	}
	s.done = last
	return s
}

// closedLoop has c clients send n requests together, each the next one when it has
// the answer to its last. Were n a number for each client, those that are unlucky
// in the order of the queue would be left alone at the end.
func closedLoop(t *testing.T, h http.Handler, c, n, input, output int) (all []seen, took time.Duration) {
	t.Helper()
	begin := time.Now()
	all = make([]seen, n)
	var issued atomic.Int64
	var wg sync.WaitGroup
	for range c {
		wg.Go(func() {
			for {
				i := int(issued.Add(1)) - 1
				if i >= n {
					return
				}
				all[i] = do(t, t.Context(), h, input, output)
			}
		})
	}
	wg.Wait()
	return all, time.Since(begin)
}

// within reports whether a and b differ by rounding only: 1 ns for each of n
// steps.
func within(a, b time.Duration, n int) bool { return (a - b).Abs() <= time.Duration(n) }

func TestTruthOfOneRequest(t *testing.T) {
	for _, tt := range []struct {
		sim           *Simulated
		input, output int
		want          Truth
	}{
		{&Simulated{PrefillRate: 8000, DecodeRate: 50, MaxSequences: 4}, 400, 11, Truth{
			Input: 400, Output: 11, Service: 250 * time.Millisecond, TTFT: 50 * time.Millisecond,
			ITL:                   20 * time.Millisecond,
			SaturationConcurrency: 4, SaturationRequests: 16, SaturationTokens: 16 * 411}},
		{&Simulated{PrefillRate: 100, DecodeRate: 50}, 100, 1, Truth{
			Input: 100, Output: 1, Service: time.Second, TTFT: time.Second, ITL: 20 * time.Millisecond,
			SaturationRequests: math.Inf(1), SaturationTokens: math.Inf(1)}},
		{&Simulated{DecodeRate: 3, MaxSequences: 1}, 0, 0, Truth{Input: 1, Output: 1, ITL: 333333333,
			SaturationConcurrency: 1, SaturationRequests: math.Inf(1), SaturationTokens: math.Inf(1)}},
		{&Simulated{PrefillRate: 10, DecodeRate: 10, Noise: 0.1, MaxSequences: 2}, 30, 17, Truth{
			Input: 30, Output: 17, Service: 4600 * time.Millisecond, TTFT: 3 * time.Second,
			ITL: 100 * time.Millisecond, SaturationConcurrency: 2, SaturationRequests: 2 / 4.6,
			SaturationTokens: 94 / 4.6}},
	} {
		if tt.sim.Noise > 0 { // 0.1·√(3² + 16·0.1²) s
			tt.want.ServiceSD = time.Duration(math.Round(0.1 * math.Sqrt(9.16) * 1e9))
		}
		got := tt.sim.Truth(tt.input, tt.output)
		if math.Abs(got.SaturationTokens/tt.want.SaturationTokens-1) < 1e-12 {
			got.SaturationTokens = tt.want.SaturationTokens
		}
		if math.Abs(got.SaturationRequests/tt.want.SaturationRequests-1) < 1e-12 {
			got.SaturationRequests = tt.want.SaturationRequests
		}
		if got != tt.want {
			t.Errorf("got  %+v\nwant %+v", got, tt.want)
		}
	}
}

// TestTruth compares the closed form with closed loops in virtual time, where no
// timer is late: they must agree but for rounding.
func TestTruth(t *testing.T) {
	const input, output, m = 700, 12, 4
	for _, c := range []int{1, 3, 4, 6, 8, 20} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 12 * c // a multiple of m, and of c where that is less
				sim := &Simulated{MaxSequences: m, PrefillRate: 9000, DecodeRate: 70}
				truth := sim.Truth(input, output)
				all, took := closedLoop(t, sim, c, n, input, output)

				x := float64(n) / took.Seconds()
				if want := truth.RequestThroughput(c); math.Abs(x/want-1) > 1e-6 {
					t.Errorf("%.6f requests/s, want %.6f", x, want)
				}
				if want := truth.TotalThroughput(c); math.Abs(x*(input+output)/want-1) > 1e-6 {
					t.Errorf("%.6f tokens/s, want %.6f", x*(input+output), want)
				}
				if want := truth.OutputThroughput(c); math.Abs(x*output/want-1) > 1e-6 {
					t.Errorf("%.6f output tokens/s, want %.6f", x*output, want)
				}
				if c >= m && math.Abs(x/truth.SaturationRequests-1) > 1e-6 {
					t.Errorf("%.6f requests/s in saturation, want %.6f", x, truth.SaturationRequests)
				}

				// The first round found an empty server, and the last may be short;
				// each round between them is the steady state.
				var ttft, e2e time.Duration
				steady := 0
				begin, end := all[0].sent, all[n-1].sent
				for _, s := range all {
					for _, g := range s.gaps {
						if !within(g, truth.ITL, 1) {
							t.Fatalf("ITL %v, want %v", g, truth.ITL)
						}
					}
					if len(s.gaps) != output-1 {
						t.Fatalf("%d gaps", len(s.gaps))
					}
					if !within(s.done.Sub(s.first), truth.Service-truth.TTFT, output) {
						t.Fatalf("decode took %v", s.done.Sub(s.first))
					}
					if c <= m || s.sent.After(begin) && s.sent.Before(end) {
						ttft += s.first.Sub(s.sent)
						e2e += s.done.Sub(s.sent)
						steady++
					}
				}
				if steady < m {
					t.Fatalf("%d requests in the steady state", steady)
				}
				ttft /= time.Duration(steady)
				e2e /= time.Duration(steady)
				if want := truth.Wait(c) + truth.TTFT; !within(ttft, want, 2*output) {
					t.Errorf("mean TTFT %v, want %v", ttft, want)
				}
				if want := truth.Wait(c) + truth.Service; !within(e2e, want, 2*output) {
					t.Errorf("mean E2E %v, want %v", e2e, want)
				}
				if got := sim.Counts(); got != (Counts{PeakRunning: min(c, m), Served: n}) {
					t.Errorf("counts are %+v", got)
				}
			})
		})
	}
}

func TestTruthEdges(t *testing.T) {
	none := (&Simulated{MaxSequences: 3}).Truth(1, 1)
	if x := none.RequestThroughput(5); !math.IsInf(x, 1) {
		t.Errorf("throughput without service time is %v", x)
	}
	truth := (&Simulated{MaxSequences: 3, DecodeRate: 1}).Truth(1, 2)
	for _, c := range []int{-1, 0} {
		if x, w := truth.TotalThroughput(c), truth.Wait(c); x != 0 || w != 0 {
			t.Errorf("at concurrency %d: %v tokens/s, wait %v", c, x, w)
		}
	}
	if w := truth.Wait(5); w != 666666667 {
		t.Errorf("wait is %v, want 2/3 s", w)
	}
	free := (&Simulated{DecodeRate: 1}).Truth(1, 2)
	if x, w := free.RequestThroughput(1e6), free.Wait(1e6); x != 1e6 || w != 0 {
		t.Errorf("without a cap: %v requests/s, wait %v", x, w)
	}
	slow := (&Simulated{DecodeRate: 1e-9}).Truth(1, maxOutput)
	if slow.Service != math.MaxInt64 {
		t.Errorf("a service time beyond a Duration is %v", slow.Service)
	}
}

// TestFIFO has requests arrive a moment apart, one place for all, and requires
// that they run one by one in that order.
func TestFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 20
		sim := &Simulated{MaxSequences: 1, PrefillRate: 10, DecodeRate: 10} // 0.2 s a request
		got := make([]seen, n)
		var wg sync.WaitGroup
		begin := time.Now()
		for i := range n {
			wg.Go(func() { got[i] = do(t, t.Context(), sim, 1, 2) })
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		if c := sim.Counts(); c != (Counts{Running: 1, Waiting: n - 1, PeakRunning: 1}) {
			t.Errorf("in the middle, counts are %+v", c)
		}
		wg.Wait()
		for i, s := range got {
			if want := time.Duration(i+1) * 200 * time.Millisecond; s.done.Sub(begin) != want {
				t.Errorf("request %d was done after %v, want %v", i, s.done.Sub(begin), want)
			}
		}
	})
}

// TestNoise checks that noise depends on the seed and on nothing else.
func TestNoise(t *testing.T) {
	run := func(seed uint64) (all []seen) {
		synctest.Test(t, func(t *testing.T) {
			sim := &Simulated{MaxSequences: 1, PrefillRate: 100, DecodeRate: 10, Noise: 0.2, Seed: seed}
			for range 5 {
				s := do(t, t.Context(), sim, 10, 20)
				all = append(all, seen{first: time.Time{}.Add(s.first.Sub(s.sent)), gaps: s.gaps})
			}
		})
		return all
	}
	a, b, c := run(1), run(1), run(2)
	if !reflect.DeepEqual(a, b) {
		t.Errorf("two servers with one seed differ:\n%v\n%v", a, b)
	}
	if reflect.DeepEqual(a, c) {
		t.Error("two seeds have the same noise")
	}
	if reflect.DeepEqual(a[0], a[1]) {
		t.Error("two requests have the same noise")
	}
}

// TestNoiseMoments compares many noisy service times with the truth. The seed is
// fixed: the test is no matter of chance. The bounds are 4 standard errors.
func TestNoiseMoments(t *testing.T) {
	sim := &Simulated{PrefillRate: 10, DecodeRate: 10, Noise: 0.3, Seed: 7}
	const n, input, output = 20000, 5, 6
	truth := sim.Truth(input, output)
	var sum, squares float64
	for i := range n {
		q := sim.sequence(&place{number: uint64(i)}, input)
		var due time.Time
		for range output {
			due = q.next()
		}
		s := due.Sub(time.Time{}).Seconds()
		sum += s
		squares += s * s
	}
	mean := sum / n
	sd := math.Sqrt(squares/n - mean*mean)
	if want := truth.Service.Seconds(); math.Abs(mean-want) > 4*truth.ServiceSD.Seconds()/math.Sqrt(n) {
		t.Errorf("mean service time %.4f s, want %.4f s", mean, want)
	}
	// 1.5: heavier tails than a normal
	if want := truth.ServiceSD.Seconds(); math.Abs(sd/want-1) > 4/math.Sqrt(2*n)*1.5 {
		t.Errorf("SD of the service time %.4f s, want %.4f s", sd, want)
	}
}

func TestValidate(t *testing.T) {
	if err := (&Simulated{}).Validate(); err != nil {
		t.Errorf("zero value: %v", err)
	}
	if err := (&Echo{}).Validate(); err != nil {
		t.Errorf("zero value: %v", err)
	}
	bad := &Simulated{MaxSequences: -1, MaxModelLen: -2, VocabSize: -3, PrefillRate: -4, DecodeRate: math.NaN(),
		Noise: math.Inf(1)}
	err := bad.Validate()
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 6 {
		t.Fatalf("error is %v", err)
	}
	for _, field := range []string{"MaxSequences is -1", "MaxModelLen is -2", "VocabSize is -3", "PrefillRate is -4",
		"DecodeRate is NaN", "Noise is +Inf"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("error lacks %q: %v", field, err)
		}
	}
}
