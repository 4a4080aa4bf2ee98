package openai_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Against servers that do exactly what they are asked, everything is exact but the times.
func TestServersThatDoAsAsked(t *testing.T) {
	const requests, warmup, input, output = 40, 4, 7, 5
	servers := map[string]http.Handler{
		"echo":      &loadgentest.Echo{},
		"simulated": &loadgentest.Simulated{Model: "m", MaxSequences: 4, DecodeRate: 10_000},
	}
	workloads := map[openai.Endpoint]workload.Workload{
		openai.Completions: workload.RandomTokens{Input: input, Output: output},
		openai.Chat:        workload.RandomWords{Input: input, Output: output}, // these servers count words
	}
	for name, h := range servers {
		server := serve(t, h)
		for endpoint, workload := range workloads {
			for _, whole := range []bool{false, true} {
				how := map[bool]string{false: "streamed", true: "whole"}[whole]
				t.Run(name+"/"+string(endpoint)+"/"+how, func(t *testing.T) {
					target := newTarget(t, openai.Config{URL: server.URL, Endpoint: endpoint, Workload: workload,
						Whole: whole})
					r, all := measure(t, loadgen.Level{Concurrency: 4, Requests: requests, Warmup: warmup}, target)

					if want := (loadgen.Accounting{Issued: requests, Completed: requests}); r.Accounting != want {
						t.Errorf("accounting %+v, want %+v; %v", r.Accounting, want, r.Errors)
					}
					want := loadgen.Tokens{Input: requests * input, Output: requests * output}
					if !whole { // these servers send a token a chunk
						want.Chunking = loadgen.Chunking{Requests: requests, Chunks: requests * output,
							Tokens: requests * output}
					}
					if r.Tokens != want {
						t.Errorf("tokens %+v, want %+v", r.Tokens, want)
					}
					for _, code := range []string{loadgen.WarnTokenMismatch, loadgen.WarnTokensUnknown,
						loadgen.WarnFailedRequests} {
						if hasWarning(r, code) {
							t.Errorf("warnings: %v", r.Warnings)
						}
					}
					samples := map[string]int{
						loadgen.E2E: requests, loadgen.SendLag: requests, loadgen.TTFT: 0, loadgen.FirstChoice: 0,
						loadgen.TPOT: 0,
						loadgen.ITL:  0, loadgen.TTFTError: 0, loadgen.ITLError: 0, loadgen.ChunkLateness: 0,
					}
					if !whole {
						for _, metric := range []string{loadgen.TTFT, loadgen.FirstChoice, loadgen.TPOT,
							loadgen.TTFTError} {
							samples[metric] = requests
						}
						samples[loadgen.ITL], samples[loadgen.ITLError] = requests*(output-1), requests*(output-1)
						samples[loadgen.ChunkLateness] = requests * output
					}
					for metric, n := range samples {
						if got := figureN(r, loadgen.MeanName(metric)); got != n {
							t.Errorf("%s of %d samples, want %d", metric, got, n)
						}
					}
					for _, q := range all {
						if q.Status != 200 || q.Received == 0 || q.AskedInput != input || q.AskedOutput != output ||
							q.Done < q.Sent ||
							q.Sent < q.Scheduled {
							t.Errorf("%+v", q.Record)
						}
					}
				})
			}
		}
	}
}

