package openai_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Who is refused is told which setting of ours is the way out, in whichever words; whoever is refused for something
// else, or does not send what it is about, is not.
func TestAdvice(t *testing.T) {
	const (
		vocabulary, text    = "-vocabulary", "-text"
		ignoreEOS, options  = `-body '{"ignore_eos":null}'`, `-body '{"stream_options":null}'`
		temperature, theirs = `-body '{"temperature":null}'`, `-body '{"top_k":null}'`
		newer, whole, chat  = `-body '{"max_tokens":null,"max_completion_tokens":5}'`, "-stream=false",
			"-endpoint chat"
		completions           = "-endpoint completions"
		https, continuous, no = "use https://", "-continuous-usage", ""
	)
	all := []string{vocabulary, text, ignoreEOS, options, temperature, theirs, newer, whole, chat, completions, https,
		continuous}
	ids := openai.Config{Workload: workload.RandomTokens{Input: 3, Output: 5}}
	words := openai.Config{Workload: workload.RandomWords{Input: 3, Output: 5}}
	own := openai.Config{Workload: workload.RandomWords{Input: 3, Output: 5},
		Body: map[string]any{"top_k": 5, "ignore_eos": nil}}
	message := func(says string) string {
		text, _ := json.Marshal(map[string]any{"error": map[string]any{"message": says}})
		return string(text)
	}
	for _, test := range []struct {
		name   string
		status int
		says   string
		config openai.Config
		advice string
	}{
		{"vLLM, an unknown id", 400, message("Token id 3999 is out of vocabulary"), ids, vocabulary},
		{"vLLM, an unknown id, in the stream", 200, "data: " + message("Token id 3999 is out of vocabulary") + "\n\n",
			ids, vocabulary},
		{"SGLang, an unknown id", 400, message("The input_ids [1, 2] contains values greater than the vocab size " +
			"(300)."),
			ids, vocabulary},
		{"llama.cpp, an unknown id", 400, message("Prompt contains invalid tokens"), ids, vocabulary},
		{"TensorRT-LLM, an unknown id", 400, message("Token ID out of range"), ids, vocabulary},
		{"transformers, an unknown id", 500, `{"detail":"IndexError: index out of range in self"}`, ids, vocabulary},
		{"an id by its index", 400, message("prompt: token index 3999 is out of bounds"), ids, vocabulary},
		{"an id outside a range", 422, message("token_ids: 3999 not in the range [0, 300)"), ids, vocabulary},
		{"text alone", 400, message("json: cannot unmarshal array into Go struct field .prompt of type string"), ids,
			text},
		{"text alone, as validators say it", 422,
			`{"detail":[{"loc":["body","prompt"],"msg":"Input should be a valid string"}]}`, ids, text},
		{"text alone, by serde", 422, "Failed to deserialize the JSON body into the target type: prompt: invalid " +
			"type: " +
			"sequence, expected a string", ids, text},
		{"a long complaint", 400, message("the prompt must be a string" + strings.Repeat(", a string", 200)), ids,
			text},
		{"text already", 400, message("the prompt must be a string, and in the vocabulary"), words, no},

		{"OpenAI, a field", 400, message("Unrecognized request argument supplied: ignore_eos"), words, ignoreEOS},
		{"Groq, a field", 400, message("property 'ignore_eos' is unsupported"), words, ignoreEOS},
		{"validators, a field", 422,
			`{"detail":[{"type":"extra_forbidden","loc":["body","ignore_eos"],"msg":"Extra inputs are not permitted","input":true}]}`, ids, ignoreEOS},
		{"serde, a field", 422, "unknown field `ignore_eos`, expected one of `model`, `prompt`", ids, ignoreEOS},
		{"Google, a field", 400, message(`Invalid JSON payload received. Unknown name "ignore_eos": Cannot find field.`),
			words, ignoreEOS},
		{"JSON Schema, a field", 400, message("Additional properties are not allowed ('ignore_eos' was unexpected)"),
			words, ignoreEOS},
		{"some field", 400, message("Extra fields are not allowed"), words, ignoreEOS},
		{"some field, which we do not send", 400, message("Extra fields are not allowed"), own, no},
		{"the options of a stream", 422, message("stream_options: Extra inputs are not permitted"), words, options},
		{"the temperature", 400, message("Unsupported value: 'temperature' does not support 0 with this model."), words,
			temperature},
		{"the user's own", 400, message("Unknown parameter: 'top_k'."), own, theirs},
		{"a newer name", 400, message("Unsupported parameter: 'max_tokens' is not supported with this model. Use " +
			"'max_completion_tokens' instead."), words, newer},
		{"no streams", 400, message("Streaming is not supported by this model"), words, whole},
		{"no usage in between", 400, message("stream_options.continuous_usage_stats: extra fields not permitted"),
			openai.Config{Workload: workload.RandomWords{Input: 3, Output: 5}, ContinuousUsage: true}, continuous},

		{"chat alone", 404, "404 page not found", words, chat},
		{"completions alone", 404, "404 page not found",
			openai.Config{Endpoint: openai.Chat, Workload: workload.RandomWords{Input: 3, Output: 5}}, completions},
		{"no such model", 404, message("The model `m` does not exist."), words, no},
		{"HTTP to HTTPS", 400, "Client sent an HTTP request to an HTTPS server.", words, https},
		{"HTTP to HTTPS, by a redirect", 308, "", words, https},
		{"HTTP to HTTPS, by nginx", 400, "<html><center>The plain HTTP request was sent to HTTPS port</center></html>",
			words, https},

		{"too long a prompt", 400, message("This model's maximum context length is 2 tokens. However, your " +
			"request has 3 " +
			"input tokens."), ids, no},
		{"too long a prompt, by length", 400,
			message("The decoder prompt (length 3) is longer than the maximum model " +
				"length of 2"), ids, no},
		{"too many tokens to give", 400, message("max_tokens must be less than 4, got 5: out of range"), ids, no},
		{"a server's fault", 500, message("string index out of range"), ids, no},
		{"another fault", 503, message("unknown field ignore_eos"), ids, no},
		{"a key", 401, message("invalid token"), ids, no},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if test.status == http.StatusPermanentRedirect {
					w.Header().Set("Location", "https://"+r.Host+r.URL.Path)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.says))
			}))
			test.config.URL = server.URL
			q := measureOne(t, newTarget(t, test.config))
			if q.err == nil || q.err.Status != test.status && q.err.Class != loadgen.ClassServer {
				t.Fatalf("got %v, want an error of status %d", q.err, test.status)
			}
			for _, advice := range all {
				if got := strings.Contains(q.err.Error(), advice); got != (advice == test.advice) {
					t.Errorf("%q says %s: %t", q.err, advice, got)
				}
			}
		})
	}
}

