package envinfo

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// NVIDIAStates is the NVIDIA GPUs. Their driver has no files for any of this, so that all of it is from nvidia-smi.
type NVIDIAStates struct {
	Count Value[int64] `json:"count"` // cards; in a container those that it was given
	// Devices is in the order of nvidia-smi. Nil: none could be read; Count says why.
	Devices []NVIDIAState `json:"devices,omitempty"`
	// Processes is those that compute on the cards; a [Sampler] does not ask for them.
	Processes GPUProcesses `json:"processes"`
}

// NVIDIAState is one card. What it does not measure, or MIG does not let it tell, is unknown.
type NVIDIAState struct {
	Location    Value[string]  `json:"location"`        // PCI address
	Temperature Value[float64] `json:"temperature"`     // °C, of the die
	MemoryTemp  Value[float64] `json:"memory_temp"`     // °C
	Power       Value[float64] `json:"power"`           // W, over the second before on most cards
	PowerLimit  Value[float64] `json:"power_limit"`     // W
	Clock       Value[float64] `json:"clock"`           // MHz, of the multiprocessors
	MemoryClock Value[float64] `json:"memory_clock"`    // MHz
	VRAMUsed    Value[int64]   `json:"vram_used"`       // B
	Busy        Value[int64]   `json:"busy"`            // %, of the time in which a kernel ran
	Uncorrected Value[int64]   `json:"ecc_uncorrected"` // errors since the driver was loaded
	Corrected   Value[int64]   `json:"ecc_corrected"`   // likewise
	// Clocks is what sets the clocks: "none" when they are as high as they can be, else names such as "SW power cap, HW slowdown", and
	// bits that have no name here as a hexadecimal number.
	Clocks Value[string] `json:"clocks_set_by"`
	// PowerCapped tells that the power limit holds the clocks down, which is normal under full load; Slowed that heat or the protection
	// of the hardware does, which is not. In the [Samples] of a [Sampler] they are 0 and 1, and the mean is the part of the samples.
	PowerCapped Value[bool] `json:"power_capped"`
	Slowed      Value[bool] `json:"slowed"`
}

// minToolInterval is the shortest interval at which a Sampler runs tools: one starts a process that opens the driver, which takes a
// tenth of a second and, of a driver without persistence, seconds.
const minToolInterval = time.Second

var errToolInterval = fmt.Errorf("not run: the interval of the sampler is under %v", minToolInterval)

// nvidiaStateFields is what nvidia-smi is asked for. Releases print clocks.sm and clocks.mem under their long names.
var nvidiaStateFields = []string{
	"index", "pci.bus_id", "temperature.gpu", "temperature.memory", "power.draw", "power.limit", "clocks.sm", "clocks.mem", "memory.used",
	"utilization.gpu", "ecc.errors.corrected.volatile.total", "ecc.errors.uncorrected.volatile.total", "clocks_throttle_reasons.active",
}

// startNVIDIAState starts the query of the cards.
func startNVIDIAState(b *toolbox) *tool {
	return b.spawn("nvidia-smi --query-gpu", func() ([]byte, error) { return queryNVIDIA(b, nvidiaStateFields) })
}

// nvidiaState fills in what the query says.
func (c *stateCapture) nvidiaState(s *NVIDIAStates, t *tool) {
	out, err := t.wait()
	if nvidiaDamagedROM(err) {
		c.Warn("nvidia", "%v", err)
		err = nil
	}
	var rows []nvidiaRow
	if err == nil {
		if rows, err = parseNVIDIACSV(t.name, out); err != nil {
			err = fmt.Errorf("%s: %w", t.name, err)
		}
	}
	if err != nil {
		s.Count = Unknown[int64]("", ScopeHost, err.Error())
		return
	}
	s.Count = Known(int64(len(rows)), "", ScopeHost, t.name)
	for i, r := range rows {
		n := stateOf(r)
		s.Devices = append(s.Devices, n)
		if slowed, _ := n.Slowed.Get(); slowed {
			reasons, _ := n.Clocks.Get()
			c.Warn(fmt.Sprintf("nvidia.devices[%d].slowed", i), "the GPU at %s has lowered its clocks to protect itself: %s",
				show(n.Location, plain).text, reasons)
		}
	}
}

