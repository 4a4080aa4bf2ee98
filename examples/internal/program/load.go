package program

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/vllm"
)

// Load is what is asked of the server, and where it is: the flags that all programs share which load one.
type Load struct {
	URL       string
	model     string
	apiKeyEnv string
	caFile    string
	http2     bool
	headers   headers
	body      string
	endpoint  string
	stream    bool
	usage     bool
	dataset   string
	prefix    int
	asText    bool
	vocab     int
	Input     int
	Output    int
	Seed      uint64
	Timeout   time.Duration

	apiKey  string
	tls     *tls.Config  // nil: Go's defaults
	client  *http.Client // for questions about the server; nil: Go's default
	extra   map[string]any
	asked   []string // models by -model
	prompts *openai.Dataset
	file    protocol.Dataset // that the prompts are from

	running bool // the server is not ours to start

	mu     sync.Mutex
	models map[string][]string            // what to ask for, by URL
	texts  map[string]*openai.Calibration // of text, by URL; nil: not to be had
	warned bool                           // that the prompts of -dataset repeat
}

// Register registers the flags. input and output are the defaults; 0 leaves them to the plan.
func (l *Load) Register(flags *flag.FlagSet, input, output int, timeout time.Duration) {
	flags.StringVar(&l.URL, "url", "", "the server's `URL`, its root or /v1; none: a simulated server, started as a child of this program (http://127.0.0.1:8000 for a -server that is started by commands)")
	flags.StringVar(&l.model, "model", "", "`name` of the model, or several with commas between them, which are asked in turn; none: the first that the server's /v1/models names")
	flags.StringVar(&l.apiKeyEnv, "api-key-env", "", "`name` of the environment variable that holds the API key")
	flags.StringVar(&l.caFile, "ca-file", "", "`file` of PEM certificates to trust for an https:// server, beside those that the system trusts")
	flags.BoolVar(&l.http2, "http2", false, "send requests over HTTP/2, on shared connections, with arrivals by the client's own clock; without it over HTTP/1.1")
	flags.Var(&l.headers, "header", "`\"Name: value\"` to send with each request; may be given several times")
	flags.StringVar(&l.body, "body", "", "`JSON` object of fields to add to each request's body; null removes a field")
	flags.StringVar(&l.endpoint, "endpoint", "completions", "completions (exact input length, by token ids) or chat")
	flags.BoolVar(&l.stream, "stream", true, "stream the answers")
	flags.BoolVar(&l.usage, "continuous-usage", false, "ask for the usage so far in every chunk, so that the tokens of each chunk, and of requests that are cut off, are known")
	plans := ""
	if input == 0 {
		plans = "; 0: the plan's"
	}
	flags.IntVar(&l.Input, "input", input, "input `tokens` of each request"+plans)
	flags.IntVar(&l.Output, "output", output, "output `tokens` of each request"+plans)
	flags.IntVar(&l.prefix, "prefix", 0, "how many of the input `tokens`, the first, are the same in all prompts of a level, for a prefix cache to find; 0: none")
	flags.StringVar(&l.dataset, "dataset", "", "`file` of JSON lines (prompt, prompt_token_ids, messages, conversations or body) to take prompts from, instead of random ones of -input tokens; -seed shuffles it for each level")
	flags.BoolVar(&l.asText, "text", false, "random prompts as text of -input tokens, as chat has them anyway, instead of token ids")
	flags.IntVar(&l.vocab, "vocabulary", 0, "size of the model's vocabulary in `tokens`, for the ids of random prompts; 0: ids from 1,000 to 3,999, which nearly every model has")
	flags.Uint64Var(&l.Seed, "seed", 0, "seed of the prompts; 0: another each time, so that no cache of the server knows them (a plan that is saved has it)")
	flags.DurationVar(&l.Timeout, "timeout", timeout, "most `time` for one request; 0s: no limit")
}

