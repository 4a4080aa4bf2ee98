package openai

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func caching() *loadgentest.Simulated {
	return &loadgentest.Simulated{MaxSequences: 64, DecodeRate: 1e5, KVBlocks: 1 << 16, BlockTokens: 4,
		PrefixCache: true}
}

func converse(t *testing.T, sim *loadgentest.Simulated, c Config, l loadgen.Level) *loadgen.Result {
	t.Helper()
	server := httptest.NewServer(sim)
	defer server.Close()
	c.URL, c.Model = server.URL, "simulated"
	target, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	l.Unit = loadgen.UnitSession
	r, err := loadgen.Measure(t.Context(), l, target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var talks = workload.Talks{Seed: 3, System: 24, Turns: workload.Fixed(4), Input: workload.Fixed(12),
	Output: workload.Fixed(5)}

// Each turn holds the server's own answers, whole and in their places, and finds in the cache all of the turn before.
func TestSessionsHoldTheServersAnswers(t *testing.T) {
	for _, whole := range []bool{false, true} {
		sim := caching()
		r := converse(t, sim, Config{Conversations: talks, Whole: whole}, loadgen.Level{Concurrency: 5, Sessions: 40})
		c := sim.Counts()
		if c.Turns != 40*(1+2+3) || c.Strange != 0 || r.Accounting.Completed != 160 {
			t.Errorf("whole %v: %+v, %+v", whole, c, r.Accounting)
		}
		if r.Tokens.Cached.Cached != c.PrefixHits || r.Tokens.Cached.Input != c.PrefixQueries {
			t.Errorf("whole %v: cached %+v, the server's own %d of %d", whole, r.Tokens.Cached, c.PrefixHits,
				c.PrefixQueries)
		}
		// Turns have 36, 53, 70 and 87 tokens. What was computed before: 40, 57 and 74, in blocks of 4; at first 24
		// of the system prompt, but for the five that begin together perhaps.
		for turn, want := range map[int]float64{2: 40. / 53, 3: 56. / 70, 4: 72. / 87} {
			got, _ := r.Figure(loadgen.GroupName(loadgen.CachedShare, loadgen.ByTurn, fmt.Sprint(turn)))
			if diff := got.Value - 100*want; diff > 1e-9 || diff < -1e-9 {
				t.Errorf("whole %v: turn %d has %.2f %% cached, want %.2f %%", whole, turn, got.Value, 100*want)
			}
		}
	}
}

// A conversation that puts words into the server's mouth, or another session's, is seen by it.
func TestASwappedAnswerIsSeen(t *testing.T) {
	sim := caching()
	converse(t, sim, Config{Conversations: altered{}}, loadgen.Level{Concurrency: 3, Sessions: 10})
	if c := sim.Counts(); c.Turns != 60 || c.Strange != 60 {
		t.Errorf("%+v", c)
	}
}

type altered struct{}

func (altered) Conversation(i int) (workload.Conversation, error) {
	of, err := talks.Conversation(i)
	return alteredTalk{of}, err
}

type alteredTalk struct{ workload.Conversation }

func (a alteredTalk) Next(k int, reply string) ([]workload.Turn, error) {
	return a.Conversation.Next(k, strings.ToUpper(reply))
}

// A branch, and what joins them, go on from the right answers.
func TestFlowsOfAFile(t *testing.T) {
	const line = `{"requests":[
		{"id":"plan","messages":[{"role":"user","content":"what now"}],"max_tokens":6},
		{"id":"a","continues":"plan","messages":[{"role":"tool","content":"one"}],"pause_ms":20,"max_tokens":3},
		{"id":"b","continues":"plan","messages":[{"role":"tool","content":"two"}],"max_tokens":3},
		{"id":"sum","continues":"plan","answers":["a","b"],"messages":[{"role":"user","content":"so"}],"max_tokens":4}]}`
	flows, err := workload.ReadTalks(strings.NewReader(strings.ReplaceAll(line, "\n", " ")), workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	sim := caching()
	r := converse(t, sim, Config{Conversations: flows}, loadgen.Level{Concurrency: 2, Sessions: 6})
	c := sim.Counts()
	if c.Turns != 6*3 || c.Strange != 0 || r.Accounting.Completed != 24 || r.Sessions.Accounting.Completed != 6 {
		t.Errorf("%+v, %+v, %v", c, r.Accounting, r.Sessions)
	}
	want := map[string]int{"1": 6 * 2, "2": 6 * 2 * 9, "3": 6 * (2 + 6 + 3 + 3 + 1)}
	for _, g := range r.Groups {
		if g.Tokens.Input != want[g.Name] {
			t.Errorf("turn %s has %d input tokens, want %d", g.Name, g.Tokens.Input, want[g.Name])
		}
	}
	if d, _ := r.Figure("session_duration_p50"); d.Value < 20 {
		t.Errorf("sessions took %v ms, though a tool takes 20", d.Value)
	}
}

// Recorded answers go with their turns, whatever the server says.
func TestRecordedConversations(t *testing.T) {
	const file = `[{"id":"x","conversations":[{"from":"human","value":"a b c"},{"from":"gpt","value":"d e"},{"from":"human","value":"f"},{"from":"gpt","value":"g"}]},
		{"conversations":[{"from":"system","value":"s"},{"from":"human","value":"h i"}]}]`
	for recorded, want := range map[bool]int{true: 2 * (3 + 6 + 3), false: 2 * (3 + 3 + 7 + 1 + 3)} {
		f, err := workload.ReadTalks(strings.NewReader(file), workload.DatasetLimits{})
		if err != nil {
			t.Fatal(err)
		}
		f.Output, f.Recorded = workload.Fixed(7), recorded
		if f.Len() != 2 || f.Turns() != 3 {
			t.Errorf("%d conversations, %d turns", f.Len(), f.Turns())
		}
		sim := caching()
		r := converse(t, sim, Config{Conversations: f}, loadgen.Level{Concurrency: 1, Sessions: 4})
		if c := sim.Counts(); c.Turns != 2 || (c.Strange == 2) != recorded {
			t.Errorf("recorded %v: %+v", recorded, c)
		}
		if !recorded {
			want = 2 * (3 + (3 + 7 + 1) + 3)
		}
		if r.Tokens.Input != want {
			t.Errorf("recorded %v: %d tokens in, want %d", recorded, r.Tokens.Input, want)
		}
	}
}

// A level of single requests has the first request of each session; a workload's prompts are sessions of one request.
func TestSessionsAndSingleRequests(t *testing.T) {
	sim := caching()
	server := httptest.NewServer(sim)
	defer server.Close()
	target, err := New(Config{URL: server.URL, Model: "simulated", Conversations: talks})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 2, Requests: 6}, target)
	if err != nil || r.Tokens.Input != 6*36 || r.Groups != nil && r.Groups[0].Accounting.Issued != 6 {
		t.Errorf("%v; %+v", err, r.Tokens)
	}
	one := converse(t, caching(), Config{Workload: workload.RandomTokens{Input: 10, Output: 2}},
		loadgen.Level{Concurrency: 2, Sessions: 6})
	if one.Accounting.Completed != 6 || one.Sessions.Accounting.Completed != 6 {
		t.Errorf("%+v", one.Accounting)
	}
}

// The text of an answer is kept where it is wanted: by the scan and by the pattern, with escapes, and halves of a
// character in two chunks; what is reasoning is no answer.
func TestSpokenText(t *testing.T) {
	var stream strings.Builder
	say := func(member, raw string) {
		fmt.Fprintf(&stream, `data: {"id":"1","choices":[{"index":0,"delta":{"%s":"%s"},"finish_reason":null}]}`+"\n\n", member, raw)
	}
	say("reasoning_content", "hm")
	want := ""
	for i := range 50 {
		say("content", fmt.Sprintf(" w%d", i))
		want += fmt.Sprintf(" w%d", i)
	}
	say("content", `\"\n`)
	say("content", `\ud83d`)
	say("content", `\ude00é`)
	say("reasoning_content", "so")
	say("content", "end")
	want += "\"\n😀éend"
	text := stream.String() + "data: [DONE]\n\n"
	for range 2 {
		var s spoken
		if err := (reading{heard: &s}).stream(strings.NewReader(text), nil, new(loadgen.Record)); err != nil {
			t.Fatal(err)
		}
		if got, err := s.text(); got != want || err != nil {
			t.Errorf("heard %q, %v; want %q", got, err, want)
		}
	}
	var s spoken
	body := `{"choices":[{"message":{"role":"assistant","content":"a\u00e9","reasoning":"b"},"finish_reason":"stop"}]}`
	if err := (reading{heard: &s}).whole(strings.NewReader(body), nil, new(loadgen.Record)); err != nil {
		t.Fatal(err)
	}
	if got, _ := s.text(); got != "aé" {
		t.Errorf("heard %q", got)
	}
}

// Requests that the server cannot do are counted by themselves, and do not spoil the others.
func TestTooLongForTheServer(t *testing.T) {
	const trace = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
	var lines strings.Builder
	lines.WriteString(trace)
	for i := range 40 {
		input := 20
		if i%20 == 5 {
			input = 900
		}
		fmt.Fprintf(&lines, "%d,m,%d,4,0,x\n", i/20, input)
	}
	read, err := workload.ReadTrace(strings.NewReader(lines.String()), workload.BurstGPT, workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	read, _ = read.Faster(20)
	server := httptest.NewServer(&loadgentest.Simulated{MaxModelLen: 500})
	defer server.Close()
	target, err := New(Config{URL: server.URL, Model: "simulated", Workload: read})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Arrivals: read.Arrivals()}, target)
	if err != nil {
		t.Fatal(err)
	}
	if r.Accounting.Issued != 40 || r.Accounting.Failed != 2 || r.Errors[0].Class != loadgen.ClassTooLong ||
		!r.Valid() {
		t.Errorf("%+v, %v, %v", r.Accounting, r.Errors, r.Warnings)
	}
	for _, words := range []string{
		"the request exceeds the available context size. try increasing it",
		"The input (10 tokens) is longer than the model's context length (5 tokens).",
	} {
		if !tooLong(400, words) || tooLong(500, words) {
			t.Errorf("%s", words)
		}
	}
}

func TestModelsOfSessionsAndAdapters(t *testing.T) {
	sim := caching()
	sim.Model, sim.Adapters = "base", []string{"lora"}
	server := httptest.NewServer(sim)
	defer server.Close()
	target, err := New(Config{URL: server.URL, Models: []string{"base", "lora", "base"}, Conversations: talks})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 3, Sessions: 30,
		Timeout: time.Minute}, target)
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for _, g := range r.Groups {
		n[g.By+g.Name] = g.Accounting.Completed
	}
	if n["modelbase"] != 80 || n["modellora"] != 40 || n["turn3"] != 30 {
		t.Errorf("%v", n)
	}
	if _, ok := r.Figure("output_tokens_per_s{model=lora}"); !ok {
		t.Error("no throughput of the adapter")
	}
	if c := sim.Counts(); c.Strange != 0 || c.Turns != 180 { // a turn that went to the other would be
		t.Errorf("%+v", c)
	}
}
