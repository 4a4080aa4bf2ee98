package state

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/internal/table"
	"github.com/servegauge/servegauge/envinfo/nvidia"
)

// NVIDIAStates is the NVIDIA GPUs. Their driver has no files for any of this, so that all of it is from nvidia-smi.
type NVIDIAStates struct {
	Count fact.Value[int64] `json:"count"` // cards; in a container those that it was given
	// Devices is in the order of nvidia-smi. Nil: none could be read; Count says why.
	Devices []NVIDIAState `json:"devices,omitempty"`
	// Processes is those that compute on the cards; a [Sampler] does not ask for them.
	Processes GPUProcesses `json:"processes"`
}

// NVIDIAState is one card. What it does not measure, or MIG does not let it tell, is unknown.
type NVIDIAState struct {
	Location    fact.Value[string]  `json:"location"`        // PCI address
	Temperature fact.Value[float64] `json:"temperature"`     // °C, of the die
	MemoryTemp  fact.Value[float64] `json:"memory_temp"`     // °C
	Power       fact.Value[float64] `json:"power"`           // W, over the second before on most cards
	PowerLimit  fact.Value[float64] `json:"power_limit"`     // W
	Clock       fact.Value[float64] `json:"clock"`           // MHz, of the multiprocessors
	MemoryClock fact.Value[float64] `json:"memory_clock"`    // MHz
	VRAMUsed    fact.Value[int64]   `json:"vram_used"`       // B
	Busy        fact.Value[int64]   `json:"busy"`            // %, of the time in which a kernel ran
	Uncorrected fact.Value[int64]   `json:"ecc_uncorrected"` // errors since the driver was loaded
	Corrected   fact.Value[int64]   `json:"ecc_corrected"`   // likewise
	// Clocks is what sets the clocks: "none" when they are as high as they can be, else names such as "SW power cap, HW
	// slowdown", and bits that have no name here as a hexadecimal number.
	Clocks fact.Value[string] `json:"clocks_set_by"`
	// PowerCapped tells that the power limit holds the clocks down, which is normal under full load; Slowed that heat
	// or the protection of the hardware does, which is not. In the [Samples] of a [Sampler] they are 0 and 1, and the
	// mean is the part of the samples.
	PowerCapped fact.Value[bool] `json:"power_capped"`
	Slowed      fact.Value[bool] `json:"slowed"`
}

// minToolInterval is the shortest interval at which a Sampler runs tools: one starts a process that opens the driver,
// which takes a tenth of a second and, of a driver without persistence, seconds.
const minToolInterval = time.Second

var errToolInterval = fmt.Errorf("not run: the interval of the sampler is under %v", minToolInterval)

// nvidiaStateFields is what nvidia-smi is asked for. Releases print clocks.sm and clocks.mem under their long names.
var nvidiaStateFields = []string{
	"index", "pci.bus_id", "temperature.gpu", "temperature.memory", "power.draw", "power.limit", "clocks.sm",
	"clocks.mem", "memory.used",
	"utilization.gpu", "ecc.errors.corrected.volatile.total", "ecc.errors.uncorrected.volatile.total",
	"clocks_throttle_reasons.active",
}

// startNVIDIAState starts the query of the cards.
func startNVIDIAState(b *source.Toolbox) *source.Tool {
	return b.Spawn("nvidia-smi --query-gpu", func() ([]byte, error) { return nvidia.Query(b, nvidiaStateFields) })
}