// stateOf is what nvidia-smi says of one card.
func stateOf(r nvidiaRow) NVIDIAState {
	n := NVIDIAState{
		Location:    r.location(),
		Temperature: r.level("°C", "", "temperature.gpu"),
		MemoryTemp:  r.level("°C", "", "temperature.memory"),
		Power:       r.level("W", "W", "power.draw"),
		PowerLimit:  r.level("W", "W", "power.limit"),
		Clock:       r.level("MHz", "MHz", "clocks.current.sm", "clocks.sm"),
		MemoryClock: r.level("MHz", "MHz", "clocks.current.memory", "clocks.mem"),
		VRAMUsed:    r.count("B", "MiB", 1<<40, 1<<20, "memory.used"),
		Busy:        r.count("%", "%", 100, 1, "utilization.gpu"),
		Uncorrected: r.count("", "", 1<<53, 1, "ecc.errors.uncorrected.volatile.total"),
		Corrected:   r.count("", "", 1<<53, 1, "ecc.errors.corrected.volatile.total"),
	}
	field := r.first("clocks_event_reasons.active", "clocks_throttle_reasons.active")
	text, err := r.field(field)
	var mask uint64
	if err == nil {
		if mask, err = parseClockReasons(text); err != nil {
			err = fmt.Errorf("%s: %w", r.source(field), err)
		}
	}
	if err != nil {
		n.Clocks = Unknown[string]("", ScopeHost, err.Error())
		n.PowerCapped, n.Slowed = Unknown[bool]("", ScopeHost, err.Error()), Unknown[bool]("", ScopeHost, err.Error())
		return n
	}
	n.Clocks = Known(clockReasonNames(mask), "", ScopeHost, r.source(field))
	n.PowerCapped = Known(mask&clocksPowerCapped != 0, "", ScopeHost, fmt.Sprintf("%s & %#x", r.source(field), clocksPowerCapped))
	n.Slowed = Known(mask&clocksSlowed != 0, "", ScopeHost, fmt.Sprintf("%s & %#x", r.source(field), clocksSlowed))
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
		return 0, errors.New(strconv.Quote(clip(s)) + " is not a mask of bits")
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

// writeText prints the cards. Without any it prints nothing: "no nvidia-smi" in the tables of an AMD host would be noise.
func (s *NVIDIAStates) writeText(t *table) {
	if len(s.Devices) == 0 {
		return
	}
	t.line("")
	t.cells("NVIDIA GPU", "Die", "Memory", "Power", "Limit", "Clock", "Memory clock", "VRAM used", "Busy", "ECC ue", "ECC ce", "Clocks set by")
	for _, g := range s.Devices {
		row := []string{show(g.Location, plain).text}
		for _, v := range []Value[float64]{g.Temperature, g.MemoryTemp, g.Power, g.PowerLimit, g.Clock, g.MemoryClock} {
			row = append(row, show(v, quantity[float64](v.Unit(), 1)).text)
		}
		t.cells(append(row, show(g.VRAMUsed, gibibytes).text, show(g.Busy, quantity[int64]("%", 0)).text,
			show(g.Uncorrected, plain).text, show(g.Corrected, plain).text, show(g.Clocks, plain).text)...)
	}
	t.line("")
	t.cells("Process on the NVIDIA GPUs", "Program", "VRAM")
	if len(s.Processes.List) == 0 {
		t.cells(s.Processes.Count.String())
	}
	for _, p := range s.Processes.List {
		t.cells(strconv.Itoa(p.PID), show(p.Name, plain).text, show(p.VRAM, gibibytes).text)
	}
}
