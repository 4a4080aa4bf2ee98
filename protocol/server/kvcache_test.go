package server_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// A server of which one start has half the KV cache is told, from what it says at each start; one whose starts are
// alike is not.
func TestKVCacheOfEachStart(t *testing.T) {
	for _, short := range []int{0, 2} { // which start has half; 0: none
		starts := 0
		runner := protocol.Runner{
			Server: server.Handler(func(int) http.Handler {
				s := &loadgentest.Simulated{MaxSequences: 4, DecodeRate: 1e5, PrefillRate: 1e6, KVBlocks: 1000,
					BlockTokens: 8}
				if starts++; starts == short {
					s.KVBlocks = 500
				}
				return s
			}),
			Client: &openai.Client{}, Inspect: server.Inspect(nil, nil),
		}
		plan := protocol.Plan{Name: "kv", Runs: 3, Restart: true, Input: 8, Output: 4, Levels: []int{2},
			Prompts: protocol.Prompts{Count: 8}, Seed: 1}
		e, err := runner.Run(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		a := protocol.Analyze(e)
		if got := slices.Contains(a.Codes(), protocol.WarnKVCacheDiffers); got != (short > 0) {
			t.Errorf("start %d has half the blocks: flagged %v: %v", short, got, a.Warnings)
		}
		for i, s := range a.Starts {
			want := int64(1000)
			if i+1 == short {
				want = 500
			}
			if s.KVBlocks != want || s.Ready <= 0 {
				t.Errorf("start %d: %+v, want %d blocks", i+1, s, want)
			}
		}
	}
}
