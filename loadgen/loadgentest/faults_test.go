package loadgentest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// soon is a timeout that faults run into which nothing else ends. On a busy machine
// it may be too soon for what has to come before, so that it is doubled until it
// is not; of a timeout that must not be reached there is none.
const (
	soon    = 100 * time.Millisecond
	longest = 20 * time.Second
	never   = 0
)

// outcome is what a client must make of a fault.
type outcome struct {
	class  loadgen.Class // "": completed
	status int
	says   string
	chunks int    // at most output, of a stream
	warns  string // a warning's code
}

const output = 6 // tokens

// Every fault, as a stream and as an answer in one piece.
var orders = []struct {
	name          string
	fault         loadgentest.Fault
	timeout       time.Duration
	stream, whole outcome
}{
	{"refuse", loadgentest.Fault{Kind: loadgentest.FaultRefuse}, never,
		outcome{loadgen.ClassTruncated, 0, "EOF", 0, ""}, outcome{loadgen.ClassTruncated, 0, "EOF", 0, ""}},
	{"400", loadgentest.Fault{Kind: loadgentest.FaultStatus, Status: 400}, never,
		outcome{loadgen.ClassStatus, 400, "An error to order: Bad Request", 0, ""}, outcome{loadgen.ClassStatus, 400,
			"An error to order: Bad Request", 0, ""}},
	{"503", loadgentest.Fault{Kind: loadgentest.FaultStatus, Status: 503}, never,
		outcome{loadgen.ClassStatus, 503, "An error to order", 0, ""}, outcome{loadgen.ClassStatus, 503,
			"An error to order", 0, ""}},
	{"429", loadgentest.Fault{Kind: loadgentest.FaultStatus, Status: 429, RetryAfter: 1500 * time.Millisecond}, never,
		outcome{loadgen.ClassStatus, 429, "Too Many Requests", 0, ""}, outcome{loadgen.ClassStatus, 429,
			"Too Many Requests", 0, ""}},
	{"hang", loadgentest.Fault{Kind: loadgentest.FaultHang}, soon,
		outcome{loadgen.ClassTimeout, 0, "deadline", 0, ""}, outcome{loadgen.ClassTimeout, 0, "deadline", 0, ""}},
	{"stall", loadgentest.Fault{Kind: loadgentest.FaultStall, After: 2}, soon,
		outcome{loadgen.ClassStalled, 200, "deadline", 2, ""}, outcome{loadgen.ClassTimeout, 200, "deadline", 0, ""}},
	{"stall before content", loadgentest.Fault{Kind: loadgentest.FaultStall}, soon,
		outcome{loadgen.ClassTimeout, 200, "deadline", 0, ""}, outcome{loadgen.ClassTimeout, 200, "deadline", 0, ""}},
	{"truncate", loadgentest.Fault{Kind: loadgentest.FaultTruncate, After: 3}, never,
		outcome{loadgen.ClassTruncated, 200, "neither [DONE]", 3, ""}, outcome{loadgen.ClassTruncated, 200,
			"unexpected EOF", 0, ""}},
	{"truncate late", loadgentest.Fault{Kind: loadgentest.FaultTruncate, After: 1000}, never,
		outcome{loadgen.ClassTruncated, 200, "neither [DONE]", output - 1, ""}, outcome{loadgen.ClassTruncated, 200,
			"unexpected EOF", 0, ""}},
	{"reset", loadgentest.Fault{Kind: loadgentest.FaultReset, After: 3}, never,
		outcome{loadgen.ClassTruncated, 200, "connection reset by peer", 3, ""}, outcome{loadgen.ClassTruncated, 200,
			"connection reset by peer", 0, ""}},
	{"garbage", loadgentest.Fault{Kind: loadgentest.FaultGarbage, After: 1}, never,
		outcome{loadgen.ClassProtocol, 200, "not what was expected", 1, ""}, outcome{loadgen.ClassProtocol, 200,
			"not what was expected", 0, ""}},
	{"error event", loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 4}, never,
		outcome{loadgen.ClassServer, 200, "EngineCore", 4, ""}, outcome{loadgen.ClassServer, 200, "EngineCore", 0, ""}},
	{"no usage", loadgentest.Fault{Kind: loadgentest.FaultNoUsage}, never,
		outcome{"", 200, "", output, loadgen.WarnTokensUnknown}, outcome{"", 200, "", 0, loadgen.WarnTokensUnknown}},
	{"wrong usage", loadgentest.Fault{Kind: loadgentest.FaultWrongUsage, Tokens: 2}, never,
		outcome{"", 200, "", output, loadgen.WarnTokenMismatch}, outcome{"", 200, "", 0, loadgen.WarnTokenMismatch}},
	{"usage of fewer tokens than chunks", loadgentest.Fault{Kind: loadgentest.FaultWrongUsage, Tokens: -2}, never,
		outcome{"", 200, "", output, loadgen.WarnTokensUnknown}, outcome{"", 200, "", 0, loadgen.WarnTokenMismatch}},
	{"slow", loadgentest.Fault{Kind: loadgentest.FaultSlow, Delay: 5 * time.Millisecond}, never,
		outcome{"", 200, "", output, ""}, outcome{"", 200, "", 0, ""}},
}

