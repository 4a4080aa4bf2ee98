package program

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

func TestReplicasNeedTheView(t *testing.T) {
	for _, c := range []struct {
		e    evidence
		good bool
	}{{evidence{view: true}, true}, {evidence{}, true}, {evidence{view: true, replicas: 8}, true},
		{evidence{replicas: 8}, false}, {evidence{view: true, replicas: -1}, false}} {
		if err := c.e.validate(); (err == nil) != c.good {
			t.Errorf("%+v: %v", c.e, err)
		}
	}
}

// watched notes that it was asked.
type watched bool

func (w *watched) Watch(context.Context, *protocol.Instance, protocol.Step) (func() (protocol.Reading, error), error) {
	*w = true
	return func() (protocol.Reading, error) { return protocol.Reading{}, nil }, nil
}

// This host's GPUs are the server's only where the server is here: at the end of a tunnel it is not.
func TestGPUsOfTheServerAlone(t *testing.T) {
	via := func(name string) func(context.Context) protocol.Path {
		return func(context.Context) protocol.Path { return protocol.Path{Known: true, Via: name} }
	}
	for name, c := range map[string]struct {
		instance protocol.Instance
		here     bool
	}{
		"loopback":            {protocol.Instance{URL: "http://127.0.0.1:8000"}, true},
		"a server":            {protocol.Instance{URL: "http://[::1]:8000", Path: via("")}, true},
		"a container's proxy": {protocol.Instance{URL: "http://localhost:8000", Path: via("docker-proxy")}, true},
		"a tunnel":            {protocol.Instance{URL: "http://127.0.0.1:8000", Path: via("ssh")}, false},
		"a port-forward":      {protocol.Instance{URL: "http://127.0.0.1:8000", Path: via("kubectl")}, false},
		"another host":        {protocol.Instance{URL: "http://192.0.2.1:8000"}, false},
		"a name":              {protocol.Instance{URL: "http://gpu-1:8000"}, false},
	} {
		var w watched
		_, err := here{&w}.Watch(t.Context(), &c.instance, protocol.Step{})
		if bool(w) != c.here || errors.Is(err, errElsewhere) == c.here {
			t.Errorf("%s: watched %v, %v", name, w, err)
		}
	}
}

// An idle engine is told apart from those that serve.
func TestIdleEngine(t *testing.T) {
	s := Simulation{Engines: 3, Route: RouteIdle}
	h, err := s.Handler()
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		r := httptest.NewRequest(http.MethodPost, "/v1/completions",
			strings.NewReader(`{"prompt":[1,2],"max_tokens":5}`))
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for engine, tokens := range []string{"10.0", "10.0", "0.0"} {
		found := false
		for line := range strings.Lines(w.Body.String()) {
			found = found || strings.HasPrefix(line, "vllm:generation_tokens_total{") &&
				strings.Contains(line, `engine="`+string(rune('0'+engine))+`"`) &&
				strings.HasSuffix(line, " "+tokens+"\n")
		}
		if !found {
			t.Errorf("engine %d has not %s tokens:\n%s", engine, tokens, w.Body)
		}
	}
	if _, err := (&Simulation{Engines: 2, Route: "sideways"}).Handler(); err == nil {
		t.Error("no error")
	}
}
