package openai_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// paced is a server whose streams take their time, so that several are in flight together; scores do not.
func paced(g *loadgentest.Greedy) http.Handler {
	slow := loadgentest.Greedy{NoTokenIDs: g.NoTokenIDs, NoScores: g.NoScores, Ties: g.Ties,
		Step: 200 * time.Microsecond}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		r.Body = readCloser(body)
		if strings.Contains(body, `"stream":true`) {
			slow.ServeHTTP(w, r)
		} else {
			g.ServeHTTP(w, r)
		}
	})
}

// audited measures a level on h and audits it.
func audited(t testing.TB, h http.Handler, l loadgen.Level, c openai.Config) (*loadgen.Result, *audit.Outcome) {
	t.Helper()
	c.URL, c.Model = serve(t, h).URL, "greedy"
	if c.Workload == nil {
		c.Workload = workload.RandomTokens{Seed: 3, Input: 20, Output: 16}
	}
	if c.Audit == nil {
		c.Audit = &openai.Audit{Seed: 1}
	}
	target := newTarget(t, c)
	result, _ := measure(t, l, target)
	return result, target.Audit(t.Context(), audit.Tally{})
}

// A healthy server passes, in every way in which its answers come, though it gives the second token at every other tie.
func TestAuditPasses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]openai.Config{
		"token ids": {},
		"text":      {Workload: workload.RandomWords{Seed: 3, Input: 20, Output: 16}},
		"chat":      {Endpoint: openai.Chat, Workload: workload.RandomWords{Seed: 3, Input: 20, Output: 16}},
		"whole":     {Whole: true},
		"whole chat": {Whole: true, Endpoint: openai.Chat,
			Workload: workload.RandomWords{Seed: 3, Input: 20, Output: 16}},
	} {
		t.Run(name, func(t *testing.T) {
			_, o := audited(t, &loadgentest.Greedy{Ties: 0.2}, loadgen.Level{Concurrency: 8, Requests: 60}, c)
			if o.Verdict != audit.Passed || o.Method != audit.Scored || o.Level.Answers != 60 || o.Level.Wrong != 0 ||
				o.Level.Positions != 960 ||
				o.Level.Gap < 0.04 || o.Level.Gap > 0.06 || o.Control.Wrong != 20 || o.Healthy.Answers != 40 ||
				o.Kept != 60 {
				t.Fatalf("%v\n%+v", o, o)
			}
			if share, ok := o.Level.Agreement(); !ok || share < 0.85 || share > 0.95 { // half of the ties
				t.Errorf("agreement %v", share)
			}
		})
	}
}

// asked is the prompt of a body of token ids.
func asked(t testing.TB, body []byte) string {
	var q struct{ Prompt []int }
	if err := json.Unmarshal(body, &q); err != nil {
		t.Error(err)
	}
	return fmt.Sprint(q.Prompt)
}

// What a proxy corrupts is found, all of it and nothing else, of each kind.
func TestAuditFindsCorruption(t *testing.T) {
	t.Parallel() // it waits for timers, mostly
	prompts := workload.RandomTokens{Seed: 3, Input: 20, Output: 16}
	for _, kind := range []loadgentest.Corruption{loadgentest.Garbage, loadgentest.Repetition,
		loadgentest.AnothersReply} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var struck []string
			proxy := &loadgentest.Corrupting{Handler: paced(&loadgentest.Greedy{Ties: 0.1}), Rate: 0.1, InFlight: 2,
				Kinds: []loadgentest.Corruption{kind}, Seed: 9,
				Struck: func(_ loadgentest.Corruption, body []byte) { struck = append(struck, asked(t, body)) }}
			_, o := audited(t, proxy, loadgen.Level{Concurrency: 8, Requests: 80}, openai.Config{Workload: prompts,
				Audit: &openai.Audit{Examples: true}})
			n := proxy.Counts().Corrupted
			if n < 2 || o.Verdict != audit.Spoiled || o.Level.Wrong != n || len(struck) != n {
				t.Fatalf("%d corrupted: %v\n%+v", n, o, o)
			}
			for _, f := range o.Faults {
				var p workload.Prompt
				if err := prompts.Prompt(f.Index, &p); err != nil || !slices.Contains(struck, fmt.Sprint(p.Tokens)) {
					t.Errorf("%v was not struck (%v)", f, err)
				}
			}
			if len(o.Examples) != 2 || o.Examples[0].Answer == "" {
				t.Errorf("examples %+v", o.Examples)
			}
		})
	}
}

