package protocoltest_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/protocoltest"
	"github.com/servegauge/servegauge/protocol/server"
)

// TestGate is the gate to copy: the server that is yours in the place of the simulated one, and the limits that it is
// to keep.
func TestGate(t *testing.T) {
	a := protocoltest.Run(t, protocoltest.Experiment{
		Server: server.Handler(func(start int) http.Handler {
			return &loadgentest.Simulated{MaxSequences: 8, PrefillRate: 8000, DecodeRate: 40, Noise: 0.05,
				Seed: uint64(start)}
		}),
		Plan: protocol.Plan{
			Runs: 3, Levels: []int{8}, Prompts: protocol.Prompts{Count: 32}, Input: 64, Output: 8,
		},
		Budget: time.Minute,
	})
	protocoltest.Require(t, a, protocoltest.Limits(t, "e2e_p50<2s, success_rate>=80%")...)
}

// A gate fails where a limit is broken, which a server that takes 358 ms for what may take 50 ms does: by so much that
// five runs show it on a machine that is busy with something else, too.
func Example() {
	t := &failing{} // in a test suite it is the test's own *testing.T

	a := protocoltest.Run(t, protocoltest.Experiment{
		Server: server.Handler(func(start int) http.Handler {
			return &loadgentest.Simulated{MaxSequences: 16, PrefillRate: 8000, DecodeRate: 20, Noise: 0.01,
				Seed: uint64(start)}
		}),
		Plan: protocol.Plan{
			Runs: 5, Levels: []int{12}, Prompts: protocol.Prompts{Count: 12}, Input: 64, Output: 8,
		},
		Budget: time.Minute,
	})
	protocoltest.Require(t, a, protocoltest.Limits(t, "e2e_p50<50ms")...)

	fmt.Println("failed:", t.failed)
	fmt.Println("e2e_p50<50ms is", a.Judge(protocol.Limit{Figure: "e2e_p50", Max: 50})[0].Decision)
	// Output:
	// failed: true
	// e2e_p50<50ms is broken
}

// failing is a test that only remembers whether it failed.
type failing struct{ failed bool }

func (t *failing) Logf(string, ...any)   {}
func (t *failing) Skipf(string, ...any)  {}
func (t *failing) Fatalf(string, ...any) { t.failed = true }
