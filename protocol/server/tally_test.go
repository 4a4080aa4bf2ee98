package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// counts is a server's /metrics, of so many requests; below 0 it has none.
type counts struct {
	requests atomic.Int64
	began    atomic.Int64 // 0: it does not say
	gone     atomic.Bool  // a gateway says that nobody is behind it
}

func (c *counts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case c.gone.Load():
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path != "/metrics" || c.requests.Load() < 0:
		http.NotFound(w, r)
	default:
		if n := c.began.Load(); n > 0 {
			fmt.Fprintf(w, "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds %d\n", n)
		}
		n := c.requests.Load() // of two kinds of end
		fmt.Fprintf(w, "# TYPE vllm:request_success_total "+
			"counter\nvllm:request_success_total{engine=\"0\",finished_reason=\"stop\"} %d\n", n/2)
		fmt.Fprintf(w, "vllm:request_success_total{engine=\"0\",finished_reason=\"length\"} %d\n", n-n/2)
	}
}

// A counter that falls back is another instance, one that goes on the same, and one that has too little to tell is no
// proof; the start of the process is better than any.
func TestTally(t *testing.T) {
	for _, c := range []struct {
		name   string
		before []int64 // asked, of the first instance
		after  []int64 // and of the second
		began  bool
		want   string // proven, disproven, unproven
	}{
		{"back to nothing", []int64{1, 400}, []int64{1, 300}, false, "proven"},
		{"back to 0", []int64{400}, []int64{0, 900}, false, "proven"},
		{"the restart did nothing", []int64{1, 400}, []int64{401, 500}, false, "disproven"},
		{"nothing was counted before", []int64{0}, []int64{1, 300}, false, "unproven"},
		{"as few as show that it is ready", []int64{1, 3}, []int64{3, 700}, false, "unproven"},
		{"no metrics", []int64{-1}, []int64{-1}, false, "unproven"},
		{"it says when it began", []int64{0}, []int64{1}, true, "proven"},
	} {
		var server counts
		at := httptest.NewServer(&server)
		defer at.Close()
		tally := &tally{url: at.URL + "/v1"}
		ask := func(began int64, requests []int64) (proof string) {
			for i, n := range requests {
				server.requests.Store(n)
				if c.began {
					server.began.Store(began)
				}
				p := tally.proof(t.Context())
				if i > 0 && p != proof {
					t.Errorf("%s: one instance is %q and %q", c.name, proof, p)
				}
				proof = p
			}
			return proof
		}
		first := ask(1764348000, c.before)
		tally.halted()
		second := ask(1764348100, c.after)
		got := "proven"
		switch {
		case second == "":
			got = "unproven"
		case first == second:
			got = "disproven"
		}
		if got != c.want {
			t.Errorf("%s: %q and %q are %s, want %s", c.name, first, second, got, c.want)
		}
	}
}

// A server elsewhere, of which nothing else is known: what its requests show is its identity, a restart that does
// nothing is an error, and so is one in the middle.
func TestControlByItsCounter(t *testing.T) {
	var server counts
	at := httptest.NewServer(&server)
	defer at.Close()
	i, err := elsewhere(at.URL, &server, true).Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	server.gone.Store(false)
	server.requests.Store(1)
	id, err := i.Identity(t.Context())
	if err != nil || !strings.Contains(id.Proof, "request counter") {
		t.Fatalf("%+v, %v", id, err)
	}
	server.requests.Store(50)
	if again, err := i.Identity(t.Context()); err != nil || again.Proof != id.Proof {
		t.Errorf("%+v, %v; want %+v", again, err, id)
	}
	server.requests.Store(2)
	if again, err := i.Identity(t.Context()); !errors.As(err, new(*anotherError)) {
		t.Errorf("it began anew: %+v, %v", again, err)
	}
	server.gone.Store(true)
	if _, err := i.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

// elsewhere is a server of which commands of the user's alone tell, and its runtime no more than that it runs.
func elsewhere(url string, c *counts, gone bool) protocol.Server {
	c.gone.Store(gone)
	return Control{
		Kind: "made-up", Name: "a server", URL: url, Grace: 5 * time.Second,
		Start: []string{"true"}, Stop: []string{"true"}, Inspect: []string{"true"},
		Identity: func([]byte) (protocol.Identity, error) {
			if c.gone.Load() {
				return protocol.Identity{}, &EndedError{State: absent}
			}
			return protocol.Identity{}, nil
		},
	}.Server()
}