// The server's stamps and ours come from one clock, so what must be true of them is true exactly: nothing is seen
// before it was sent, nor sooner than the server's schedule has it.
func TestTimesAgainstTheServersOwn(t *testing.T) {
	const input, output, requests = 10, 6, 8
	sim := &loadgentest.Simulated{Model: "m", PrefillRate: 2_000, DecodeRate: 500}
	server := serve(t, sim)
	truth := sim.Truth(input, output)
	for endpoint, workload := range map[openai.Endpoint]workload.Workload{
		openai.Completions: workload.RandomTokens{Input: input, Output: output},
		openai.Chat:        workload.RandomWords{Input: input, Output: output},
	} {
		t.Run(string(endpoint), func(t *testing.T) {
			target := newTarget(t, openai.Config{URL: server.URL, Endpoint: endpoint, Workload: workload})
			r, all := measure(t, loadgen.Level{Concurrency: 2, Requests: requests}, target)
			if len(all) != requests {
				t.Fatalf("%d requests, want %d", len(all), requests)
			}
			for _, q := range all {
				if len(q.chunks) != output {
					t.Fatalf("%d chunks, want %d", len(q.chunks), output)
				}
				if q.Received < r.Start.Add(q.Sent).UnixNano() {
					t.Errorf("received %d ns before it was sent", r.Start.Add(q.Sent).UnixNano()-q.Received)
				}
				for i, chunk := range q.chunks {
					if late := r.Start.Add(chunk.Seen).UnixNano() - chunk.Sent; late < 0 {
						t.Errorf("chunk %d was seen %d ns before it was sent", i, -late)
					}
					if i > 0 && (chunk.Seen < q.chunks[i-1].Seen || chunk.At() < q.chunks[i-1].At()) {
						t.Errorf("chunk %d came before the one before it", i)
					}
					if chunk.Arrived > chunk.Seen {
						t.Errorf("chunk %d was seen at %v and arrived at %v", i, chunk.Seen, chunk.Arrived)
					}
				}
				first, last := q.chunks[0], q.chunks[output-1]
				ttft, ok := q.TTFT()
				if !ok || ttft < truth.TTFT || ttft.Nanoseconds() < first.Sent-q.Received {
					t.Errorf("TTFT %v, the server's own %d ns, on schedule %v", ttft, first.Sent-q.Received, truth.TTFT)
				}
				if q.E2E() < truth.Service {
					t.Errorf("E2E %v, on schedule %v", q.E2E(), truth.Service)
				}
				if q.Done != last.At() {
					t.Errorf("done at %v, last content at %v", q.Done, last.At())
				}
				if q.Opened < q.Sent || q.Opened > first.At() || endpoint == openai.Completions &&
					q.Opened != first.At() {
					t.Errorf("opened at %v, first content at %v", q.Opened, first.At())
				}
			}
			for _, metric := range []string{loadgen.TTFTError, loadgen.ChunkLateness} {
				if least, ok := r.Distributions[metric].Quantile(0); !ok || least < 0 || math.IsInf(least, 0) {
					t.Errorf("%s: %v ms, %v", metric, least, ok)
				}
			}
		})
	}
}

// A chunk of several tokens is one arrival; how many tokens there were is the usage's to say.
func TestTokensAreNotChunks(t *testing.T) {
	server := serve(t, &loadgentest.Echo{TokensPerChunk: 4})
	q := measureOne(t, newTarget(t, openai.Config{URL: server.URL,
		Workload: workload.RandomTokens{Input: 3, Output: 10}}))
	if q.err != nil || len(q.chunks) != 3 || q.Output != 10 {
		t.Errorf("%d chunks, %d tokens, %v; want 3, 10", len(q.chunks), q.Output, q.err)
	}
}

// arrival is a request as it reached the server.
type arrival struct {
	path   string
	host   string
	header http.Header
	body   map[string]any
}

// capture keeps what arrives and answers as Echo does.
type capture struct {
	mu       sync.Mutex
	arrivals []arrival
	echo     loadgentest.Echo
}

