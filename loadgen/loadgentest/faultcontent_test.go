package loadgentest_test

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

const (
	ms = time.Millisecond

	tokens  = 100 // of an answer
	first   = 30 * ms
	gap     = 10 * ms
	lastOne = first + (tokens-1)*gap
)

// answer is what a client must make of an answer of 100 tokens, of which the first comes after 30 ms and each other one
// 10 ms after the one before.
type answer struct {
	class        loadgen.Class // "": completed
	says         string        // the error
	ttft, e2e    time.Duration // 0: not of interest
	firstAnswer  time.Duration // 0: that of the TTFT
	chunks       int
	hidden       int // of these
	choices      int // 0: as many as there are chunks
	firstTokens  int // in the first chunk, where the server tells
	output       int // −1: unknown
	contradicted bool
	noContent    bool
	finish       string // "": length; "none": none
}

// of is an answer whose content comes as it does without a fault, but for what change does.
func of(change func(a *answer)) answer {
	a := answer{ttft: first, e2e: lastOne, chunks: tokens, output: tokens}
	change(&a)
	return a
}

func fails(class loadgen.Class, says string, chunks int) answer {
	return answer{class: class, says: says, chunks: chunks, output: -1}
}

var asItIs = of(func(*answer) {})

// contents are the inputs of faults of content, with their true figures: in virtual time, so that these are exact.
var contents = []struct {
	name       string
	continuous bool // usage in each chunk
	fault      loadgentest.Fault
	want       answer
}{
	// The time and the count of tokens that nobody sees.
	{"tokens that decode to nothing", false, loadgentest.Fault{Kind: loadgentest.FaultBlank, After: 5},
		of(func(a *answer) { a.chunks, a.choices = 5, 100 })},
	{"the same, with usage in each chunk", true, loadgentest.Fault{Kind: loadgentest.FaultBlank, After: 5},
		of(func(a *answer) { a.hidden, a.firstTokens = 95, 1 })},
	{"a blank head", false, loadgentest.Fault{Kind: loadgentest.FaultBlank, Chunks: 20}, of(func(a *answer) {
		a.ttft,
			a.chunks, a.choices = first+20*gap, 80, 100
	})},
	{"a blank head, with usage", true, loadgentest.Fault{Kind: loadgentest.FaultBlank, Chunks: 20},
		of(func(a *answer) { a.ttft, a.hidden, a.firstTokens = first+20*gap, 20, 1 })},
	{"nothing but blanks", false, loadgentest.Fault{Kind: loadgentest.FaultBlank}, of(func(a *answer) {
		a.ttft, a.chunks,
			a.choices, a.noContent = 0, 0, 100, true
	})},
	{"a hidden tail", false, loadgentest.Fault{Kind: loadgentest.FaultSwallow, After: 70}, of(func(a *answer) {
		a.chunks,
			a.choices = 70, 71
	})},
	{"a hidden tail, with usage", true, loadgentest.Fault{Kind: loadgentest.FaultSwallow, After: 70},
		of(func(a *answer) { a.chunks, a.hidden, a.firstTokens = 71, 1, 1 })},
	{"a hidden head", false, loadgentest.Fault{Kind: loadgentest.FaultSwallow, Chunks: 30}, of(func(a *answer) {
		a.ttft,
			a.chunks = first+30*gap, 70
	})},
	{"a hidden middle", false, loadgentest.Fault{Kind: loadgentest.FaultSwallow, After: 10, Chunks: 30},
		of(func(a *answer) { a.chunks = 70 })},
	{"8 tokens in the first chunk", true, loadgentest.Fault{Kind: loadgentest.FaultMerge, Chunks: 8},
		of(func(a *answer) { a.ttft, a.chunks, a.firstTokens = first+7*gap, 93, 8 })},
	{"8 tokens in the first chunk, untold", false, loadgentest.Fault{Kind: loadgentest.FaultMerge, Chunks: 8},
		of(func(a *answer) { a.ttft, a.chunks = first+7*gap, 93 })},
	{"8 tokens in the last chunk", true, loadgentest.Fault{Kind: loadgentest.FaultMerge, After: 92, Chunks: 8},
		of(func(a *answer) { a.chunks, a.firstTokens = 93, 1 })},

	// Answers that a model did not finish.
	{"abort", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "abort"}, fails(loadgen.ClassServer,
		`"abort"`, 99)},
	{"error", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "error"}, fails(loadgen.ClassServer,
		`"error"`, 99)},
	{"timeout", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "TIMEOUT"}, fails(loadgen.ClassServer,
		`"TIMEOUT"`, 99)},
	{"an unknown reason", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "repetition"},
		of(func(a *answer) { a.finish = "repetition" })},
	{"no reason, but [DONE]", false, loadgentest.Fault{Kind: loadgentest.FaultFinish},
		of(func(a *answer) { a.finish = "none" })},
	{"null in words, but [DONE]", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "null"},
		of(func(a *answer) { a.finish = "none" })},
	{"null in words, and cut", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "null", Cut: true},
		fails(loadgen.ClassTruncated, "neither [DONE]", 100)},
	{"no reason, and cut", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Cut: true},
		fails(loadgen.ClassTruncated, "neither [DONE]", 100)},
	{"a reason, and no [DONE]", false, loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "stop", Cut: true},
		of(func(a *answer) { a.finish, a.output = "stop", -1 })},
	{"an error in a choice", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: `{"choices":[{"index":0,"delta":{},"error":{"message":"out of memory"}}]}`}, fails(loadgen.ClassServer,
		"out of memory", 3)},
	{"an event named error", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: "event: error\ndata: {\"message\":\"out of memory\"}"}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"an event named error, in words", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: "event: error\ndata: out of memory"}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"a line error", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: `error: {"code":500,"message":"out of memory"}`}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"an error in no field", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: ": \n{\"error\":\"out of memory\"}"}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"an error code", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: `{"text":"out of memory","error_code":50001}`}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"a type error", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: `{"type":"error","message":"out of memory"}`}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"a code and a message", false, loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 3,
		Text: `{"code":500,"msg":"out of memory"}`}, fails(loadgen.ClassServer, "out of memory", 3)},
	{"an empty error", false, loadgentest.Fault{Kind: loadgentest.FaultBeside, Text: `"error":""`}, asItIs},
	{"an error of nothing", false, loadgentest.Fault{Kind: loadgentest.FaultBeside, Text: `"error":{}`}, asItIs},
	{"a null error", false, loadgentest.Fault{Kind: loadgentest.FaultBeside, Text: `"error":null,"error_code":0`},
		asItIs},
	{"an error beside the content", false, loadgentest.Fault{Kind: loadgentest.FaultBeside,
		Text: `"error":"out of memory"`}, fails(loadgen.ClassServer, "out of memory", 0)},

	// Content in other places.
	{"a call of a function", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"delta":{"function_call":{"arguments":TEXT}}`}, asItIs},
	{"a refusal", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"delta":{"refusal":TEXT,"content":null}`}, asItIs},
	{"details of reasoning", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"delta":{"reasoning_details":[{"type":"reasoning.text","text":TEXT}]}`},
		of(func(a *answer) { a.firstAnswer = -1 })},
	{"thinking", false, loadgentest.Fault{Kind: loadgentest.FaultMember, Text: `"delta":{"thinking":TEXT}`},
		of(func(a *answer) { a.firstAnswer = -1 })},
	{"typed parts", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"delta":{"content":[{"type":"text","text":TEXT}]}`}, asItIs},
	{"a typed part of thinking", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":TEXT}]}]}`},
		of(func(a *answer) { a.firstAnswer = -1 })},
	{"parts of a text", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"text":[{"type":"text","text":TEXT}]`}, asItIs},
	{"message for delta", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"message":{"role":"assistant","content":TEXT}`}, asItIs},
	{"a member that nobody knows", false, loadgentest.Fault{Kind: loadgentest.FaultMember,
		Text: `"delta":{"speech":{"data":TEXT}}`}, asItIs},
	{"where nobody looks", false, loadgentest.Fault{Kind: loadgentest.FaultMember, Text: `"output":TEXT`},
		of(func(a *answer) { a.ttft, a.chunks, a.choices, a.noContent = 0, 0, 100, true })},

	// What is no event stream, and what is one.
	{"one JSON body", false, loadgentest.Fault{Kind: loadgentest.FaultBody, Type: "application/json",
		Text: `{"choices":[{"text":"a","finish_reason":"stop"}]}`}, fails(loadgen.ClassProtocol,
		`one JSON body and no event stream, although one was asked for: Content-Type application/json, it begins with {"choices"`, 0)},
	{"a JSON error", false, loadgentest.Fault{Kind: loadgentest.FaultBody, Type: "application/json",
		Text: `{"error":{"message":"out of memory"}}`}, fails(loadgen.ClassServer, "out of memory", 0)},
	{"HTML", false, loadgentest.Fault{Kind: loadgentest.FaultBody, Type: "text/html", Text: "<html>\nPlease log in."},
		fails(loadgen.ClassProtocol, "no event stream: Content-Type text/html, it begins with <html> Please log in.",
			0)},
	{"gzip", false, loadgentest.Fault{Kind: loadgentest.FaultBody, Type: "text/event-stream", Encoding: "gzip",
		Text: "data: [DONE]\n\n"}, fails(loadgen.ClassProtocol,
		"Content-Encoding gzip, Content-Type text/event-stream, "+
			"its bytes begin with 1f 8b", 0)},
	{"lines that end in CR", false, loadgentest.Fault{Kind: loadgentest.FaultLineEnds, Text: "\r"}, asItIs},
	{"lines that end in CRLF", true, loadgentest.Fault{Kind: loadgentest.FaultLineEnds, Text: "\r\n"},
		of(func(a *answer) { a.firstTokens = 1 })},
	{"a byte-order mark", false, loadgentest.Fault{Kind: loadgentest.FaultByteOrderMark}, asItIs},

	// Usage.
	{"no tokens", false, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "0"}, of(func(a *answer) {
		a.output,
			a.contradicted = -1, true
	})},
	{"half as many as chunks", false, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "50"},
		of(func(a *answer) { a.output, a.contradicted = -1, true })},
	{"fewer than before", true, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "99"},
		of(func(a *answer) { a.output, a.contradicted, a.firstTokens = -1, true, 1 })},
	{"fewer than none", false, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "-1"},
		of(func(a *answer) { a.output, a.contradicted = -1, true })},
	{"a decimal", false, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "100.0"}, asItIs},
	{"an exponent", false, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "1.28e2"},
		of(func(a *answer) { a.output = 128 })},
	{"null", false, loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "null"},
		of(func(a *answer) { a.output = -1 })},

	// Chunks that come together.
	{"a proxy that buffers", false, loadgentest.Fault{Kind: loadgentest.FaultBuffer},
		of(func(a *answer) { a.ttft = lastOne })},
	{"a proxy that bunches", false, loadgentest.Fault{Kind: loadgentest.FaultBunch, Chunks: 10},
		of(func(a *answer) { a.ttft = first + 9*gap })},
	{"bunches that do not come out even", false, loadgentest.Fault{Kind: loadgentest.FaultBunch, Chunks: 70},
		of(func(a *answer) { a.ttft = first + 69*gap })},
}