// What is found has the share of what was corrupted where only some answers are kept, and the sample is by the seed
// alone.
func TestAuditOfASample(t *testing.T) {
	t.Parallel() // it waits for timers, mostly
	level := loadgen.Level{Concurrency: 8, Requests: 150, Warmup: 20}
	audits := func(seed uint64) *audit.Outcome {
		proxy := &loadgentest.Corrupting{Handler: paced(&loadgentest.Greedy{}), Rate: 0.2, InFlight: 4, Seed: 9}
		_, o := audited(t, proxy, level, openai.Config{Audit: &openai.Audit{Answers: 60, Seed: seed}})
		return o
	}
	a, b := audits(1), audits(2)
	if a.Kept != 60 || a.Level.Answers != 60 || a.Level.Wrong < 3 || a.Level.Wrong > 27 {
		t.Errorf("%v", a)
	}
	if slices.Equal(a.Faults, b.Faults) {
		t.Errorf("two seeds have one sample: %v", a.Faults)
	}
}

// What cannot be checked is not called passed, and its reason is said.
func TestAuditNotCheckable(t *testing.T) {
	t.Parallel()
	level := loadgen.Level{Concurrency: 4, Requests: 50}
	for _, c := range []struct {
		name   string
		server http.Handler
		level  loadgen.Level
		config openai.Config
		reason string
	}{
		{"random weights", &loadgentest.Greedy{Flat: true}, level, openai.Config{}, "as to one with random weights"},
		{"sampled", &loadgentest.Greedy{}, level, openai.Config{Body: map[string]any{"temperature": 0.7}},
			"temperature is 0.7"},
		{"the server's own temperature", &loadgentest.Greedy{}, level,
			openai.Config{Body: map[string]any{"temperature": nil}}, "has no temperature"},
		{"constrained", &loadgentest.Greedy{}, level,
			openai.Config{Body: map[string]any{"response_format": map[string]any{"type": "json_object"}}},
			"response_format"},
		{"penalised", &loadgentest.Greedy{}, level, openai.Config{Body: map[string]any{"repetition_penalty": 1.1}},
			"repetition_penalty"},
		{"wrong alone too", &loadgentest.Corrupting{Handler: &loadgentest.Greedy{}, Rate: 0.5}, level, openai.Config{},
			"at one in flight are wrong already"},
		{"few", &loadgentest.Greedy{}, loadgen.Level{Concurrency: 1, Requests: 4}, openai.Config{},
			"4 answers were kept"},
		{"nothing is told", &loadgentest.Greedy{NoTokenIDs: true, NoScores: true, NoLogprobs: true}, level,
			openai.Config{},
			"does not tell token ids"},
		{"scores are refused", &loadgentest.Greedy{RefuseScores: 400, NoLogprobs: true}, level, openai.Config{}, "400"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, o := audited(t, c.server, c.level, c.config)
			if o.Verdict != audit.NotCheckable || !strings.Contains(o.Reason, c.reason) {
				t.Errorf("%v\n%+v", o, o)
			}
		})
	}
}

// Greedy by another name, or with fields that say what holds anyway.
func TestAuditOfGreedyBodies(t *testing.T) {
	t.Parallel()
	for _, body := range []map[string]any{
		{"temperature": 0.9, "top_k": 1}, {"temperature": 0.0, "presence_penalty": 0.0, "n": 1, "logit_bias": nil},
		{"response_format": map[string]any{"type": "text"}},
	} {
		if _, o := audited(t, &loadgentest.Greedy{}, loadgen.Level{Concurrency: 4, Requests: 10},
			openai.Config{Body: body}); o.Verdict != audit.Passed {
			t.Errorf("%v: %v", body, o)
		}
	}
}

