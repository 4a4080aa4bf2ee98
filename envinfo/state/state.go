// Package state reads how a host is doing: temperatures, power, clocks, memory and processes, which are other ones the
// next second. A [Sampler] does so again and again during a measurement.
package state

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/amd"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/internal/table"
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

// monitor is where the sensors of one GPU are: found once, read every time.
type monitor struct {
	location fact.Value[string]
	device   string            // folder of the PCI device
	hwmon    string            // folder of its sensors
	sensors  map[string]string // label ("junction", "sclk") to the file
	blocks   []string          // files of error counts
	noHwmon  string            // why there are no sensors
	noBlocks string
}

const drmClass = "sys/class/drm"

// monitors finds the GPUs by their render nodes (Documentation/gpu/amdgpu/thermal.rst, ras.rst). In a partitioned card,
// only the first node is that of the PCI device; the others have no vendor.
func (c *capture) monitors() (out []monitor, count fact.Value[int64]) {
	names, err := c.Dir(drmClass)
	if err != nil {
		reason := err.Error()
		if source.Missing(err) {
			reason += ": no driver has found a GPU, or they are hidden"
		}
		return nil, fact.Unknown[int64]("", fact.ScopeHost, reason)
	}
	minors := []int{}
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "renderD")); err == nil &&
			strings.HasPrefix(name, "renderD") {
			minors = append(minors, n)
		}
	}
	slices.Sort(minors)
	nameless := 0
	for _, n := range minors {
		m := monitor{device: fmt.Sprintf("%s/renderD%d/device", drmClass, n), sensors: map[string]string{}}
		b, err := c.File(m.device+"/vendor", source.SmallFile)
		if source.Missing(err) {
			nameless++
			continue
		}
		if err != nil {
			return out, fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		}
		if v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 32); err != nil || v != amd.Vendor {
			continue
		}
		m.location = c.slot(m.device)
		c.sensors(&m)
		c.blocks(&m)
		out = append(out, m)
	}
	if len(out) == 0 && nameless > 0 { // not a partition of a card that was seen
		return nil, fact.Unknown[int64](
			"",
			fact.ScopeHost,
			fmt.Sprintf("%s: whose the render nodes are cannot be told: %d of %d have no device/vendor",
				source.Abs(drmClass), nameless, len(minors)),
		)
	}
	return out, fact.Known(
		int64(len(out)),
		"",
		fact.ScopeHost,
		"render nodes in "+source.Abs(drmClass)+" of vendor 0x1002",
	)
}

// slot is the PCI address of a device.
func (c *capture) slot(device string) fact.Value[string] {
	name := device + "/uevent"
	b, err := c.File(name, source.SmallFile)
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	for _, line := range source.Lines(b) {
		if slot, ok := strings.CutPrefix(line, "PCI_SLOT_NAME="); ok {
			return fact.Known(slot, "", fact.ScopeHost, source.Abs(name)+": PCI_SLOT_NAME")
		}
	}
	return fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": no PCI_SLOT_NAME")
}

// sensors finds the sensors of m by their labels, since cards lack some and the numbers of the rest stay.
func (c *capture) sensors(m *monitor) {
	names, err := c.Dir(m.device + "/hwmon")
	if err != nil {
		m.noHwmon = err.Error()
		return
	}
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "hwmon") })
	if i < 0 {
		m.noHwmon = source.Abs(m.device) + "/hwmon: no sensors"
		return
	}
	m.hwmon = m.device + "/hwmon/" + names[i]
	files, err := c.Dir(m.hwmon)
	if err != nil {
		m.noHwmon = err.Error()
		return
	}
	for _, f := range files {
		sensor, ok := strings.CutSuffix(f, "_label")
		if !ok {
			continue
		}
		if b, err := c.File(m.hwmon+"/"+f, source.SmallFile); err == nil {
			m.sensors[strings.TrimSpace(string(b))] = m.hwmon + "/" + sensor + "_input"
		}
	}
	if _, ok := m.sensors["edge"]; !ok && slices.Contains(files, "temp1_input") &&
		!slices.Contains(files, "temp1_label") {
		m.sensors["edge"] = m.hwmon + "/temp1_input" // kernels that have no labels have this one
	}
}

