// Ablation says how much a change to a server brings: it measures the server with and without it, in randomised paired
// blocks with a restart before each, and gives the ratio with its interval.
//
// Without a flag it compares two simulated servers, of which b decodes 10 % more slowly.
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
		Name: "ablation-quick", Runs: 6, Restart: true, Cooldown: 500 * time.Millisecond, Warmup: 10,
		Input: 64, Output: 16, Levels: []int{16}, Prompts: protocol.Prompts{PerConcurrency: 20}, Handover: true,
	}
	seed := protocol.MultiRun().Corrected()
	seed.Name, seed.Runs, seed.Levels = "ablation", 6, []int{10, 50}
	program.Main(`ablation: what a change to a server brings, from paired blocks of runs, with a
restart before each

  ablation
  ablation -a docker:without -b docker:with -url http://127.0.0.1:8000 \
    -levels 32 -blocks 10 -margin 3% -out aiter`,
		program.Ablation(seed, quick))
}
