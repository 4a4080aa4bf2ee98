package examples_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

func TestWrongUse(t *testing.T) {
	t.Parallel()
	messages := filepath.Join(t.TempDir(), "messages.jsonl")
	if err := os.WriteFile(messages, []byte(`{"messages":[{"role":"user","content":"a"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	if err := os.WriteFile(trace, []byte(`{"timestamp":0,"input_length":9,"output_length":2}`+"\n"+
		`{"timestamp":9,"input_length":9,"output_length":2}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		say  []string
	}{
		{"multirun", []string{"-levels", "0"}, []string{"-levels", `"0"`, "from 1 up"}},
		{"multirun", []string{"-levels", "4,x"}, []string{`"x"`, "whole numbers"}},
		{"multirun", []string{"-levels", "4,4"}, []string{"levels 4", "once"}},
		{"multirun", []string{"-levels", "1000000000"}, []string{"1000000000", "100,000"}},
		{"multirun", []string{"-runs", "-1"}, []string{`"-1"`, "-runs", "from 1 up"}},
		{"multirun", []string{"-requests", "-5"}, []string{"-requests", `"-5"`, "10x"}},
		{"loadtest", []string{"-percentiles", "50,100"}, []string{"100", "between 0 and 100"}},
		{"multirun", []string{"-percentiles", "median"}, []string{`"median"`, "99.9"}},
		{"multirun", []string{"-requests", "many"}, []string{`"many"`}},
		{"multirun", []string{"-warmup", "-2"}, []string{"warmup -2"}},
		{"multirun", []string{"-warmup", "soon"}, []string{`"soon"`, "or steady"}},
		{"multirun", []string{"-cooldown", "-1m"}, []string{"cooldown -1m"}},
		{"multirun", []string{"-cooldown", "soon"}, []string{`"soon"`}},
		{"multirun", []string{"-timeout", "-1s"}, []string{"-timeout -1s"}},
		{"multirun", []string{"-input", "-5"}, []string{"-input -5"}},
		{"multirun", []string{"-output", "99999999999"}, []string{"99999999999"}},
		{"multirun", []string{"-plan", "none"}, []string{"-plan none", "published, corrected, quick"}},
		{"multirun", []string{"-server", "systemd"}, []string{"systemd:UNIT"}},
		{"multirun", []string{"-server", "cmd:stop"}, []string{"cmd:STOP;START"}},
		{"multirun", []string{"-server", "preset:gpt", "-dry-run"}, []string{"gpt", "kimi-k2.5"}},
		{"multirun", []string{"-server", "preset:kimi-k2.5 speed=1"}, []string{"speed=1", "image="}},
		{"multirun", []string{"-server", "upstart:vllm"}, []string{"upstart", "docker:NAME", "cmd:STOP;START"}},
		{"multirun", []string{"-server", "docker:run"}, []string{"docker run"}},
		{"multirun", []string{"-server", "docker:--rm"}, []string{"--rm", "docker:NAME"}},
		{"multirun", []string{"-server", "kubectl:ns/pod/x"}, []string{"pod", "deploy"}},
		{"multirun", []string{"-server", "no/such.json"}, []string{"no/such.json"}},
		{"multirun", []string{"-server", "cmd:;"}, []string{"cmd:STOP;START"}},
		{"multirun", []string{"-server", "none", "-url", "http://127.0.0.1:1", "-server-grace", "-1s"}, []string{"-server-grace -1s"}},
		{"multirun", []string{"-url", "localhost:8000"}, []string{"localhost:8000", "http://127.0.0.1:8000"}},
		{"multirun", []string{"-endpoint", "speech"}, []string{"speech", "completions, chat, responses, embeddings or rerank"}},
		{"multirun", []string{"-header", "novalue"}, []string{"-header", "novalue"}},
		{"multirun", []string{"-body", "{"}, []string{"-body"}},
		{"multirun", []string{"-body", "null"}, []string{"-body null", "JSON object"}},
		{"multirun", []string{"-body", `{"stream": false}`}, []string{"-body", "-stream=false"}},
		{"multirun", []string{"-continuous-usage", "-stream=false"}, []string{"-continuous-usage", "-stream=false"}},
		{"multirun", []string{"-text", "-dataset", messages}, []string{"-text", "-dataset"}},
		{"multirun", []string{"-audit", "641"}, []string{"-audit 641", "640"}},
		{"loadtest", []string{"-audit-known", "x"}, []string{"-audit-known", "want -audit"}},
		{"loadtest", []string{"-audit", "300", "-audit-known", "missing.jsonl"}, []string{"-audit-known", "missing.jsonl"}},
		{"loadtest", []string{"-audit", "300", "-audit-known-share", "0.01"}, []string{"-audit-known-share 0.01", "want -audit-known"}},
		{"multirun", []string{"-vocabulary", "100"}, []string{"-vocabulary 100", "256"}},
		{"multirun", []string{"-vocabulary", "32000", "-text"}, []string{"-vocabulary 32000", "token ids"}},
		{"multirun", []string{"-prefix", "-1"}, []string{"-prefix -1"}},
		{"multirun", []string{"-prefix", "65", "-input", "64"}, []string{"-prefix 65", "-input"}},
		{"multirun", []string{"-dataset", "no/such/file"}, []string{"-dataset", "no/such/file"}},
		{"multirun", []string{"-dataset", os.DevNull}, []string{"-dataset", "no prompts"}},
		{"multirun", []string{"-dataset", "programs_test.go"}, []string{"programs_test.go", "line 1"}},
		{"multirun", []string{"-dataset", messages}, []string{"line 1", "use the chat endpoint"}},
		{"multirun", []string{"-dataset", messages, "-endpoint", "chat", "-prefix", "9"}, []string{"-prefix 9", "-dataset"}},
		{"multirun", []string{"-ca-file", "no/such/file"}, []string{"-ca-file", "no/such/file"}},
		{"multirun", []string{"-ca-file", "programs_test.go"}, []string{"-ca-file programs_test.go", "PEM"}},
		{"loadtest", []string{"-retries", "-1"}, []string{"retries -1", "0 (none) to 100"}},
		{"multirun", []string{"-model", "a,,b"}, []string{"-model", `"a,,b"`}},
		{"multirun", []string{"-server", "none"}, []string{`-server "none"`, "-url"}},
		{"multirun", []string{"-runs", "0"}, []string{`"0"`, "-runs", "from 1 up"}},
		{"multirun", []string{"-api-key-env", "NO_SUCH_VARIABLE"}, []string{"NO_SUCH_VARIABLE"}},
		{"multirun", []string{"quick"}, []string{`"quick"`, "-help"}},
		{"multirun", []string{"-fast"}, []string{"-fast", "-help"}},
		{"finesweep", []string{"-levels", ""}, []string{"-levels"}},
		{"clientcheck", []string{"-requests", "0x"}, []string{"0x"}},
		{"clientcheck", []string{"-need", "-1"}, []string{"-need -1"}},
		{"clientcheck", []string{"-tokens", "-1"}, []string{"output tokens -1"}},
		{"loadtest", []string{"-concurrency", "0"}, []string{"concurrency 0"}},
		{"loadtest", []string{"-requests", "-1"}, []string{"requests -1"}},
		{"loadtest", []string{"-ramp-up", "-1s"}, []string{"ramp-up -1s"}},
		{"loadtest", []string{"-rate", "0"}, []string{"rate 0", "1,000,000"}},
		{"loadtest", []string{"-rate", "-3"}, []string{"rate -3"}},
		{"loadtest", []string{"-rate", "NaN"}, []string{"rate NaN"}},
		{"loadtest", []string{"-rate", "fast"}, []string{"fast", "-rate"}},
		{"loadtest", []string{"-rate", "5", "-arrivals", "uniform"}, []string{`"uniform"`, "constant, poisson or gamma"}},
		{"loadtest", []string{"-rate", "5", "-arrivals", "gamma", "-burstiness", "0"}, []string{"burstiness 0"}},
		{"loadtest", []string{"-rate", "5", "-burstiness", "2"}, []string{"-burstiness", "-arrivals gamma"}},
		{"loadtest", []string{"-rate", "5", "-max-in-flight", "-1"}, []string{"-max-in-flight -1"}},
		{"loadtest", []string{"-rate", "5", "-concurrency", "4"}, []string{"-concurrency", "-max-in-flight"}},
		{"loadtest", []string{"-arrivals", "poisson"}, []string{"-arrivals", "-rate"}},
		{"loadtest", []string{"-max-in-flight", "4"}, []string{"-max-in-flight", "-rate"}},
		{"loadtest", []string{"-input", "0"}, []string{"-input 0"}},
		{"loadtest", []string{"-fleet", "2", "-audit", "30"}, []string{"-audit 30 with -fleet"}},
		{"loadtest", []string{"-fleet", "2", "-image-urls", "http://h/a.png?key=hunter2"}, []string{"-image-urls with -fleet", "secret"}},
		{"loadtest", []string{"-sessions", "4", "-endpoint", "embeddings"}, []string{"embeddings", "chat or responses"}},
		{"loadtest", []string{"-sessions", "-4"}, []string{`-sessions "-4"`, "10x"}},
		{"multirun", []string{"-sessions", "0"}, []string{`-sessions "0"`, "number of sessions"}},
		{"multirun", []string{"-sessions", "4x", "-turns", "0"}, []string{"-turns 0", "from 1 up"}},
		{"loadtest", []string{"-sessions", "4", "-turns", "0-3"}, []string{"-turns 0-3", "from 1 up"}},
		{"loadtest", []string{"-input-lengths", "0"}, []string{"-input-lengths 0", "from 1 up"}},
		{"multirun", []string{"-tree", "10x2", "-output-lengths", "normal:0,1"}, []string{"-output-lengths normal:0,1", "from 1 up"}},
		{"multirun", []string{"-sessions", "4x", "-requests", "10x"}, []string{"-requests 10x with -sessions"}},
		{"loadtest", []string{"-think", "1"}, []string{"-think 1", "-sessions"}},
		{"multirun", []string{"-turns", "3"}, []string{"-turns 3", "want -sessions"}},
		{"slo", []string{"-concurrency-of", "request"}, []string{"-concurrency-of request", "-sessions"}},
		{"multirun", []string{"-sessions", "4", "-concurrency-of", "user"}, []string{`-concurrency-of "user"`, "session or request"}},
		{"multirun", []string{"-recorded"}, []string{"-recorded", "-conversations"}},
		{"multirun", []string{"-conversations", "no/such"}, []string{"-conversations", "no/such"}},
		{"loadtest", []string{"-speed", "2"}, []string{"-speed", "-trace"}},
		{"loadtest", []string{"-tree", "10x2", "-prefix", "5"}, []string{"-prefix 5", "-tree"}},
		{"multirun", []string{"-tree", "10x2", "-sessions", "5"}, []string{"-tree 10x2 with -sessions"}},
		{"loadtest", []string{"-trace", trace, "-concurrency", "4"}, []string{"-trace", "-concurrency"}},
		{"multirun", []string{"-trace", trace, "-levels", "1,2"}, []string{"-trace", "-levels"}},
		{"multirun", []string{"-trace", trace, "-rates", "1,2"}, []string{"-trace", "-rates"}},
		{"multirun", []string{"-trace", trace, "-adaptive"}, []string{"-trace", "-adaptive"}},
		{"multirun", []string{"-trace", trace, "-requests", "10x"}, []string{"prompts 10x", "trace"}},
		{"multirun", []string{"-trace", trace, "-requests", "3"}, []string{"trace 2", "at least 3"}},
		{"multirun", []string{"-trace", trace, "-warmup", "steady"}, []string{"until steady", "trace"}},
		{"multirun", []string{"-trace", trace, "-input", "8"}, []string{"-input 8 with -trace"}},
		{"multirun", []string{"-trace", messages}, []string{"-trace", "line 1"}},
		{"slo", []string{"-trace", trace}, []string{"trace", "search"}},
		{"clientcheck", []string{"-trace", trace}, []string{"-trace with clientcheck", "concurrencies"}},
		{"multirun", []string{"-grid", "8x8,16x8", "-sessions", "4"}, []string{"-grid", "-sessions"}},
		{"multirun", []string{"-grid", "8x8,16x8", "-input-lengths", "5-9"}, []string{"-grid", "-input-lengths"}},
		{"multirun", []string{"-input", "8", "-input-lengths", "5-9"}, []string{"-input 8 with -input-lengths"}},
		{"multirun", []string{"-images", "4", "-sessions", "4"}, []string{"-images 4 with -sessions"}},
		{"multirun", []string{"-images", "4", "-sound", "1"}, []string{"-sound 1 with -images"}},
		{"multirun", []string{"-media-each", "2"}, []string{"-media-each 2", "-images"}},
		{"loadtest", []string{"-images", "4", "-endpoint", "completions"}, []string{"-images with -endpoint completions", "chat"}},
		{"multirun", []string{"-images", "4", "-image-size", "0x9"}, []string{"images", "0x9"}},
		{"loadtest", []string{"-media", "no/such"}, []string{"-media no/such"}},
		{"simserver", []string{"-output", "0"}, []string{"-output 0"}},
		{"loadtest", []string{"-goodput", "ttft"}, []string{"-goodput", `"ttft"`, "ttft:500"}},
		{"loadtest", []string{"-goodput", "ttft:fast"}, []string{`"ttft:fast"`, "limit in ms"}},
		{"loadtest", []string{"-goodput", "ttft:-5"}, []string{"ttft:-5", "above 0"}},
		{"loadtest", []string{"-goodput", "ttft:NaN"}, []string{"ttft:NaN", "above 0"}},
		{"loadtest", []string{"-goodput", "ttft:5,ttft:6"}, []string{"ttft:6", "each metric once"}},
		{"loadtest", []string{"-goodput", "latency:5"}, []string{"latency:5", "tpot", "e2e"}},
		{"multirun", []string{"-goodput", "itl:5"}, []string{"itl:5", "each request has"}},
		{"simserver", []string{"-max-sequences", "-1"}, []string{"-1"}},
		{"simserver", []string{"-noise", "NaN"}, []string{"NaN"}},
		{"simserver", []string{"-token-budget", "4", "-max-sequences", "16"}, []string{"TokenBudget"}},
		{"simserver", []string{"-step-per-sequence", "-1ms"}, []string{"StepPerSequence"}},
		{"simserver", []string{"-concurrency", "-1"}, []string{"-concurrency -1"}},
		{"simserver", []string{"-block-tokens", "0"}, []string{"-block-tokens 0"}},
		{"simserver", []string{"-prefix-cache"}, []string{"KVBlocks"}},
		{"simserver", []string{"-kv-blocks", "4", "-input", "60", "-output", "5"}, []string{"-input 60, -output 5", "64 tokens", "-kv-blocks"}},
	} {
		t.Run(c.name+" "+strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			failsWith(t, 2, c.say, c.name, c.args...)
		})
	}
}