// The wrong scheme, and a certificate that is not trusted, are told from a server that is not there.
func TestConnectionAdvice(t *testing.T) {
	plain := serve(t, &loadgentest.Echo{})
	secure := httptest.NewUnstartedServer(&loadgentest.Echo{})
	secure.Config.ErrorLog = quiet()
	secure.StartTLS()
	t.Cleanup(secure.Close)
	gone := serve(t, &loadgentest.Echo{})
	gone.Close()
	mutual := httptest.NewUnstartedServer(&loadgentest.Echo{})
	mutual.Config.ErrorLog = quiet()
	mutual.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	mutual.EnableHTTP2 = true
	mutual.StartTLS()
	t.Cleanup(mutual.Close)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: secure.TLS.Certificates})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { // closes without a word whoever does not greet, as uvicorn does
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				secured := conn.(*tls.Conn)
				first := make([]byte, 1)
				raw := secured.NetConn()
				if _, err := raw.Read(first); err != nil || first[0] != 0x16 {
					return
				}
				_ = tls.Server(&replayed{raw, first}, &tls.Config{Certificates: secure.TLS.Certificates}).Handshake()
			}()
		}
	}()
	// Reads until the end of a line, which TLS does not have, as llama.cpp's server does.
	waiting, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { waiting.Close() })
	go func() {
		for {
			conn, err := waiting.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				line, err := bufio.NewReader(conn).ReadString('\n')
				if err == nil && strings.HasPrefix(line, "HEAD ") {
					_, _ = io.WriteString(conn, "HTTP/1.1 404 Not Found\r\n\r\n")
				}
				_, _ = io.Copy(io.Discard, conn)
			}()
		}
	}()
	elsewhere := trusts(secure)
	elsewhere.ServerName = "elsewhere.example"
	for _, test := range []struct {
		name      string
		config    openai.Config
		advice    string
		aloneHere bool // only the API looks why
	}{
		{"https to http", openai.Config{URL: strings.Replace(plain.URL, "http:", "https:", 1)}, "use http://", false},
		{"http to https", openai.Config{URL: strings.Replace(secure.URL, "https:", "http:", 1)}, "use https://", false},
		{"http to https that says nothing", openai.Config{URL: "http://" + listener.Addr().String()}, "use https://",
			true},
		{"https to http that waits", openai.Config{URL: "https://" + waiting.Addr().String()}, "use http://", true},
		{"a certificate of one's own", openai.Config{URL: secure.URL}, "-ca-file", false},
		{"a certificate of one's own, over HTTP/2", openai.Config{URL: mutual.URL, HTTP2: true}, "-ca-file", false},
		{"a certificate for another name", openai.Config{URL: secure.URL, TLS: elsewhere}, "use a name in the URL",
			false},
		{"no HTTP/2", openai.Config{URL: secure.URL, TLS: trusts(secure), HTTP2: true}, "does not speak HTTP/2", false},
		{"a client without a certificate", openai.Config{URL: mutual.URL, TLS: trusts(mutual)},
			"wants a certificate of the client", false},
		{"nobody", openai.Config{URL: gone.URL}, "is the server running", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			api, err := openai.NewAPI(test.config)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := api.Models(ctx); err == nil || !strings.Contains(err.Error(), test.advice) ||
				!strings.Contains(err.Error(), "/v1/models") {
				t.Errorf("the API says %v, want %q", err, test.advice)
			}
			if test.aloneHere {
				return
			}
			target := newTarget(t, test.config)
			if err := target.Do(t.Context(), 0, new(loadgen.Record)); err == nil ||
				!strings.Contains(err.Error(), test.advice) {
				t.Errorf("the target says %v, want %q", err, test.advice)
			}
			if err := target.Open(t.Context(), 1); err != nil && !strings.Contains(err.Error(), test.advice) {
				t.Errorf("before the level it says %v, want %q", err, test.advice)
			}
		})
	}
}