func TestFaultsOfContent(t *testing.T) {
	for _, test := range contents {
		for _, endpoint := range []openai.Endpoint{openai.Completions, openai.Chat} {
			t.Run(test.name+"/"+string(endpoint), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := openai.Config{Endpoint: endpoint, ContinuousUsage: test.continuous}
					result, r, err, counts := measureOne(t, c, test.fault)
					want := test.want
					if counts.Total() != 1 {
						t.Errorf("%d requests were struck", counts.Total())
					}
					if (err == nil) != (want.class == "") || err != nil &&
						(err.Class != want.class || !strings.Contains(err.Error(),
							want.says)) {
						t.Fatalf("got %v, want %s %s", err, want.class, want.says)
					}
					accounting := loadgen.Accounting{Issued: 1, Completed: 1}
					if err != nil {
						accounting = loadgen.Accounting{Issued: 1, Failed: 1}
					}
					if result.Accounting != accounting {
						t.Errorf("accounting %+v, want %+v", result.Accounting, accounting)
					}
					all := slices.Collect(r.Chunks())
					hidden := 0
					for _, chunk := range all {
						if chunk.Hidden {
							hidden++
						}
					}
					if len(all) != want.chunks || hidden != want.hidden {
						t.Errorf("%d chunks, %d of them hidden; want %d, %d", len(all), hidden, want.chunks,
							want.hidden)
					}
					if err != nil {
						return
					}
					if want.choices == 0 {
						want.choices = want.chunks
					}
					if endpoint == openai.Chat { // with the role
						want.choices++
					}
					if r.Choices != want.choices {
						t.Errorf("%d choices, want %d", r.Choices, want.choices)
					}
					ttft, _ := r.TTFT()
					if ttft != want.ttft || r.E2E() != want.e2e {
						t.Errorf("TTFT %v, E2E %v; want %v, %v", ttft, r.E2E(), want.ttft, want.e2e)
					}
					if want.firstAnswer == 0 {
						want.firstAnswer = want.ttft
					}
					if got := max(r.FirstAnswer-r.Sent, -1); got != want.firstAnswer && !(r.FirstAnswer == 0 &&
						want.firstAnswer <= 0) {
						t.Errorf("first answer after %v, want %v", got, want.firstAnswer)
					}
					if len(all) > 0 && want.firstTokens > 0 {
						if i := slices.IndexFunc(all,
							func(c loadgen.Chunk) bool { return !c.Hidden }); all[i].Tokens != want.firstTokens {
							t.Errorf("%d tokens in the first chunk, want %d", all[i].Tokens, want.firstTokens)
						}
					}
					if r.Counted != (want.output >= 0) || r.Counted && r.Output != want.output ||
						r.Contradicted != want.contradicted {
						t.Errorf("counted %t, %d tokens, contradicted %t; want %d, %t", r.Counted, r.Output,
							r.Contradicted,
							want.output, want.contradicted)
					}
					switch want.finish {
					case "":
						want.finish = "length"
					case "none":
						want.finish = ""
					}
					if r.Finish != want.finish || r.NoContent != want.noContent {
						t.Errorf("finish %q, no content %t; want %q, %t", r.Finish, r.NoContent, want.finish,
							want.noContent)
					}
					if got := result.InFlight.Mean; got < 0.999 || got > 1.001 {
						t.Errorf("%v in flight, want 1", got)
					}
				})
			})
		}
	}
}

