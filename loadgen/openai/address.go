package openai

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// An address is where a server's calls are. It is told from any of the URLs that users have at hand:
//
//	http://host:8000                                    its root; the calls are below /v1
//	https://host/api/v3                                 a version, whichever it is
//	https://host/openai/deployments/d/chat/completions  an endpoint's whole path; the other calls stand beside it
//
// A query (an API version, a key) goes with every request.
type address struct {
	base     *url.URL // of completions, chat/completions and models
	root     *url.URL // of health, version and tokenize: what base has in front of its version
	endpoint Endpoint // the one that the URL names, "": none
}

// version is the last part of a path below which the calls are: v1, v3, v1beta.
var version = regexp.MustCompile(`^v[0-9]+[a-z0-9]*$`)

// parseAddress returns the address that raw gives, or a [*loadgen.InvalidError] that shows nothing of what may be
// secret.
func parseAddress(raw string) (address, error) {
	const want = "the server's root, its /v1, or the whole path of an endpoint, such as http://127.0.0.1:8000"
	invalid := func(want string) (address, error) {
		return address{}, &loadgen.InvalidError{Field: "URL", Value: strconv.Quote(redact(raw)), Want: want}
	}
	u, err := url.Parse(raw)
	switch {
	// 127.0.0.1:8000 does not even parse
	case err == nil && u.Scheme != "http" && u.Scheme != "https", err != nil && !strings.Contains(raw, "://"):
		return invalid(want + ", with http:// or https:// in front")
	case err != nil:
		return invalid(want)
	case u.Host == "" || u.Fragment != "":
		return invalid(want)
	}
	if _, err := url.Parse(u.String()); err != nil { // such as a zone that is no text: http://[::1%25\x80]
		return invalid(want)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	var a address
	for _, end := range []struct {
		path     string
		endpoint Endpoint
	}{{"/chat/completions", Chat}, {"/completions", Completions}, {"/responses", Responses},
		{"/embeddings", Embeddings},
		{"/rerank", Rerank}, {"/models", ""}} {
		if before, ok := strings.CutSuffix(path, end.path); ok {
			a.base, a.endpoint = withPath(u, strings.TrimRight(before, "/")), end.endpoint
			break
		}
	}
	last := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case a.base != nil:
	case version.MatchString(last):
		a.base = withPath(u, path)
	case slices.Contains([]string{"messages", "generate"}, last):
		return invalid("…/completions or …/chat/completions, the endpoints that are known here, or the server's root")
	default:
		a.base = withPath(u, path+"/v1")
	}
	path = a.base.EscapedPath()
	if at := strings.LastIndexByte(path, '/'); version.MatchString(path[at+1:]) {
		path = strings.TrimRight(path[:max(at, 0)], "/")
	}
	a.root = withPath(u, path)
	return a, nil
}

// withPath is u with another path, which is escaped as it is to be sent.
func withPath(u *url.URL, escaped string) *url.URL {
	to := *u
	to.ForceQuery = false
	to.RawPath = escaped
	to.Path, _ = url.PathUnescape(escaped) // a part of what url.Parse took
	return &to
}

// below is the URL of what stands below u.
func below(u *url.URL, path string) *url.URL { return withPath(u, u.EscapedPath()+path) }

// call is the URL of an endpoint.
func (a address) call(e Endpoint) *url.URL {
	return below(a.base, e.path())
}

// shown is a URL as it may be printed: without user, password and query, which may hold keys.
func shown(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
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