func (c *capture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(r.Body)
	a := arrival{path: r.URL.RequestURI(), host: r.Host, header: r.Header}
	if err == nil {
		err = json.Unmarshal(text, &a.body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.arrivals = append(c.arrivals, a)
	c.mu.Unlock()
	_, r.URL.Path, _ = strings.Cut(r.URL.Path, "/prefix")
	if r.URL.Path == "" {
		r.URL.Path = a.path
	}
	r.Body = io.NopCloser(strings.NewReader(string(text)))
	c.echo.ServeHTTP(w, r)
}

// arrived sends one request for c and returns how it reached the server.
func arrived(t *testing.T, c openai.Config) arrival {
	t.Helper()
	var seen capture
	server := serve(t, &seen)
	c.URL = strings.Replace(c.URL, "http://server", server.URL, 1)
	q := measureOne(t, newTarget(t, c))
	if q.err != nil {
		t.Fatal(q.err)
	}
	if len(seen.arrivals) != 1 {
		t.Fatalf("%d requests arrived", len(seen.arrivals))
	}
	return seen.arrivals[0]
}

// object is JSON, as a request's body is compared.
type object = map[string]any

// slow is a workload that needs its time.
type slow time.Duration

func (w slow) Prompt(_ int, p *workload.Prompt) error {
	time.Sleep(time.Duration(w))
	p.Text, p.Output = "a", 1
	return nil
}

// What the client needs before its request is on its way is send lag, and not the server's.
func TestSentIsWhenAConnectionIsInHand(t *testing.T) {
	const each = 20 * time.Millisecond
	server := serve(t, &loadgentest.Echo{})
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		time.Sleep(each)
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	target := newTarget(t, openai.Config{URL: server.URL, Workload: slow(each),
		Client: &http.Client{Transport: transport}})
	_, all := measure(t, loadgen.Level{Concurrency: 1, Requests: 2}, target)
	for i, least := range []time.Duration{2 * each, each} {
		q := all[i]
		if lag := q.Sent - q.Scheduled; q.err != nil || lag < least {
			t.Errorf("request %d: send lag %v, want at least %v; %v", i, lag, least, q.err)
		}
		if q.NewConn != (i == 0) {
			t.Errorf("request %d: new connection %t", i, q.NewConn)
		}
	}
	target.Close()
	_, all = measure(t, loadgen.Level{Concurrency: 1, Requests: 1}, target)
	if all[0].NewConn {
		t.Error("Close closed connections of a client that is not the target's")
	}
}

func TestNewRefuses(t *testing.T) {
	good := openai.Config{URL: "http://127.0.0.1:8000", Model: "m", Workload: talk{"a", 1}}
	if _, err := openai.New(good); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, field string
		change      func(*openai.Config)
	}{
		{"no URL", "URL", func(c *openai.Config) { c.URL = "" }},
		{"no scheme", "URL", func(c *openai.Config) { c.URL = "127.0.0.1:8000" }},
		{"another scheme", "URL", func(c *openai.Config) { c.URL = "ftp://127.0.0.1" }},
		{"no host", "URL", func(c *openai.Config) { c.URL = "http:///v1" }},
		{"user without scheme", "URL", func(c *openai.Config) { c.URL = "user:sesame@host" }},
		{"user with slashes without scheme", "URL", func(c *openai.Config) { c.URL = "user:sesame//sesame@host" }},
		{"user", "URL", func(c *openai.Config) { c.URL = "http://user:sesame@host:port" }},
		{"user and query", "URL", func(c *openai.Config) { c.URL = "http://user:sesame@host:port/?key=sesame" }},
		{"another endpoint", "URL", func(c *openai.Config) { c.URL = "https://host/v1/messages?key=sesame" }},
		{"one endpoint and the other", "endpoint", func(c *openai.Config) {
			c.URL,
				c.Endpoint = "http://host/v1/completions?key=sesame", openai.Chat
		}},
		{"fragment", "URL", func(c *openai.Config) { c.URL = "http://host/#sesame" }},
		{"endpoint", "endpoint", func(c *openai.Config) { c.Endpoint = "images" }},
		{"model", "model", func(c *openai.Config) { c.Model = "" }},
		{"models and a model", "models", func(c *openai.Config) { c.Models = []string{"a"} }},
		{"an empty model", "model", func(c *openai.Config) { c.Model, c.Models = "", []string{"a", ""} }},
		{"body that is no JSON", `body field "seed"`,
			func(c *openai.Config) { c.Body = map[string]any{"seed": make(chan int)} }},
		{"streaming by the body", `body field "stream"`,
			func(c *openai.Config) { c.Body = map[string]any{"stream": true} }},
		{"no streaming by the body", `body field "stream"`,
			func(c *openai.Config) { c.Body = map[string]any{"stream": nil} }},
		{"no output tokens", `body field "max_tokens"`,
			func(c *openai.Config) { c.Body = map[string]any{"max_tokens": 0} }},
		{"output tokens by half", `body field "max_completion_tokens"`,
			func(c *openai.Config) { c.Body = map[string]any{"max_completion_tokens": 1.5} }},
		{"too many output tokens", `body field "max_tokens"`,
			func(c *openai.Config) { c.Body = map[string]any{"max_tokens": 1e7 + 1} }},
		{"usage so far of an answer in one piece", "continuous usage", func(c *openai.Config) {
			c.ContinuousUsage,
				c.Whole = true, true
		}},
		{"dataset without prompts", "dataset", func(c *openai.Config) { c.Workload = workload.Dataset{} }},
		{"workload", "workload", func(c *openai.Config) { c.Workload = nil }},
		{"key with its line's end", "API key", func(c *openai.Config) { c.APIKey = "sesame\n" }},
		{"header with its line's end", `header "X-Key"`,
			func(c *openai.Config) { c.Header = http.Header{"x-key": {"sesame\r\n"}} }},
		{"header without a name", `header ""`, func(c *openai.Config) { c.Header = http.Header{"": {"sesame"}} }},
		{"header with a colon", `header "X-Key:"`,
			func(c *openai.Config) { c.Header = http.Header{"X-Key:": {"sesame"}} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.change(&c)
			_, err := openai.New(c)
			var invalid *loadgen.InvalidError
			if !errors.As(err, &invalid) || invalid.Field != test.field {
				t.Fatalf("got %v, want an InvalidError for %s", err, test.field)
			}
			if strings.Contains(err.Error(), "sesame") {
				t.Errorf("the secret is in %q", err)
			}
		})
	}
}

func TestPromptThatCannotBeSent(t *testing.T) {
	server := serve(t, &loadgentest.Echo{})
	for _, test := range []struct {
		name   string
		config openai.Config
		says   string
	}{
		{"token ids to chat", openai.Config{Endpoint: openai.Chat}, "takes text, not token ids"},
		{"invalid workload", openai.Config{Workload: workload.RandomTokens{Input: 1}}, "output tokens 0"},
		{"messages to completions", openai.Config{Workload: messages{}}, "not messages"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.URL = server.URL
			q := measureOne(t, newTarget(t, test.config))
			if q.err == nil || q.err.Class != loadgen.ClassTarget || !strings.Contains(q.err.Error(), test.says) ||
				!strings.Contains(q.err.Error(), "prompt 0") {
				t.Errorf("got %v", q.err)
			}
		})
	}
}

