package openai

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/servegauge/servegauge/loadgen"
)

// Token ids are read alike whether a chunk is scanned or known by its pattern, whole or cut anywhere, and whatever else
// stands where they may.
func TestIDsOfAStream(t *testing.T) {
	const first = `data: {"id":"a","choices":[{"index":0,"text":" t1","prompt_token_ids":[5,6,7],"token_ids":[1]}]}` +
		"\n\n"
	chunk := func(ids string) string {
		return `data: {"id":"a","choices":[{"index":0,"text":" t","prompt_token_ids":null,"token_ids":` + ids +
			`}]}` + "\n\n"
	}
	same := strings.Repeat(chunk("[77]"), 40)
	for _, c := range []struct {
		name, body   string
		prompt, want string
	}{
		{"one each", first + chunk("[2]") + chunk("[3]") + chunk("[40000]"), "[5 6 7]", "[1 2 3 40000]"},
		{"several", first + chunk("[2,3]") + chunk("[4]") + chunk("[]") + chunk("[ 5 , 6 ]"), "[5 6 7]",
			"[1 2 3 4 5 6]"},
		{"null, once they were there", first + chunk("[2]") + chunk("[3]") + chunk("null") + chunk("[4]"), "[5 6 7]",
			"[1 2 3 4]"},
		{"none, after a pattern without", hello + hello + hello + chunk("[2]"), "[]", "[2]"},
		{"none", hello + hello, "[]", "[]"},
		{"many alike", first + same, "[5 6 7]", fmt.Sprint(append([]int32{1}, slices.Repeat([]int32{77}, 40)...))},
		{"of a chat", `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"prompt_token_ids":[8,9]}` + "\n\n" +
			`data: {"choices":[{"index":0,"delta":{"content":" a"},"token_ids":[1,2]}]}` + "\n\n", "[8 9]", "[1 2]"},
		{"of the first choice", `data: {"choices":[{"index":1,"text":" b","token_ids":[9]}]}` + "\n\n" + chunk("[2]"),
			"[]", "[2]"},
	} {
		for _, oneByte := range []bool{false, true} {
			r := new(loadgen.Record)
			var k kept
			body := strings.NewReader(c.body + done)
			var err error
			if oneByte {
				err = reading{keeps: &k}.stream(iotest.OneByteReader(body), nil, r)
			} else {
				err = reading{keeps: &k}.stream(body, nil, r)
			}
			if err != nil || fmt.Sprint(k.prompt) != c.prompt || fmt.Sprint(k.answer) != c.want {
				t.Errorf("%s, one byte a read %v: %v, %v, want %s, %s (%v)", c.name, oneByte, k.prompt, k.answer,
					c.prompt, c.want, err)
			}
		}
	}
	// no ids, and no error of the answer
	for _, ids := range []string{`[-1]`, `[1.5]`, `["1"]`, `[99999999999]`, `[[1]]`, `{"a":1}`} {
		var k kept
		if err := (reading{keeps: &k}).stream(strings.NewReader(first+chunk("[2]")+chunk(ids)+chunk("[3]")+done), nil,
			new(loadgen.Record)); err != nil ||
			!k.several && ids[0] == '[' {
			t.Errorf("%s: %+v, %v", ids, k, err)
		}
	}
}

// Of a long level each answer is kept with the same chance, whichever order they end in, and what fails is none of
// them; what is kept is what a seed says, whoever asks.
func TestKeeperKeepsASample(t *testing.T) {
	const all, n = 5000, 100
	sample := func(seed uint64, workers int) []int {
		k := newKeeper(&Config{Audit: &Audit{Answers: n, Seed: seed}})
		var group sync.WaitGroup
		indices := make(chan int)
		for range workers {
			group.Go(func() {
				for i := range indices {
					a := k.begin(i, 0, i < 50)
					if a != nil && rand.IntN(4) == 0 { // let others overtake
						group.Go(func() { k.end(a, i%10 != 3) })
					} else {
						k.end(a, i%10 != 3)
					}
				}
			})
		}
		for i := range all {
			indices <- i
		}
		close(indices)
		group.Wait()
		var kept []int
		answers, next, _ := k.sample()
		for _, a := range answers {
			kept = append(kept, a.index)
		}
		if next > all || next < all/2 {
			t.Errorf("next %d", next)
		}
		slices.Sort(kept)
		return kept
	}
	one := sample(1, 1)
	if several := sample(1, 16); !slices.Equal(one, several) {
		t.Error("the sample depends on the order in which answers end")
	}
	if len(one) != n || one[0] < 50 || slices.ContainsFunc(one, func(i int) bool { return i%10 == 3 }) {
		t.Errorf("%d kept: %v", len(one), one)
	}
	early := 0
	for seed := range uint64(20) {
		for _, i := range sample(seed+2, 1) {
			if i < (all-50)/2+50 {
				early++
			}
		}
	}
	if early < 850 || early > 1150 { // half of 2,000, ±6.7 standard deviations
		t.Errorf("%d of 2,000 kept answers are of the first half", early)
	}
}

