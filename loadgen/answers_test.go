package loadgen

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Each thing that answers may lack is counted, warned of with how many of how many, and spoils what it leaves unknown.
func TestWhatAnswersLack(t *testing.T) {
	whole := func(r *Record) { r.Counted, r.Input, r.Output, r.Finish = true, 4, 4, "stop" }
	stream := func(r *Record) {
		whole(r)
		for range 4 {
			r.Chunk(Chunk{})
			time.Sleep(10 * time.Millisecond)
		}
		r.Choices = 5
	}
	ttfts := []string{MeanName(TTFT), QuantileName(ITL, 50), QuantileName(TPOT, 99), Attainment, GoodputThroughput,
		AttainmentName(TTFT)}
	tokens := []string{OutputThroughput, TotalThroughput, SteadyOutputThroughput}
	for _, c := range []struct {
		name            string
		answer          func(i int, r *Record)
		code, says      string // "": no warning
		answers         Answers
		reasons         string
		spoiled, intact []string
	}{
		{"nothing", func(i int, r *Record) { stream(r) }, "", "", Answers{}, "map[stop:200]", nil,
			append(ttfts, tokens...)},
		{"several reasons", func(i int, r *Record) {
			stream(r)
			r.Finish = []string{"stop", "length", "tool_calls", "length"}[i%4]
		}, "", "", Answers{}, "map[length:100 stop:50 tool_calls:50]", nil, tokens},
		{"[DONE] without a reason", func(i int, r *Record) {
			if stream(r); i%20 == 0 {
				r.Finish = ""
			}
		}, WarnNoFinishReason, "10 of 200 completed", Answers{NoFinish: 10}, "map[stop:190]", nil, append(ttfts,
			tokens...)},
		{"no reason at all", func(i int, r *Record) {
			stream(r)
			r.Finish = ""
		}, WarnNoFinishReason, "200 of 200", Answers{NoFinish: 200}, "map[]", nil, tokens},
		{"whole answers, some without a reason", func(i int, r *Record) {
			if whole(r); i%2 == 0 {
				r.Finish = ""
			}
		}, WarnNoFinishReason, "100 of 200", Answers{NoFinish: 100}, "map[stop:100]", nil, tokens},
		{"a target that knows of no reasons", func(i int, r *Record) {
			whole(r)
			r.Finish = ""
		}, "", "", Answers{}, "map[]", nil, tokens},
		{"no content in any", func(i int, r *Record) {
			whole(r)
			r.Choices, r.NoContent = 6, true
		}, WarnNoContent, "200 of 200", Answers{NoContent: 200}, "map[stop:200]", ttfts, tokens},
		{"no content in some", func(i int, r *Record) {
			if i%10 > 0 {
				stream(r)
				return
			}
			whole(r)
			r.Choices, r.NoContent = 6, true
		}, WarnNoContent, "20 of 200", Answers{NoContent: 20}, "map[stop:200]", ttfts, tokens},
		{"no content in one", func(i int, r *Record) {
			if i > 0 {
				stream(r)
				return
			}
			whole(r)
			r.Choices, r.NoContent = 6, true
		}, WarnNoContent, "1 of 200", Answers{NoContent: 1}, "map[stop:200]", nil, append(ttfts, tokens...)},
		{"contradicted in all", func(i int, r *Record) {
			stream(r)
			r.Counted, r.Contradicted, r.Output = false, true, 0
		}, WarnUsageContradicted, "200 of 200", Answers{Contradicted: 200}, "map[stop:200]", tokens,
			[]string{MeanName(TTFT), RequestThroughput}},
		{"contradicted in some", func(i int, r *Record) {
			if stream(r); i%50 == 0 {
				r.Counted, r.Contradicted = false, true
			}
		}, WarnUsageContradicted, "4 of 200", Answers{Contradicted: 4}, "map[stop:200]", tokens,
			[]string{MeanName(TTFT), RequestThroughput}},
		{"no input tokens in some", func(i int, r *Record) {
			stream(r)
			if r.AskedInput = 4; i%2 == 0 {
				r.Input = 0
			}
		}, WarnUsageContradicted, "100 of 200", Answers{NoInput: 100}, "map[stop:200]",
			[]string{TotalThroughput, SteadyTotalThroughput}, append([]string{OutputThroughput}, ttfts...)},
		{"several choices in all", func(i int, r *Record) {
			stream(r)
			r.Several = true
		}, WarnSeveralChoices, "200 of 200", Answers{Several: 200}, "map[stop:200]",
			[]string{MeanName(TPOT), QuantileName(ITL, 50), MeanName(Interactivity)},
			append([]string{MeanName(TTFT), RequestThroughput}, tokens...)},
		{"several choices in one", func(i int, r *Record) {
			stream(r)
			r.Several = i == 0
		}, WarnSeveralChoices, "1 of 200", Answers{Several: 1}, "map[stop:200]", nil, append(ttfts, tokens...)},
		{"several choices, not streamed", func(i int, r *Record) {
			whole(r)
			r.Several = true
		}, "", "", Answers{}, "map[stop:200]", nil, tokens},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				level := Level{Concurrency: 2, Requests: 200, Objectives: []Objective{{TTFT, 500}}}
				r := mustMeasure(t, level, TargetFunc(func(ctx context.Context, i int, r *Record) error {
					time.Sleep(10 * time.Millisecond)
					c.answer(i, r)
					return nil
				}))
				if r.Answers != c.answers || fmt.Sprint(r.FinishReasons) != c.reasons {
					t.Errorf("%+v and %v, want %+v and %v", r.Answers, r.FinishReasons, c.answers, c.reasons)
				}
				for _, code := range []string{WarnNoFinishReason, WarnNoContent, WarnUsageContradicted,
					WarnSeveralChoices} {
					if w, ok := warning(r, code); ok != (code == c.code) || ok && !strings.Contains(w.Message, c.says) {
						t.Errorf("%s: %q, want %q", code, w.Message, c.says)
					}
				}
				checkSpoiled(t, r, c.spoiled, c.intact)
				for _, name := range tokens { // never a throughput of 0
					if f, ok := r.Figure(name); ok && f.Value == 0 {
						t.Errorf("%+v", f)
					}
				}
			})
		})
	}
}

