package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// A tally tells the instances of a server of which no runtime and no process tells: by when its process began, where
// its metrics say it, and else by how many requests it has counted, which a new instance does from 0. It is asked
// before a stop and after each start, and remembers.
type tally struct {
	url string

	mu      sync.Mutex
	name    string  // of the present instance, "" where nothing proves that it is another than the one before
	last    float64 // requests that it had counted when it was asked last
	asked   bool    // it has been asked
	stopped bool    // it was stopped since
}

// tallyLeast is how many requests an instance must have counted for one that has counted as many to be the same: of
// fewer, those that show whether a server is ready are as many.
const tallyLeast = 10

// halted notes that the server was stopped, and is another one when it answers again, or should be.
func (t *tally) halted() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
}

// proof is what the present instance has that no other one has, "" where nothing proves it.
func (t *tally) proof(ctx context.Context) string {
	begun, requests, err := askTally(ctx, t.url)
	if err != nil {
		return ""
	}
	if begun > 0 {
		return fmt.Sprintf("process began at %.2f", begun)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.asked:
		t.name = fmt.Sprintf("request counter, at %g when it was asked first, %s", requests, now())
	case requests < t.last:
		t.name = fmt.Sprintf("request counter back from %g to %g, %s", t.last, requests, now())
	case t.stopped && t.last < tallyLeast:
		t.name = "" // and stays so until it is stopped again
	}
	t.asked, t.stopped, t.last = true, false, requests
	return t.name
}

func now() string { return time.Now().UTC().Format(time.RFC3339Nano) }

// The names of the counters, vLLM's and SGLang's, and of the start of a process, which several API servers of one
// engine do not tell.
var (
	requestCounters = []string{"vllm:request_success_total", "vllm:request_success", "sglang:num_requests_total"}
	beganMetric     = "process_start_time_seconds"
)

// mostTally bounds, in bytes, the metrics that are read.
const mostTally = 16 << 20

// askTally asks for when the server's process began, in Unix seconds, 0 where it does not say so, and how many requests
// it has counted. It sends nothing that another should not read.
//
//	# TYPE vllm:request_success_total counter
//	vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 12.0
func askTally(ctx context.Context, rawURL string) (begun, requests float64, err error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" {
		return 0, 0, fmt.Errorf("the URL of the server has no host")
	}
	root, _, _ := strings.Cut(u.Path, "/v1")
	u.Path, u.RawPath, u.RawQuery, u.Fragment, u.User = strings.TrimRight(root, "/")+"/metrics", "", "", "", nil
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, 0, err
	}
	request.Close = true // the server is about to be stopped, or was
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("/metrics answered with status %d", response.StatusCode)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(response.Body, mostTally))
	if err != nil {
		return 0, 0, err
	}
	if began := families[beganMetric].GetMetric(); len(began) == 1 {
		return sum(families[beganMetric]), 0, nil
	}
	for _, name := range requestCounters {
		if family := families[name]; family != nil {
			return 0, sum(family), nil
		}
	}
	return 0, 0, fmt.Errorf("/metrics says neither when the process began nor how many requests it has counted")
}

// sum is that of a family's values.
func sum(f *dto.MetricFamily) (all float64) {
	for _, m := range f.GetMetric() {
		all += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
	}
	return all
}