// blocks finds the error counts of the hardware blocks of m.
func (c *capture) blocks(m *monitor) {
	dir := m.device + "/ras"
	names, err := c.Dir(dir)
	if err != nil {
		m.noBlocks = err.Error()
		return
	}
	for _, n := range names {
		if strings.HasSuffix(n, "_err_count") {
			m.blocks = append(m.blocks, dir+"/"+n)
		}
	}
	if len(m.blocks) == 0 {
		m.noBlocks = source.Abs(dir) + ": no error counts"
	}
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

func (c *capture) gpuState(m monitor) GPUState {
	sensor := func(label, unit string, scale float64) fact.Value[float64] {
		file, ok := m.sensors[label]
		switch {
		case m.noHwmon != "":
			return fact.Unknown[float64](unit, fact.ScopeHost, m.noHwmon)
		case !ok:
			return fact.Unknown[float64](unit, fact.ScopeHost, source.Abs(m.hwmon)+": no sensor with the label "+label)
		}
		return c.scaled(file, unit, scale)
	}
	power := func(file string) fact.Value[float64] {
		if m.noHwmon != "" {
			return fact.Unknown[float64]("W", fact.ScopeHost, m.noHwmon)
		}
		return c.scaled(m.hwmon+"/"+file, "W", 1e-6)
	}
	g := GPUState{
		Location:    m.location,
		Edge:        sensor("edge", "°C", 1e-3),
		Junction:    sensor("junction", "°C", 1e-3),
		MemoryTemp:  sensor("mem", "°C", 1e-3),
		PowerMean:   power("power1_average"),
		Power:       power("power1_input"),
		PowerCap:    power("power1_cap"),
		Clock:       sensor("sclk", "MHz", 1e-6),
		MemoryClock: sensor("mclk", "MHz", 1e-6),
		VRAMUsed:    c.whole(m.device+"/mem_info_vram_used", "B", math.MaxInt64),
		Busy:        c.whole(m.device+"/gpu_busy_percent", "%", 100),
		MemoryBusy:  c.whole(m.device+"/mem_busy_percent", "%", 100),
	}
	g.Uncorrected, g.Corrected = c.errorCounts(m)
	g.Throttled, g.ThrottleStatus = c.throttle(m)
	return g
}

// scaled is a number in a file in another unit; sensors give thousandths and millionths.
func (c *capture) scaled(name, unit string, scale float64) fact.Value[float64] {
	b, err := c.File(name, source.SmallFile)
	if err != nil {
		return fact.Unknown[float64](unit, fact.ScopeHost, err.Error())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return fact.Unknown[float64](
			unit,
			fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a number", source.Abs(name), fact.Clip(string(b))),
		)
	}
	// A division gives 45.3 where the multiplication gives 45.300000000000004.
	return fact.Known(float64(n)/math.Round(1/scale), unit, fact.ScopeHost, source.Abs(name))
}

// whole is a number in a file from 0 to limit.
func (c *capture) whole(name, unit string, limit int64) fact.Value[int64] {
	b, err := c.File(name, source.SmallFile)
	if err != nil {
		return fact.Unknown[int64](unit, fact.ScopeHost, err.Error())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 0 || n > limit {
		return fact.Unknown[int64](
			unit,
			fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a number from 0 to %d", source.Abs(name), fact.Clip(string(b)), limit),
		)
	}
	return fact.Known(n, unit, fact.ScopeHost, source.Abs(name))
}

// errorCounts adds up the errors of the blocks of m. A part of them would be too low a number, so one that cannot be
// read spoils all.
func (c *capture) errorCounts(m monitor) (uncorrected, corrected fact.Value[int64]) {
	unknown := func(reason string) (a, b fact.Value[int64]) {
		return fact.Unknown[int64]("", fact.ScopeHost, reason), fact.Unknown[int64]("", fact.ScopeHost, reason)
	}
	if m.noBlocks != "" {
		return unknown(m.noBlocks)
	}
	var ue, ce int64
	for _, name := range m.blocks {
		b, err := c.File(name, source.SmallFile)
		if err != nil {
			return unknown(err.Error())
		}
		u, k, err := parseErrorCount(b)
		if err != nil {
			return unknown(source.Abs(name) + ": " + err.Error())
		}
		if ue, ce = ue+u, ce+k; ue < 0 || ce < 0 {
			return unknown(source.Abs(name) + ": the sum is out of range")
		}
	}
	source := fmt.Sprintf("sum of %d, the first from %s", len(m.blocks), source.Abs(m.blocks[0]))
	return fact.Known(ue, "", fact.ScopeHost, source+": ue"), fact.Known(ce, "", fact.ScopeHost, source+": ce")
}

// parseErrorCount parses the errors of a block: "ue: 0" and "ce: 0", and other counts in other lines.
func parseErrorCount(b []byte) (uncorrected, corrected int64, err error) {
	uncorrected, corrected = -1, -1
	for _, line := range source.Lines(b) {
		name, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		switch {
		case name != "ue" && name != "ce":
		case err != nil || n < 0:
			return 0, 0, fmt.Errorf("%q is not a count", fact.Clip(line))
		case name == "ue":
			uncorrected = n
		default:
			corrected = n
		}
	}
	if uncorrected < 0 || corrected < 0 {
		return 0, 0, errors.New("no counts ue and ce")
	}
	return uncorrected, corrected, nil
}

func (c *capture) hostState(h *HostState) {
	h.Load1, h.Load5, h.Load15 = c.load()
	h.CPUClockMin, h.CPUClockMean, h.CPUClockMax = c.cpuClocks()
	const name = "proc/meminfo"
	b, err := c.File(name, source.SmallFile)
	memory := func(key string) fact.Value[int64] {
		if err != nil {
			return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
		}
		n, err := parseMeminfo(b, key)
		if err != nil {
			return fact.Unknown[int64]("B", fact.ScopeHost, source.Abs(name)+": "+err.Error())
		}
		return fact.Known(n, "B", fact.ScopeHost, source.Abs(name)+": "+key)
	}
	h.MemoryFree, h.MemoryAvailable = memory("MemFree"), memory("MemAvailable")
}

// parseMeminfo returns the bytes of key in proc/meminfo, which may be 0.
func parseMeminfo(b []byte, key string) (int64, error) {
	for _, line := range source.Lines(b) {
		rest, ok := strings.CutPrefix(line, key+":")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) == 2 && f[1] == "kB" {
			if kb, err := strconv.ParseInt(f[0], 10, 64); err == nil && kb >= 0 && kb <= math.MaxInt64/1024 {
				return kb * 1024, nil
			}
		}
		return 0, fmt.Errorf("%s is %q, want a number of kB", key, fact.Clip(rest))
	}
	return 0, errors.New("no " + key)
}

func (c *capture) load() (one, five, fifteen fact.Value[float64]) {
	const name = "proc/loadavg"
	b, err := c.File(name, source.SmallFile)
	var means []float64
	if err == nil {
		if means, err = source.ParseNumbers(b, 3); err != nil {
			err = fmt.Errorf("%s: %w", source.Abs(name), err)
		}
	}
	if err != nil {
		v := fact.Unknown[float64]("", fact.ScopeHost, err.Error())
		return v, v, v
	}
	return fact.Known(
			means[0],
			"",
			fact.ScopeHost,
			source.Abs(name),
		), fact.Known(
			means[1],
			"",
			fact.ScopeHost,
			source.Abs(name),
		), fact.Known(
			means[2],
			"",
			fact.ScopeHost,
			source.Abs(name),
		)
}

// cpuClocks are from proc/cpuinfo, one file, and not from cpufreq, which has one for each of several hundred threads.
func (c *capture) cpuClocks() (low, mean, high fact.Value[float64]) {
	const name = "proc/cpuinfo"
	b, err := c.File(name, source.LargeFile)
	var clocks []float64
	if err == nil {
		clocks = parseCPUClocks(b)
		if len(clocks) == 0 {
			err = errors.New(source.Abs(name) + ": no cpu MHz")
		}
	}
	if err != nil {
		unknown := fact.Unknown[float64]("MHz", fact.ScopeHost, err.Error())
		return unknown, unknown, unknown
	}
	sum := 0.0
	for _, x := range clocks {
		sum += x
	}
	of := fmt.Sprintf(" of %d in %s: cpu MHz", len(clocks), source.Abs(name))
	known := func(x float64, what string) fact.Value[float64] { return fact.Known(x, "MHz", fact.ScopeHost, what+of) }
	return known(
			slices.Min(clocks),
			"least",
		), known(
			math.Round(sum/float64(len(clocks))*1e3)/1e3,
			"mean",
		), known(
			slices.Max(clocks),
			"most",
		)
}

func parseCPUClocks(b []byte) []float64 {
	var out []float64
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "cpu MHz" {
			continue
		}
		if x, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && x > 0 && x < 1e6 {
			out = append(out, x)
		}
	}
	return out
}