// Check reads the environment and validates what does not need a server.
func (l *Load) Check() error {
	if l.apiKeyEnv != "" {
		if l.apiKey = os.Getenv(l.apiKeyEnv); l.apiKey == "" {
			return Usagef("-api-key-env %s: that environment variable is not set", l.apiKeyEnv)
		}
	}
	if l.body != "" {
		in := json.NewDecoder(strings.NewReader(l.body))
		in.UseNumber() // a seed of 64 bits is no float64
		if err := in.Decode(&l.extra); err != nil || l.extra == nil || in.More() {
			return Usagef("-body %s: want a JSON object such as {\"top_p\": 0.9}", l.body)
		}
		if _, ok := l.extra["stream"]; ok {
			return Usagef("-body %s: stream is not for the body; use -stream=false", l.body)
		}
	}
	if l.Input < 0 || l.Output < 0 {
		return Usagef("-input %d, -output %d: want numbers of tokens, at least 1", l.Input, l.Output)
	}
	switch {
	case l.asText && l.dataset != "":
		return Usagef("-text: the prompts of -dataset are what they are")
	case l.vocab != 0 && (l.vocab < smallestVocabulary || l.vocab > 1<<30):
		return Usagef("-vocabulary %d: want the number of tokens that the model knows, from %d up", l.vocab, smallestVocabulary)
	case l.vocab != 0 && (l.text() || l.dataset != ""):
		return Usagef("-vocabulary %d: only random prompts of token ids need it", l.vocab)
	}
	if l.usage && !l.stream {
		return Usagef("-continuous-usage: an answer in one piece (-stream=false) has no chunks")
	}
	if l.prefix < 0 || l.Input > 0 && l.prefix > l.Input {
		return Usagef("-prefix %d: want a number of tokens from 0 to those of -input", l.prefix)
	}
	if l.model != "" {
		l.asked = strings.Split(l.model, ",")
		for i, name := range l.asked {
			if l.asked[i] = strings.TrimSpace(name); l.asked[i] == "" {
				return Usagef("-model %q: want names with commas between them", l.model)
			}
		}
	}
	if err := l.read(); err != nil {
		return err
	}
	if err := l.trust(); err != nil {
		return err
	}
	if l.Timeout < 0 {
		return Usagef("-timeout %v: want 0s (no limit) or more", l.Timeout)
	}
	if l.Seed == 0 {
		l.Seed = rand.Uint64()
	}
	l.models = map[string][]string{}
	l.texts = map[string]*openai.Calibration{}
	// Whatever else is wrong is found by building a target once, against a server that need not be there.
	url := l.URL
	if url == "" {
		url = "http://127.0.0.1"
	}
	_, err := l.target(url, []string{"any"}, protocol.Step{Input: max(l.Input, l.prefix, 1), Output: max(l.Output, 1)}, nil)
	if line, ok := errors.AsType[*openai.DatasetError](err); ok {
		return Usagef("-dataset %s: %v", l.dataset, line)
	}
	return err
}

// read reads the file of prompts, if there is one.
func (l *Load) read() error {
	if l.dataset == "" {
		return nil
	}
	if l.prefix != 0 {
		return Usagef("-prefix %d: the prompts of -dataset are what they are", l.prefix)
	}
	file, err := os.Open(l.dataset)
	if err != nil {
		return Usagef("-dataset: %v", err)
	}
	defer file.Close()
	sum := sha256.New()
	prompts, err := openai.ReadDataset(io.TeeReader(file, sum), openai.DatasetLimits{})
	if err != nil {
		return Usagef("-dataset %s: %v", l.dataset, err)
	}
	l.prompts = &prompts
	l.file = protocol.Dataset{Name: filepath.Base(l.dataset), SHA256: hex.EncodeToString(sum.Sum(nil)), Prompts: prompts.Len()}
	return nil
}

