package loadgentest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
)

// Replicas is several servers behind one address, as a data-parallel engine or a router has them. A request for an
// answer goes to one of them; so does everything else, to the first, but for /metrics, which tells of all of them, with
// the label engine that vLLM has, and /reset_prefix_cache, which goes to all. It must not be copied once it serves.
type Replicas struct {
	Servers []*Simulated // at least one

	// Route is which of the servers has the n-th request for an answer, from 0. nil: each in turn.
	Route func(n uint64) int

	requests atomic.Uint64
}

// ServeHTTP answers a request.
func (s *Replicas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := strings.TrimSuffix(r.URL.Path, "/"); {
	case len(s.Servers) == 0:
		fail(w, http.StatusInternalServerError, "", "loadgentest: Replicas.Servers is empty, must have at least one")
	case path == "/metrics":
		s.metrics(w, r)
	case path == "/reset_prefix_cache":
		for _, each := range s.Servers[1:] {
			each.ServeHTTP(httptest.NewRecorder(), r)
		}
		s.Servers[0].ServeHTTP(w, r)
	case r.Method == http.MethodPost && strings.HasSuffix(path, "completions"):
		n := s.requests.Add(1) - 1
		to := int(n % uint64(len(s.Servers)))
		if s.Route != nil {
			to = s.Route(n)
		}
		s.Servers[to].ServeHTTP(w, r)
	default:
		s.Servers[0].ServeHTTP(w, r)
	}
}

// metrics puts what the servers say together: of each family once its heading, as the format has it, and then the lines
// of all.
func (s *Replicas) metrics(w http.ResponseWriter, r *http.Request) {
	var names []string
	heads, lines := map[string][]byte{}, map[string][]byte{}
	for i, each := range s.Servers {
		answer := httptest.NewRecorder()
		each.ServeHTTP(answer, r)
		name := ""
		for line := range bytes.Lines(answer.Body.Bytes()) {
			if rest, ok := bytes.CutPrefix(line, []byte("# HELP ")); ok {
				name = string(rest[:bytes.IndexByte(rest, ' ')])
				if heads[name] == nil {
					names = append(names, name)
				}
				if i == 0 || heads[name] == nil {
					heads[name] = bytes.Clone(line)
				}
				continue
			}
			if bytes.HasPrefix(line, []byte("# TYPE ")) {
				if bytes.Count(heads[name], []byte("\n")) == 1 {
					heads[name] = append(heads[name], line...)
				}
				continue
			}
			lines[name] = append(lines[name], bytes.Replace(line, []byte(`engine="0"`),
				[]byte(`engine="`+strconv.Itoa(i)+`"`),
				1)...)
		}
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	for _, name := range names {
		_, _ = w.Write(heads[name])
		_, _ = w.Write(lines[name])
	}
}
