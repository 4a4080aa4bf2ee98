//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// model is what the server calls its model, and what clients that send it a name are told.
const model = "echo"

// A client is a program that generates load, and how it is asked to. Arguments are templates: {url}, {host}, {port},
// {model}, {tokenizer}, {concurrency}, {requests}, {seconds}, {input}, {output}, {stream}, {body} and {dir}, the run's
// own directory, are filled in for each run.
type client struct {
	Name string
	Flag string // that gives its path; none: it is built in
	Path string

	Stream []string          // arguments where answers are streamed; nil: it cannot
	Whole  []string          // arguments where they are not; nil: it cannot
	Files  map[string]string // files that it reads, by name in {dir}; templates too
	Env    []string          // what it needs in its environment, beside what keeps all of them quiet
	Timed  bool              // it can be told for how long, not how many requests

	Result string                        // file in {dir} with what it found; none: its standard output
	TTFT   func([]byte) (float64, error) // mean, in ms; nil: it says none
	Exits  int                           // an exit code beside 0 with which it has a result

	Version []string // arguments with which it prints its version; nil: it does not

	// What it is expected to manage on two cores, only for the number of requests that it is given.
	RequestRate float64 // requests/s
	ChunkRate   float64 // chunks/s
}

const (
	oursName = "servegauge loadtest"
	bareName = "bare net/http loop"
)

// clients are all that there are to compare.
func clients() []client {
	// What vllm bench serve and its successor in Rust have in common.
	vllm := strings.Fields("--backend vllm --base-url {url} --model {model} --tokenizer {tokenizer} " +
		"--dataset-name random " +
		"--random-input-len {input} --random-output-len {output} --ignore-eos --num-prompts {requests} " +
		"--max-concurrency {concurrency} --disable-tqdm --save-result --result-dir {dir} --result-filename result.json")
	aiperf := strings.Fields("profile --model {model} --url {url} --endpoint-type completions --tokenizer " +
		"{tokenizer} " +
		"--concurrency {concurrency} --request-count {requests} --isl {input} --isl-stddev 0 --osl {output} " +
		"--osl-stddev 0 " +
		"--extra-inputs ignore_eos:true --use-server-token-count --use-legacy-max-tokens --ui none " +
		"--no-gpu-telemetry " +
		"--no-server-metrics --artifact-dir {dir}")
	guidellm := strings.Fields("run --backend kind=openai_http,target={url},model={model},request_format=/v1/completions,stream={stream} " +
		"--profile kind=concurrent,streams={concurrency} --constraint kind=max_requests,count={requests} " +
		"--tokenizer kind=hf_auto,model={tokenizer} --data " +
		"kind=synthetic_text,prompt_tokens={input},output_tokens={output} " +
		"--output kind=json,path={dir}/result.json --disable-console")
	hey := strings.Fields("-n {requests} -c {concurrency} -t 0 -m POST -T application/json -D {dir}/body.json " +
		"{url}/v1/completions")
	wrk := strings.Fields("-t 2 -c {concurrency} -d {seconds}s --timeout 60s -s {dir}/post.lua {url}/v1/completions")
	return []client{
		{
			Name: oursName,
			Stream: strings.Fields("-url {url} -concurrency {concurrency} -requests {requests} -input {input} " +
				"-output {output} " +
				"-stream={stream} -json"),
			Whole: strings.Fields("-url {url} -concurrency {concurrency} -requests {requests} -input {input} " +
				"-output {output} " +
				"-stream={stream} -json"),
			TTFT: figureNamed("ttft_mean"), Exits: 1, // where over 1 % of its requests failed
			RequestRate: 16_000, ChunkRate: 450_000,
		},
		{
			Name: bareName, Stream: []string{}, Whole: []string{}, TTFT: numberAt("ttft_ms"),
			RequestRate: 18_000, ChunkRate: 500_000,
		},
		{
			Name: "vllm bench serve", Flag: "vllm", Stream: append(strings.Fields("bench serve"), vllm...),
			Result: "result.json", TTFT: numberAt("mean_ttft_ms"), Version: []string{"--version"},
			RequestRate: 1_100, ChunkRate: 120_000,
		},
		{
			Name: "vllm-bench (Rust)", Flag: "rust", Stream: vllm,
			Result: "result.json", TTFT: numberAt("mean_ttft_ms"), Version: []string{"--version"},
			RequestRate: 16_000, ChunkRate: 350_000,
		},
		{
			Name: "AIPerf", Flag: "aiperf", Stream: append(slices.Clone(aiperf), "--streaming"), Whole: aiperf,
			// Offline, it looks for the tokenizer in the hub's cache alone; a directory it opens without the hub.
			Env:    []string{"HF_HUB_OFFLINE=", "TRANSFORMERS_OFFLINE="},
			Result: "profile_export_aiperf.json", TTFT: numberAt("time_to_first_token", "avg"),
			Version:     []string{"--version"},
			RequestRate: 600, ChunkRate: 55_000,
		},
		{
			Name: "GuideLLM", Flag: "guidellm", Stream: guidellm, Whole: guidellm,
			Result: "result.json", TTFT: numberAt("benchmarks", "0", "metrics", "time_to_first_token_ms",
				"successful", "mean"),
			Version: []string{"--version"}, RequestRate: 200, ChunkRate: 37_000,
		},
		{
			Name: "hey", Flag: "hey", Stream: hey, Whole: hey, Files: map[string]string{"body.json": "{body}"},
			RequestRate: 16_000, ChunkRate: 450_000,
		},
		{
			Name: "wrk", Flag: "wrk", Stream: wrk, Whole: wrk, Timed: true, Version: []string{"--version"},
			Files: map[string]string{"post.lua": `wrk.method = "POST"` + "\n" + `wrk.body = '{body}'` + "\n" +
				`wrk.headers["Content-Type"] = "application/json"` + "\n"},
			RequestRate: 16_000, ChunkRate: 450_000,
		},
	}
}