// WriteText writes s as tables for people. The error is that of w.
func (s *State) WriteText(w io.Writer) error {
	t := table.New(w)
	t.Cells(
		"GPU",
		"Edge",
		"Junction",
		"Memory",
		"Power",
		"Cap",
		"Clock",
		"Memory clock",
		"VRAM used",
		"Busy",
		"ECC ue",
		"ECC ce",
		"Throttled",
	)
	if len(s.AMD.Devices) == 0 {
		t.Cells(s.AMD.Count.String())
	}
	for _, g := range s.AMD.Devices {
		power := g.Power
		if _, ok := power.Get(); !ok {
			power = g.PowerMean
		}
		row := []string{table.Show(g.Location, table.Plain).Text}
		for _, v := range []fact.Value[float64]{g.Edge, g.Junction, g.MemoryTemp, power, g.PowerCap, g.Clock,
			g.MemoryClock} {
			row = append(row, table.Show(v, table.Quantity[float64](v.Unit(), 1)).Text)
		}
		t.Cells(
			append(
				row,
				table.Show(g.VRAMUsed, table.Gibibytes).Text,
				table.Show(g.Busy, table.Quantity[int64]("%", 0)).Text,
				table.Show(
					g.Uncorrected,
					table.Plain,
				).Text,
				table.Show(g.Corrected, table.Plain).Text,
				table.Show(g.Throttled, table.Plain).Text,
			)...)
	}
	s.NVIDIA.writeText(t)
	t.Line("")
	t.Cells("Process on the GPUs", "Program", "VRAM")
	if len(s.Processes.List) == 0 {
		t.Cells(s.Processes.Count.String())
	}
	for _, p := range s.Processes.List {
		t.Cells(strconv.Itoa(p.PID), table.Show(p.Name, table.Plain).Text, table.Show(p.VRAM, table.Gibibytes).Text)
	}
	t.Line("")
	t.Head("Host")
	t.Row("Load (1 min)", table.Show(s.Host.Load1, table.Plain))
	t.Row("CPU clock, mean", table.Show(s.Host.CPUClockMean, table.Quantity[float64]("MHz", 0)))
	t.Row("Memory available", table.Show(s.Host.MemoryAvailable, table.Size[int64]))
	for _, warning := range s.Warnings {
		t.Line(warning.String())
	}
	return t.Flush()
}
