package loadgen

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// A streamer is a server as its chunks show it.
type streamer struct {
	first, step time.Duration // to the first token, and between steps of the model
	noise       float64       // relative, of each step
	output      int           // tokens
	perStep     int           // tokens in a step after the first token, at most; 0: 1
	perChunk    int           // tokens in a chunk; 0: 1
	stamped     bool          // it says when it sent each chunk
}

// chunks are when the server sends each chunk, from Sent on. All of a step's come within some microseconds.
func (s streamer) chunks(random *rand.Rand) (sent []time.Duration) {
	at := s.first
	for done := 0; done < s.output; {
		tokens := 1
		if done > 0 {
			at += time.Duration(float64(s.step) * math.Exp(s.noise*random.NormFloat64()))
			tokens = 1 + random.IntN(max(s.perStep, 1))
		}
		tokens = min(tokens, s.output-done)
		done += tokens
		for k := 0; k < tokens; k += max(s.perChunk, 1) {
			sent = append(sent, at)
			at += time.Duration(1+random.IntN(5)) * time.Microsecond
		}
	}
	return sent
}

// A buffer is what holds chunks back on the way, until it has so many bytes, or the answer is over.
type buffer struct {
	bytes, chunk int           // of the buffer, and of a chunk
	only         int           // so many bytes at the front are held back, and what comes after them is not; 0: all are
	spacing      time.Duration // between chunks that leave together
}

func (b buffer) pass(sent []time.Duration) (arrived []time.Duration) {
	held, passed := 0, 0
	for i, at := range sent {
		held += b.chunk
		full := held >= b.bytes || b.only > 0 && passed >= b.only
		if !full && i < len(sent)-1 {
			continue
		}
		for len(arrived) <= i {
			arrived = append(arrived, at)
			at += b.spacing
		}
		passed += held
		held = 0
	}
	for i := 1; i < len(arrived); i++ {
		arrived[i] = max(arrived[i], arrived[i-1])
	}
	return arrived
}

// level is a level of so many answers at a concurrency, of which each n-th goes through the buffer.
func (s streamer) level(t *testing.T, concurrency, requests int, through *buffer, nth int) *Result {
	random := rand.New(rand.NewPCG(5, uint64(requests)))
	slots := make([]time.Duration, concurrency)
	level := Level{Concurrency: concurrency, Requests: requests, Objectives: []Objective{{TTFT, 1e6}}}
	return collect(t, level, requests, func(i int, r *Record) {
		sent := s.chunks(random)
		arrived := sent
		if through != nil && i%nth == 0 {
			arrived = through.pass(sent)
		}
		r.Sent = slots[i%concurrency]
		for k, at := range arrived {
			c := Chunk{Seen: r.Sent + at}
			if s.stamped {
				c.Sent = int64(time.Hour + r.Sent + sent[k])
			}
			r.Chunk(c)
		}
		r.Done = r.LastArrival()
		r.Counted, r.Output = true, s.output
		slots[i%concurrency] = r.Done + time.Microsecond
	})
}

// No healthy server trips the gate, whatever its pace, its queue, its noise, and however many tokens it has in a step
// or a chunk.
func TestHealthyArrivals(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	checked := 0
	check := func(s streamer, concurrency int) {
		t.Helper()
		requests := 16
		if concurrency > 8 {
			requests = 4 * concurrency
		}
		checked++
		if r := s.level(t, concurrency, requests, nil, 1); hasWarning(r, WarnBunched) {
			t.Errorf("%+v at %d: %+v", s, concurrency, r.Bunching)
		}
	}
	for _, step := range []time.Duration{400 * us, 1 * ms, 2 * ms, 10 * ms, 40 * ms, 150 * ms} {
		for _, first := range []time.Duration{2 * ms, 50 * ms, 10 * time.Second, 2 * time.Minute} {
			for _, noise := range []float64{0, 0.5} {
				for _, output := range []int{4, 16, 100} {
					check(streamer{first: first, step: step, noise: noise, output: output}, 8)
				}
				for _, tokens := range []int{2, 5, 8} { // speculative decoding, up to 4,500 tokens/s
					if step < ms {
						continue
					}
					check(streamer{first: first, step: step, noise: noise, output: 100, perStep: tokens}, 8)
					check(streamer{first: first, step: step, noise: noise, output: 100, perStep: tokens,
						perChunk: tokens}, 8)
				}
			}
		}
	}
	// At once, in less than a millisecond; and the same under a load in which each request waits for its turn.
	for _, output := range []int{4, 16, 100, 1000} {
		for _, first := range []time.Duration{50 * us, 300 * us} {
			check(streamer{first: first, output: output}, 1)
			check(streamer{first: first, output: output}, 16)
		}
		check(streamer{first: 20 * ms, output: output}, 64)                   // 3,200 requests/s
		check(streamer{first: 400 * ms, output: output, stamped: true}, 1000) // its stamps tell
	}
	check(streamer{first: 500 * ms, output: 1000}, 100) // 200,000 chunks/s
	t.Logf("%d servers", checked)
}

