// Package serving reads what serves: a server over HTTP, the arguments of a vLLM command line, and the files of a
// model.
package serving

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// ScopeServer is what a server says of itself over HTTP.
const ScopeServer fact.Scope = "server"

// Server is what an inference server says of itself.
type Server struct {
	URL     fact.Value[string] `json:"url"`     // without user info and query
	Version fact.Value[string] `json:"version"` // GET /version, as vLLM and its kin answer it, or see Engine
	// Engine is which server answered where there is no /version: "llama.cpp" by /props, "SGLang" by /get_server_info …
	// It is left out where there is one: vLLM's kin answer alike.
	Engine fact.Value[string] `json:"engine,omitzero"`
	// Models is what GET /v1/models lists. One whose ID is unknown says why the list could not be had.
	Models []ServedModel `json:"models"`
	// Facts is what vLLM exports of its cache's configuration (vllm:cache_config_info in GET /metrics), for each of its
	// engines, or the arguments of another Engine. What it says is "None" is unknown, and not 0.
	Facts []fact.Setting `json:"facts"`
}

// ServedModel is one model that a server offers.
type ServedModel struct {
	ID          fact.Value[string] `json:"id"`
	Root        fact.Value[string] `json:"root"`          // what was loaded: a name or a folder
	MaxModelLen fact.Value[int64]  `json:"max_model_len"` // tokens
}

// Options says how to ask a server. The zero Options is fit for use.
type Options struct {
	// Header is sent with each request, an Authorization for one, and recorded nowhere.
	Header http.Header
	// Timeout bounds the whole. Zero: five seconds.
	Timeout time.Duration
}

const (
	maxAnswer            = 4 << 20
	maxMetrics           = 16 << 20
	defaultServerTimeout = 5 * time.Second
)

// Capture asks a server what it is. The URL is the server's root, or that with /v1. Client nil is [http.DefaultClient];
// redirects are not followed, since they would carry Header elsewhere.
//
// The error is of the arguments, and then the Server is nil; or that ctx ended. A server that does not answer is one of
// which everything is unknown.
func Capture(ctx context.Context, client *http.Client, rawURL string, opts Options) (*Server, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		// it may hold a password
		return nil, errors.New("envinfo: the URL of the server is not one; give http://HOST:PORT")
	}
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("serving: Options.Timeout is %v; give a positive time, or 0 for %v", opts.Timeout,
			defaultServerTimeout)
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultServerTimeout
	}
	if client == nil {
		client = http.DefaultClient
	}
	asking := *client
	asking.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	bounded, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	u.RawQuery, u.Fragment = "", ""
	u.Path, u.RawPath = strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), "/v1"), ""
	s := &serverCapture{ctx: bounded, client: &asking, root: u, header: opts.Header}
	shown := *u
	shown.User = nil
	out := &Server{URL: source.Recorded(shown.String(), ScopeServer, "the URL that was given")}
	s.version(out)
	if _, ok := out.Version.Get(); !ok {
		s.engine(out)
	}
	s.models(out)
	if out.Facts == nil {
		s.facts(out)
	}
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("envinfo: the capture of the server was cut short, what is missing is unknown: %w", err)
	}
	return out, nil
}

// serverCapture is the state of one [Capture].
type serverCapture struct {
	ctx    context.Context
	client *http.Client
	root   *url.URL
	header http.Header
}

func (s *serverCapture) get(path string, limit int) ([]byte, error) {
	return source.Get(s.ctx, s.client, s.root, path, s.header, limit)
}

func (s *serverCapture) version(out *Server) {
	b, err := s.get("/version", maxAnswer)
	if err != nil {
		out.Version = fact.Unknown[string]("", ScopeServer, err.Error())
		return
	}
	in, err := object(b)
	if err != nil {
		out.Version = fact.Unknown[string]("", ScopeServer, "GET /version: "+err.Error())
		return
	}
	out.Version = fields{in, ScopeServer, "GET /version: "}.text("version")
}

