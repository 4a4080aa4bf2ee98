package vllm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Model is one that a server offers.
type Model struct {
	ID   string `json:"id"`             // the name to ask for
	Root string `json:"root,omitempty"` // the path or repository that it was loaded from; empty where the server does not say
	// MaxModelLen is the longest input and output together, in tokens; 0 where the server does not say.
	MaxModelLen int `json:"max_model_len,omitempty"`
}

// ErrNotModelServer is the reason in a ProbeError where the server answered 200 with something that a model server would not say.
var ErrNotModelServer = errors.New("not the answer of an OpenAI-compatible server")

// A ProbeError says what a server answered instead of what it was asked for. URLs in it have no user, password or query, and
// the answer is not quoted, for servers are known to echo keys.
type ProbeError struct {
	URL    string // what was asked
	Status int    // HTTP status of the answer; 0: none came
	Err    error  // why no answer came or it was useless; nil where Status says it all
}

func (e *ProbeError) Error() string {
	switch {
	case errors.Is(e.Err, ErrNotModelServer):
		return fmt.Sprintf("vllm: GET %s: %d, but %v; check that the URL is that of the model server", e.URL, e.Status, e.Err)
	case e.Err != nil && e.Status != 0:
		return fmt.Sprintf("vllm: GET %s: %d, but %v", e.URL, e.Status, e.Err)
	case e.Err != nil:
		return fmt.Sprintf("vllm: GET %s: %v", e.URL, e.Err)
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return fmt.Sprintf("vllm: GET %s: %s; check the API key in the Authorization header", e.URL, statusText(e.Status))
	}
	return fmt.Sprintf("vllm: GET %s: %s", e.URL, statusText(e.Status))
}

func (e *ProbeError) Unwrap() error { return e.Err }

func statusText(code int) string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
}

// A URLError says that a server's URL cannot be used.
type URLError struct {
	URL     string // without user and password
	Problem string
}

func (e *URLError) Error() string {
	return fmt.Sprintf("vllm: server URL %q: %s; give one like http://localhost:8000", e.URL, e.Problem)
}

// maxAnswer bounds what is read of an answer. Lists of hundreds of models with their permissions stay below 1 MiB.
const maxAnswer = 4 << 20

// Models returns the models that an OpenAI-compatible server lists at /v1/models, in its order; there may be none. The URL is that of the
// server, with or without /v1. The client may be nil (http.DefaultClient), and so may the header, which is for the API key
// ("Authorization": "Bearer …"). Errors: *URLError, *ProbeError.
func Models(ctx context.Context, client *http.Client, serverURL string, header http.Header) ([]Model, error) {
	root, err := parseRoot(serverURL)
	if err != nil {
		return nil, err
	}
	return models(ctx, client, root, header)
}

func models(ctx context.Context, client *http.Client, root *url.URL, header http.Header) ([]Model, error) {
	u := root.JoinPath("v1", "models")
	body, err := get(ctx, client, u, header)
	if err != nil {
		return nil, err
	}
	list, err := parseModels(body)
	if err != nil {
		return nil, &ProbeError{URL: shown(u), Status: http.StatusOK, Err: err}
	}
	return list, nil
}

// Version returns what a server answers at /version: "0.14.1" for vLLM. Other servers have no such page, and their error is a *ProbeError
// with Status 404. Arguments and errors are those of Models.
func Version(ctx context.Context, client *http.Client, serverURL string, header http.Header) (string, error) {
	root, err := parseRoot(serverURL)
	if err != nil {
		return "", err
	}
	u := root.JoinPath("version")
	body, err := get(ctx, client, u, header)
	if err != nil {
		return "", err
	}
	var v struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal(body, &v); err != nil {
		return "", &ProbeError{URL: shown(u), Status: http.StatusOK, Err: fmt.Errorf("%w: %w", ErrNotModelServer, err)}
	}
	if v.Version == "" {
		return "", &ProbeError{URL: shown(u), Status: http.StatusOK, Err: fmt.Errorf("%w: it names no version", ErrNotModelServer)}
	}
	return v.Version, nil
}

