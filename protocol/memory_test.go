package protocol

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/state"
)

// snapshot is a host with one GPU of which so much is used, by one process.
func snapshot(used int64) *state.State {
	s := &state.State{AMD: state.GPUStates{Devices: []state.GPUState{{
		Location: fact.Known("0000:05:00.0", "", "host", "test"),
		VRAMUsed: fact.Known(used, "B", "host", "test"),
	}}}}
	s.Processes.List = []state.GPUProcess{{PID: 4711, Name: fact.Known("VLLM::Worker", "", "host", "test")}}
	return s
}

// The next server is started when the memory that the one before had is free, however late; where it stays taken the
// error says who has it.
func TestMemoryOfGPUs(t *testing.T) {
	const idle, busy = 1 << 30, 200 << 30
	for _, c := range []struct {
		name     string
		releases time.Duration // after the stop
		first    int64         // used before the first start
		say      string
	}{
		{"at once", 0, idle, ""},
		{"late", 90 * time.Second, idle, ""},
		{"another's, which goes with the first start", 0, 2 * busy, ""},
		{"never", time.Hour, idle, "process 4711 (VLLM::Worker)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &fakeServer{t: t}
				runner := newRunner(t, server)
				runner.Dir = ""
				free := time.Time{} // when the memory is
				runner.Snapshot = func(context.Context) (*state.State, error) {
					switch {
					case server.starts == 0:
						return snapshot(c.first), nil
					case server.running > 0:
						return snapshot(busy), nil
					case free.IsZero():
						free = time.Now().Add(c.releases)
					}
					if time.Now().Before(free) {
						return snapshot(busy), nil
					}
					return snapshot(idle), nil
				}
				plan := small()
				plan.Runs = 2
				begin := time.Now()
				_, err := runner.Run(t.Context(), plan)
				if c.say != "" {
					var stop *ServerError
					more := err != nil && strings.Contains(err.Error(), "199.0 GiB more")
					if !more || !errors.As(err, &stop) || !strings.Contains(err.Error(), c.say) {
						t.Errorf("%v, want a ServerError that says %q", err, c.say)
					}
					return
				}
				if err != nil || time.Since(begin) < c.releases {
					t.Errorf("%v after %v", err, time.Since(begin))
				}
			})
		})
	}
}
