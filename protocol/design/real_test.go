package design_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/protocol/server"
)

// Sweeps of real servers in real time, each with a cap that is drawn, over sockets: with -long 20 of them, and one
// without. What a busy machine spoils is left open, and never claimed.
func TestAdaptiveSweepRealTime(t *testing.T) {
	n, decode := 1, 1000.0
	if *long {
		n, decode = 20, 250
	}
	rng := rand.New(rand.NewPCG(4, 2))
	var covered, bracketed share
	for range n {
		sequences := 3 + rng.IntN(10)
		simulated := func(start int) *loadgentest.Simulated {
			return &loadgentest.Simulated{MaxSequences: sequences, PrefillRate: 8000, DecodeRate: decode, Noise: 0.05,
				Seed: rng.Uint64() + uint64(start)}
		}
		p := plan(3, 1, 4, 16)
		if *long {
			p = plan(3)
		}
		p.Handover, p.Input, p.Output = true, 16, 8
		p.Budget, p.LevelBudget = 2*time.Minute, 20*time.Second
		d := design.AdaptiveSweep{Plan: p, Most: 64}
		runner := protocol.Runner{
			Server: server.Handler(func(start int) http.Handler { return simulated(start) }), Client: &openai.Client{},
		}
		e, err := runner.Run(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		f := protocol.Conclude(e, d).Findings[0]
		truth := simulated(0).Truth(16, 8)
		if f.Detail == nil {
			t.Logf("cap %d: %s: %s", sequences, f.Answer, f.Reason)
			covered.count(true)
			bracketed.count(false)
			continue
		}
		ok, closed, _ := holdsKnee(t, f, func(c float64) float64 { return truth.TotalThroughput(int(c)) })
		covered.count(ok)
		bracketed.count(closed)
		t.Logf("cap %d: %s", sequences, f.Answer)
		if !ok {
			t.Logf("  %s", f.Reason)
		}
	}
	t.Logf("in real time: holds the knee in %v; bracketed in %v", covered, bracketed)
	if covered.surelyBelow(t, 0.95) {
		t.Errorf("the answer holds the true knee in %v", covered)
	}
}
