package openai_test

import (
	"context"
	"net/http"
	"runtime"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// On Linux the kernel stamps what arrives, and a level says so; with a user's own client, the client does.
func TestClock(t *testing.T) {
	server := serve(t, &loadgentest.Simulated{Model: "m", DecodeRate: 1000})
	kernel := runtime.GOOS == "linux" && (runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64")
	for name, c := range map[string]struct {
		client *http.Client
		kernel bool
	}{
		"our own client":    {nil, kernel},
		"the user's client": {server.Client(), false},
	} {
		t.Run(name, func(t *testing.T) {
			target := newTarget(t, openai.Config{URL: server.URL, Client: c.client,
				Workload: workload.RandomTokens{Input: 4,
					Output: 8}})
			var r *loadgen.Result
			for range 50 { // the kernel begins to stamp in the background, after the first connection asked for it
				var err error
				if r, err = loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 10},
					target); err != nil {
					t.Fatal(err)
				}
				if !c.kernel || r.Stamps.Client == 0 {
					break
				}
				time.Sleep(time.Millisecond)
			}
			want := loadgen.Stamps{Client: 80}
			if c.kernel {
				want = loadgen.Stamps{Kernel: 80}
			}
			if r.Stamps.Shared = 0; r.Stamps != want { // how many share a read depends on the scheduler
				t.Errorf("stamps %+v, want %+v", r.Stamps, want)
			}
			if lag, ok := r.Figure(loadgen.MeanName(loadgen.ReadLag)); ok != c.kernel || ok &&
				(lag.N != 80 || lag.Value < 0) {
				t.Errorf("read lag %+v, %v", lag, ok)
			}
		})
	}
}
