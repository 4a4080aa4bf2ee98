package openai

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
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

	APIKey string      // sent as a bearer token and never written anywhere; zero: none
	Header http.Header // sent with each request; values of Authorization and its like are kept out of errors; zero: none

	// Body are fields added to each request's body. They win over ours and over those of a prompt's own Body, and a nil
	// value removes a field. max_tokens (or max_completion_tokens, which servers prefer) here is what each request is
	// noted to have asked for. stream is refused: Whole decides it. Zero: none.
	Body map[string]any

	// TLS is how an https:// server is to be trusted and spoken to: RootCAs for a certificate authority of one's own,
	// Certificates for those that the server asks a client for. It is cloned; NextProtos are chosen by HTTP2. Zero: Go's
	// defaults, which trust what the system trusts.
	TLS *tls.Config

	// HTTP2 sends the requests over HTTP/2 alone: as agreed on under TLS for https://, and without asking (prior
	// knowledge) for http://. A server that does not speak it fails each request. Many requests then share a connection,
	// so that none has stamps of its own: arrivals are by the client's clock, and Sent is just before a request is
	// handed to its connection. Open does nothing. Zero: HTTP/1.1, under TLS too, with a connection for each request in
	// flight, as a server's many users have.
	HTTP2 bool

	// Client makes the requests; TLS and HTTP2 are then its own matter, and are refused. Zero: a client of the target's
	// own, without limit on connections, with the proxies of the environment, that follows no redirect.
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
	if c.Client != nil && (c.TLS != nil || c.HTTP2) {
		return nil, &loadgen.InvalidError{Field: "client", Value: "with TLS or HTTP2", Want: "either a Client, which has its own, or these"}
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
		t.ahead = &connections{tls: newTLS(c.TLS)}
		t.owned = newTransport(t.ahead, c.HTTP2)
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

// newTLS is the configuration of connections for HTTP/1.1.
func newTLS(given *tls.Config) *tls.Config {
	config := given.Clone()
	if config == nil {
		config = &tls.Config{}
	}
	config.NextProtos = []string{"http/1.1"}
	return config
}

// newTransport returns a transport that does not limit connections, nor, without http2, multiplex them: one request in
// flight is one connection, as it is for a server's many users.
func newTransport(ahead *connections, http2 bool) *http.Transport {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         ahead.DialContext,
		TLSClientConfig:     ahead.tls.Clone(), // of what goes through a proxy, and of HTTP/2
		TLSHandshakeTimeout: handshakeLimit,
		MaxIdleConnsPerHost: loadgen.MaxConcurrency,
		IdleConnTimeout:     idleLimit,
		DisableCompression:  true,
		Protocols:           new(http.Protocols),
	}
	if http2 {
		transport.TLSClientConfig.NextProtos = nil // net/http sets them
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
		return transport
	}
	transport.DialTLSContext = ahead.DialTLSContext
	transport.Protocols.SetHTTP1(true)
	return transport
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
	var w wire
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req, err := http.NewRequestWithContext(w.trace(ctx, r, t.config.HTTP2), http.MethodPost, t.url, nil)
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
	if at, ok := w.exchange.Sent(); ok {
		r.Sent = r.At(at)
	}
	if err != nil && response == nil {
		return w.failure(ctx, err, r)
	}
	if t.config.HTTP2 && err == nil && response.ProtoMajor != 2 {
		_ = response.Body.Close()
		return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf("the server answered over %s, and HTTP/2 was asked for", oneLine(response.Proto))}
	}
	if err != nil { // the user's client would not follow a redirect any further
		r.Status = response.StatusCode
		return &loadgen.Error{Class: loadgen.ClassStatus, Status: response.StatusCode, Err: err}
	}
	defer response.Body.Close()
	r.Status = response.StatusCode
	if response.StatusCode/100 != 2 {
		return statusError(response)
	}
	if t.config.Whole {
		return readWhole(response.Body, r)
	}
	if err := readStream(&stampedBody{response.Body, w.exchange}, r); err != nil {
		return err
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
	return &loadgen.Error{Class: loadgen.ClassStatus, Status: response.StatusCode, RetryAfter: retryAfter(response.Header), Err: errors.New(said)}
}

// retryAfter is for how long the server wants to be left alone: it says so in seconds, or until when. 0: it does not say,
// or what it says is over, or more than a day, which nobody means.
func retryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil && seconds > 0 && seconds <= 86400 {
		wait = time.Duration(seconds) * time.Second
	} else if until, err := http.ParseTime(value); err == nil {
		// By the server's own clock, where it tells it: ours may be another.
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = until.Sub(now)
	}
	if wait < 0 || wait > 24*time.Hour {
		return 0
	}
	return wait
}
