package protocol_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// doubling is a design of one's own: it doubles the concurrency until a level completes fewer than Least requests/s more
// than the one before. It is plain data, so that it is journalled, and says what comes next from what was measured
// alone, so that an experiment that was interrupted goes on where it was.
type doubling struct{ Least float64 }

func (d doubling) Next(done []protocol.Measurement) (protocol.Step, error) {
	rate := func(m protocol.Measurement) float64 {
		f, _ := m.Result.Figure(loadgen.RequestThroughput)
		return f.Value
	}
	n := len(done)
	if n > 1 && rate(done[n-1])-rate(done[n-2]) < d.Least {
		return protocol.Step{}, io.EOF
	}
	c := 1 << n
	return protocol.Step{
		Run: 1, Seq: n, Restart: n == 0,
		Spec:  workload.Spec{Input: 8, Output: 5, Seed: uint64(n + 1)},
		Level: loadgen.Level{Concurrency: c, Requests: 10 * c},
	}, nil
}

// The server runs 4 requests at once, so that 8 in flight bring nothing.
func ExampleDesign() {
	runner := protocol.Runner{
		Server: server.Handler(func(int) http.Handler {
			return &loadgentest.Simulated{MaxSequences: 4, DecodeRate: 200}
		}),
		Client: &openai.Client{},
	}
	experiment, err := runner.Run(context.Background(), doubling{Least: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range experiment.Measurements {
		fmt.Println(m.Step.Level.Concurrency, "in flight")
	}
	// Output:
	// 1 in flight
	// 2 in flight
	// 4 in flight
	// 8 in flight
}
