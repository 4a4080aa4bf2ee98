package openai

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/netstamp"
)

// An Endpoint is one of the two calls that generate text.
type Endpoint string

const (
	Completions Endpoint = "completions" // /v1/completions: takes token ids, so that the input length is exact
	Chat        Endpoint = "chat"        // /v1/chat/completions: takes text, through the model's chat template
)

// A Config says which server is asked, for what, and how.
type Config struct {
	URL      string   // the server's root or its /v1: "http://127.0.0.1:8000"
	Model    string   // as the server names it
	Models   []string // in place of Model: several, in rotation; request i asks number i mod their number. Zero: Model
	Endpoint Endpoint // zero: Completions
	Workload Workload // the prompts; a prompt that names a model of its own asks that one

	// Whole asks for the answer in one piece. Without streaming there is neither TTFT nor ITL. Zero: streamed.
	Whole bool

	// ContinuousUsage asks for the usage so far in every chunk (stream_options.continuous_usage_stats: vLLM, SGLang), so that
	// the tokens of each chunk are known, and those of a request that is cut off. It makes chunks longer. Zero: at the end.
	ContinuousUsage bool

	APIKey string      // sent as a bearer token and never written anywhere; zero: none
	Header http.Header // sent with each request; values of Authorization and its like are kept out of errors; zero: none

	// Body are fields added to each request's body. They win over ours and over those of a prompt's own Body, and a nil
	// value removes a field. max_tokens (or max_completion_tokens, which servers prefer) here is what each request is
	// noted to have asked for. stream is refused: Whole decides it. Zero: none.
	Body map[string]any

	// Client makes the requests. Zero: a client of the target's own, without limit on connections, over HTTP/1.1,
	// with the proxies of the environment, that follows no redirect.
	Client *http.Client
}

// A Target sends a workload to a server. It is safe for concurrent use.
type Target struct {
	ahead   *connections // made before they are needed; nil: the client is the user's
	config  Config
	body    *template
	url     string
	secrets secrets
	owned   *http.Transport // nil: the client is the user's
	client  *http.Client
}

// New returns a target for c, or a [*loadgen.InvalidError] that names the field that cannot be used. For a [Dataset]
// with a prompt that the endpoint does not take, it is a [*DatasetError].
func New(c Config) (*Target, error) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "" {
		return nil, &loadgen.InvalidError{Field: "URL", Value: strconv.Quote(redact(c.URL)), Want: "the server's root or its /v1, such as http://127.0.0.1:8000"}
	}
	if c.Endpoint == "" {
		c.Endpoint = Completions
	}
	path := map[Endpoint]string{Completions: "/v1/completions", Chat: "/v1/chat/completions"}[c.Endpoint]
	if path == "" {
		return nil, &loadgen.InvalidError{Field: "endpoint", Value: c.Endpoint, Want: "completions or chat"}
	}
	switch {
	case len(c.Models) == 0:
		c.Models = []string{c.Model}
	case c.Model != "":
		return nil, &loadgen.InvalidError{Field: "models", Value: c.Models, Want: "either these or Model, not both"}
	}
	c.Models = slices.Clone(c.Models)
	if slices.Contains(c.Models, "") {
		return nil, &loadgen.InvalidError{Field: "model", Value: `""`, Want: "the name that the server's /v1/models gives"}
	}
	if c.Workload == nil {
		return nil, &loadgen.InvalidError{Field: "workload", Value: nil, Want: "a Workload, such as RandomTokens"}
	}
	if w, ok := c.Workload.(interface{ validateFor(Endpoint) error }); ok {
		if err := w.validateFor(c.Endpoint); err != nil {
			return nil, err
		}
	}
	body, err := newTemplate(&c)
	if err != nil {
		return nil, err
	}
	if field, ok := checkHeader(c); !ok {
		return nil, &loadgen.InvalidError{Field: field, Value: "(not shown)", Want: "what an HTTP header can carry, such as no end of line"}
	}
	root := strings.TrimSuffix(strings.TrimRight(u.Path, "/"), "/v1")
	u.Path, u.RawPath, u.ForceQuery = root+path, "", false
	t := &Target{config: c, body: body, url: u.String(), secrets: newSecrets(c, u.User), client: c.Client}
	if t.client == nil {
		t.ahead = &connections{}
		t.owned = newTransport(t.ahead)
		// A redirect is an answer with a bad status: followed, it would cost each request a second way that no figure
		// shows, and a POST would arrive as a GET.
		t.client = &http.Client{Transport: t.owned, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return t, nil
}

// redact is a URL, which may not even parse, without anything that could be a secret: a user, a password, a query.
func redact(raw string) string {
	if !strings.ContainsAny(raw, "@?#") {
		return raw
	}
	for _, scheme := range []string{"http://", "https://"} {
		if strings.HasPrefix(raw, scheme) {
			return scheme + "…"
		}
	}
	return "…"
}

// newTransport returns a transport that neither limits nor multiplexes connections: one request in flight is one
// connection, as it is for a server's many users. Idle connections go after 4 s, because uvicorn drops them after 5
// and a request on a connection that is being dropped fails.
func newTransport(ahead *connections) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         ahead.DialContext,
		TLSHandshakeTimeout: 30 * time.Second,
		MaxIdleConnsPerHost: loadgen.MaxConcurrency,
		IdleConnTimeout:     4 * time.Second,
		DisableCompression:  true,
		Protocols:           protocols,
	}
}

