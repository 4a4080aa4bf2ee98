// Slo finds the largest concurrency, or rate of arrivals, at which a server keeps all limits of latency and attainment
// at once, by a sweep and refinement, with a restart of the server for each run.
//
// Without a flag it searches a simulated server for the largest concurrency with a p99 TTFT below 500 ms.
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
		Name: "slo-quick", Runs: 3, Restart: true, Cooldown: 500 * time.Millisecond, Warmup: 10,
		Input: 64, Output: 16, Levels: []int{1, 4, 16, 64}, Prompts: protocol.Prompts{PerConcurrency: 10},
		Handover: true,
	}
	seed := protocol.MultiRun().Corrected()
	seed.Name = "slo"
	program.Main(`slo: the largest load at which a server keeps all limits at once

  slo -limit 'ttft_p99<100ms'
  slo -server docker:vllm -url http://127.0.0.1:8000 \
    -limit 'ttft_p99<500ms,attainment>=99%' -goodput tpot:50 -out slo
  slo -url http://127.0.0.1:8000 -rates 1,2,4,8,16 -requests 60x \
    -limit 'e2e_p95<5s'`,
		program.SLO(seed, quick))
}
