package servegauge_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
)

// A server is started anew for each run. Here it is a simulated one that runs up to 4 requests at once; for a real one
// see [protocol.Process] and [protocol.Commands].
type server struct{ starts int }

func (s *server) Start(context.Context) (protocol.Instance, error) {
	s.starts++
	simulated := &loadgentest.Simulated{MaxSequences: 4, DecodeRate: 1000, Seed: uint64(s.starts)}
	return &instance{httptest.NewServer(simulated), s.starts}, nil
}

type instance struct {
	*httptest.Server
	number int
}

func (i *instance) URL() string                { return i.Server.URL }
func (i *instance) ID() string                 { return fmt.Sprint("start ", i.number) }
func (i *instance) Log() string                { return "" }
func (i *instance) Exited() <-chan struct{}    { return nil }
func (i *instance) Err() error                 { return nil }
func (i *instance) Stop(context.Context) error { i.Close(); return nil }

// A plan in the shape of the published one, at a tenth of its size: 20 prompts at each level. Levels above 20 cannot be
// reached with so few, and the analysis refuses to conclude anything from them.
func Example() {
	plan := protocol.MultiRun()
	plan.Runs, plan.Cooldown = 3, 0
	plan.Levels, plan.Prompts = []int{1, 5, 10, 50, 100}, protocol.Prompts{Count: 20}
	plan.Input, plan.Output = 32, 8

	warnings, err := plan.Check()
	if err != nil {
		log.Fatal(err)
	}
	for _, w := range warnings {
		fmt.Println("before:", w.Code)
	}

	client := &openai.Client{} // which asks the server for what it need not be told
	runner := &protocol.Runner{
		Servers: map[string]protocol.Server{"": &server{}},
		Target: func(ctx context.Context, i protocol.Instance, s protocol.Step) (loadgen.Target, error) {
			return client.Target(ctx, i.URL(), s.Spec)
		},
	}
	experiment, err := runner.Run(context.Background(), plan)
	if err != nil {
		log.Fatal(err)
	}

	analysis := protocol.Analyze(experiment)
	fmt.Println("replicate:", analysis.Unit)
	one, err := analysis.Point(protocol.Load{Concurrency: 1})
	if err != nil {
		log.Fatal(err)
	}
	latency, err := one.Figure(loadgen.QuantileName(loadgen.E2E, 50))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("interval over", latency.Interval.N, "runs by", latency.Interval.Method)
	capped, err := analysis.Point(protocol.Load{Concurrency: 100})
	if err != nil {
		log.Fatal(err)
	}
	_, err = capped.Figure(loadgen.QuantileName(loadgen.E2E, 50))
	fmt.Println("at 100:", err)
	// Output:
	// before: prompt-capped
	// before: one-condition
	// before: few-prompts
	// replicate: run with restart
	// interval over 3 runs by Student's t
	// at 100: e2e_p50 at concurrency 100 must not be used: prompt-capped
}
