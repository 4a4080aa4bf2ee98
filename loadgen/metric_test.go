package loadgen

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Every metric from one request, computed by hand. Scheduled 0, Sent 10 ms, a chunk without content at 30 ms, content
// at 50, 80 and 130 ms, of 1, 2 and 3 tokens. The server's clock: received 12 ms after the request was due, chunks
// sent at 48, 79 and 120 ms.
func TestEveryMetricByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ms = time.Millisecond
		var zero time.Time
		server := func(d time.Duration) int64 { return zero.Add(d).UnixNano() }
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			zero = time.Now()
			r.Received = server(12 * ms)
			time.Sleep(10 * ms)
			r.Sent = r.Now()
			time.Sleep(20 * ms)
			r.Opened = r.Now()
			time.Sleep(20 * ms)
			r.Chunk(Chunk{Tokens: 1, Sent: server(48 * ms)})
			time.Sleep(30 * ms)
			r.Chunk(Chunk{Tokens: 2, Sent: server(79 * ms)})
			r.FirstAnswer = r.Now() // before that it was reasoning
			time.Sleep(50 * ms)
			r.Chunk(Chunk{Tokens: 3, Sent: server(120 * ms)})
			r.Done = r.Now()
			time.Sleep(70 * ms) // whatever comes after the last content is no part of any
			r.Counted, r.Input, r.Output = true, 7, 6
			r.AskedInput, r.AskedOutput = 7, 6
			return nil
		})
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 5}, target)
		for name, want := range map[string]float64{
			MeanName(TTFT):              40,
			MeanName(FirstChoice):       20,
			MeanName(TPOT):              80.0 / 5,
			MeanName(Interactivity):     1000 / 16.0,
			MeanName(FirstAnswer):       70,
			MeanName(E2E):               120,
			MeanName(SendLag):           10,
			MeanName(ITL):               40,
			QuantileName(ITL, 90):       50,
			MeanName(TTFTError):         40 - 36,
			MeanName(ITLError):          (1 + 9) / 2.0,
			MeanName(ChunkLateness):     (2 + 1 + 10) / 3.0,
			QuantileName(SendLag, 99):   10,
			RequestThroughput:           5 / 0.92, // Sent at 10, Done at 4 × 200 + 130
			TotalThroughput:             65 / 0.92,
			MeanInFlight:                0.6 / 0.93, // from the first issue
			SteadyRequestThroughput:     3 / 0.6,    // from 200 to 800 ms
			SteadyOutputThroughput:      18 / 0.6,
			SteadyTotalThroughput:       39 / 0.6,
			PeakInFlight:                1,
			TokensPerChunk:              2,
			QuantileName("e2e", 50):     120,
			QuantileName("ttft", 95):    40,
			MeanName("first_choice"):    20,
			QuantileName("tpot", 99):    16,
			QuantileName("itl", 50):     40,
			QuantileName(TTFTError, 90): 4,
		} {
			near(t, name, figure(t, r, name), want)
		}
		for name, n := range map[string]int{MeanName(TTFT): 5, MeanName(ITL): 10, MeanName(ChunkLateness): 15,
			RequestThroughput: 5} {
			if f, _ := r.Figure(name); f.N != n {
				t.Errorf("%s has %d samples, want %d", name, f.N, n)
			}
		}
		if r.Tokens != (Tokens{Input: 35, Output: 30, Chunking: Chunking{Requests: 5, Chunks: 15, Tokens: 30}}) {
			t.Errorf("tokens %+v", r.Tokens)
		}
	})
}

// Tokens count in the window with their chunk where the server says how many it holds, and spread evenly where it does
// not say, or not of all.
func TestTokensOfAChunk(t *testing.T) {
	for name, c := range map[string]struct {
		told []int
		want float64 // of a request whose first chunk is before the window and whose others are inside
	}{
		"told":         {[]int{4, 1, 1}, 2},
		"not told":     {[]int{0, 0, 0}, 4},
		"partly told":  {[]int{3, 0, 0}, 4},
		"wrongly told": {[]int{4, 4, 4}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// One slot has requests of 1 s; the other has request 1, with chunks at 0.5, 2.5 and 3.5 s. The
				// window opens with the second completion, at 2 s.
				target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
					defer func() { r.Counted, r.Output = true, 6 }()
					if i != 1 {
						time.Sleep(time.Second)
						r.Output = 6
						return nil
					}
					for n, d := range []time.Duration{500, 2000, 1000} {
						time.Sleep(d * time.Millisecond)
						r.Chunk(Chunk{Tokens: c.told[n]})
					}
					r.Done = r.Now()
					return nil
				})
				r := mustMeasure(t, Level{Concurrency: 2, Requests: 8}, target)
				others := float64(r.Steady.Completions-1) * 6 // request 1 completes inside as well
				near(t, "output tokens of request 1 inside", r.Steady.Output-others, c.want)
			})
		})
	}
}