// parseModels reads the answer of /v1/models. Only the names must be as OpenAI has them. The rest is vLLM's own (SGLang has it too):
// where another server means something else by these words, the fields stay empty rather than make the server unusable.
func parseModels(body []byte) ([]Model, error) {
	var answer struct {
		Data *[]struct {
			ID          string          `json:"id"`
			Root        json.RawMessage `json:"root"`
			MaxModelLen json.RawMessage `json:"max_model_len"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotModelServer, err)
	}
	if answer.Data == nil {
		return nil, fmt.Errorf("%w: there is no list of models in it", ErrNotModelServer)
	}
	list := make([]Model, 0, len(*answer.Data))
	for i, d := range *answer.Data {
		if d.ID == "" {
			return nil, fmt.Errorf("%w: model %d has no id", ErrNotModelServer, i)
		}
		m := Model{ID: d.ID}
		// The errors are of no interest: a field that cannot be read stays zero, "does not say".
		_ = json.Unmarshal(d.Root, &m.Root)
		_ = json.Unmarshal(d.MaxModelLen, &m.MaxModelLen)
		m.MaxModelLen = max(m.MaxModelLen, 0)
		list = append(list, m)
	}
	return list, nil
}

// A Readiness waits for a server. The zero value is good; a Readiness may be used again and by several goroutines.
type Readiness struct {
	// Client sends the requests. Nil: http.DefaultClient.
	Client *http.Client
	// Header goes with every request: it is for the API key ("Authorization": "Bearer …").
	Header http.Header
	// RequestTimeout is the most that one request may take: a server that has accepted a connection and hangs must not hold up the
	// waiting. Zero: 5 s.
	RequestTimeout time.Duration
	// FirstPause is the time between the first request's end and the second's start. It doubles each time up to LastPause. Zero: 250 ms,
	// 1 s. Loading a model takes minutes; asking more often finds it ready no sooner and costs it CPU time while it loads.
	FirstPause, LastPause time.Duration
	// Progress, if not nil, is called after each unsuccessful probe with the time waited so far and what was wrong: for programs that
	// tell their user what they wait for. It must return soon.
	Progress func(waited time.Duration, last error)
}

// A NotReadyError says that a server did not become ready.
type NotReadyError struct {
	URL    string        // of the server, without user, password and query
	Waited time.Duration // from the beginning to giving up
	Probes int           // how often it was asked
	Last   error         // what its last answer lacked; nil where none was finished
	Err    error         // why waiting ended: the cause of the context's end; nil where Last shows that waiting is no use
}

func (e *NotReadyError) Error() string {
	last := "no answer yet"
	if e.Last != nil {
		last = strings.TrimPrefix(e.Last.Error(), "vllm: ")
	}
	if e.Err == nil {
		return fmt.Sprintf("vllm: server %s will not become ready: %s", e.URL, last)
	}
	return fmt.Sprintf("vllm: server %s not ready after %v (%d probes, last: %s): %v; look at the server's log, and allow more time if it is still loading",
		e.URL, e.Waited.Round(time.Millisecond), e.Probes, last, e.Err)
}

// Unwrap returns Err where there is one, so that errors.Is(err, context.Canceled) is about the waiting and never about one request of it;
// otherwise Last.
func (e *NotReadyError) Unwrap() error {
	if e.Err != nil {
		return e.Err
	}
	return e.Last
}

// errNoModels is why a server that lists nothing is not ready: a router does so while its workers load.
var errNoModels = errors.New("it lists no models yet")

// WaitReady is Readiness{}.Wait.
func WaitReady(ctx context.Context, serverURL string) error {
	return Readiness{}.Wait(ctx, serverURL)
}

// Wait returns nil once the server is ready: GET /health answers 200 and GET /v1/models names at least one model. A server
// without /health (404 or 405) is ready when it names a model. That covers vLLM, SGLang, TGI, llama.cpp and others of their kind.
// The URL is that of the server, with or without /v1.
//
// It waits as long as ctx lets it, so give ctx a deadline; where the server is a process or container of your own, cancel ctx with a cause
// when that exits ([context.WithCancelCause]), and the error will say it. Wait gives up by itself only where a key is wanted (401, 403).
// Errors: *URLError at once, *NotReadyError later.
func (r Readiness) Wait(ctx context.Context, serverURL string) error {
	root, err := parseRoot(serverURL)
	if err != nil {
		return err
	}
	timeout := orDefault(r.RequestTimeout, 5*time.Second)
	pause := orDefault(r.FirstPause, 250*time.Millisecond)
	lastPause := max(pause, orDefault(r.LastPause, time.Second))

	start := time.Now()
	giveUp := &NotReadyError{URL: shown(root)}
	// A timer of its own, not a Ticker: a pause begins when an answer has come, so that a slow server is not asked without pause.
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			giveUp.Waited, giveUp.Err = time.Since(start), context.Cause(ctx)
			return giveUp
		case <-timer.C:
		}
		if ctx.Err() != nil {
			continue // both were due, and select took the timer
		}
		err := r.probe(ctx, root, timeout)
		giveUp.Probes++
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			continue // this probe was cut off; what the one before it found says more
		}
		giveUp.Last = err
		if pe, ok := errors.AsType[*ProbeError](err); ok && (pe.Status == http.StatusUnauthorized || pe.Status == http.StatusForbidden) {
			giveUp.Waited = time.Since(start)
			return giveUp
		}
		if r.Progress != nil {
			r.Progress(time.Since(start), err)
		}
		timer.Reset(pause)
		pause = min(2*pause, lastPause)
	}
}

// probe returns nil if the server is ready now.
func (r Readiness) probe(ctx context.Context, root *url.URL, timeout time.Duration) error {
	limited := func(ask func(context.Context) error) error {
		c, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
		defer cancel()
		err := ask(c)
		if pe, ok := errors.AsType[*ProbeError](err); ok && pe.Err != nil && c.Err() != nil && ctx.Err() == nil {
			pe.Err = context.Cause(c) // rather than "context deadline exceeded", which reads as if the waiting were over
		}
		return err
	}
	err := limited(func(c context.Context) error {
		_, err := get(c, r.Client, root.JoinPath("health"), r.Header)
		return err
	})
	if pe, ok := errors.AsType[*ProbeError](err); ok && (pe.Status == http.StatusNotFound || pe.Status == http.StatusMethodNotAllowed) {
		err = nil
	}
	if err != nil {
		return err
	}
	return limited(func(c context.Context) error {
		list, err := models(c, r.Client, root, r.Header)
		if err == nil && len(list) == 0 {
			err = &ProbeError{URL: shown(root.JoinPath("v1", "models")), Status: http.StatusOK, Err: errNoModels}
		}
		return err
	})
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// get returns the body of a 200. Every error is a *ProbeError.
func get(ctx context.Context, client *http.Client, u *url.URL, header http.Header) ([]byte, error) {
	if client == nil {
		client = http.DefaultClient
	}
	fail := func(status int, err error) ([]byte, error) {
		return nil, &ProbeError{URL: shown(u), Status: status, Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return fail(0, err)
	}
	if header != nil {
		req.Header = header.Clone()
	}
	resp, err := client.Do(req)
	if err != nil {
		// url.Error repeats the URL, user name included; what it wraps does not.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return fail(0, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return fail(resp.StatusCode, nil) // whatever came of its body
	case err != nil:
		return fail(resp.StatusCode, fmt.Errorf("its answer broke off: %w", err))
	case len(body) > maxAnswer:
		return fail(resp.StatusCode, fmt.Errorf("%w: it is longer than %d MiB", ErrNotModelServer, maxAnswer>>20))
	}
	return body, nil
}

// parseRoot returns the address below which /health and /v1 are. User, password and query stay, for the requests.
func parseRoot(serverURL string) (*url.URL, error) {
	u, err := url.Parse(serverURL)
	if err != nil {
		// The error would repeat the URL, and so do we only with what cannot be a password.
		safe := before(serverURL[strings.LastIndex(serverURL, "@")+1:], "?")
		return nil, &URLError{URL: safe, Problem: "cannot be parsed"}
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		// "localhost:8000" parses as scheme "localhost", and "name:password@host" as scheme "name".
		safe := before(serverURL[strings.LastIndex(serverURL, "@")+1:], "?")
		return nil, &URLError{URL: safe, Problem: "does not begin with http:// or https://"}
	case u.Host == "":
		return nil, &URLError{URL: shown(u), Problem: "names no host"}
	}
	u.Fragment, u.RawFragment = "", ""
	u.RawPath = "" // an escaped slash in a prefix is not worth the two spellings of a path
	u.Path = strings.TrimRight(u.Path, "/")
	if path, ok := strings.CutSuffix(u.Path, "/v1"); ok {
		u.Path = strings.TrimRight(path, "/")
	}
	return u, nil
}

// shown returns a URL as it may be printed: without user, password and query, which may hold keys.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
