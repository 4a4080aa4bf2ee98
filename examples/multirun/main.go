// Multirun measures a server's throughput over concurrency in several runs, with a restart of the server between them,
// and says how sure it is.
//
// Without a flag it runs a scaled-down plan against a simulated server.
package main

import (
	"time"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen/fleet/broker"
	"github.com/servegauge/servegauge/protocol"
)

func main() {
	program.StartBroker = func() (program.Broker, error) { return broker.Start() }
	quick := protocol.Plan{
		Name: "multirun-quick", Runs: 3, Restart: true, Cooldown: 500 * time.Millisecond, Warmup: 10,
		Input: 64, Output: 16, Levels: []int{1, 4, 8, 16, 32, 64}, Prompts: protocol.Prompts{PerConcurrency: 10},
		Handover: true,
	}
	program.Main(`multirun: throughput over concurrency across runs, with a restart of the server
between them

  multirun
  multirun -server docker:vllm -url http://127.0.0.1:8000 \
    -plan corrected -budget 12h -out results`,
		program.Experiment(protocol.MultiRun(), quick))
}