// trust reads the certificates, if there are any, and makes the client that asks about the server as the requests do.
func (l *Load) trust() error {
	if l.caFile != "" {
		pem, err := os.ReadFile(l.caFile)
		if err != nil {
			return Usagef("-ca-file: %v", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil { // there are none, or they cannot be read: what was given may be enough
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return Usagef("-ca-file %s: want PEM, with a CERTIFICATE in it", l.caFile)
		}
		l.tls = &tls.Config{RootCAs: pool}
	}
	if l.tls == nil && !l.http2 {
		return nil
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = l.tls.Clone()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(!l.http2)
	transport.Protocols.SetHTTP2(l.http2)
	transport.Protocols.SetUnencryptedHTTP2(l.http2)
	l.client = &http.Client{Transport: transport}
	return nil
}

// header is what each request, and each question about the server, carries.
func (l *Load) header() http.Header {
	h := http.Header{}
	for _, pair := range l.headers {
		name, value, _ := strings.Cut(pair, ":")
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if l.apiKey != "" {
		h.Set("Authorization", "Bearer "+l.apiKey)
	}
	return h
}

// Target makes the target of a step: a [protocol.Runner]'s Target.
func (l *Load) Target(ctx context.Context, url string, s workload.Spec) (loadgen.Target, error) {
	models, err := l.modelsAt(ctx, url)
	if err != nil {
		return nil, err
	}
	calibration, err := l.calibrate(ctx, url, models)
	if err != nil {
		return nil, fmt.Errorf("how many tokens a text has there: %w", err)
	}
	return l.target(url, models, s, calibration)
}

// smallestVocabulary is one of bytes.
const smallestVocabulary = 256

// text says that random prompts are text.
func (l *Load) text() bool {
	return l.asText || openai.Endpoint(l.endpoint) == openai.Chat
}

// calibrate asks the server at url, once, what makes a text one of so many tokens. Where that is not to be had it says
// so, and returns nil.
func (l *Load) calibrate(ctx context.Context, url string, models []string) (*openai.Calibration, error) {
	if !l.text() || l.prompts != nil {
		return nil, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if found, ok := l.texts[url]; ok {
		return found, nil
	}
	found, err := openai.Calibrate(ctx, l.config(url, models))
	switch _, uncalibrated := errors.AsType[*openai.UncalibratedError](err); {
	case len(models) > 1:
		fmt.Fprintf(os.Stderr, "warning: of several models each has its own tokens; prompts have -input words, and results say how many tokens\n")
	case uncalibrated:
		fmt.Fprintf(os.Stderr, "warning: %v; prompts have -input words, and results say how many tokens\n", err)
	case err != nil:
		return nil, err
	}
	l.texts[url] = found
	return found, nil
}

// warnOfRepetition says once when a level has more requests than there are prompts.
func (l *Load) warnOfRepetition(level loadgen.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.prompts == nil || l.warned || level.Requests+level.Warmup <= l.prompts.Len() {
		return
	}
	l.warned = true
	fmt.Fprintf(os.Stderr, "warning: %s has %d prompts for a level of %d requests, so they repeat, and a prefix cache may know them\n",
		l.dataset, l.prompts.Len(), level.Requests+level.Warmup)
}

// config is how the server at url is asked, without prompts.
func (l *Load) config(url string, models []string) openai.Config {
	return openai.Config{
		URL: url, Models: models, Endpoint: openai.Endpoint(l.endpoint), Whole: !l.stream, ContinuousUsage: l.usage,
		APIKey: l.apiKey, Header: l.header(), Body: l.extra, TLS: l.tls, HTTP2: l.http2,
	}
}

func (l *Load) target(url string, models []string, s workload.Spec, calibration *openai.Calibration) (loadgen.Target, error) {
	c := l.config(url, models)
	switch {
	case l.prompts != nil:
		prompts := l.prompts.Shuffled(s.Seed)
		prompts.Output = s.Output
		c.Workload = prompts
	case l.text():
		words := openai.RandomWords{Seed: s.Seed, Input: s.Input, Output: s.Output, Prefix: l.prefix, Calibration: calibration}
		if err := words.Validate(); err != nil {
			return nil, err
		}
		c.Workload = words
	default:
		ids := openai.RandomTokens{Seed: s.Seed, Input: s.Input, Output: s.Output, Prefix: l.prefix}
		if l.vocab != 0 {
			ids.Low, ids.High = openai.SafeTokens(l.vocab)
		}
		c.Workload = ids
	}
	return openai.New(c)
}

// modelsAt are the models to ask for: those given, if the server serves them, or the first that it names.
func (l *Load) modelsAt(ctx context.Context, url string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if models := l.models[url]; models != nil {
		return models, nil
	}
	models, err := vllm.Models(ctx, l.client, url, l.header())
	if err != nil {
		return nil, fmt.Errorf("which models the server has: %w", err)
	}
	var names []string
	for _, m := range models {
		names = append(names, m.ID)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the server at %s names no model; give one that it serves, with -model", protocol.PublicURL(url))
	}
	for _, name := range l.asked {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("model %q: the server at %s has %s; give one of these with -model", name, protocol.PublicURL(url), strings.Join(names, ", "))
		}
	}
	l.models[url] = names[:1]
	if len(l.asked) > 0 {
		l.models[url] = l.asked
	}
	return l.models[url], nil
}

// Ready waits until a server that was started can be measured: a [protocol.Runner]'s Ready. A server that is not ours
// to start has to be there.
func (l *Load) Ready(ctx context.Context, url string) error {
	if !l.running {
		return vllm.Readiness{Client: l.client, Header: l.header()}.Wait(ctx, url)
	}
	_, err := l.modelsAt(ctx, url)
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("%w; is the server running there? (-url)", err)
	}
	return err
}

// headers is a flag that may be given several times.
type headers []string

func (h *headers) String() string { return strings.Join(*h, ", ") }

func (h *headers) Set(s string) error {
	name, _, ok := strings.Cut(s, ":")
	if !ok || strings.TrimSpace(name) == "" {
		return errors.New(`want "Name: value"`)
	}
	*h = append(*h, s)
	return nil
}
