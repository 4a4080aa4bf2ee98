package protocol

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/state"
	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// WarnSharedMemory says that a server left files in /dev/shm when it was stopped. They are never deleted.
const WarnSharedMemory = "shared-memory-left"

const (
	memoryGrace = 2 * time.Minute // until a GPU's memory must be free again after a stop: drivers release it late
	memorySlack = 256 << 20       // B above what was used before that count as free
)

// memory is what of the host's memory was used before a server was started, by GPU, and which files were in /dev/shm.
type memory struct {
	used   map[string]int64
	shared []string
}

// idle notes what is used while no server of ours runs, before the first start.
func (r *running) idle(ctx context.Context) error {
	if r.Snapshot == nil || r.free.used != nil {
		return nil
	}
	r.free = memory{used: map[string]int64{}, shared: sharedMemory()}
	now, err := r.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("the GPUs' state: %w", err)
	}
	for _, g := range gpus(now) {
		r.free.used[g.location] = g.used
	}
	return nil
}

// released waits, after a stop, until the GPUs' memory is as free as it was before: a server that is started while it
// is not sees less of it, or does not start. The error names who holds it.
func (r *running) released(ctx context.Context) error {
	if r.Snapshot == nil {
		return nil
	}
	for deadline := time.Now().Add(memoryGrace); ; {
		now, err := r.Snapshot(ctx)
		if err != nil {
			return fmt.Errorf("the GPUs' state: %w", err)
		}
		var held []string
		for _, g := range gpus(now) {
			before, known := r.free.used[g.location]
			switch over := g.used - before; {
			case !known || over < 0: // what ran at first was no server of ours, and has gone with the first start
				r.free.used[g.location] = g.used
			case over > memorySlack:
				more := float64(over) / (1 << 30)
				held = append(held, number.Sprintf("%s has %.1f GiB more in use than before the start", g.location, more))
			}
		}
		if len(held) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return &ServerError{Phase: "stop", Err: fmt.Errorf("the memory of GPUs is not free %v after it has gone: %s%s",
				memoryGrace, strings.Join(held, ", "), holders(now))}
		}
		if err := rest(ctx, r.Stop, time.Second); err != nil {
			return err
		}
	}
}

// A gpuMemory is how much of a GPU's memory is used, where that is known.
type gpuMemory struct {
	location string
	used     int64
}

func gpus(s *state.State) (out []gpuMemory) {
	add := func(location fact.Value[string], used fact.Value[int64]) {
		at, ok := location.Get()
		n, known := used.Get()
		if ok && known {
			out = append(out, gpuMemory{at, n})
		}
	}
	for _, g := range s.AMD.Devices {
		add(g.Location, g.VRAMUsed)
	}
	for _, g := range s.NVIDIA.Devices {
		add(g.Location, g.VRAMUsed)
	}
	return out
}

// holders names the processes on the GPUs, where the system tells.
func holders(s *state.State) string {
	var names []string
	for _, list := range []state.GPUProcesses{s.Processes, s.NVIDIA.Processes} {
		for _, p := range list.List {
			name, _ := p.Name.Get()
			names = append(names, fmt.Sprintf("process %d (%s)", p.PID, name))
		}
	}
	if len(names) == 0 {
		return "; which processes hold it is not known"
	}
	return "; on the GPUs are " + strings.Join(names, ", ")
}

// sharedMemory are the files in /dev/shm, where there is one.
func sharedMemory() (names []string) {
	entries, _ := os.ReadDir("/dev/shm")
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// leftInSharedMemory are warnings of files in /dev/shm that were not there before the first start.
func (r *running) leftInSharedMemory() []loadgen.Warning {
	if r.Snapshot == nil {
		return nil
	}
	var left []string
	for _, name := range sharedMemory() {
		if !slices.Contains(r.free.shared, name) {
			left = append(left, name)
		}
	}
	if len(left) == 0 {
		return nil
	}
	r.free.shared = append(r.free.shared, left...) // each is told once
	return []loadgen.Warning{{Code: WarnSharedMemory, Message: number.Sprintf(
		"/dev/shm has %d files that were not there before the server was started, %s among them; "+
			"they hold memory until they are deleted", len(left), left[0])}}
}