// Close drops the connections that are idle. A Client given in the Config is left alone.
func (t *Target) Close() error {
	if t.owned != nil {
		t.owned.CloseIdleConnections()
		t.ahead.mu.Lock()
		defer t.ahead.mu.Unlock()
		t.ahead.closeIdle()
	}
	return nil
}

// Do sends prompt i of the workload and records what came back. No error that it returns holds a secret.
func (t *Target) Do(ctx context.Context, i int, r *loadgen.Record) error {
	err := t.do(ctx, i, r)
	if err == nil {
		return nil
	}
	if e, ok := err.(*loadgen.Error); ok {
		e.Err = t.secrets.clean(e.Err)
		return e
	}
	return t.secrets.clean(err)
}

func (t *Target) do(ctx context.Context, i int, r *loadgen.Record) error {
	body, err := t.prepare(i, r)
	if err != nil {
		return fmt.Errorf("prompt %d: %w", i, err)
	}
	defer body.release()
	connected := false
	var exchange netstamp.Exchange // stays zero under TLS, or with a user's own client
	trace := &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		connected = true
		if conn, ok := c.Conn.(*netstamp.Conn); ok {
			exchange = conn.Begin()
		}
		r.Sent = r.Now()
		r.NewConn = !c.Reused
	}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodPost, t.url, nil)
	if err != nil {
		return err
	}
	body.attach(req)
	for name, values := range t.config.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Host = req.Header.Get("Host") // net/http takes it from here alone; empty: the URL's
	req.Header.Set("Content-Type", "application/json")
	if t.config.APIKey != "" {
		req.Header.Set("Authorization", "Bearer "+t.config.APIKey)
	}
	response, err := t.client.Do(req)
	// net/http writes from another goroutine, which may have come to it later than we handed it over.
	if at, ok := exchange.Sent(); ok {
		r.Sent = r.At(at)
	}
	switch {
	case err == nil:
	case response != nil: // the user's client would not follow a redirect any further
		r.Status = response.StatusCode
		return &loadgen.Error{Class: loadgen.ClassStatus, Status: response.StatusCode, Err: err}
	case !connected: // whatever was in the way: a name, a port, a proxy, a certificate
		return &loadgen.Error{Class: loadgen.ClassDial, Err: err}
	case !r.NewConn && ctx.Err() == nil:
		return &loadgen.Error{Class: loadgen.ClassTruncated, Err: fmt.Errorf("stale connection: %w", err)}
	default:
		return &loadgen.Error{Class: loadgen.ClassTruncated, Err: err}
	}
	defer response.Body.Close()
	r.Status = response.StatusCode
	if response.StatusCode/100 != 2 {
		return body.advise(statusError(response))
	}
	if t.config.Whole {
		return body.advise(readWhole(response.Body, r))
	}
	if err := readStream(&stampedBody{response.Body, exchange}, r); err != nil {
		return body.advise(err)
	}
	drain(response.Body, cancel)
	return nil
}

// prepare makes the body of request i, and notes what it asks for.
func (t *Target) prepare(i int, r *loadgen.Record) (*payload, error) {
	p := prompts.Get().(*pooled)
	defer prompts.Put(p)
	p.reset()
	if err := t.config.Workload.Prompt(i, &p.Prompt); err != nil {
		return nil, err
	}
	r.AskedInput, r.AskedOutput = p.Input, t.body.asked(&p.Prompt)
	model := p.Model
	if model == "" {
		model = t.config.Models[i%len(t.config.Models)]
	}
	body := newPayload()
	body.ids = len(p.Body) == 0 && len(p.Tokens) > 0
	var err error
	if body.json, err = t.body.append(body.json, &p.Prompt, model, t.config.Endpoint); err != nil {
		body.release()
		return nil, err
	}
	return body, nil
}

// drain reads what follows the last event, so that the connection can be used again. There should be nothing but the
// end; a server that keeps that to itself loses the connection, and must not hold up the next request.
func drain(body io.Reader, cancel context.CancelFunc) {
	giveUp := time.AfterFunc(250*time.Millisecond, cancel)
	defer giveUp.Stop()
	_, _ = io.CopyN(io.Discard, body, 4096)
}

// statusError reads enough of an answer with a bad status to say what the server complained of.
func statusError(response *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(response.Body, mostQuoted))
	said := complaint(text)
	if said == "" {
		said = "no reason given"
	}
	if to := response.Header.Get("Location"); to != "" {
		said += ", redirected to " + to
	}
	e := &loadgen.Error{Class: loadgen.ClassStatus, Status: response.StatusCode, Err: errors.New(said)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 && seconds <= 86400 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