// behind are the servers that faults are put before.
func behind() map[string]http.Handler {
	return map[string]http.Handler{
		"echo":      &loadgentest.Echo{Model: "m"},
		"simulated": &loadgentest.Simulated{Model: "m", MaxSequences: 4, PrefillRate: 1e6, DecodeRate: 5000},
		"batched": &loadgentest.Simulated{Model: "m", MaxSequences: 4, PrefillRate: 1e6, DecodeRate: 5000,
			TokenBudget: 512},
	}
}

// Each fault has its class at the client, the books of the two agree, and nothing
// hangs or is left behind.
func TestFaultsThroughTheClient(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("each", func(t *testing.T) {
		for name := range behind() {
			for _, c := range []openai.Config{{}, {Endpoint: openai.Chat}, {Whole: true}} {
				for _, o := range orders {
					t.Run(fmt.Sprintf("%s/%s/whole=%v/%s", name, c.Endpoint, c.Whole, o.name), func(t *testing.T) {
						t.Parallel()
						want := o.stream
						if c.Whole {
							want = o.whole
						}
						for timeout := o.timeout; ; timeout *= 2 {
							wrong := try(t, behind()[name], c, o.fault, timeout, want)
							if len(wrong) == 0 {
								return
							}
							if timeout == never || timeout > longest {
								t.Fatal(strings.Join(wrong, "\n"))
							}
						}
					})
				}
			}
		}
	})
	eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
}

