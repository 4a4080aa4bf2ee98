package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
)

// An API asks a server about itself: which models it has, what it is, whether it is ready. It asks as a target for the
// same [Config] sends: with its key, headers, trust and protocol. It keeps no connections, and may be used by several
// goroutines.
type API struct {
	address address
	header  http.Header
	client  *http.Client
	own     bool // the client is not the user's, who may reach the server in a way of his own
	secrets secrets
}

// NewAPI returns an API for c, or a [*loadgen.InvalidError] that names the field that cannot be used. What to send,
// such as Model and Workload, does not count.
func NewAPI(c Config) (*API, error) {
	where, err := c.reach()
	if err != nil {
		return nil, err
	}
	a := &API{address: where, header: requestHeader(c), client: c.Client, secrets: newSecrets(c, where.base.User)}
	a.header.Del("Content-Type")
	if a.client == nil {
		transport := newTransport(newTLS(c.TLS), http.ProxyFromEnvironment, c.HTTP2)
		transport.DisableKeepAlives = true // a server is asked rarely, and may be another one the next time
		a.client, a.own = &http.Client{Transport: transport, CheckRedirect: stayThere}, true
	}
	return a, nil
}

// stayThere follows a redirect to another path of the same server, as to one with a slash at its end. Another server is
// not the one to measure, and must not see the headers.
func stayThere(next *http.Request, before []*http.Request) error {
	from := before[0].URL
	if next.URL.Scheme != from.Scheme || next.URL.Host != from.Host || len(before) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}

// A Model is one that a server offers.
type Model struct {
	ID string `json:"id"` // the name to ask for
	// the path or repository that it was loaded from; empty where the server does not say
	Root string `json:"root,omitempty"`
	// MaxModelLen is the longest input and output together, in tokens; 0 where the server does not say.
	MaxModelLen int `json:"max_model_len,omitempty"`
}

// ErrNotModelServer is the reason in a [ProbeError] where the server answered 200 with something that a model server
// would not say.
var ErrNotModelServer = errors.New("not the answer of an OpenAI-compatible server")

// A ProbeError says what a server answered instead of what it was asked for. URLs in it have no user, password or
// query, and the answer is not quoted, for servers are known to echo keys.
type ProbeError struct {
	URL       string // what was asked
	Status    int    // HTTP status of the answer; 0: none came
	Connected bool   // whether there was a connection, its TLS included
	Err       error  // why no answer came or it was useless; nil where Status says it all
	Advice    string // what to do about it; "": nothing is known that would help
}

func (e *ProbeError) Error() string {
	text := fmt.Sprintf("GET %s: ", e.URL)
	switch {
	case e.Err != nil && e.Status != 0:
		text += fmt.Sprintf("%d, but %v", e.Status, e.Err)
	case e.Err != nil:
		text += e.Err.Error()
	default:
		text += strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)))
	}
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return text
}

func (e *ProbeError) Unwrap() error { return e.Err }

// wantsKey reports whether the server wants a key, or another.
func (e *ProbeError) wantsKey() bool {
	return e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden
}

// absent reports whether the server has no such page, rather than one that is not in order.
func (e *ProbeError) absent() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone,
		http.StatusNotImplemented:
		return true
	}
	return false
}

// maxAnswer bounds what is read of an answer. Lists of hundreds of models with their permissions stay below 1 MiB.
const maxAnswer = 4 << 20

// Models returns the models that the server lists at /v1/models, in its order; there may be none. The error is a
// [*ProbeError].
func (a *API) Models(ctx context.Context) ([]Model, error) {
	u := below(a.address.base, "/models")
	body, err := a.get(ctx, u)
	if err != nil {
		return nil, err
	}
	list, err := parseModels(body)
	if err != nil {
		return nil, notUnderstood(u, err)
	}
	return list, nil
}

// Version returns what the server answers at /version: "0.14.1" for vLLM. Other servers have no such page, and their
// error is a [*ProbeError] with Status 404.
func (a *API) Version(ctx context.Context) (string, error) {
	u := below(a.address.root, "/version")
	body, err := a.get(ctx, u)
	if err != nil {
		return "", err
	}
	var v struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return "", notUnderstood(u, fmt.Errorf("%w: %w", ErrNotModelServer, err))
	}
	if v.Version == "" {
		return "", notUnderstood(u, fmt.Errorf("%w: it names no version", ErrNotModelServer))
	}
	return v.Version, nil
}