// A buffer on the way is told, whatever its size, and spoils what it makes of tokens.
func TestBufferedArrivals(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	found, all := 0, 0
	for _, stamped := range []bool{false, true} {
		for _, step := range []time.Duration{2 * ms, 10 * ms, 40 * ms} {
			for _, first := range []time.Duration{20 * ms, 51 * ms, 5 * time.Second} {
				for _, output := range []int{64, 300} {
					for _, tokens := range []int{1, 3} {
						for _, b := range []buffer{
							{bytes: 1 << 30, chunk: 250, spacing: us},      // the whole answer
							{bytes: 1 << 30, chunk: 250, spacing: 20 * us}, // over a slower network
							{bytes: 4096, chunk: 250, spacing: us},
							{bytes: 4096, chunk: 1000, spacing: 2 * us}, // chunks with log-probabilities
							{bytes: 4096, chunk: 350, spacing: 20 * us},
							{bytes: 16384, chunk: 250, spacing: us},
							{bytes: 1460, chunk: 250, spacing: us},
						} {
							s := streamer{first: first, step: step, noise: 0.1, output: output, perStep: tokens,
								perChunk: tokens, stamped: stamped}
							r := s.level(t, 1, 8, &b, 1)
							if all++; !hasWarning(r, WarnBunched) {
								t.Errorf("%+v behind %+v: %+v", s, b, r.Bunching)
								continue
							}
							found++
							checkSpoiled(t, r,
								[]string{"ttft_p50", "tpot_p50", "itl_p50", "interactivity_p50", "first_answer_mean",
									Attainment, GoodputThroughput, "ttft_p99_issued"},
								[]string{"e2e_p99", OutputThroughput, RequestThroughput, "send_lag_mean"})
						}
					}
				}
			}
		}
	}
	t.Logf("%d of %d", found, all)
}

// The figures of the issue, and cases beside them.
func TestBunchingByHand(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	server := streamer{first: 51 * ms, step: 10 * ms, output: 100}
	nginx := buffer{bytes: 4096, chunk: 250, spacing: us}
	r := server.level(t, 4, 100, &nginx, 1)
	if ttft, itl := figure(t, r, "ttft_p50"), figure(t, r, "itl_p50"); math.Abs(ttft-211) > 1 || itl > 0.01 ||
		r.Bunching != (Bunching{Judged: 100, Bunched: 100}) {
		t.Errorf("TTFT %v, ITL %v, %+v", ttft, itl, r.Bunching)
	}
	r = server.level(t, 4, 100, &buffer{bytes: 1 << 30, chunk: 250, spacing: us}, 1)
	if tpot := figure(t, r, "tpot_p50"); tpot > 0.01 || r.Bunching != (Bunching{Judged: 100, Whole: 100}) {
		t.Errorf("TPOT %v, %+v", tpot, r.Bunching)
	}
	if w, _ := warning(r, WarnBunched); !strings.Contains(w.Message, "of 100 streamed answers, 100 came whole") {
		t.Errorf("%q", w.Message)
	}
	for _, c := range []struct {
		name   string
		buffer buffer
		nth    int
		want   Bunching
		warned bool
	}{
		{"one replica of four is behind a buffer", nginx, 4, Bunching{Judged: 100, Bunched: 25}, true},
		{"one request of 20 is", nginx, 20, Bunching{Judged: 100, Bunched: 5}, false},
		{"the first 2 KB are held back", buffer{bytes: 2000, chunk: 250, only: 1, spacing: us}, 1,
			Bunching{Judged: 100, Held: 100}, true},
		{"no buffer", buffer{bytes: 1, chunk: 250, spacing: us}, 1, Bunching{Judged: 100}, false},
	} {
		r := server.level(t, 4, 100, &c.buffer, c.nth)
		if r.Bunching != c.want || hasWarning(r, WarnBunched) != c.warned {
			t.Errorf("%s: %+v, %v", c.name, r.Bunching, r.Warnings)
		}
	}
	sum := Bunching{1, 2, 3, 4, 5}
	sum.Add(Bunching{10, 20, 30, 40, 50})
	if fmt.Sprint(sum) != "{11 22 33 44 55}" {
		t.Errorf("%+v", sum)
	}
}

