package openai

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Config says which server is asked, for what, and how.
type Config struct {
	URL   string // the server's root or its /v1: "http://127.0.0.1:8000"
	Model string // as the server names it
	// in place of Model: several, in rotation; request i asks number i mod their number. Zero: Model
	Models   []string
	Endpoint Endpoint          // zero: Completions, or Chat for Conversations
	Workload workload.Workload // the prompts; a prompt that names a model of its own asks that one

	// Conversations are sessions in the place of a Workload, for levels of sessions ([loadgen.Level.Unit]). All
	// requests of one ask the same model. A level of single requests has the first request of each. Zero: none; a
	// level of sessions is then one of sessions of a single request.
	Conversations workload.Conversations

	// Whole asks for the answer in one piece. Without streaming there is neither TTFT nor ITL. Zero: streamed, where
	// the endpoint generates text.
	Whole bool

	// ContinuousUsage asks for the usage so far in every chunk (stream_options.continuous_usage_stats: vLLM, SGLang),
	// so that the tokens of each chunk are known, and those of a request that is cut off. It makes chunks longer.
	// Zero: at the end.
	ContinuousUsage bool

	APIKey string // sent as a bearer token and never written anywhere; zero: none
	// sent with each request; values of Authorization and its like are kept out of errors; zero: none
	Header http.Header

	// Body are fields added to each request's body. They win over ours and over those of a prompt's own Body, and a nil
	// value removes a field. max_tokens (or max_completion_tokens, which servers prefer) here is what each request is
	// noted to have asked for. stream is refused: Whole decides it. Zero: none.
	Body map[string]any

	// TLS is how an https:// server is to be trusted and spoken to: RootCAs for a certificate authority of one's own,
	// Certificates for those that the server asks a client for. It is cloned; NextProtos are chosen by HTTP2. Zero:
	// Go's defaults, which trust what the system trusts.
	TLS *tls.Config

	// HTTP2 sends the requests over HTTP/2 alone: as agreed on under TLS for https://, and without asking (prior
	// knowledge) for http://. A server that does not speak it fails each request. Many requests then share a
	// connection, so that none has stamps of its own: arrivals are by the client's clock, and Sent is just before a
	// request is handed to its connection. Open does nothing. Zero: HTTP/1.1, under TLS too, with a connection for
	// each request in flight, as a server's many users have.
	HTTP2 bool

	// Audit keeps some of a level's answers, to be checked after it by [Target.Audit]. Of the requests whose answers
	// may be kept the bodies have one field more, return_token_ids; nothing else differs. nil: none is kept.
	Audit *Audit

	// Client makes the requests; TLS and HTTP2 are then its own matter, and are refused. Zero: a client of the target's
	// own, without limit on connections, with the proxies of the environment, that follows no redirect.
	Client *http.Client
}

// A Target sends a workload to a server. It is safe for concurrent use.
type Target struct {
	config  Config
	sent    workload.Description
	address address
	body    *template
	url     string
	header  http.Header // of each request
	secrets secrets
	keeper  *keeper // nil: no answer is kept
	asker   *asker  // nil: nothing is asked beside the level

	lines *lines // nil: by the client
	head  []byte // of each request, up to the length of its body
	once  bool   // head says that its connection carries no other request

	client *http.Client    // nil: by lines
	owned  *http.Transport // the client's; nil: the client is the user's
}

// New returns a target for c, or a [*loadgen.InvalidError] that names the field that cannot be used. For a
// [workload.Dataset] with a prompt that the endpoint does not take, it is a [*workload.DatasetError].
func New(c Config) (*Target, error) { return newTarget(c, http.ProxyFromEnvironment) }

