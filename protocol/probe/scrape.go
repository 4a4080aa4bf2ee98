package probe

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// mostScraped bounds, in bytes, an answer of /metrics: some 100 times what vLLM has to say.
const mostScraped = 32 << 20

// families is what a server's /metrics says, by name.
type families map[string]*dto.MetricFamily

// parse reads Prometheus' text format:
//
//	# TYPE vllm:num_requests_running gauge
//	vllm:num_requests_running{engine="0",model_name="m"} 3.0
//
// A line that is none ends it: what stands before is kept, with the error.
func parse(r io.Reader) (families, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(io.LimitReader(r, mostScraped))
	return all, err
}

// scrape asks for the metrics at an address.
func scrape(ctx context.Context, client *http.Client, address string, header http.Header) (families, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", "text/plain")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusNotImplemented:
		return nil, fmt.Errorf("/metrics answered with status %d: llama.cpp tells them when started with "+
			"--metrics, SGLang with --enable-metrics", response.StatusCode)
	default:
		return nil, fmt.Errorf("/metrics answered with status %d", response.StatusCode)
	}
	all, err := parse(response.Body)
	if len(all) == 0 && err == nil {
		err = fmt.Errorf("/metrics has nothing in Prometheus' text format")
	}
	if len(all) == 0 {
		return nil, err
	}
	return all, nil
}

// metricsAt is the address of a server's metrics, from that of its root, its /v1, or an endpoint below that.
func metricsAt(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("the server's URL has no host")
	}
	root, _, _ := strings.Cut(u.Path, "/v1")
	u.Path, u.RawPath, u.RawQuery, u.Fragment = strings.TrimRight(root, "/")+"/metrics", "", "", ""
	return u.String(), nil
}

// engines is a value for each engine: "" where the server does not tell engines apart.
type engines map[string]float64

// total is the sum over the engines.
func (e engines) total() (sum float64) {
	for _, v := range e {
		sum += v
	}
	return sum
}

// engineLabels tell the engines of one server apart: vLLM's, SGLang's.
var engineLabels = []string{"engine", "dp_rank", "replica"}

func engineOf(m *dto.Metric) string {
	for _, name := range engineLabels {
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				return l.GetValue()
			}
		}
	}
	return ""
}

// values are those of the first of the names that the server has, summed for each engine over its other labels; nil
// where it has none of them. Of a histogram it is the sum of what was observed.
func (f families) values(names ...string) engines {
	for _, name := range names {
		family := f[name]
		if family == nil {
			continue
		}
		out := engines{}
		for _, m := range family.GetMetric() {
			v := math.NaN()
			switch {
			case m.Gauge != nil:
				v = m.Gauge.GetValue()
			case m.Counter != nil:
				v = m.Counter.GetValue()
			case m.Untyped != nil:
				v = m.Untyped.GetValue()
			case m.Histogram != nil:
				v = m.Histogram.GetSampleSum()
			}
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				out[engineOf(m)] += v
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// A buckets is a histogram summed over engines and labels: how many were observed up to each bound.
type buckets struct {
	count, sum float64
	upTo       map[float64]float64
}

// histogram is that of the first of the names that the server has; nil where it has none of them.
func (f families) histogram(names ...string) *buckets {
	for _, name := range names {
		family := f[name]
		if family == nil || family.GetType() != dto.MetricType_HISTOGRAM {
			continue
		}
		b := &buckets{upTo: map[float64]float64{}}
		for _, m := range family.GetMetric() {
			h := m.GetHistogram()
			b.count += float64(h.GetSampleCount())
			b.sum += h.GetSampleSum()
			for _, bucket := range h.GetBucket() {
				b.upTo[bucket.GetUpperBound()] += float64(bucket.GetCumulativeCount())
			}
		}
		return b
	}
	return nil
}