// What is kept is bounded, however long answers are.
func TestKeeperIsBounded(t *testing.T) {
	k := newKeeper(&Config{Audit: &Audit{Answers: 3}})
	long := `[` + strings.Repeat("1,", mostKeptIDs) + `1]`
	for i := range 10 {
		a := k.begin(i, 0, false)
		a.add(&chunk{promptIDs: []byte("[1,2]"), saidIDs: []byte(long),
			said: [][]byte{[]byte(strings.Repeat("x", mostKeptText))}})
		for range 10 {
			a.add(&chunk{saidIDs: []byte(long), said: [][]byte{[]byte(strings.Repeat("x", mostKeptText))}})
		}
		if len(a.answer) > mostKeptIDs || len(a.text) > 2*mostKeptText {
			t.Fatalf("%d ids and %d bytes of text", len(a.answer), len(a.text))
		}
		k.end(a, true)
	}
	if all, _, tooLong := k.sample(); len(all) != 0 || tooLong != 10 {
		t.Errorf("%d kept, %d too long", len(all), tooLong)
	}
}

// BenchmarkReadStreamKept is a stream whose token ids are told, without an audit and with.
func BenchmarkReadStreamKept(b *testing.B) {
	const chunks = 500
	var text strings.Builder
	for i := range chunks {
		fmt.Fprintf(&text, `data: {"id":"cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f","object":"text_completion","created":1767225600,`+
			`"model":"m","choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null,"stop_reason":null,`+
			`"prompt_token_ids":null,"token_ids":[%d]}],"usage":null}`+"\n\n", 1000+i)
	}
	body := text.String() + stop + done
	for _, keep := range []bool{false, true} {
		b.Run(fmt.Sprintf("kept=%v", keep), func(b *testing.B) {
			var k *kept
			target := loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
				if keep {
					if k == nil {
						k = new(kept)
					}
					k.reset()
				}
				return reading{keeps: k}.stream(strings.NewReader(body), nil, r)
			})
			b.ReportAllocs()
			result, err := loadgen.Measure(b.Context(), loadgen.Level{Concurrency: 1, Requests: b.N}, target)
			if err != nil || result.Accounting.Completed != b.N {
				b.Fatal(err, result.Errors)
			}
			b.ReportMetric(float64(chunks*b.N)/b.Elapsed().Seconds(), "chunks/s")
		})
	}
}

// A million answers, of requests and of sessions, leave no more behind than those that are kept and were under way.
func TestKeeperOfAMillion(t *testing.T) {
	const n, underWay, answers = 300, 64, 1_000_000
	k := newKeeper(&Config{Audit: &Audit{Answers: n, Seed: 3}})
	begun := 0
	var open []*kept
	for i := range answers {
		a := k.begin(i/2, 1+i%2, false)
		if a != nil {
			begun++
			k.mu.Lock()
			a.answer = append(a.answer, int32(i))
			k.mu.Unlock()
			open = append(open, a)
		}
		if len(open) > underWay || i == answers-1 {
			for _, a := range open {
				k.end(a, true)
			}
			open = open[:0]
		}
	}
	// 300 (1 + ln(1e6 / 300)) = 2,734 are expected to be looked at, and some more by those under way together.
	if len(k.all) != n || len(k.all)+len(k.free) > n+underWay+2 || begun < 2000 || begun > 6000 {
		t.Errorf("%d kept, %d free, %d begun", len(k.all), len(k.free), begun)
	}
}
