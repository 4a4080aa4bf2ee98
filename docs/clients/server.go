//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

// A tally is what the server saw of a run. It is the truth: no client is asked what the server knows.
type tally struct {
	Served       int           `json:"served"` // answered with all their tokens
	Cancelled    int           `json:"cancelled"`
	Rejected     int           `json:"rejected"`
	Tokens       int64         `json:"tokens"`         // generated, which are the chunks where answers are streamed
	Input        int64         `json:"input"`          // tokens, or words where the client sends text
	Span         time.Duration `json:"span_ns"`        // from the arrival of the first request to the end of the last
	TTFT         time.Duration `json:"ttft_ns"`        // mean, from the handler's start to its first write
	InFlightMean float64       `json:"in_flight_mean"` // over Span
	InFlightPeak int           `json:"in_flight_peak"`
}

func (t tally) requestRate() (float64, bool) {
	return float64(t.Served) / t.Span.Seconds(), t.Span > 0
}

// A counter stands before the server and counts.
type counter struct {
	echo *loadgentest.Echo

	mu          sync.Mutex
	inFlight    int
	peak        int
	first, last time.Time
	busy        time.Duration // all requests' together
	wait        time.Duration // all requests' until their first write
	written     int           // requests that had one
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/completions") {
		c.echo.ServeHTTP(w, r) // not a request for tokens
		return
	}
	begin := time.Now()
	c.mu.Lock()
	if c.first.IsZero() {
		c.first = begin
	}
	c.inFlight++
	c.peak = max(c.peak, c.inFlight)
	c.mu.Unlock()

	answer := &firstWrite{ResponseWriter: w}
	c.echo.ServeHTTP(answer, r)

	end := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.busy += end.Sub(begin)
	if end.After(c.last) {
		c.last = end
	}
	if !answer.at.IsZero() {
		c.wait += answer.at.Sub(begin)
		c.written++
	}
}

// tally is what was counted. Nothing may be in flight any more.
func (c *counter) tally() (tally, error) {
	counts := c.echo.Counts()
	tokens, err := c.metric("vllm:generation_tokens_total")
	input, err2 := c.metric("vllm:prompt_tokens_total")
	if err := errors.Join(err, err2); err != nil {
		return tally{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := tally{
		Served: counts.Served, Cancelled: counts.Cancelled, Rejected: counts.Rejected,
		Tokens: tokens, Input: input, Span: c.last.Sub(c.first), InFlightPeak: c.peak,
	}
	if t.Span > 0 {
		t.InFlightMean = c.busy.Seconds() / t.Span.Seconds()
	}
	if c.written > 0 {
		t.TTFT = c.wait / time.Duration(c.written)
	}
	return t, nil
}

// metric reads one of the server's own metrics.
func (c *counter) metric(name string) (int64, error) {
	request, err := http.NewRequest(http.MethodGet, "/metrics", nil)
	if err != nil {
		return 0, err
	}
	var page page
	c.echo.ServeHTTP(&page, request)
	for line := range strings.Lines(page.String()) {
		if strings.HasPrefix(line, name+"{") {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			return int64(value), err
		}
	}
	return 0, fmt.Errorf("the server has no metric %s", name)
}

// page is a ResponseWriter that keeps the body.
type page struct{ strings.Builder }

func (*page) Header() http.Header { return http.Header{} }
func (*page) WriteHeader(int)     {}

// firstWrite notes when the first content was written.
type firstWrite struct {
	http.ResponseWriter
	at time.Time
}

func (f *firstWrite) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (f *firstWrite) Write(b []byte) (int, error) {
	if f.at.IsZero() {
		f.at = time.Now()
	}
	return f.ResponseWriter.Write(b)
}

// serve is the server's process: it prints its URL, serves until its input ends, and prints its tally.
func serve(p pace, in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c := &counter{echo: &loadgentest.Echo{FirstToken: p.FirstToken, Gap: p.Gap, FlushEach: p.FlushEach,
		Unstamped: true}}
	// Clients may open 10,000 connections before they send on the first: none is to be closed for that.
	server := &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Minute}
	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	// The client is gone, so that what is still in flight notices and ends.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(err, server.Close())
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	t, err := c.tally()
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(t)
}

// A served is a server in a process of its own. Each run has a new one, which knows of no other.
type served struct {
	URL    string
	cmd    *exec.Cmd
	in     io.Closer
	out    *bufio.Reader
	cancel context.CancelFunc
}

// startServer starts this program again as the server.
func startServer(ctx context.Context, p pace) (*served, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd, err := self(ctx, child{Server: &p})
	if err != nil {
		cancel()
		return nil, err
	}
	cmd.Stderr = os.Stderr
	s := &served{cmd: cmd, cancel: cancel}
	in, err := cmd.StdinPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return nil, err
	}
	s.in, s.out = in, bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start the server: %w", err)
	}
	line, err := s.out.ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the server did not start: %w", errors.Join(err, s.kill()))
	}
	s.URL = strings.TrimSpace(line)
	return s, nil
}

// stop ends the server and returns what it counted.
func (s *served) stop() (tally, error) {
	defer s.cancel()
	var t tally
	s.in.Close()
	err := json.NewDecoder(s.out).Decode(&t)
	if err = errors.Join(err, s.cmd.Wait()); err != nil {
		return tally{}, fmt.Errorf("what the server counted: %w", err)
	}
	return t, nil
}

// kill ends the server where its tally is of no interest.
func (s *served) kill() error {
	s.cancel()
	s.in.Close()
	return s.cmd.Wait()
}
