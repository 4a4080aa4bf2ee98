package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// ChildVariable tells a program that it is to be the simulated server, and how.
const ChildVariable = "SERVEGAUGE_SIMULATED_SERVER"

// A Simulation says which server the program itself is when it is started again as a child: so that the server has a
// process of its own, as a real one has, and a restart is a restart.
type Simulation struct {
	Echo         bool          // answer at once; the rest has no meaning then
	FlushEach    bool          // the echo server writes each chunk on its own, as inference servers do
	FirstToken   time.Duration // of the echo server, which is then paced
	Gap          time.Duration
	MaxSequences int
	PrefillRate  float64
	DecodeRate   float64

	StepPerSequence time.Duration
	TokenBudget     int
	KVBlocks        int
	BlockTokens     int
	PrefixCache     bool

	Cold         float64
	ColdRequests int

	Engines int    // how many of these stand behind the URL; 0: one
	Route   string // RouteEven, RouteIdle; "": RouteEven

	Noise float64
	Seed  uint64

	Grammar time.Duration // before a request whose answer is constrained may queue
	Corrupt float64       // share of answers that are not the model's own, of requests that are not alone

	starts uint64
}

// The routes of requests to engines.
const (
	RouteEven = "even" // each in turn
	RouteIdle = "idle" // the last has none, as one that its router has lost
)

// Start starts the program again as the server. Each start has noise of its own.
func (s *Simulation) Start(ctx context.Context) (*protocol.Instance, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("the simulated server is this program itself, which cannot be found: %w", err)
	}
	child := *s
	child.Seed += s.starts
	s.starts++
	configuration, err := json.Marshal(child)
	if err != nil {
		return nil, err
	}
	return server.Process{
		Argv:  []string{self},
		Env:   append(os.Environ(), ChildVariable+"="+string(configuration)),
		Grace: 10 * time.Second,
	}.Start(ctx)
}

// Handler is the server itself.
func (s *Simulation) Handler() (http.Handler, error) {
	handler, err := s.engine()
	if err != nil || s.Corrupt == 0 {
		return handler, err
	}
	proxy := &loadgentest.Corrupting{Handler: handler, Rate: s.Corrupt, InFlight: 1, Seed: s.Seed}
	if err := proxy.Validate(); err != nil {
		return nil, Usagef("-corrupt %g: want a share, from 0 to 1", s.Corrupt)
	}
	return proxy, nil
}

// engine is the server without what corrupts its answers.
func (s *Simulation) engine() (http.Handler, error) {
	if s.Echo {
		return &loadgentest.Echo{FlushEach: s.FlushEach, FirstToken: s.FirstToken, Gap: s.Gap}, nil
	}
	engines := make([]*loadgentest.Simulated, max(s.Engines, 1))
	for i := range engines {
		engines[i] = &loadgentest.Simulated{
			MaxSequences: s.MaxSequences, PrefillRate: s.PrefillRate, DecodeRate: s.DecodeRate,
			StepPerSequence: s.StepPerSequence, TokenBudget: s.TokenBudget,
			KVBlocks: s.KVBlocks, BlockTokens: s.BlockTokens, PrefixCache: s.PrefixCache,
			Cold: s.Cold, ColdRequests: s.ColdRequests, Noise: s.Noise, Seed: s.Seed + uint64(i), Grammar: s.Grammar,
		}
		if err := engines[i].Validate(); err != nil {
			return nil, &UsageError{err}
		}
	}
	if len(engines) == 1 {
		return engines[0], nil
	}
	replicas := &loadgentest.Replicas{Servers: engines}
	switch s.Route {
	case "", RouteEven:
	case RouteIdle:
		replicas.Route = func(n uint64) int { return int(n % uint64(len(engines)-1)) }
	default:
		return nil, Usagef("-route %q: want %s or %s", s.Route, RouteEven, RouteIdle)
	}
	return replicas, nil
}

// serveChild is the child: it prints its URL and serves until its standard input ends, which it does when the parent
// does.
func serveChild(configuration string) error {
	var s Simulation
	if err := json.Unmarshal([]byte(configuration), &s); err != nil {
		return Usagef("%s: %v", ChildVariable, err)
	}
	handler, err := s.Handler()
	if err != nil {
		return err
	}
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(gone)
	}()
	listener, err := Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	return Serve(gone, listener, handler)
}

// Listen takes the port of an address.
func Listen(address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%w; another -address may be free, and port 0 takes one that is", err)
	}
	return listener, nil
}

// Serve serves a handler until stop is closed, and prints its URL first.
func Serve(stop <-chan struct{}, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for -http2
	fmt.Printf("http://%s\n", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	var err error
	select {
	case err = <-served:
	case <-stop:
		err = server.Close()
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
