// Package state reads how a host is doing: temperatures, power, clocks, memory and processes, which are other ones the
// next second. A [Sampler] does so again and again during a measurement.
package state

import (
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// State is how the host was doing at one moment: what an [envinfo.Environment] leaves out because it is another the
// next second. It marshals to JSON and reads back as it was. In the zero State everything is unknown.
//
// Whether an AMD card is throttled is in a binary table of the driver (gpu_metrics), of which the formats 1.1 to 1.5
// are known here: MI200 and Radeon cards, and MI300 with older drivers. Newer drivers' tables have counters in its
// place, and it is unknown then. Low clocks at a temperature or a power near the limit are what it looks like.
type State struct {
	Time time.Time `json:"time"` // when the reading began
	AMD  GPUStates `json:"amd"`
	// NVIDIA is the NVIDIA GPUs.
	NVIDIA    NVIDIAStates `json:"nvidia"`
	Processes GPUProcesses `json:"processes"` // on the AMD GPUs
	Host      HostState    `json:"host"`
	// Warnings is what a reader should know before believing a measurement made now. Nil: none.
	Warnings []fact.Warning `json:"warnings,omitempty"`
}

// GPUStates is the GPUs of one maker.
type GPUStates struct {
	Count fact.Value[int64] `json:"count"` // PCI devices: a card of two dies is two, a partitioned card is one
	// Devices is in the order of their render nodes. Nil: none could be read; Count says why.
	Devices []GPUState `json:"devices,omitempty"`
}

// GPUState is one PCI device. Virtual functions have few of these.
type GPUState struct {
	Location    fact.Value[string]  `json:"location"`        // PCI address
	Edge        fact.Value[float64] `json:"edge"`            // °C, at the edge of the die
	Junction    fact.Value[float64] `json:"junction"`        // °C, the hottest place of the die
	MemoryTemp  fact.Value[float64] `json:"memory_temp"`     // °C
	PowerMean   fact.Value[float64] `json:"power_average"`   // W, over a time that the firmware chooses
	Power       fact.Value[float64] `json:"power"`           // W, now
	PowerCap    fact.Value[float64] `json:"power_cap"`       // W
	Clock       fact.Value[float64] `json:"clock"`           // MHz, of the compute engine
	MemoryClock fact.Value[float64] `json:"memory_clock"`    // MHz
	VRAMUsed    fact.Value[int64]   `json:"vram_used"`       // B
	Busy        fact.Value[int64]   `json:"busy"`            // %, of the compute engine
	MemoryBusy  fact.Value[int64]   `json:"memory_busy"`     // %, of the memory controller
	Uncorrected fact.Value[int64]   `json:"ecc_uncorrected"` // errors since the driver was loaded, of all blocks
	Corrected   fact.Value[int64]   `json:"ecc_corrected"`   // likewise
	Throttled   fact.Value[bool]    `json:"throttled"`       // something holds the clocks down
	// ThrottleStatus is the bits that say what does, in hexadecimal; their meaning depends on the card.
	ThrottleStatus fact.Value[string] `json:"throttle_status"`
}

// GPUProcesses is the processes that have the GPUs of one maker open for compute.
type GPUProcesses struct {
	Count fact.Value[int64] `json:"count"`
	// List is in the order of their numbers. Nil: none, or none could be read; Count says which.
	List []GPUProcess `json:"list,omitempty"`
}

// GPUProcess is one of them.
type GPUProcess struct {
	PID  int                `json:"pid"`  // as the host numbers it, also when read in a container
	Name fact.Value[string] `json:"name"` // of its program, 15 characters at most
	VRAM fact.Value[int64]  `json:"vram"` // B, on all GPUs
}

// HostState is the machine.
type HostState struct {
	Load1  fact.Value[float64] `json:"load_1"` // tasks that run or wait to, mean over one minute
	Load5  fact.Value[float64] `json:"load_5"`
	Load15 fact.Value[float64] `json:"load_15"`
	// CPUClock… are over the hardware threads, in MHz.
	CPUClockMin     fact.Value[float64] `json:"cpu_clock_min"`
	CPUClockMean    fact.Value[float64] `json:"cpu_clock_mean"`
	CPUClockMax     fact.Value[float64] `json:"cpu_clock_max"`
	MemoryFree      fact.Value[int64]   `json:"memory_free"`      // B, used for nothing
	MemoryAvailable fact.Value[int64]   `json:"memory_available"` // B, that programs could have without swapping
}

// capture is the state of one reading, or of a [Sampler]'s.
type capture struct {
	*source.Reader
	fact.Warnings
	box  *source.Toolbox
	pids []int // that are expected on the GPUs
}

// Read reads the state of the host now. It warns of processes on the GPUs that are not among pids or started by one of
// them.
func Read(r *source.Reader, b *source.Toolbox, pids []int) *State {
	c := &capture{Reader: r, box: b, pids: pids}
	nvidia, apps := startNVIDIAState(b), startNVIDIAProcesses(b) // they run while files are read
	s := c.snapshot(c.monitors())
	c.processes(&s.Processes)
	c.nvidiaState(&s.NVIDIA, nvidia)
	c.nvidiaProcesses(&s.NVIDIA.Processes, apps)
	s.Warnings = c.Warnings
	return s
}

// snapshot reads everything that is in files but the processes, of which it only counts how many there are.
func (c *capture) snapshot(monitors []monitor, count fact.Value[int64]) *State {
	s := &State{Time: time.Now(), AMD: GPUStates{Count: count}}
	for _, m := range monitors {
		s.AMD.Devices = append(s.AMD.Devices, c.gpuState(m))
	}
	_, s.Processes.Count = c.running()
	c.hostState(&s.Host)
	return s
}