// newTarget returns a target for requests that go where proxy says.
func newTarget(c Config, proxy func(*http.Request) (*url.URL, error)) (*Target, error) {
	where, err := c.reach()
	if err != nil {
		return nil, err
	}
	switch {
	case c.Endpoint == "" && where.endpoint == "" && c.Conversations != nil:
		c.Endpoint = Chat
	case c.Endpoint == "" && where.endpoint == "":
		c.Endpoint = Completions
	case c.Endpoint == "":
		c.Endpoint = where.endpoint
	case !slices.Contains(Endpoints(), c.Endpoint):
		return nil, &loadgen.InvalidError{Field: "endpoint", Value: c.Endpoint,
			Want: "completions, chat, responses, embeddings or rerank"}
	case where.endpoint != "" && c.Endpoint != where.endpoint:
		return nil, &loadgen.InvalidError{Field: "endpoint", Value: c.Endpoint, Want: string(where.endpoint) +
			", or none, where the URL ends in " + string(where.endpoint) + "'s path"}
	}
	switch {
	case len(c.Models) == 0:
		c.Models = []string{c.Model}
	case c.Model != "":
		return nil, &loadgen.InvalidError{Field: "models", Value: c.Models, Want: "either these or Model, not both"}
	}
	c.Whole = c.Whole || !c.Endpoint.generates()
	c.Models = slices.Clone(c.Models)
	if slices.Contains(c.Models, "") {
		return nil, &loadgen.InvalidError{Field: "model", Value: `""`,
			Want: "the name that the server's /v1/models gives"}
	}
	if c.Workload != nil && c.Conversations != nil {
		return nil, &loadgen.InvalidError{Field: "workload", Value: c.Workload,
			Want: "either a Workload or Conversations"}
	}
	if c.Workload == nil && c.Conversations == nil {
		return nil, &loadgen.InvalidError{Field: "workload", Value: nil, Want: "a Workload, such as RandomTokens"}
	}
	if c.Conversations != nil && c.Endpoint != Chat && c.Endpoint != Responses {
		return nil, &loadgen.InvalidError{Field: "endpoint", Value: c.Endpoint,
			Want: "chat or responses for Conversations"}
	}
	if err := checkPrompts(c.Workload, c.Endpoint); err != nil {
		return nil, err
	}
	body, err := newTemplate(&c)
	if err != nil {
		return nil, err
	}
	if err := c.Audit.validate(); err != nil {
		return nil, err
	}
	sent, err := c.describe()
	if err != nil {
		return nil, err
	}
	u := where.call(c.Endpoint)
	t := &Target{config: c, sent: sent, address: where, body: body, url: u.String(), header: requestHeader(c),
		secrets: newSecrets(c, u.User), keeper: newKeeper(&c), client: c.Client}
	if t.asker, err = newAsker(&c); err != nil {
		return nil, err
	}
	if t.client != nil {
		return t, nil
	}
	if way, err := proxy(&http.Request{URL: u}); err == nil && way == nil && !c.HTTP2 && plain(u.Host) {
		t.lines, t.head, t.once = newLines(u, newTLS(c.TLS)), requestHead(u, t.header), saysClose(t.header)
		return t, nil
	}
	t.owned = newTransport(newTLS(c.TLS), proxy, c.HTTP2)
	t.client = newClient(t.owned)
	return t, nil
}

// reach is where a server is, or what of c that says how to reach it cannot be used.
func (c *Config) reach() (address, error) {
	where, err := parseAddress(c.URL)
	if err != nil {
		return where, err
	}
	if c.Client != nil && (c.TLS != nil || c.HTTP2) {
		return where, &loadgen.InvalidError{Field: "client", Value: "with TLS or HTTP2",
			Want: "either a Client, which has its own, or these"}
	}
	if field, ok := checkHeader(*c); !ok {
		return where, &loadgen.InvalidError{Field: field, Value: "(not shown)",
			Want: "what an HTTP header can carry, such as no end of line"}
	}
	return where, nil
}

// describe says what a target for c sends.
func (c *Config) describe() (workload.Description, error) {
	var of any = c.Workload
	if c.Conversations != nil {
		of = c.Conversations
	}
	sent := workload.Describe(of)
	sent.Endpoint, sent.Whole, sent.Usage = string(c.Endpoint), c.Whole, c.ContinuousUsage
	names := slices.Collect(maps.Keys(canonical(c.Header)))
	if c.APIKey != "" && !slices.Contains(names, "Authorization") {
		names = append(names, "Authorization")
	}
	slices.Sort(names)
	sent.Headers = names
	var err error
	sent.Body, err = c.PublicBody()
	return sent, err
}

// newClient returns a client for which a redirect is an answer with a bad status: followed, it would cost each request
// a second way that no figure shows, and a POST would arrive as a GET.
func newClient(transport *http.Transport) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
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

// newTransport returns a transport for what our own connections do not do: a proxy on the way, HTTP/2, and names beyond
// ASCII, which have a spelling of their own in the DNS. It does not limit connections.
func newTransport(config *tls.Config, proxy func(*http.Request) (*url.URL, error), http2 bool) *http.Transport {
	transport := &http.Transport{
		Proxy:               proxy,
		DialContext:         dialer.DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: handshakeLimit,
		MaxIdleConnsPerHost: loadgen.MaxConcurrency,
		IdleConnTimeout:     idleLimit,
		DisableCompression:  true,
		Protocols:           new(http.Protocols),
	}
	if http2 {
		config.NextProtos = nil // net/http sets them
		transport.Protocols.SetHTTP2(true)
		transport.Protocols.SetUnencryptedHTTP2(true)
	} else {
		transport.Protocols.SetHTTP1(true)
	}
	return transport
}

// Models are those that are asked in rotation. A prompt that names a model of its own asks that one instead.
func (t *Target) Models() []string { return slices.Clone(t.config.Models) }

// Sent says what the target sends, without secrets: for whoever keeps results.
func (t *Target) Sent() workload.Description { return t.sent }

// Close drops the connections that are idle, and questions of an [Audit] that are in flight. A Client given in the
// Config is left alone.
func (t *Target) Close() error {
	t.asker.close()
	if t.lines != nil {
		t.lines.close()
	}
	if t.owned != nil {
		t.owned.CloseIdleConnections()
	}
	return nil
}