func (s *serverCapture) models(out *Server) {
	b, err := s.get("/v1/models", maxAnswer)
	if err == nil {
		if out.Models, err = parseServedModels(b); err != nil {
			err = fmt.Errorf("GET /v1/models: %w", err)
		}
	}
	if err != nil {
		text := fact.Unknown[string]("", ScopeServer, err.Error())
		out.Models = []ServedModel{{text, text, fact.Unknown[int64]("", ScopeServer, err.Error())}}
	}
}

func parseServedModels(b []byte) ([]ServedModel, error) {
	var in struct{ Data []map[string]json.RawMessage }
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("not the JSON that is expected: %s", fact.Clip(err.Error()))
	}
	if in.Data == nil {
		return nil, errors.New("no data")
	}
	out := []ServedModel{}
	for _, m := range in.Data[:min(len(in.Data), source.MaxList)] {
		f := fields{m, ScopeServer, "GET /v1/models: data."}
		out = append(out, ServedModel{f.text("id"), f.text("root"), f.count("max_model_len")})
	}
	return out, nil
}

func (s *serverCapture) facts(out *Server) {
	b, err := s.get("/metrics", maxMetrics)
	if err == nil {
		if out.Facts = parseCacheConfig(b); len(out.Facts) > 0 {
			return
		}
		err = errors.New("GET /metrics: no " + cacheConfigInfo)
	}
	out.Facts = []fact.Setting{{Name: CacheConfigInfoName, Value: fact.Unknown[string]("", ScopeServer, err.Error())}}
}

const (
	CacheConfigInfoName = "cache_config_info"
	cacheConfigInfo     = "vllm:" + CacheConfigInfoName
)

// parseCacheConfig returns the labels of vllm:cache_config_info in the text format of Prometheus, where they hold the
// facts and the value is always 1. With several engines, each is in the source of its facts.
func parseCacheConfig(b []byte) []fact.Setting {
	var out []fact.Setting
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		rest, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(cacheConfigInfo+"{"))
		if !ok || len(rest) > 64<<10 {
			continue
		}
		labels, ok := parseLabels(string(rest))
		if !ok {
			continue
		}
		origin := "GET /metrics: " + cacheConfigInfo
		for _, l := range labels {
			if l[0] == "engine" {
				origin += "{engine=" + fact.Clip(l[1]) + "}"
			}
		}
		for _, l := range labels {
			var v fact.Value[string]
			switch {
			case l[0] == "engine":
				continue
			case l[1] == "None":
				v = fact.Unknown[string]("", ScopeServer, origin+": None")
			case secret.Named(l[0], l[1]):
				v = fact.Unknown[string]("", ScopeServer, "withheld: its name says that it is a secret")
			default:
				v = source.Recorded(l[1], ScopeServer, origin)
			}
			if len(out) < source.MaxList {
				out = append(out, fact.Setting{Name: fact.Clean(l[0]), Value: v})
			}
		}
	}
	return out
}

// parseLabels parses what follows the { of a sample: name="value",… up to the }. It reports false for what is not that,
// or not whole.
func parseLabels(s string) (labels [][2]string, ok bool) {
	for {
		s = strings.TrimLeft(s, ", ")
		if strings.HasPrefix(s, "}") {
			return labels, true
		}
		name, rest, found := strings.Cut(s, `="`)
		if !found || name == "" || strings.ContainsAny(name, "\"{} ") {
			return nil, false
		}
		var value strings.Builder
		i := 0
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' && i+1 < len(rest) {
				i++
				if rest[i] == 'n' {
					value.WriteByte('\n')
					continue
				}
			}
			value.WriteByte(rest[i])
		}
		if i == len(rest) {
			return nil, false
		}
		labels = append(labels, [2]string{name, value.String()})
		s = rest[i+1:]
	}
}