// arguments are the templates for a scenario, and false if the client has none for it.
func (c client) arguments(s scenario) ([]string, bool) {
	templates := c.Stream
	if s.Whole {
		templates = c.Whole
	}
	if templates == nil || c.Timed && (s.Once || s.Only > 0) {
		return nil, false
	}
	for _, f := range s.Figures { // a scenario about what the client says needs one that says it
		if f.Name == overServer.Name && c.TTFT == nil {
			return nil, false
		}
	}
	return templates, true
}

// needsTokenizer reports whether the client has to be given one.
func (c client) needsTokenizer() bool {
	return strings.Contains(strings.Join(append(c.Stream, c.Whole...), " "), "{tokenizer}")
}

// An order is what one run asks of a client.
type order struct {
	Scenario  scenario
	URL       string // http://HOST:PORT
	Tokenizer string
	Dir       string
	Requests  int
	Target    time.Duration
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

// fill fills in templates.
func (o order) fill(templates []string) ([]string, error) {
	host, port, _ := strings.Cut(strings.TrimPrefix(o.URL, "http://"), ":")
	s := o.Scenario
	value := map[string]string{
		"{url}": o.URL, "{host}": host, "{port}": port, "{model}": model, "{tokenizer}": o.Tokenizer, "{dir}": o.Dir,
		"{concurrency}": strconv.Itoa(s.Concurrency), "{requests}": strconv.Itoa(o.Requests),
		"{seconds}": strconv.Itoa(max(1, int(o.Target.Seconds()))),
		"{input}":   strconv.Itoa(inputTokens), "{output}": strconv.Itoa(s.Tokens),
		"{stream}": strconv.FormatBool(!s.Whole),
		"{body}":   completion(s.Tokens, !s.Whole),
	}
	var unknown error
	filled := make([]string, len(templates))
	for i, t := range templates {
		filled[i] = placeholder.ReplaceAllStringFunc(t, func(name string) string {
			v, ok := value[name]
			if !ok {
				unknown = fmt.Errorf("%q has no meaning in %q", name, t)
			}
			return v
		})
	}
	return filled, unknown
}

// numberAt returns a reader of the number at a path in a JSON document. Steps into an array are its indices.
func numberAt(path ...string) func([]byte) (float64, error) {
	return func(document []byte) (float64, error) {
		var at any
		if err := json.Unmarshal(document, &at); err != nil {
			return 0, err
		}
		for _, step := range path {
			switch v := at.(type) {
			case map[string]any:
				at = v[step]
			case []any:
				if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
					at = v[i]
					continue
				}
				at = nil
			default:
				at = nil
			}
		}
		v, ok := at.(float64)
		if !ok {
			return 0, fmt.Errorf("the result has no number %s", strings.Join(path, "."))
		}
		return v, nil
	}
}

// figureNamed reads a figure of a loadgen.Result.
func figureNamed(name string) func([]byte) (float64, error) {
	return func(document []byte) (float64, error) {
		var result struct {
			Figures []struct {
				Name  string
				Value float64
			}
		}
		if err := json.Unmarshal(document, &result); err != nil {
			return 0, err
		}
		for _, f := range result.Figures {
			if f.Name == name {
				return f.Value, nil
			}
		}
		return 0, errors.New("the result has no figure " + name)
	}
}