func TestTPOTNeedsTwoTokens(t *testing.T) {
	r := mustMeasure(t, Level{Concurrency: 1, Requests: 3}, TargetFunc(func(ctx context.Context, i int,
		r *Record) error {
		r.Chunk(Chunk{})
		r.Counted, r.Output = true, 1
		return nil
	}))
	if f, ok := r.Figure(MeanName(TPOT)); ok {
		t.Errorf("requests of one token have a TPOT: %+v", f)
	}
}

// The window waits for all of the warmup, and a straggler of it is no part of the makespan's load.
func TestSlowWarmup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 10, Requests: 200, Warmup: 10}, takes(func(i int) time.Duration {
			if i >= 1 && i < 10 {
				return 50 * time.Second
			}
			return time.Second
		}))
		// Until 50 s one slot does all the measured work: 49 requests. From then on ten do.
		if !hasWarning(r, WarnRampDominated) {
			t.Errorf("warnings %v, in flight %+v", r.Warnings, r.InFlight)
		}
		if r.Steady == nil || r.Steady.From != 50*time.Second {
			t.Fatalf("window %+v, want from 50 s", r.Steady)
		}
		near(t, "steady requests/s", figure(t, r, SteadyRequestThroughput), 10)
	})
}

// A first wave that is over before the concurrency is reached does not cost the window.
func TestFastFirstWave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 4, Requests: 80}, takes(func(i int) time.Duration {
			if i < 8 {
				return 0
			}
			return time.Second
		}))
		if r.Steady == nil || hasWarning(r, WarnNoSteadyWindow) {
			t.Fatalf("no window: %v", r.Warnings)
		}
		near(t, "steady requests/s", figure(t, r, SteadyRequestThroughput), 4)
	})
}

// Failures of the warmup are told.
func TestWarmupFailures(t *testing.T) {
	r := mustMeasure(t, Level{Concurrency: 2, Requests: 50, Warmup: 50},
		TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if i < 49 {
				return context.Canceled
			}
			return nil
		}))
	if !hasWarning(r, WarnFailedRequests) || r.Valid() {
		t.Errorf("warnings %v", r.Warnings)
	}
	if len(r.Errors) != 1 || r.Errors[0].Count != 49 {
		t.Errorf("errors %v", r.Errors)
	}
}

// A test that fails from inside Do ends its goroutine; the level goes on.
func TestGoexit(t *testing.T) {
	r := mustMeasure(t, Level{Concurrency: 2, Requests: 10},
		TargetFunc(func(ctx context.Context, i int, r *Record) error {
			if i == 3 {
				runtime.Goexit()
			}
			return nil
		}))
	if want := (Accounting{Issued: 10, Completed: 9, Failed: 1}); r.Accounting != want {
		t.Errorf("accounting %+v, want %+v", r.Accounting, want)
	}
	if len(r.Errors) != 1 || !strings.Contains(r.Errors[0].Example, "Goexit") {
		t.Errorf("errors %v", r.Errors)
	}
}

// A request that was left behind was in flight all the while.
func TestAbandonedRequestsWereInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 2, Timeout: 5 * time.Second},
			TargetFunc(func(ctx context.Context, i int, r *Record) error {
				<-release
				return nil
			}))
		near(t, "in flight", r.InFlight.Mean, 1)
		close(release)
		synctest.Wait()
	})
}