// Chunks that come several at a time make gaps meaningless, and no more than the gaps: what passes them on every so
// often, and speculative decoding of which each token is a chunk.
func TestChunksTogether(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	every := func(period time.Duration) func(sent []time.Duration) []time.Duration {
		return func(sent []time.Duration) (arrived []time.Duration) {
			for _, at := range sent {
				arrived = append(arrived, (at+period-1)/period*period)
			}
			return arrived
		}
	}
	as := func(sent []time.Duration) []time.Duration { return sent }
	for _, c := range []struct {
		name   string
		server streamer
		pass   func(sent []time.Duration) []time.Duration
		warned bool
	}{
		{"one by one", streamer{first: 20 * ms, step: 10 * ms, noise: 0.1, output: 64}, as, false},
		{"each 30 ms", streamer{first: 20 * ms, step: 10 * ms, noise: 0.1, output: 64}, every(30 * ms), true},
		{"each 20 ms", streamer{first: 33 * ms, step: 10 * ms, noise: 0.1, output: 64}, every(20 * ms), true},
		{"each 5 ms", streamer{first: 20 * ms, step: 10 * ms, noise: 0.1, output: 64}, every(5 * ms), false},
		{"up to 5 tokens a step", streamer{first: 20 * ms, step: 10 * ms, noise: 0.1, output: 64, perStep: 5}, as,
			true},
		{"the same in a chunk", streamer{first: 20 * ms, step: 10 * ms, noise: 0.1, output: 64, perStep: 5,
			perChunk: 5}, as,
			false},
		{"too few to say", streamer{first: 20 * ms, step: 10 * ms, output: 6, perStep: 5}, as, false},
		{"faster than matters", streamer{first: 20 * ms, step: 500 * us, output: 64, perStep: 2}, as, false},
	} {
		random := rand.New(rand.NewPCG(5, 6))
		r := collect(t, Level{Concurrency: 1, Requests: 40}, 40, func(i int, r *Record) {
			r.Sent = time.Duration(i) * 10 * time.Second
			for _, at := range c.pass(c.server.chunks(random)) {
				r.Chunk(Chunk{Seen: r.Sent + at})
			}
			r.Done = r.LastArrival()
			r.Counted, r.Output = true, c.server.output
		})
		if hasWarning(r, WarnChunksTogether) != c.warned || hasWarning(r, WarnBunched) {
			t.Errorf("%s: %+v, %v", c.name, r.Gaps, r.Warnings)
		}
		if c.warned {
			checkSpoiled(t, r, []string{"itl_mean", "itl_p50", "itl_p99"}, []string{"ttft_p50", "tpot_p50", "e2e_p99"})
		}
	}
	sum := ChunkGaps{1, 2}
	if sum.Add(ChunkGaps{10, 20}); sum != (ChunkGaps{11, 22}) {
		t.Errorf("%+v", sum)
	}
}
