// Finesweep measures a server's throughput at narrowly spaced concurrencies, in several runs with a restart between
// them, to bound its saturation knee.
//
// Without a flag it sweeps a simulated server around its cap of 16.
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
		Name: "finesweep-quick", Runs: 3, Restart: true, Cooldown: 500 * time.Millisecond, Warmup: 10,
		Input: 64, Output: 16, Levels: []int{8, 10, 12, 14, 16, 18, 20, 24},
		Prompts:  protocol.Prompts{PerConcurrency: 10},
		Handover: true,
	}
	program.Main(`finesweep: the saturation knee, from narrowly spaced levels across runs with
restarts of the server

  finesweep
  finesweep -server docker:vllm -url http://127.0.0.1:8000 \
    -levels 8,12,16,20,24 -requests 10x -out sweep`,
		program.Experiment(protocol.FineSweep(), quick))
}
