package protocol

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// served is a Client of a simulated server without a network between, so that virtual time is all there is.
func served(s *loadgentest.Simulated) *funcs {
	return &funcs{target: func(_ context.Context, _ string, spec workload.Spec) (loadgen.Target, error) {
		body := `{"prompt":[1` + strings.Repeat(",1", spec.Input-1) + `],"stream":true,"ignore_eos":true,"max_tokens":` + strconv.Itoa(spec.Output) + `}`
		return loadgen.TargetFunc(func(ctx context.Context, _ int, r *loadgen.Record) error {
			q := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/completions", strings.NewReader(body))
			w := &wire{record: r, header: http.Header{}}
			s.ServeHTTP(w, q)
			if r.Done = r.LastArrival(); w.status != http.StatusOK && w.status != 0 {
				return &loadgen.Error{Class: loadgen.ClassStatus, Status: w.status}
			}
			r.Counted, r.Input, r.Output = true, spec.Input, spec.Output
			return nil
		}), nil
	}}
}

// wire takes each write with content for a chunk.
type wire struct {
	record *loadgen.Record
	header http.Header
	status int
}

func (w *wire) Header() http.Header    { return w.header }
func (w *wire) WriteHeader(status int) { w.status = status }
func (w *wire) Flush()                 {}
func (w *wire) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"servegauge"`)) {
		w.record.Chunk(loadgen.Chunk{Tokens: 1})
	}
	return len(b), nil
}
