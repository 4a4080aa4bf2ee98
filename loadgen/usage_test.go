package loadgen

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What the server told of some requests and not of others is summed over those that it told of, and what nobody told
// is no figure.
func TestWhatTheServerTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			time.Sleep(time.Second)
			for range 3 {
				r.Chunk(Chunk{})
			}
			r.Done = r.Now()
			r.Counted, r.Input, r.Output = true, 100, 12
			r.AskedInput, r.AskedOutput = 100, 12
			switch i % 4 {
			case 0:
				r.CachedTold, r.Cached = true, 40
				r.DraftTold, r.AcceptedDraft, r.RejectedDraft = true, 6, 2
			case 1:
				r.CachedTold = true // and none was
				r.DraftTold, r.RejectedDraft = true, 4
				r.AskedInput = 97
			case 2: // none of it told
				r.AskedInput, r.AskedOutput = 101, 13
			case 3: // nor how many tokens there were
				r.Counted = false
				r.CachedTold, r.Cached = true, 7
			}
			return nil
		})
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 8}, told)
		want := Tokens{
			Input: 600, Output: 72, Uncounted: 2, Mismatch: 4,
			InputOff: Deviation{Requests: 4, Sum: 2*3 - 2*1, Most: 3}, OutputOff: Deviation{Requests: 2, Sum: -2, Most: 1},
			Cached: CachedTokens{Requests: 4, Cached: 80, Input: 400}, Draft: DraftTokens{Requests: 4, Accepted: 12, Rejected: 12},
			Chunking: Chunking{Requests: 6, Chunks: 18, Tokens: 72},
		}
		if r.Tokens != want {
			t.Errorf("got  %+v\nwant %+v", r.Tokens, want)
		}
		near(t, CachedShare, figure(t, r, CachedShare), 20)
		near(t, DraftAcceptance, figure(t, r, DraftAcceptance), 50)
		near(t, TokensPerChunk, figure(t, r, TokensPerChunk), 4)
		for name, n := range map[string]int{CachedShare: 4, DraftAcceptance: 4, TokensPerChunk: 18} {
			if f, _ := r.Figure(name); f.N != n {
				t.Errorf("%s is of %d, want %d", name, f.N, n)
			}
		}
		for code, says := range map[string]string{
			WarnMultiTokenChunks: "4.00 tokens a chunk (72 in 18)",
			WarnTokenMismatch:    "(input: in 4, by +1.0 tokens on average and 3 at most) (output: in 2, by −1.0 tokens on average and 1 at most)",
		} {
			if w, _ := warning(r, code); !strings.Contains(w.Message, says) {
				t.Errorf("%s says %q, nothing of %q", code, w.Message, says)
			}
		}

		text, err := json.Marshal(r.Tokens)
		if err != nil {
			t.Fatal(err)
		}
		var back Tokens
		if err := json.Unmarshal(text, &back); err != nil || back != r.Tokens {
			t.Errorf("as JSON %s, and back %+v, %v", text, back, err)
		}
		sum := r.Tokens
		sum.Add(Tokens{InputOff: Deviation{Requests: 1, Sum: -9, Most: 9}})
		if want := (Deviation{Requests: 5, Sum: -5, Most: 9}); sum.InputOff != want {
			t.Errorf("deviations add up to %+v, want %+v", sum.InputOff, want)
		}
		sum = r.Tokens
		sum.Add(r.Tokens)
		want = Tokens{
			Input: 1200, Output: 144, Uncounted: 4, Mismatch: 8,
			InputOff: Deviation{Requests: 8, Sum: 8, Most: 3}, OutputOff: Deviation{Requests: 4, Sum: -4, Most: 1},
			Cached: CachedTokens{Requests: 8, Cached: 160, Input: 800}, Draft: DraftTokens{Requests: 8, Accepted: 24, Rejected: 24},
			Chunking: Chunking{Requests: 12, Chunks: 36, Tokens: 144},
		}
		if sum != want {
			t.Errorf("twice is %+v\nwant %+v", sum, want)
		}
	})
}

// Nothing told is no 0 %.
func TestNothingTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 3}, TargetFunc(func(ctx context.Context, i int, r *Record) error {
			time.Sleep(time.Second)
			r.Counted, r.Input, r.Output = true, 4, 4 // in one piece: no chunk held them
			return nil
		}))
		for _, name := range []string{CachedShare, DraftAcceptance, TokensPerChunk} {
			if f, ok := r.Figure(name); ok {
				t.Errorf("there is %+v", f)
			}
		}
		if text, _ := json.Marshal(r.Tokens); string(text) != `{"input":12,"output":12}` {
			t.Errorf("as JSON %s", text)
		}
	})
}

// The token that ends an answer has no text, so that one token more than chunks is no sign of chunks that hold several.
func TestManyTokens(t *testing.T) {
	for _, c := range []struct {
		chunking Chunking
		want     bool
	}{
		{Chunking{}, false},
		{Chunking{Requests: 1, Chunks: 1, Tokens: 1}, false},
		{Chunking{Requests: 10, Chunks: 40, Tokens: 50}, false},  // 4 and an end, each
		{Chunking{Requests: 10, Chunks: 40, Tokens: 52}, false},  // 42 ÷ 40
		{Chunking{Requests: 10, Chunks: 40, Tokens: 53}, true},   // 43 ÷ 40
		{Chunking{Requests: 1, Chunks: 100, Tokens: 200}, true},  // 199 ÷ 100
		{Chunking{Requests: 1, Chunks: 200, Tokens: 100}, false}, // a token over several chunks
	} {
		if got := c.chunking.manyTokens(); got != c.want {
			t.Errorf("%+v: %t", c.chunking, got)
		}
	}
}

// The tokens of a request that was cut off are those that had come: it loaded the server with them, and completed nothing.
func TestTokensOfARequestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := TargetFunc(func(ctx context.Context, i int, r *Record) error {
			chunks := 2
			if i == 1 {
				chunks = 8 // in flight at both edges of the window, and cut at its end
			}
			for k := range chunks {
				time.Sleep(time.Second)
				r.Chunk(Chunk{Tokens: 3 + k%2})
				r.Counted, r.Input, r.Output = true, 1, r.Output+3+k%2
			}
			r.Done = r.Now()
			if i == 1 {
				return &Error{Class: ClassTruncated, Err: context.DeadlineExceeded}
			}
			return nil
		})
		// Slot A: requests 0, 2, 3, 4 of 2 s each; slot B: request 1, 8 s. As for requests that complete, the window is from
		// the 2nd completion at 4 s to the last issue at 6 s: chunks at 5 s (3 and 3 tokens) and at 6 s (4 and 4).
		r := mustMeasure(t, Level{Concurrency: 2, Requests: 5}, target)
		if w := r.Steady; w == nil || w.From != 4*time.Second || w.To != 6*time.Second || w.Output != 14 {
			t.Errorf("window %+v, want 14 output tokens", w)
		}
		if want := (Tokens{Input: 4, Output: 28, Chunking: Chunking{Requests: 4, Chunks: 8, Tokens: 28}}); r.Tokens != want {
			t.Errorf("tokens %+v, want %+v", r.Tokens, want)
		}
	})
}