// try measures a level against a fault, and returns what is not as wanted.
func try(t *testing.T, h http.Handler, c openai.Config, fault loadgentest.Fault, timeout time.Duration,
	want outcome) (wrong []string) {
	t.Helper()
	requests := 8
	fault.Requests = []int{1, 4, 5} // on connections that were used before, too
	if timeout != never {           // then all, since others might run out of time as well
		requests = 2
		fault.Requests = []int{0, 1}
	}
	n := len(fault.Requests)
	faults := &loadgentest.Faults{Handler: h, Order: []loadgentest.Fault{fault}}
	server := httptest.NewServer(faults)
	defer server.Close() // blocks until no handler runs
	c.URL, c.Model, c.Workload = server.URL, "m", words{}
	target, err := openai.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()

	note := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	failed := 0
	g := loadgen.Generator{Target: target, Observers: []loadgen.Observer{{Record: func(r *loadgen.Record,
		err *loadgen.Error) {
		if err == nil {
			return
		}
		failed++
		chunks := len(slices.Collect(r.Chunks()))
		class := want.class
		if fault.Kind == loadgentest.FaultRefuse && !r.NewConn { // for all that a client can know
			class = loadgen.ClassStale
		}
		if err.Class != class || r.Status != want.status || chunks != want.chunks || !strings.Contains(err.Error(),
			want.says) {
			note("request %d: class %s, status %d, %d chunks: %v", r.Index, err.Class, r.Status, chunks, err)
		}
		if want.status == 429 && err.RetryAfter != 2*time.Second { // 1.5 s in whole ones
			note("retry after %v", err.RetryAfter)
		}
	}}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // so that a hang is an error
	defer cancel()
	result, err := g.Measure(ctx, loadgen.Level{Concurrency: 2, Requests: requests, Timeout: timeout})
	if err != nil { // also where the books do not close
		t.Fatal(err)
	}
	accounting := loadgen.Accounting{Issued: requests, Completed: requests}
	if want.class != "" {
		accounting.Failed, accounting.Completed = n, requests-n
	}
	if result.Accounting != accounting || failed != accounting.Failed {
		note("accounting %+v, want %+v: %v", result.Accounting, accounting, result.Errors)
	}
	if got, want := faults.Counts(), (loadgentest.FaultCounts{Requests: requests,
		Injected: []int{n}}); !reflect.DeepEqual(got, want) || got.Total() != n {
		note("injected %+v, want %+v", got, want)
	}
	for _, code := range []string{loadgen.WarnTokensUnknown, loadgen.WarnTokenMismatch} {
		if warned := slices.ContainsFunc(result.Warnings,
			func(w loadgen.Warning) bool { return w.Code == code }); warned != (code == want.warns) {
			note("%s: %v, of %v", code, warned, result.Warnings)
		}
	}
	return wrong
}

// What a level retries, it retries as the server asks; the books of the two agree, attempt by attempt.
func TestFaultsThatAreRetried(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault loadgentest.Fault
		want  loadgen.ErrorCount
		wait  time.Duration // at least, before the request is tried again
	}{
		{"busy", loadgentest.Fault{Kind: loadgentest.FaultStatus, Status: 429, RetryAfter: time.Second},
			loadgen.ErrorCount{Class: loadgen.ClassStatus, Status: 429}, time.Second},
		{"a gateway with nothing behind it", loadgentest.Fault{Kind: loadgentest.FaultStatus, Status: 503},
			loadgen.ErrorCount{Class: loadgen.ClassStatus, Status: 503}, 100 * time.Millisecond},
		{"dropped connections", loadgentest.Fault{Kind: loadgentest.FaultRefuse},
			loadgen.ErrorCount{Class: loadgen.ClassStale}, 100 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.fault.Requests = []int{1, 3} // as they reach the server: the second is tried again as 2, the third as 4
			faults := &loadgentest.Faults{Handler: &loadgentest.Echo{Model: "m"}, Order: []loadgentest.Fault{c.fault}}
			server := httptest.NewServer(faults)
			defer server.Close()
			target, err := openai.New(openai.Config{URL: server.URL, Model: "m", Workload: words{}})
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			g := loadgen.Generator{Target: target, Observers: []loadgen.Observer{{Record: func(r *loadgen.Record,
				err *loadgen.Error) {
				again := r.Index == 1 || r.Index == 2
				if err != nil || (r.Attempts == 2) != again || again && r.E2E() < c.wait {
					t.Errorf("request %d: %d attempts in %v, %v", r.Index, r.Attempts, r.E2E(), err)
				}
			}}}}
			r, err := g.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 4, Retries: 1,
				Timeout: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			if want := (loadgen.Accounting{Issued: 4, Completed: 4}); r.Accounting != want || len(r.Errors) != 0 {
				t.Errorf("accounting %+v, want %+v: %v", r.Accounting, want, r.Errors)
			}
			if r.Retries == nil || r.Retries.Requests != 2 || r.Retries.Attempts != 2 || len(r.Retries.Errors) != 1 {
				t.Fatalf("%+v", r.Retries)
			}
			if e := r.Retries.Errors[0]; e.Class != c.want.Class || e.Status != c.want.Status || e.Count != 2 ||
				e.Example == "" {
				t.Errorf("%+v", e)
			}
			if got := faults.Counts(); got.Requests != 6 || got.Total() != 2 {
				t.Errorf("the server counts %+v", got)
			}
		})
	}
}

// words is a workload for both endpoints.
type words struct{}

func (words) Prompt(i int, p *workload.Prompt) error {
	p.Text, p.Input, p.Output = "a b c", 3, output
	return nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%s: never\n%s", what, stacks[:runtime.Stack(stacks, true)])
}