// nvidiaState fills in what the query says.
func (c *capture) nvidiaState(s *NVIDIAStates, t *source.Tool) {
	out, err := t.Wait()
	if nvidia.DamagedROM(err) {
		c.Warn("nvidia", "%v", err)
		err = nil
	}
	var rows []nvidia.Row
	if err == nil {
		if rows, err = nvidia.ParseCSV(t.Name, out); err != nil {
			err = fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if err != nil {
		s.Count = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		return
	}
	s.Count = fact.Known(int64(len(rows)), "", fact.ScopeHost, t.Name)
	for i, r := range rows {
		n := stateOf(r)
		s.Devices = append(s.Devices, n)
		if slowed, _ := n.Slowed.Get(); slowed {
			reasons, _ := n.Clocks.Get()
			c.Warn(fmt.Sprintf("nvidia.devices[%d].slowed", i),
				"the GPU at %s has lowered its clocks to protect itself: %s", table.Show(n.Location, table.Plain).Text,
				reasons)
		}
	}
}

// stateOf is what nvidia-smi says of one card.
func stateOf(r nvidia.Row) NVIDIAState {
	n := NVIDIAState{
		Location:    r.Location(),
		Temperature: r.Level("°C", "", "temperature.gpu"),
		MemoryTemp:  r.Level("°C", "", "temperature.memory"),
		Power:       r.Level("W", "W", "power.draw"),
		PowerLimit:  r.Level("W", "W", "power.limit"),
		Clock:       r.Level("MHz", "MHz", "clocks.current.sm", "clocks.sm"),
		MemoryClock: r.Level("MHz", "MHz", "clocks.current.memory", "clocks.mem"),
		VRAMUsed:    r.Count("B", "MiB", 1<<40, 1<<20, "memory.used"),
		Busy:        r.Count("%", "%", 100, 1, "utilization.gpu"),
		Uncorrected: r.Count("", "", 1<<53, 1, "ecc.errors.uncorrected.volatile.total"),
		Corrected:   r.Count("", "", 1<<53, 1, "ecc.errors.corrected.volatile.total"),
	}
	field := r.First("clocks_event_reasons.active", "clocks_throttle_reasons.active")
	text, err := r.Field(field)
	var mask uint64
	if err == nil {
		if mask, err = parseClockReasons(text); err != nil {
			err = fmt.Errorf("%s: %w", r.Source(field), err)
		}
	}
	if err != nil {
		n.Clocks = fact.Unknown[string]("", fact.ScopeHost, err.Error())
		n.PowerCapped, n.Slowed = fact.Unknown[bool]("", fact.ScopeHost, err.Error()), fact.Unknown[bool]("",
			fact.ScopeHost, err.Error())
		return n
	}
	n.Clocks = fact.Known(clockReasonNames(mask), "", fact.ScopeHost, r.Source(field))
	n.PowerCapped = fact.Known(mask&clocksPowerCapped != 0, "", fact.ScopeHost,
		fmt.Sprintf("%s & %#x", r.Source(field), clocksPowerCapped))
	n.Slowed = fact.Known(mask&clocksSlowed != 0, "", fact.ScopeHost,
		fmt.Sprintf("%s & %#x", r.Source(field), clocksSlowed))
	return n
}

// clockReasons is what the bits mean (NVML API reference, nvmlClocksEventReasons).
var clockReasons = []struct {
	bit  uint64
	name string
}{
	{0x1, "idle"},
	{0x2, "applications clocks setting"},
	{0x4, "SW power cap"},
	{0x8, "HW slowdown"},
	{0x10, "sync boost"},
	{0x20, "SW thermal slowdown"},
	{0x40, "HW thermal slowdown"},
	{0x80, "HW power brake"},
	{0x100, "display clock"},
}

const (
	clocksPowerCapped uint64 = 0x4
	clocksSlowed      uint64 = 0x8 | 0x20 | 0x40 | 0x80
)

// parseClockReasons parses the mask: "0x0000000000000004".
func parseClockReasons(s string) (uint64, error) {
	digits, ok := strings.CutPrefix(s, "0x")
	mask, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil {
		return 0, errors.New(strconv.Quote(fact.Clip(s)) + " is not a mask of bits")
	}
	return mask, nil
}

func clockReasonNames(mask uint64) string {
	if mask == 0 {
		return "none"
	}
	var names []string
	for _, r := range clockReasons {
		if mask&r.bit != 0 {
			names = append(names, r.name)
			mask &^= r.bit
		}
	}
	if mask != 0 {
		names = append(names, fmt.Sprintf("%#x", mask))
	}
	return strings.Join(names, ", ")
}

// writeText prints the cards. Without any it prints nothing: "no nvidia-smi" in the tables of an AMD host would be
// noise.
func (s *NVIDIAStates) writeText(t *table.Table) {
	if len(s.Devices) == 0 {
		return
	}
	t.Line("")
	t.Cells("NVIDIA GPU", "Die", "Memory", "Power", "Limit", "Clock", "Memory clock", "VRAM used", "Busy", "ECC ue",
		"ECC ce", "Clocks set by")
	for _, g := range s.Devices {
		row := []string{table.Show(g.Location, table.Plain).Text}
		for _, v := range []fact.Value[float64]{g.Temperature, g.MemoryTemp, g.Power, g.PowerLimit, g.Clock,
			g.MemoryClock} {
			row = append(row, table.Show(v, table.Quantity[float64](v.Unit(), 1)).Text)
		}
		t.Cells(
			append(row, table.Show(g.VRAMUsed, table.Gibibytes).Text,
				table.Show(g.Busy, table.Quantity[int64]("%", 0)).Text, table.Show(g.Uncorrected, table.Plain).Text,
				table.Show(g.Corrected, table.Plain).Text, table.Show(g.Clocks, table.Plain).Text)...)
	}
	s.Processes.writeText(t, "Process on the NVIDIA GPUs")
}