// A replayed connection gives back what was read of it.
type replayed struct {
	net.Conn
	first []byte
}

func (c *replayed) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// The safe part of a vocabulary is inside it, and all of it is known to a server that has so many.
func TestSafeTokens(t *testing.T) {
	for _, test := range []struct{ size, low, high int }{
		{256, 64, 240}, {4000, 1000, 3750}, {32_000, 1000, 30_000}, {128_256, 1000, 120_240},
	} {
		if low, high := workload.SafeTokens(test.size); low != test.low || high != test.high {
			t.Errorf("of %d: %d to %d, want %d to %d", test.size, low, high, test.low, test.high)
		}
	}
	server := serve(t, &loadgentest.Simulated{VocabSize: 3000})
	low, high := workload.SafeTokens(3000)
	for _, test := range []struct {
		workload workload.RandomTokens
		failed   int
	}{
		{workload.RandomTokens{Input: 50, Output: 1}, 20}, // up to 4,000
		{workload.RandomTokens{Input: 50, Output: 1, Low: low, High: high}, 0},
	} {
		r, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 20},
			newTarget(t, openai.Config{URL: server.URL, Model: "simulated", Workload: test.workload}))
		if r.Accounting.Failed != test.failed {
			t.Errorf("%+v: %+v, %v", test.workload, r.Accounting, r.Errors)
		}
	}
}