func TestServersThatCannotBeMeasured(t *testing.T) {
	t.Parallel()
	good := httptest.NewServer(&loadgentest.Simulated{Model: "tiny"})
	defer good.Close()
	var once sync.Mutex
	bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		once.Lock()
		defer once.Unlock()
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"tiny","object":"model"}]}`)
			return
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `{"error":{"message":"EngineCore encountered an issue","code":500}}`)
	}))
	defer bad.Close()
	nothing := freeport.URL(t)
	quick := []string{"-levels", "1,2", "-requests", "3", "-runs", "1", "-input", "4", "-output", "2"}
	for _, c := range []struct {
		what string
		args []string
		say  []string
	}{
		{"no server", []string{"-url", nothing}, []string{nothing, "connection refused", "is the server running"}},
		{"a wrong model", []string{"-url", good.URL, "-model", "huge"}, []string{"warmup of run 1", "status 404", "huge"}},
		{"an HTTP error on the first request", []string{"-url", bad.URL}, []string{"warmup of run 1", "status 500", "EngineCore encountered an issue"}},
		{"a stop command that fails", []string{"-url", good.URL, "-server", "cmd:echo no such container && exit 4;true"}, []string{"server stop", "exit status 4", "no such container"}},
		{"a start command that fails", []string{"-url", nothing, "-server", "cmd:true;echo out of memory, exit 3; exit 3"}, []string{"ended by itself", "exit status 3", "out of memory"}},
		{"a start command that is none", []string{"-url", nothing, "-server", "cmd:true;/no/such/command"}, []string{"/no/such/command"}},
		{"a port that is taken", []string{"-url", good.URL, "-server", "cmd:;sleep 9"}, []string{"server start", "answers at", "already"}},
	} {
		t.Run(c.what, func(t *testing.T) {
			failsWith(t, 1, c.say, "multirun", append(c.args, quick...)...)
		})
	}
	p := run(t, "multirun", append([]string{"-client-check", "-url", good.URL, "-server", "cmd:;sleep 9"}, quick...)...)
	if strings.Contains(p.stderr, string(protocol.PhaseCalibrate)) || !strings.Contains(p.errorLine(t), "already") {
		t.Errorf("a port that is taken is not said first:\n%s", p.stderr)
	}
	p = run(t, "multirun", append([]string{"-url", good.URL, "-model", "huge"}, quick...)...)
	if line := p.errorLine(t); strings.Contains(line, "is the server running") {
		t.Errorf("a server that answered is said not to run: %s", line)
	}
	failsWith(t, 1, []string{"no request completed", "status 500"}, "loadtest", "-url", bad.URL)
	failsWith(t, 1, []string{nothing}, "loadtest", "-url", nothing)
	failsWith(t, 1, []string{nothing}, "clientcheck", "-url", nothing)
	failsWith(t, 1, []string{"listen"}, "simserver", "-address", good.Listener.Addr().String())
}

// One request in three fails: it is measured, printed, and not valid.
func TestLoadtestThatIsNotValid(t *testing.T) {
	t.Parallel()
	sim := &loadgentest.Simulated{}
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && n.Add(1)%3 == 0 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		sim.ServeHTTP(w, r)
	}))
	defer server.Close()
	p := run(t, "loadtest", "-url", server.URL, "-requests", "30", "-concurrency", "2")
	if p.code != 1 || !p.says("failed-requests") || !strings.Contains(p.errorLine(t), "not valid") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	p = run(t, "loadtest", "-url", server.URL, "-requests", "10", "-concurrency", "1", "-retries", "5")
	for _, s := range []string{"10 completed, 0 failed", "requests retried", "retried: ", "× status 503: busy", "latencies count from the first time"} {
		if p.code != 0 || !p.says(s) {
			t.Errorf("exit code %d, does it say %q?\n%s\n%s", p.code, s, p.stdout, p.stderr)
		}
	}
}

// A server whose certificate the system does not know, and one that is asked over HTTP/2.
func TestLoadtestTransport(t *testing.T) {
	t.Parallel()
	versions := make(chan int, 1000)
	sim := &loadgentest.Simulated{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			versions <- r.ProtoMajor
		}
		sim.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, 1, []string{"certificate"}, "loadtest", "-url", server.URL)
	for want, args := range map[int][]string{1: {"-ca-file", file}, 2: {"-ca-file", file, "-http2"}} {
		p := run(t, "loadtest", append(args, "-url", server.URL, "-requests", "10", "-concurrency", "1")...)
		if p.code != 0 || len(versions) != 10 {
			t.Errorf("%q: exit code %d, %d requests\n%s\n%s", args, p.code, len(versions), p.stdout, p.stderr)
		}
		for len(versions) > 0 {
			if v := <-versions; v != want {
				t.Fatalf("%q: a request over HTTP/%d", args, v)
			}
		}
	}
	if p := run(t, "loadtest", "-http2", "-requests", "10", "-concurrency", "1"); p.code != 0 || !p.says("stamped by: client") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
}

func TestLoadtestByTime(t *testing.T) {
	t.Parallel()
	p := run(t, "loadtest", "-duration", "300ms", "-concurrency", "2", "-input", "16", "-output", "4")
	if p.code != 0 || !strings.Contains(p.stderr, "for 300ms") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	p = run(t, "loadtest", "-duration", "300ms", "-requests", "100000", "-concurrency", "2", "-input", "16", "-output", "4")
	if p.code != 0 || !strings.Contains(p.stderr, "for 300ms at most, 100000 requests") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
}

// Prompts of a file, in turns for two models, and prompts that share a prefix.
func TestLoadtestWorkloads(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked, prompts := map[string]int{}, map[string]int{}
	echo := &loadgentest.Echo{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" {
			fmt.Fprint(w, `{"object":"list","data":[{"id":"a","object":"model"},{"id":"b","object":"model"},{"id":"c","object":"model"}]}`)
			return
		}
		text, err := io.ReadAll(r.Body)
		var q struct {
			Model  string
			Prompt any
		}
		if err == nil && json.Unmarshal(text, &q) == nil {
			mu.Lock()
			asked[q.Model]++
			if ids, ok := q.Prompt.([]any); ok {
				q.Prompt = ids[:10]
			}
			prompts[fmt.Sprint(q.Prompt)]++
			mu.Unlock()
		}
		r.Body = io.NopCloser(bytes.NewReader(text))
		echo.ServeHTTP(w, r)
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "prompts.jsonl")
	if err := os.WriteFile(file, []byte("{\"prompt\":\"one\"}\n{\"prompt\":\"two\",\"max_tokens\":3}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args    []string
		prompts int
		warns   bool
	}{
		{[]string{"-dataset", file}, 2, true},
		{[]string{"-prefix", "10"}, 1, false},
	} {
		mu.Lock()
		clear(asked)
		clear(prompts)
		mu.Unlock()
		p := run(t, "loadtest", append([]string{"-url", server.URL, "-model", "a, b", "-requests", "8", "-concurrency", "1"}, c.args...)...)
		if p.code != 0 || strings.Contains(p.stderr, "they repeat") != c.warns {
			t.Errorf("%q: exit code %d\n%s\n%s", c.args, p.code, p.stdout, p.stderr)
		}
		mu.Lock()
		if asked["a"] != 4 || asked["b"] != 4 || len(asked) != 2 || len(prompts) != c.prompts {
			t.Errorf("%q: asked %v for %v", c.args, asked, prompts)
		}
		mu.Unlock()
	}
	// An alias, or a gateway's wildcard, is in no list.
	p := run(t, "loadtest", "-url", server.URL, "-model", "a,d", "-requests", "8")
	for _, say := range []string{`"d"`, "has a, b, c", "-model"} {
		if p.code != 0 || !strings.Contains(p.stderr, say) {
			t.Errorf("exit code %d, and it does not say %q: %s", p.code, say, p.stderr)
		}
	}
}

// A server without a list of models, at the path of its endpoint, by a name that it does not know and asked with a query: it is
// measured, and what was sent is what the journal says.
func TestServersOfFewWords(t *testing.T) {
	t.Parallel()
	echo := &loadgentest.Echo{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "completions") || r.URL.Query().Get("code") != "planted-code" {
			http.NotFound(w, r)
			return
		}
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/gateway")
		echo.ServeHTTP(w, r)
	}))
	defer server.Close()
	for _, c := range []struct {
		path string
		args []string
		want workload.Description
	}{
		{"/gateway/v1/chat/completions", nil, workload.Description{Endpoint: "chat", Prompts: workload.Words, InputIn: "tokens"}},
		{"/gateway/v1", []string{"-text"}, workload.Description{Endpoint: "completions", Prompts: workload.Words, InputIn: "tokens"}},
		{"/gateway", []string{"-vocabulary", "4000"}, workload.Description{Endpoint: "completions", Prompts: workload.TokenIDs, InputIn: "tokens", IDs: []int{1000, 3749}}},
	} {
		out := filepath.Join(t.TempDir(), "out")
		p := run(t, "multirun", append([]string{"-url", server.URL + c.path + "?code=planted-code", "-model", "alias", "-levels", "1,2", "-requests", "3", "-runs", "1",
			"-input", "8", "-output", "2", "-out", out}, c.args...)...)
		e, err := protocol.ReadExperiment(out)
		if p.code != 0 || err != nil || !strings.Contains(p.stderr, `warning: model "alias"`) {
			t.Fatalf("%s: exit code %d, %v\n%s\n%s", c.path, p.code, err, p.stdout, p.stderr)
		}
		if diff := cmp.Diff(&c.want, e.Workload); diff != "" {
			t.Errorf("%s: workload (-want +got):\n%s", c.path, diff)
		}
		for _, m := range e.Measurements {
			if diff := cmp.Diff(&c.want, m.Sent); diff != "" || m.Result.Tokens.Mismatch != 0 || m.Result.Accounting.Failed != 0 {
				t.Errorf("%s: %+v, %+v, sent (-want +got):\n%s", c.path, m.Result.Tokens, m.Result.Accounting, diff)
			}
		}
		text, err := os.ReadFile(filepath.Join(out, protocol.JournalFile))
		if err != nil || bytes.Contains(text, []byte("planted")) || strings.Contains(p.stdout+p.stderr, "planted") {
			t.Errorf("%s: the query is told: %v\n%s\n%s", c.path, err, p.stdout, p.stderr)
		}
	}
}

// The goodput of limits that everything meets is all there is, and nothing where nothing meets them.
func TestGoodput(t *testing.T) {
	t.Parallel()
	p := run(t, "loadtest", "-concurrency", "2", "-input", "16", "-output", "4", "-goodput", "e2e:0.000001,ttft:3600000", "-json")
	var result loadgen.Result
	if err := json.Unmarshal([]byte(p.stdout), &result); err != nil {
		t.Fatalf("%v: %s", err, p.stdout)
	}
	for name, want := range map[string]float64{"attainment": 0, "attainment_e2e": 0, "attainment_ttft": 100, "goodput_requests_per_s": 0} {
		if f, ok := result.Figure(name); !ok || f.Value != want {
			t.Errorf("%s: %v %v, want %v", name, f.Value, ok, want)
		}
	}
	if d := result.Distributions[loadgen.TTFT]; d == nil || d.Len() != result.Accounting.Completed {
		t.Errorf("the samples did not come: %+v", result.Distributions)
	}
	p = run(t, "finesweep", append(small, "-goodput", "e2e:3600000", "-json")...)
	if p.code != 0 || !p.says(`"attainment_e2e"`) {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
}

// At a rate, the text says what was offered, how late requests were sent, and what users would have waited.
func TestLoadtestAtARate(t *testing.T) {
	t.Parallel()
	p := run(t, "loadtest", "-rate", "200", "-arrivals", "gamma", "-burstiness", "4", "-requests", "40", "-max-in-flight", "64", "-input", "16", "-output", "4")
	if p.code != 0 {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	for _, s := range []string{"Gamma arrivals of burstiness 4 at 200 requests/s, at most 64 in flight: 40 issued", "offered_requests_per_s", " response, ms  ", " send_lag, ms  "} {
		if !p.says(s) {
			t.Errorf("it does not say %q:\n%s", s, p.stdout)
		}
	}
}

func TestUnwritableOut(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	failsWith(t, 1, []string{file}, "multirun", "-out", filepath.Join(file, "below"))
	failsWith(t, 1, []string{file}, "clientcheck", "-out", file)
}

// small makes an experiment of a second on the simulated server, restarts included.
var small = []string{"-levels", "1,2", "-requests", "10x", "-runs", "3", "-cooldown", "10ms", "-input", "16", "-output", "4"}

func TestMultirun(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "new", "out")
	p := run(t, "multirun", append(small, "-out", out)...)
	if p.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	for _, say := range []string{"3 runs", "run with restart", "concurrency", "CoV", "Knee"} {
		if !p.says(say) {
			t.Errorf("it does not say %q:\n%s", say, p.stdout)
		}
	}
	if n := strings.Count(p.stderr, "start the server"); n != 3 {
		t.Errorf("%d starts are told of, want 3:\n%s", n, p.stderr)
	}
	e, err := protocol.ReadExperiment(out)
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]bool{}
	for _, s := range e.Starts {
		pids[s.Instance] = true
	}
	if !e.Complete || len(pids) != 3 {
		t.Errorf("complete %v, instances %v", e.Complete, pids)
	}
	for _, m := range e.Measurements {
		if tokens := m.Result.Tokens; tokens.Mismatch != 0 || tokens.Uncounted != 0 || tokens.Output != 4*m.Result.Accounting.Completed {
			t.Errorf("%+v: tokens %+v", m.Step, tokens)
		}
	}
	decodePNG(t, filepath.Join(out, "throughput.png"))
	text, err := os.ReadFile(filepath.Join(out, protocol.ResultsFile))
	var a protocol.Analysis
	if err != nil || json.Unmarshal(text, &a) != nil || len(a.Points) != 2 {
		t.Errorf("%s: %v", protocol.ResultsFile, err)
	}
	failsWith(t, 2, []string{out, "holds an experiment already"}, "multirun", append(small, "-out", out)...)
}

// What was sent can be sent again from what was stored, and no file holds a secret: neither of the flags nor of a server
// that echoes what it was sent.
func TestWhatWasSentIsStored(t *testing.T) {
	t.Parallel()
	planted := with{"PLANTED_KEY=planted-key"}
	echo := &loadgentest.Echo{}
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(text))
		if r.Method == http.MethodPost && n.Add(1)%10 == 0 {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "%s %s %s", r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), text)
			return
		}
		echo.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	prompts, out := filepath.Join(dir, "prompts.jsonl"), filepath.Join(dir, "out")
	if err := os.WriteFile(prompts, []byte("{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url := strings.Replace(server.URL, "http://", "http://planted-user:planted-password@", 1)
	p := planted.run(t, "multirun", append(small, "-url", url, "-out", out, "-dataset", prompts, "-api-key-env", "PLANTED_KEY",
		"-header", "X-Api-Key: planted-header", "-header", "X-Tenant: planted-tenant",
		"-body", `{"top_p":0.9,"min_tokens":2,"backend":{"api_key":"planted-field"},"user":"planted-key"}`)...)
	e, err := protocol.ReadExperiment(out)
	if err != nil || len(e.Measurements) == 0 {
		t.Fatalf("exit code %d, %v\n%s\n%s", p.code, err, p.stdout, p.stderr)
	}
	failed := 0
	for _, m := range e.Measurements {
		failed += m.Result.Accounting.Failed
		if len(m.Models) != 1 {
			t.Errorf("models %q", m.Models)
		}
	}
	if failed == 0 {
		t.Error("the server echoed nothing")
	}
	want := &workload.Description{
		Endpoint: "completions", Prompts: "dataset",
		File:    &workload.File{Name: "prompts.jsonl", SHA256: fmt.Sprintf("%x", sha256.Sum256([]byte("{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n"))), Prompts: 2},
		Headers: []string{"Authorization", "X-Api-Key", "X-Tenant"},
		Body:    []byte(`{"backend":{"api_key":"***"},"min_tokens":2,"top_p":0.9,"user":"***"}`),
	}
	if diff := cmp.Diff(want, e.Workload); diff != "" {
		t.Errorf("workload (-want +got):\n%s", diff)
	}
	for _, say := range []string{"sent: completions, streamed; dataset prompts.jsonl of 2 prompts", "header", `{"api_key":"***"}`, "at " + server.URL} {
		if !p.says(say) {
			t.Errorf("it does not say %q:\n%s", say, p.stdout)
		}
	}
	files := 0
	err = filepath.WalkDir(out, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		if text, err := os.ReadFile(file); err != nil || bytes.Contains(text, []byte("planted")) {
			t.Errorf("%s holds a secret, or cannot be read: %v", file, err)
		}
		return nil
	})
	if err != nil || files < 20 {
		t.Errorf("%d files, %v", files, err)
	}
	if p.says("planted") {
		t.Errorf("a secret is printed:\n%s", p.stdout)
	}

	// Nor do the reasons for which an experiment did not finish.
	out = filepath.Join(dir, "refused")
	p = run(t, "multirun", append(small, "-url", url, "-out", out, "-model", "other")...)
	if text, err := os.ReadFile(filepath.Join(out, protocol.JournalFile)); err != nil || !bytes.Contains(text, []byte("other")) || bytes.Contains(text, []byte("planted")) {
		t.Errorf("exit code %d, %v\n%s", p.code, err, text)
	}
}

func decodePNG(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	if _, err := png.Decode(file); err != nil {
		t.Errorf("%s: %v", path, err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	p := run(t, "finesweep", append(small, "-json")...)
	var a protocol.Analysis
	if err := json.Unmarshal([]byte(p.stdout), &a); err != nil || a.Runs != 3 || a.Unit != protocol.UnitRestart {
		t.Errorf("%v: %s", err, p.stdout)
	}
	p = run(t, "loadtest", "-concurrency", "2", "-input", "16", "-output", "4", "-json")
	var result map[string]any
	if err := json.Unmarshal([]byte(p.stdout), &result); err != nil || result["accounting"] == nil {
		t.Errorf("%v: %s", err, p.stdout)
	}
}

// On a server that is not restarted the intervals say so.
func TestWithinServer(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	p := run(t, "multirun", append(small, "-url", server.URL+"/v1/")...)
	if p.code != 0 || !p.says("within-server") {
		t.Errorf("exit code %d\n%s", p.code, p.stdout)
	}
}

// The page's trap: with 20 prompts a level, those above 20 are flagged, and no knee is claimed.
func TestPromptCapped(t *testing.T) {
	t.Parallel()
	p := run(t, "multirun", "-levels", "4,32,64", "-requests", "20", "-runs", "3", "-cooldown", "10ms", "-input", "16", "-output", "4")
	for _, say := range []string{"prompt-capped at 20 (levels 32 and 64)", "not resolved", "no plateau"} {
		if !p.says(say) {
			t.Errorf("it does not say %q:\n%s", say, p.stdout)
		}
	}
	if p.says("may be the peak") {
		t.Errorf("a peak is claimed:\n%s", p.stdout)
	}
	if p.code != 0 {
		t.Errorf("exit code %d", p.code)
	}
}

func TestClientcheck(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	p := run(t, "clientcheck", "-levels", "2,50", "-requests", "40", "-tokens", "10", "-out", out, "-need", "1")
	if p.code != 0 || !p.says("Verdict") || !p.says("100.0 %") || !p.says("prompt-capped") || !p.says("Client-bound: not judged at 2, 50") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	if text, err := os.ReadFile(filepath.Join(out, protocol.PlanFile)); err != nil || !strings.Contains(string(text), `"clientcheck-changed"`) {
		t.Errorf("a changed plan bears the published one's name: %v\n%s", err, text)
	}
	decodePNG(t, filepath.Join(out, "client-throughput.png"))
	decodePNG(t, filepath.Join(out, "client-latency.png"))
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	p := run(t, "multirun", "-server", "preset:kimi-k2.5", "-dry-run")
	for _, say := range []string{
		"runs         5", "100 a level", "prompt-capped", "one-condition", "docker run", "--tensor-parallel-size 4",
		"moonshotai/Kimi-K2-Instruct @ 1cbe779b5c9d45782861647236f67e2e1aab55f0", "INT4 QAT", "discrepancy",
	} {
		if !p.says(say) {
			t.Errorf("it does not say %q:\n%s", say, p.stdout)
		}
	}
	if p.code != 0 || strings.Contains(p.stderr, "start the server") {
		t.Errorf("exit code %d\n%s", p.code, p.stderr)
	}
	for _, c := range []struct {
		name string
		args []string
		say  []string
	}{
		{"loadtest", nil, []string{"One level: concurrency 8", "64 in, 16 out", "80 requests"}},
		{"loadtest", []string{"-rate", "5", "-duration", "20s", "-json"}, []string{`"rate_per_s": 5`, `"duration_ns": 20000000000`}},
		{"clientcheck", []string{"-levels", "4,8"}, []string{"levels       4, 8", "warning"}},
		{"clientcheck", []string{"-levels", "4,8", "-json"}, []string{`"plan": {`, `"warnings": [`}},
	} {
		p := run(t, c.name, append(c.args, "-dry-run")...)
		for _, say := range c.say {
			if p.code != 0 || !p.says(say) || strings.Contains(p.stderr, "measure") {
				t.Errorf("%s: exit code %d; does it say %q?\n%s\n%s", c.name, p.code, say, p.stdout, p.stderr)
			}
		}
	}
	p = run(t, "multirun", "-url", "http://127.0.0.1:8000", "-dry-run")
	if p.code != 0 || !p.says("one server for all runs") || !p.says("within-server") {
		t.Errorf("exit code %d\n%s", p.code, p.stdout)
	}
	p = run(t, "multirun", "-url", "http://127.0.0.1:8000", "-dry-run", "-warmup", "steady")
	if p.code != 0 || !p.says("each run until throughput and TTFT are steady, for 10m0s at most") {
		t.Errorf("exit code %d\n%s", p.code, p.stdout)
	}
}

// An interrupt drains, prints what there is, and leaves a journal that reads, and no process.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, signals := range []int{1, 2} {
		t.Run(fmt.Sprint(signals), func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
			defer cancel()
			cmd := command(ctx, "multirun", "-levels", "1,2,4", "-requests", "5000x", "-input", "16", "-output", "4", "-out", out)
			var stdout, stderr output
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the level after the warmup", func() bool { return strings.Contains(stderr.String(), "concurrency 1, 5") })
			time.Sleep(300 * time.Millisecond)
			for range signals {
				_ = cmd.Process.Signal(syscall.SIGINT)
				time.Sleep(20 * time.Millisecond)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 1 || ctx.Err() != nil {
				t.Errorf("exit code %d\n%s", code, &stderr)
			}
			if !strings.Contains(stdout.String(), "cut-short") || !strings.Contains(stdout.String(), "incomplete") {
				t.Errorf("it does not print what there is:\n%s", &stdout)
			}
			e, err := protocol.ReadExperiment(out)
			if err != nil {
				t.Fatal(err)
			}
			if e.Complete || len(e.Measurements) != 2 || !e.Measurements[1].Result.CutShort {
				t.Errorf("complete %v, %d measurements", e.Complete, len(e.Measurements))
			}
			var pid int
			if _, err := fmt.Sscanf(e.Starts[0].Instance, "pid %d", &pid); err != nil {
				t.Fatal(err)
			}
			if syscall.Kill(pid, 0) == nil {
				t.Errorf("the server, process %d, is left running", pid)
			}
		})
	}
}

// When the program is killed, its server goes as well.
func TestKilled(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	cmd := command(context.Background(), "multirun", "-levels", "1", "-requests", "100000", "-input", "16", "-output", "4", "-out", out)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(out, protocol.JournalFile), `"start":`)
	var e *protocol.Experiment
	eventually(t, "a start that can be read", func() bool {
		e, _ = protocol.ReadExperiment(out)
		return e != nil && len(e.Starts) > 0
	})
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	var pid int
	if _, err := fmt.Sscanf(e.Starts[0].Instance, "pid %d", &pid); err != nil {
		t.Fatal(err)
	}
	eventually(t, fmt.Sprintf("the server, process %d, goes with the program that started it", pid), func() bool { return gone(pid) })
}

func TestSimserver(t *testing.T) {
	t.Parallel()
	cmd := command(context.Background(), "simserver", "-address", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 200)
	n, _ := stdout.Read(line)
	url := strings.TrimSpace(string(line[:n]))
	p := run(t, "loadtest", "-url", url, "-concurrency", "4", "-input", "16", "-output", "4", "-endpoint", "chat", "-stream=false")
	if p.code != 0 || !p.says("40 completed") || p.says("ttft") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	for _, prompts := range [][]string{{"-text"}, {"-vocabulary", "32000"}} {
		p := run(t, "loadtest", append(prompts, "-url", url, "-concurrency", "4", "-requests", "20", "-input", "16", "-output", "4", "-continuous-usage")...)
		if p.code != 0 || !p.says("20 completed") || !p.says("320 input and 80 output tokens") ||
			!p.says("tokens_per_chunk") || p.says("token-mismatch") {
			t.Errorf("%v: exit code %d\n%s\n%s", prompts, p.code, p.stdout, p.stderr)
		}
	}
	_ = cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}
