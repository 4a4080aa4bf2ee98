package protocol

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
)

func TestExplore(t *testing.T) {
	out, _ := os.Create("/tmp/explore.jsonl")
	enc := json.NewEncoder(out)
	begin := time.Now()
	for _, kind := range []string{"own", "batch", "queue"} {
		for _, c := range []int{4, 10, 16} {
			for _, per := range []int{10} {
				for _, cold := range []struct{ c float64; h int }{{0, 0}, {2, 20}, {2, 100}, {1.3, 20}, {1.3, 100},{3,10}, {3,100}} {
					for _, noise := range []float64{.02, .1} {
						n := 8
						if cold.c == 0 {
							n = 60
						}
						for seed := range n {
							s := &loadgentest.Simulated{PrefillRate: 320, DecodeRate: 40, Noise: noise, Seed: uint64(seed), Cold: cold.c, ColdRequests: cold.h}
							switch kind {
							case "batch":
								s.MaxSequences, s.StepPerSequence, s.TokenBudget, s.PrefillRate = 64, 500*time.Microsecond, 128, 1600
							case "queue":
								s.MaxSequences = c * 2 / 3
							}
							synctest.Test(t, func(t *testing.T) {
								target, _ := served(s).Target(context.Background(), "", workload.Spec{Input: 32, Output: 16})
								l := loadgen.Level{Concurrency: c, Requests: per * c}
								tr := newLevelTrajectory(l)
								_, err := (&loadgen.Generator{Target: target, Observers: []loadgen.Observer{{Record: func(r *loadgen.Record, e *loadgen.Error) { tr.record(r, e) }}}}).Measure(context.Background(), l)
								if err != nil {
									t.Fatal(err)
								}
								enc.Encode(map[string]any{"kind": kind, "c": c, "per": per, "cold": fmt.Sprint(cold.c, "/", cold.h), "noise": noise, "w": tr.windows})
							})
						}
					}
				}
			}
		}
	}
	t.Log(time.Since(begin))
}