// Stopped before the first measured request, a level has no figure, rather than figures that are 0.
func TestStoppedInTheWarmup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		close(stop)
		g := &Generator{Target: always(time.Second), Stop: stop}
		r, err := g.Measure(context.Background(), Level{Concurrency: 2, Requests: 2, Warmup: 100})
		if err != nil || len(r.Figures) != 0 || !slices.Contains(codes(r), WarnCutShort) {
			t.Errorf("%v %v %v", err, r.Figures, r.Warnings)
		}
	})
}

// Latencies go by the kernel's stamp where there is one; what the client added after it is the read lag, and the level
// counts which clock it was.
func TestArrivals(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		lags                 []time.Duration // of two chunks, at 20 and 50 ms; -1: the kernel did not say
		stamps               Stamps          // of a request
		ttft, itl, lag, seen float64
	}{
		"kernel":                      {[]time.Duration{5 * ms, 7 * ms}, Stamps{Kernel: 2}, 15, 28, 6, 43},
		"client":                      {[]time.Duration{-1, -1}, Stamps{Client: 2}, 20, 30, 0, 50},
		"both":                        {[]time.Duration{-1, 7 * ms}, Stamps{Kernel: 1, Client: 1}, 20, 23, 7, 43},
		"never before it was sent":    {[]time.Duration{25 * ms, 0}, Stamps{Kernel: 2}, 0, 50, 10, 50},
		"never before what was there": {[]time.Duration{2 * ms, 40 * ms}, Stamps{Kernel: 2}, 18, 0, 17, 18},
		"never after it was seen":     {[]time.Duration{-3 * ms, 0}, Stamps{Kernel: 2}, 20, 30, 0, 50},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := mustMeasure(t, Level{Concurrency: 1, Requests: 4},
					TargetFunc(func(ctx context.Context, i int, r *Record) error {
						time.Sleep(ms)
						r.Sent = r.Now()
						start := r.Sent
						for n, d := range []time.Duration{20 * ms, 30 * ms} {
							time.Sleep(d)
							chunk := Chunk{Seen: r.Now()}
							if lag := c.lags[n]; lag != -1 {
								chunk.Arrived = chunk.Seen - lag
							}
							r.Chunk(chunk)
						}
						r.Done = r.LastArrival()
						near(t, "done", float64(r.Done-start)/1e6, c.seen)
						time.Sleep(10 * ms)
						return nil
					}))
				if want := (Stamps{Kernel: 4 * c.stamps.Kernel, Client: 4 * c.stamps.Client}); r.Stamps != want {
					t.Errorf("stamps %+v, want %+v", r.Stamps, want)
				}
				near(t, "TTFT", figure(t, r, MeanName(TTFT)), c.ttft)
				near(t, "ITL", figure(t, r, MeanName(ITL)), c.itl)
				lag, ok := r.Figure(MeanName(ReadLag))
				if ok != (c.stamps.Kernel > 0) || ok && lag.Value != c.lag {
					t.Errorf("read lag %+v %v, want %v", lag, ok, c.lag)
				}
			})
		})
	}
}

// What a target says that cannot be costs its own request, and nothing of the load that the others were.
func TestImpossibleTimesAreNoLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 400},
			TargetFunc(func(ctx context.Context, i int, r *Record) error {
				time.Sleep(time.Second)
				if i == 7 {
					r.Done = r.Sent - time.Hour
				}
				return nil
			}))
		if r.Accounting.Failed != 1 {
			t.Fatalf("%+v", r.Accounting)
		}
		near(t, "in flight", r.InFlight.Mean, 399.0/200)
		near(t, "measured in flight", r.InFlight.Measured, 399.0/200)
	})
}

func TestQuantileOf(t *testing.T) {
	for name, want := range map[string]struct {
		metric string
		p      float64
	}{
		QuantileName(TTFT, 99): {TTFT, 99}, IssuedName(E2E, 50): {E2E, 50},
		QuantileName("my_p50_metric", 99.9): {"my_p50_metric", 99.9},
		MeanName(TTFT):                      {}, "server_running_peak": {}, "_p99": {}, "x_p": {}, "x_p100": {}, "x_p0": {}, "x_p-1": {},
		"x_p1e1": {}, "x_pNaN": {}, "": {},
	} {
		if metric, p, ok := QuantileOf(name); metric != want.metric || p != want.p || ok != (want.metric != "") {
			t.Errorf("%q: %q, %v, %v; want %+v", name, metric, p, ok, want)
		}
	}
}