// notUnderstood is the error of an answer of status 200.
func notUnderstood(u *url.URL, err error) *ProbeError {
	return &ProbeError{URL: shown(u), Status: http.StatusOK, Connected: true, Err: err,
		Advice: "check that the URL is that of the model server"}
}

// parseModels reads the answer of /v1/models. Beside OpenAI's shape, it takes those that other servers have:
//
//	{"object":"list","data":[{"id":"m","root":"org/m","max_model_len":32768}]}  OpenAI; vLLM and SGLang with the last two
//	[{"id":"m"}]                                                                 a gateway's
//	{"models":[{"name":"m"},{"model":"n"}]}                                      as Ollama has them elsewhere
//	["m"]
//
// Only names must be there: an element without one is left out. What another server means by a word may be something
// else: then the field stays empty.
func parseModels(body []byte) ([]Model, error) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) != nil {
		var answer struct{ Data, Models *[]json.RawMessage }
		if err := json.Unmarshal(body, &answer); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotModelServer, err)
		}
		switch {
		case answer.Data != nil:
			list = *answer.Data
		case answer.Models != nil:
			list = *answer.Models
		}
	}
	if list == nil {
		return nil, fmt.Errorf("%w: there is no list of models in it", ErrNotModelServer)
	}
	models := make([]Model, 0, len(list))
	for _, element := range list {
		var m Model
		if json.Unmarshal(element, &m.ID) != nil {
			var d struct {
				ID, Name, Model, Root json.RawMessage
				MaxModelLen           json.RawMessage `json:"max_model_len"`
			}
			_ = json.Unmarshal(element, &d)
			// The errors are of no interest: a field that cannot be read stays zero, "does not say".
			for _, name := range []json.RawMessage{d.ID, d.Name, d.Model} {
				if m.ID == "" {
					_ = json.Unmarshal(name, &m.ID)
				}
			}
			_ = json.Unmarshal(d.Root, &m.Root)
			_ = json.Unmarshal(d.MaxModelLen, &m.MaxModelLen)
			m.MaxModelLen = max(m.MaxModelLen, 0)
		}
		if m.ID != "" {
			models = append(models, m)
		}
	}
	if len(models) == 0 && len(list) > 0 {
		return nil, fmt.Errorf("%w: none of %d models has a name", ErrNotModelServer, len(list))
	}
	return models, nil
}

func (a *API) get(ctx context.Context, u *url.URL) ([]byte, error) {
	return a.ask(ctx, http.MethodGet, u)
}

// ask returns the body of a 200. Every error is a [*ProbeError].
func (a *API) ask(ctx context.Context, method string, u *url.URL) ([]byte, error) {
	failed := &ProbeError{URL: shown(u)}
	traced := httptrace.WithClientTrace(ctx,
		&httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { failed.Connected = true }})
	request, err := http.NewRequestWithContext(traced, method, u.String(), nil)
	if err != nil {
		failed.Err = a.secrets.clean(err)
		return nil, failed
	}
	request.Header = a.header.Clone()
	request.Host = request.Header.Get("Host") // net/http takes it from here alone; empty: the URL's
	response, err := a.client.Do(request)
	if err != nil {
		// url.Error repeats the URL, user name included; what it wraps does not.
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err
		}
		failed.Err, failed.Advice = a.secrets.clean(err), connectionAdvice(err)
		if failed.Advice == "" && a.own && !errors.Is(ctx.Err(), context.Canceled) {
			failed.Advice = schemeAdvice(ctx, u, failed.Connected)
		}
		return nil, failed
	}
	defer response.Body.Close()
	failed.Connected, failed.Status = true, response.StatusCode
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case response.StatusCode != http.StatusOK: // whatever came of its body
		if to, err := response.Location(); err == nil {
			failed.Advice = "it redirects to " + shown(to) + ": give the URL of that server"
		}
		if failed.wantsKey() {
			failed.Advice = "check the API key (Config.APIKey or Header; -api-key-env NAME)"
		}
		if saysHTTPS(string(body[:min(len(body), maxAnswer)])) && response.StatusCode == http.StatusBadRequest &&
			u.Scheme == "http" {
			failed.Advice = adviceHTTPS
		}
	case err != nil:
		failed.Err = fmt.Errorf("its answer broke off: %w", err)
	case len(body) > maxAnswer:
		failed.Err = fmt.Errorf("%w: it is longer than %d MiB", ErrNotModelServer, maxAnswer>>20)
	default:
		return body, nil
	}
	return nil, failed
}

// refused reports whether nothing listens where err says that it was dialled.
func refused(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}