func BenchmarkEcho(b *testing.B) {
	const chunks = 500
	server := serve(b, &loadgentest.Echo{})
	target := newTarget(b, openai.Config{URL: server.URL, Workload: workload.RandomTokens{Input: 100, Output: chunks}})
	b.ReportAllocs()
	b.ResetTimer()
	r, err := loadgen.Measure(b.Context(), loadgen.Level{Concurrency: 2, Requests: b.N}, target)
	if err != nil || r.Accounting.Completed != b.N {
		b.Fatal(err, r.Errors)
	}
	b.ReportMetric(float64(chunks*b.N)/b.Elapsed().Seconds(), "chunks/s")
}

// With the usage so far, the tokens of every chunk are known, however many a server puts into one.
func TestContinuousUsage(t *testing.T) {
	const output, each = 10, 4
	server := serve(t, &loadgentest.Echo{TokensPerChunk: each})
	for endpoint, workload := range map[openai.Endpoint]workload.Workload{
		openai.Completions: workload.RandomTokens{Input: 6, Output: output},
		openai.Chat:        workload.RandomWords{Input: 6, Output: output},
	} {
		for continuous, want := range map[bool][]int{false: {0, 0, 0}, true: {4, 4, 2}} {
			target := newTarget(t, openai.Config{URL: server.URL, Endpoint: endpoint, Workload: workload,
				ContinuousUsage: continuous})
			r, all := measure(t, loadgen.Level{Concurrency: 2, Requests: 20}, target)
			for _, q := range all {
				var tokens []int
				for _, chunk := range q.chunks {
					tokens = append(tokens, chunk.Tokens)
				}
				if q.err != nil || !slices.Equal(tokens, want) || q.Output != output || q.Input != 6 {
					t.Fatalf("%s, continuous %t: chunks of %v tokens, %d in, %d out, %v", endpoint, continuous,
						tokens, q.Input,
						q.Output, q.err)
				}
			}
			if f, _ := r.Figure(loadgen.TokensPerChunk); f.N != 60 || f.Value != 200.0/60 || !hasWarning(r,
				loadgen.WarnMultiTokenChunks) {
				t.Errorf("%s, continuous %t: %+v, warnings %v", endpoint, continuous, f, r.Warnings)
			}
		}
	}
}
