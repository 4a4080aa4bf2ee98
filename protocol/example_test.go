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

// doubling is a design of one's own: it doubles the concurrency until Enough output tokens have been measured. It is
// plain data, so that it is journalled, and says what comes next from what was measured alone, so that an experiment
// that was interrupted goes on where it was.
type doubling struct{ Enough int }

func (d doubling) Next(done []protocol.Measurement) (protocol.Step, error) {
	tokens := 0
	for _, m := range done {
		tokens += m.Result.Tokens.Output
	}
	if tokens >= d.Enough {
		return protocol.Step{}, io.EOF
	}
	n := len(done)
	c := 1 << n
	return protocol.Step{
		Run: 1, Seq: n, Restart: n == 0,
		Spec:  workload.Spec{Input: 8, Output: 5, Seed: uint64(n + 1)},
		Level: loadgen.Level{Concurrency: c, Requests: 10 * c},
	}, nil
}

func ExampleDesign() {
	runner := protocol.Runner{
		Server: server.Handler(func(int) http.Handler {
			return &loadgentest.Echo{}
		}),
		Client: &openai.Client{},
	}
	experiment, err := runner.Run(context.Background(), doubling{Enough: 500})
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