// What goes over the wire, to net/http's client.
func TestFaultsOnTheWire(t *testing.T) {
	get := func(t *testing.T, h http.Handler, o loadgentest.Fault, body string, timeout time.Duration) (*http.Response,
		string, error) {
		t.Helper()
		o.Requests = []int{0}
		server := httptest.NewServer(&loadgentest.Faults{Handler: h, Order: []loadgentest.Fault{o}})
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		if o.Kind != loadgentest.FaultHang && o.Kind != loadgentest.FaultStall {
			ctx = t.Context()
		}
		q, err := http.NewRequestWithContext(ctx, "POST", server.URL+"/v1/completions", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(q)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return resp, string(text), err
	}
	const content = `"text":" `
	const stream = `{"prompt":[1,2,3],"max_tokens":4,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}`
	const whole = `{"prompt":[1,2,3],"max_tokens":4}`
	for name, h := range map[string]http.Handler{"echo": &loadgentest.Echo{}, "simulated": &loadgentest.Simulated{}} {
		for _, test := range []struct {
			name   string
			fault  loadgentest.Fault
			body   string
			is     error
			chunks int
			says   []string
			not    []string
		}{
			{"refuse", loadgentest.Fault{Kind: loadgentest.FaultRefuse}, stream, io.EOF, 0, nil, []string{"data"}},
			{"hang", loadgentest.Fault{Kind: loadgentest.FaultHang}, stream, context.DeadlineExceeded, 0, nil, nil},
			{"status", loadgentest.Fault{Kind: loadgentest.FaultStatus, Status: 500}, stream, nil, 0,
				[]string{`"type":"InternalServerError"`, `"code":500`}, []string{"data"}},
			{"stall", loadgentest.Fault{Kind: loadgentest.FaultStall, After: 2}, stream, context.DeadlineExceeded, 2,
				nil,
				[]string{"DONE"}},
			{"truncate", loadgentest.Fault{Kind: loadgentest.FaultTruncate, After: 2}, stream, nil, 2, nil,
				[]string{"DONE",
					`"length"`}},
			{"reset", loadgentest.Fault{Kind: loadgentest.FaultReset, After: 2}, stream, syscall.ECONNRESET, 2, nil,
				[]string{"DONE"}},
			{"garbage", loadgentest.Fault{Kind: loadgentest.FaultGarbage, After: 2}, stream, nil, 3,
				[]string{`"text":]}`,
					"DONE"}, nil},
			{"error", loadgentest.Fault{Kind: loadgentest.FaultErrorEvent, After: 2}, stream, nil, 2,
				[]string{`"error":{"message"`, "DONE"}, []string{`"length"`}},
			{"no usage", loadgentest.Fault{Kind: loadgentest.FaultNoUsage}, stream, nil, 4, []string{"DONE"},
				[]string{"usage"}},
			{"wrong usage", loadgentest.Fault{Kind: loadgentest.FaultWrongUsage}, stream, nil, 4,
				[]string{`"completion_tokens":5`, `"total_tokens":8`, `"prompt_tokens":3`, "DONE"},
				[]string{`"completion_tokens":1,`}},
			{"slow", loadgentest.Fault{Kind: loadgentest.FaultSlow, Delay: time.Millisecond}, stream, nil, 4,
				[]string{"DONE"},
				nil},

			{"whole truncate", loadgentest.Fault{Kind: loadgentest.FaultTruncate}, whole, io.ErrUnexpectedEOF, 0, nil,
				nil},
			{"whole reset", loadgentest.Fault{Kind: loadgentest.FaultReset}, whole, syscall.ECONNRESET, 0, nil, nil},
			{"whole stall", loadgentest.Fault{Kind: loadgentest.FaultStall}, whole, context.DeadlineExceeded, 0, nil,
				nil},
			{"whole no usage", loadgentest.Fault{Kind: loadgentest.FaultNoUsage}, whole, nil, 0, []string{`"text"`},
				[]string{"usage"}},
			{"whole wrong usage", loadgentest.Fault{Kind: loadgentest.FaultWrongUsage, Tokens: 10}, whole, nil, 0,
				[]string{`"completion_tokens":14`}, nil},
		} {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				timeout := soon
				resp, text, err := get(t, h, test.fault, test.body, timeout)
				for test.is == context.DeadlineExceeded && test.body == stream &&
					test.chunks != strings.Count(text, content) && timeout < longest {
					timeout *= 2 // it was too soon for what has to come before
					resp, text, err = get(t, h, test.fault, test.body, timeout)
				}
				if !errors.Is(err, test.is) || (err == nil) != (test.is == nil) {
					t.Errorf("error is %v, want %v", err, test.is)
				}
				if resp != nil && test.fault.Status != 0 && resp.StatusCode != test.fault.Status {
					t.Errorf("status %d", resp.StatusCode)
				}
				if n := strings.Count(text, content); test.body == stream && n != test.chunks {
					t.Errorf("%d chunks, want %d: %s", n, test.chunks, text)
				}
				for _, says := range test.says {
					if !strings.Contains(text, says) {
						t.Errorf("%q is not in %s", says, text)
					}
				}
				for _, not := range test.not {
					if strings.Contains(text, not) {
						t.Errorf("%q is in %s", not, text)
					}
				}
			})
		}
	}
}