// The same of answers in one piece.
func TestFaultsOfWholeAnswers(t *testing.T) {
	for _, test := range []struct {
		fault loadgentest.Fault
		want  answer
	}{
		{loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "abort"}, fails(loadgen.ClassServer, `"abort"`, 0)},
		{loadgentest.Fault{Kind: loadgentest.FaultFinish, Text: "stop"}, answer{output: tokens, finish: "stop"}},
		{loadgentest.Fault{Kind: loadgentest.FaultFinish}, answer{output: tokens}},
		{loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, Text: `{"text":"out of memory","error_code":50001}`},
			fails(loadgen.ClassServer, "out of memory", 0)},
		{loadgentest.Fault{Kind: loadgentest.FaultBeside, Text: `"error":"out of memory"`}, fails(loadgen.ClassServer,
			"out of memory", 0)},
		{loadgentest.Fault{Kind: loadgentest.FaultBeside, Text: `"error":{}`},
			answer{output: tokens, finish: "length"}},
		{loadgentest.Fault{Kind: loadgentest.FaultBlank}, answer{output: tokens, noContent: true, finish: "length"}},
		{loadgentest.Fault{Kind: loadgentest.FaultMember, Text: `"message":{"refusal":TEXT}`}, answer{output: tokens,
			finish: "length"}},
		{loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "0"}, answer{output: -1, contradicted: true,
			finish: "length"}},
		{loadgentest.Fault{Kind: loadgentest.FaultUsage, Text: "64.0"}, answer{output: 64, finish: "length"}},
		{loadgentest.Fault{Kind: loadgentest.FaultBody, Type: "text/html", Text: "<html>"}, fails(loadgen.ClassProtocol,
			"Content-Type text/html, it begins with <html>", 0)},
		{loadgentest.Fault{Kind: loadgentest.FaultBody, Encoding: "gzip", Text: "{}"}, fails(loadgen.ClassProtocol,
			"Content-Encoding gzip", 0)},
	} {
		t.Run(fmt.Sprint(test.fault.Kind, test.fault.Text), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, r, err, _ := measureOne(t, openai.Config{Whole: true}, test.fault)
				if (err == nil) != (test.want.class == "") || err != nil && (err.Class != test.want.class ||
					!strings.Contains(err.Error(), test.want.says)) {
					t.Fatalf("got %v, want %s %s", err, test.want.class, test.want.says)
				}
				if err == nil && (r.E2E() != lastOne || r.Counted != (test.want.output >= 0) || r.Counted &&
					r.Output != test.want.output ||
					r.Contradicted != test.want.contradicted || r.Finish != test.want.finish ||
					r.NoContent != test.want.noContent) {
					t.Errorf("got %+v, want %+v", r, test.want)
				}
			})
		})
	}
}