// A usage of 0 tokens beside chunks of content is no throughput of 0, whether or not the target noticed.
func TestNoTokensInChunks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := mustMeasure(t, Level{Concurrency: 1, Requests: 10}, TargetFunc(func(ctx context.Context, i int,
			r *Record) error {
			r.Chunk(Chunk{})
			time.Sleep(time.Second)
			r.Counted = true
			return nil
		}))
		for _, name := range []string{OutputThroughput, TotalThroughput, SteadyOutputThroughput,
			SteadyTotalThroughput} {
			if f, ok := r.Figure(name); ok {
				t.Errorf("%+v", f)
			}
		}
		if r.Answers.Contradicted != 10 || r.Tokens.Uncounted != 10 || !hasWarning(r, WarnUsageContradicted) {
			t.Errorf("%+v %+v %v", r.Answers, r.Tokens, r.Warnings)
		}
	})
}

// What a server says is bounded, valid, and adds up over shards.
func TestFinishReasonsAreBounded(t *testing.T) {
	answer := TargetFunc(func(ctx context.Context, i int, r *Record) error {
		time.Sleep(time.Millisecond)
		switch r.Finish = "stop"; {
		case i%2 == 0:
			r.Finish = fmt.Sprint("reason ", i)
		case i == 1:
			r.Finish = strings.Repeat("é", 100) + "\xff"
		}
		return nil
	})
	parts := make([]*Result, 2)
	var both sync.WaitGroup
	for k := range 2 {
		both.Go(func() {
			parts[k], _ = Measure(t.Context(), Level{Concurrency: 2, Requests: 200, Shard: k, Shards: 2}, answer)
		})
	}
	both.Wait()
	merged, err := MergeResults(parts...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range append(parts, merged) {
		sum := 0
		for reason, n := range r.FinishReasons {
			if sum += n; len(reason) > 3*finishLength || strings.ToValidUTF8(reason, "") != reason {
				t.Errorf("reason %q", reason)
			}
		}
		if sum != r.Accounting.Completed || len(r.FinishReasons) > finishReasons+1 {
			t.Errorf("%d requests with %d reasons: %v", sum, len(r.FinishReasons), r.FinishReasons)
		}
		text, err := json.Marshal(r)
		var back Result
		if err != nil || json.Unmarshal(text, &back) != nil || !maps.Equal(back.FinishReasons, r.FinishReasons) {
			t.Errorf("%v: %v", err, back.FinishReasons)
		}
	}
	if merged.FinishReasons["stop"] != 99 || merged.FinishReasons[OtherReasons] == 0 {
		t.Errorf("%v", merged.FinishReasons)
	}
}

// What shards counted adds up, and their warnings are those of the sum.
func TestGatesMerge(t *testing.T) {
	const ms = time.Millisecond
	var parts []*Result
	for k := range 2 {
		parts = append(parts, collect(t, Level{Concurrency: 2, Requests: 40, Shard: k, Shards: 2}, 20, func(i int,
			r *Record) {
			r.Sent = time.Duration(i) * time.Second
			for n := range 20 { // whole in shard 1, and evenly in shard 0
				r.Chunk(Chunk{Seen: r.Sent + 500*ms + time.Duration((1-k)*n)*10*ms})
			}
			r.Done, r.Choices, r.Counted, r.Output = r.LastArrival(), 21, true, 20+k
			if i == 3 {
				r.Finish = "stop"
			}
		}))
	}
	parts[1].Start = parts[0].Start
	merged := mustMerge(t, parts...)
	if want := (TPOTBasis{Known: 20, Estimated: 20}); merged.TPOT != want {
		t.Errorf("%+v, want %+v", merged.TPOT, want)
	}
	if want := (Bunching{Judged: 40, Whole: 20}); merged.Bunching != want {
		t.Errorf("%+v, want %+v", merged.Bunching, want)
	}
	if want := (Answers{NoFinish: 38}); merged.Answers != want || merged.FinishReasons["stop"] != 2 {
		t.Errorf("%+v, want %+v; %v", merged.Answers, want, merged.FinishReasons)
	}
	for code, says := range map[string]string{
		WarnBunched: "of 40 streamed answers, 20 came whole", WarnTPOTEstimated: "20 of 40",
		WarnNoFinishReason: "38 of 40",
	} {
		n := 0
		for _, w := range merged.Warnings {
			if w.Code == code {
				if n++; !strings.Contains(w.Message, says) {
					t.Errorf("%s: %q", code, w.Message)
				}
			}
		}
		if n != 1 {
			t.Errorf("%s: %d times", code, n)
		}
	}
}