// Where a server cannot score, single tokens do, and it is said that they are weaker: by ids where these are told, and
// by text where not.
func TestAuditBySingleTokens(t *testing.T) {
	t.Parallel() // it waits for timers, mostly
	for name, server := range map[string]*loadgentest.Greedy{
		"by ids":  {NoScores: true, Ties: 0.1},
		"by text": {NoTokenIDs: true, Ties: 0.1},
	} {
		for _, words := range []bool{false, true} {
			if words && !server.NoTokenIDs { // by ids the prompt is one of ids anyway
				continue
			}
			t.Run(fmt.Sprintf("%s, words=%v", name, words), func(t *testing.T) {
				t.Parallel()
				server := paced(server)
				var c openai.Config
				if words {
					c.Workload = workload.RandomWords{Seed: 3, Input: 20, Output: 16}
				}
				level := loadgen.Level{Concurrency: 8, Requests: 20}
				_, o := audited(t, server, level, c)
				if o.Verdict != audit.Passed || o.Method != audit.SingleTokens || o.Level.Positions != 8*20 ||
					!strings.Contains(o.String(), "weaker") {
					t.Fatalf("healthy: %v\n%+v", o, o)
				}
				proxy := &loadgentest.Corrupting{Handler: server, Rate: 0.4, InFlight: 2, Seed: 5}
				_, o = audited(t, proxy, level, c)
				if n := proxy.Counts().Corrupted; o.Verdict != audit.Spoiled || o.Level.Wrong > n ||
					o.Level.Wrong < n/2 {
					t.Fatalf("%d corrupted: %v\n%+v", n, o, o)
				}
			})
		}
	}
}

// The load is what it is without an audit, but for the field that asks for token ids, of those requests whose answers
// may be kept; and a server's own healthy sample is not asked for twice.
func TestAuditLeavesTheLoadAlone(t *testing.T) {
	var mu sync.Mutex
	with, without := 0, 0
	bodies := map[string]bool{}
	counts := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := bodyOf(r)
		mu.Lock()
		if strings.HasSuffix(body, `,"return_token_ids":true}`) {
			with++
		} else {
			without++
		}
		bodies[strings.TrimSuffix(strings.TrimSuffix(body, "}"), `,"return_token_ids":true`)] = true
		mu.Unlock()
		r.Body = readCloser(body)
		(&loadgentest.Greedy{}).ServeHTTP(w, r)
	})
	url := serve(t, counts).URL
	config := openai.Config{URL: url, Model: "greedy", Workload: workload.RandomTokens{Seed: 3, Input: 20, Output: 4}}
	level := loadgen.Level{Concurrency: 4, Requests: 400}
	measure(t, level, newTarget(t, config))
	plain := len(bodies)
	if with != 0 || without != 400 || plain != 400 {
		t.Fatalf("%d with, %d without, %d bodies", with, without, plain)
	}
	config.Audit = &openai.Audit{Answers: 20, Seed: 1}
	target := newTarget(t, config)
	measure(t, level, target)
	if len(bodies) != plain || with+without != 800 || with < 20 || with > 160 { // 20 (1 + ln(400/20)) = 80 expected
		t.Errorf("%d with, %d without, %d bodies", with, without, len(bodies))
	}
	before := with + without
	if o := target.Audit(t.Context(), audit.Tally{Answers: 40, Positions: 160,
		Tops: 160}); o.Verdict != audit.Passed || o.Healthy.Positions != 160 {
		t.Errorf("%v", o)
	}
	if asked := with + without - before; asked != 20+20+1 {
		t.Errorf("%d requests for 20 scores, 20 controls and a first try", asked)
	}
}