// measureOne sends one request, in virtual time, to a server whose answer takes as long as an answer's comment says.
func measureOne(t *testing.T, c openai.Config, fault loadgentest.Fault) (*loadgen.Result, *loadgen.Record,
	*loadgen.Error, loadgentest.FaultCounts) {
	t.Helper()
	fault.Requests = []int{0}
	faults := &loadgentest.Faults{Handler: &loadgentest.Echo{Model: "m", FirstToken: first, Gap: gap},
		Order: []loadgentest.Fault{fault}}
	pipes := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: faults}
	go func() { _ = server.Serve(pipes) }()
	defer server.Close()
	transport := &http.Transport{DialContext: pipes.dial, DisableCompression: true}
	defer transport.CloseIdleConnections()
	c.URL, c.Model, c.Workload, c.Client = "http://server", "m", hundred{}, &http.Client{Transport: transport}
	target, err := openai.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	var record *loadgen.Record
	var failure *loadgen.Error
	g := loadgen.Generator{Target: target, Observers: []loadgen.Observer{{Record: func(r *loadgen.Record,
		err *loadgen.Error) {
		kept := *r
		record, failure = &kept, err
	}}}}
	result, err := g.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 1})
	if err != nil {
		t.Fatal(err)
	}
	return result, record, failure, faults.Counts()
}

// hundred is a workload for both endpoints.
type hundred struct{}

func (hundred) Prompt(i int, p *workload.Prompt) error {
	p.Text, p.Input, p.Output = "a b c", 3, tokens
	return nil
}

func TestFaultsOfContentValidate(t *testing.T) {
	bad := &loadgentest.Faults{Handler: &loadgentest.Echo{}, Order: []loadgentest.Fault{
		{Kind: loadgentest.FaultMerge, Chunks: 1},
		{Kind: loadgentest.FaultBunch},
		{Kind: loadgentest.FaultMember, Text: `"delta":{`},
		{Kind: loadgentest.FaultMember, Text: `"delta":{"content":"a"}`},
		{Kind: loadgentest.FaultBeside, Text: `error`},
		{Kind: loadgentest.FaultUsage},
		{Kind: loadgentest.FaultLineEnds, Text: "\n"},
		{Kind: loadgentest.FaultBlank, Chunks: -1},
	}}
	err := bad.Validate()
	for i, field := range []string{"Chunks", "Chunks", "Text", "Text", "Text", "Text", "Text", "Chunks"} {
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("Order[%d].%s is", i, field)) {
			t.Errorf("element %d: error lacks %s: %v", i, field, err)
		}
	}
}
