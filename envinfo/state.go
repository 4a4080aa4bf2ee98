package envinfo

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// State is how the host was doing at one moment: what an [Environment] leaves out because it is another the next second. It marshals to
// JSON and reads back as it was. In the zero State everything is unknown.
//
// Whether an AMD card is throttled is in a binary table of the driver (gpu_metrics), of which the formats 1.1 to 1.5 are known here: MI200 and
// Radeon cards, and MI300 with older drivers. Newer drivers' tables have counters in its place, and it is unknown then. Low clocks at a
// temperature or a power near the limit are what it looks like.
type State struct {
	Time time.Time `json:"time"` // when the reading began
	AMD  GPUStates `json:"amd"`
	// NVIDIA is the NVIDIA GPUs.
	NVIDIA    NVIDIAStates `json:"nvidia"`
	Processes GPUProcesses `json:"processes"` // on the AMD GPUs
	Host      HostState    `json:"host"`
	// Warnings is what a reader should know before believing a measurement made now. Nil: none.
	Warnings []Warning `json:"warnings,omitempty"`
}

// GPUStates is the GPUs of one maker.
type GPUStates struct {
	Count Value[int64] `json:"count"` // PCI devices: a card of two dies is two, a partitioned card is one
	// Devices is in the order of their render nodes. Nil: none could be read; Count says why.
	Devices []GPUState `json:"devices,omitempty"`
}

// GPUState is one PCI device. Virtual functions have few of these.
type GPUState struct {
	Location    Value[string]  `json:"location"`        // PCI address
	Edge        Value[float64] `json:"edge"`            // °C, at the edge of the die
	Junction    Value[float64] `json:"junction"`        // °C, the hottest place of the die
	MemoryTemp  Value[float64] `json:"memory_temp"`     // °C
	PowerMean   Value[float64] `json:"power_average"`   // W, over a time that the firmware chooses
	Power       Value[float64] `json:"power"`           // W, now
	PowerCap    Value[float64] `json:"power_cap"`       // W
	Clock       Value[float64] `json:"clock"`           // MHz, of the compute engine
	MemoryClock Value[float64] `json:"memory_clock"`    // MHz
	VRAMUsed    Value[int64]   `json:"vram_used"`       // B
	Busy        Value[int64]   `json:"busy"`            // %, of the compute engine
	MemoryBusy  Value[int64]   `json:"memory_busy"`     // %, of the memory controller
	Uncorrected Value[int64]   `json:"ecc_uncorrected"` // errors since the driver was loaded, of all blocks
	Corrected   Value[int64]   `json:"ecc_corrected"`   // likewise
	Throttled   Value[bool]    `json:"throttled"`       // something holds the clocks down
	// ThrottleStatus is the bits that say what does, in hexadecimal; their meaning depends on the card.
	ThrottleStatus Value[string] `json:"throttle_status"`
}

// GPUProcesses is the processes that have the GPUs of one maker open for compute.
type GPUProcesses struct {
	Count Value[int64] `json:"count"`
	// List is in the order of their numbers. Nil: none, or none could be read; Count says which.
	List []GPUProcess `json:"list,omitempty"`
}

// GPUProcess is one of them.
type GPUProcess struct {
	PID  int           `json:"pid"`  // as the host numbers it, also when read in a container
	Name Value[string] `json:"name"` // of its program, 15 characters at most
	VRAM Value[int64]  `json:"vram"` // B, on all GPUs
}

// HostState is the machine.
type HostState struct {
	Load1  Value[float64] `json:"load_1"` // tasks that run or wait to, mean over one minute
	Load5  Value[float64] `json:"load_5"`
	Load15 Value[float64] `json:"load_15"`
	// CPUClock… are over the hardware threads, in MHz.
	CPUClockMin     Value[float64] `json:"cpu_clock_min"`
	CPUClockMean    Value[float64] `json:"cpu_clock_mean"`
	CPUClockMax     Value[float64] `json:"cpu_clock_max"`
	MemoryFree      Value[int64]   `json:"memory_free"`      // B, used for nothing
	MemoryAvailable Value[int64]   `json:"memory_available"` // B, that programs could have without swapping
}

// stateCapture is the state of one reading, or of a [Sampler]'s.
type stateCapture struct {
	*reader
	Warnings
	box  *toolbox
	pids []int // that are expected on the GPUs
}

// ReadState reads the state of the host now. It warns of processes on the GPUs that are not among pids or started by one of them.
func ReadState(r *reader, b *toolbox, pids []int) *State {
	c := &stateCapture{reader: r, box: b, pids: pids}
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
	location Value[string]
	device   string            // folder of the PCI device
	hwmon    string            // folder of its sensors
	sensors  map[string]string // label ("junction", "sclk") to the file
	blocks   []string          // files of error counts
	noHwmon  string            // why there are no sensors
	noBlocks string
}

const drmClass = "sys/class/drm"

// monitors finds the GPUs by their render nodes (Documentation/gpu/amdgpu/thermal.rst, ras.rst). In a partitioned card, only the first
// node is that of the PCI device; the others have no vendor.
func (c *stateCapture) monitors() (out []monitor, count Value[int64]) {
	names, err := c.dir(drmClass)
	if err != nil {
		reason := err.Error()
		if missing(err) {
			reason += ": no driver has found a GPU, or they are hidden"
		}
		return nil, Unknown[int64]("", ScopeHost, reason)
	}
	minors := []int{}
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimPrefix(name, "renderD")); err == nil && strings.HasPrefix(name, "renderD") {
			minors = append(minors, n)
		}
	}
	slices.Sort(minors)
	nameless := 0
	for _, n := range minors {
		m := monitor{device: fmt.Sprintf("%s/renderD%d/device", drmClass, n), sensors: map[string]string{}}
		b, err := c.file(m.device+"/vendor", smallFile)
		if missing(err) {
			nameless++
			continue
		}
		if err != nil {
			return out, Unknown[int64]("", ScopeHost, err.Error())
		}
		if v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 32); err != nil || v != amdVendor {
			continue
		}
		m.location = c.slot(m.device)
		c.sensors(&m)
		c.blocks(&m)
		out = append(out, m)
	}
	if len(out) == 0 && nameless > 0 { // not a partition of a card that was seen
		return nil, Unknown[int64]("", ScopeHost, fmt.Sprintf("%s: whose the render nodes are cannot be told: %d of %d have no device/vendor",
			abs(drmClass), nameless, len(minors)))
	}
	return out, Known(int64(len(out)), "", ScopeHost, "render nodes in "+abs(drmClass)+" of vendor 0x1002")
}

// slot is the PCI address of a device.
func (c *stateCapture) slot(device string) Value[string] {
	name := device + "/uevent"
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[string]("", ScopeHost, err.Error())
	}
	for _, line := range lines(b) {
		if slot, ok := strings.CutPrefix(line, "PCI_SLOT_NAME="); ok {
			return Known(slot, "", ScopeHost, abs(name)+": PCI_SLOT_NAME")
		}
	}
	return Unknown[string]("", ScopeHost, abs(name)+": no PCI_SLOT_NAME")
}

// sensors finds the sensors of m by their labels, since cards lack some and the numbers of the rest stay.
func (c *stateCapture) sensors(m *monitor) {
	names, err := c.dir(m.device + "/hwmon")
	if err != nil {
		m.noHwmon = err.Error()
		return
	}
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, "hwmon") })
	if i < 0 {
		m.noHwmon = abs(m.device) + "/hwmon: no sensors"
		return
	}
	m.hwmon = m.device + "/hwmon/" + names[i]
	files, err := c.dir(m.hwmon)
	if err != nil {
		m.noHwmon = err.Error()
		return
	}
	for _, f := range files {
		sensor, ok := strings.CutSuffix(f, "_label")
		if !ok {
			continue
		}
		if b, err := c.file(m.hwmon+"/"+f, smallFile); err == nil {
			m.sensors[strings.TrimSpace(string(b))] = m.hwmon + "/" + sensor + "_input"
		}
	}
	if _, ok := m.sensors["edge"]; !ok && slices.Contains(files, "temp1_input") && !slices.Contains(files, "temp1_label") {
		m.sensors["edge"] = m.hwmon + "/temp1_input" // kernels that have no labels have this one
	}
}

// blocks finds the error counts of the hardware blocks of m.
func (c *stateCapture) blocks(m *monitor) {
	dir := m.device + "/ras"
	names, err := c.dir(dir)
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
		m.noBlocks = abs(dir) + ": no error counts"
	}
}

// snapshot reads everything that is in files but the processes, of which it only counts how many there are.
func (c *stateCapture) snapshot(monitors []monitor, count Value[int64]) *State {
	s := &State{Time: time.Now(), AMD: GPUStates{Count: count}}
	for _, m := range monitors {
		s.AMD.Devices = append(s.AMD.Devices, c.gpuState(m))
	}
	_, s.Processes.Count = c.running()
	c.hostState(&s.Host)
	return s
}

func (c *stateCapture) gpuState(m monitor) GPUState {
	sensor := func(label, unit string, scale float64) Value[float64] {
		file, ok := m.sensors[label]
		switch {
		case m.noHwmon != "":
			return Unknown[float64](unit, ScopeHost, m.noHwmon)
		case !ok:
			return Unknown[float64](unit, ScopeHost, abs(m.hwmon)+": no sensor with the label "+label)
		}
		return c.scaled(file, unit, scale)
	}
	power := func(file string) Value[float64] {
		if m.noHwmon != "" {
			return Unknown[float64]("W", ScopeHost, m.noHwmon)
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
func (c *stateCapture) scaled(name, unit string, scale float64) Value[float64] {
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[float64](unit, ScopeHost, err.Error())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return Unknown[float64](unit, ScopeHost, fmt.Sprintf("%s: %q is not a number", abs(name), clip(string(b))))
	}
	// A division gives 45.3 where the multiplication gives 45.300000000000004.
	return Known(float64(n)/math.Round(1/scale), unit, ScopeHost, abs(name))
}

// whole is a number in a file from 0 to limit.
func (c *stateCapture) whole(name, unit string, limit int64) Value[int64] {
	b, err := c.file(name, smallFile)
	if err != nil {
		return Unknown[int64](unit, ScopeHost, err.Error())
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 0 || n > limit {
		return Unknown[int64](unit, ScopeHost, fmt.Sprintf("%s: %q is not a number from 0 to %d", abs(name), clip(string(b)), limit))
	}
	return Known(n, unit, ScopeHost, abs(name))
}

// errorCounts adds up the errors of the blocks of m. A part of them would be too low a number, so one that cannot be read spoils all.
func (c *stateCapture) errorCounts(m monitor) (uncorrected, corrected Value[int64]) {
	unknown := func(reason string) (a, b Value[int64]) {
		return Unknown[int64]("", ScopeHost, reason), Unknown[int64]("", ScopeHost, reason)
	}
	if m.noBlocks != "" {
		return unknown(m.noBlocks)
	}
	var ue, ce int64
	for _, name := range m.blocks {
		b, err := c.file(name, smallFile)
		if err != nil {
			return unknown(err.Error())
		}
		u, k, err := parseErrorCount(b)
		if err != nil {
			return unknown(abs(name) + ": " + err.Error())
		}
		if ue, ce = ue+u, ce+k; ue < 0 || ce < 0 {
			return unknown(abs(name) + ": the sum is out of range")
		}
	}
	source := fmt.Sprintf("sum of %d, the first from %s", len(m.blocks), abs(m.blocks[0]))
	return Known(ue, "", ScopeHost, source+": ue"), Known(ce, "", ScopeHost, source+": ce")
}

// parseErrorCount parses the errors of a block: "ue: 0" and "ce: 0", and other counts in other lines.
func parseErrorCount(b []byte) (uncorrected, corrected int64, err error) {
	uncorrected, corrected = -1, -1
	for _, line := range lines(b) {
		name, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		switch {
		case name != "ue" && name != "ce":
		case err != nil || n < 0:
			return 0, 0, fmt.Errorf("%q is not a count", clip(line))
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

func (c *stateCapture) hostState(h *HostState) {
	h.Load1, h.Load5, h.Load15 = c.load()
	h.CPUClockMin, h.CPUClockMean, h.CPUClockMax = c.cpuClocks()
	const name = "proc/meminfo"
	b, err := c.file(name, smallFile)
	memory := func(key string) Value[int64] {
		if err != nil {
			return Unknown[int64]("B", ScopeHost, err.Error())
		}
		n, err := parseMeminfo(b, key)
		if err != nil {
			return Unknown[int64]("B", ScopeHost, abs(name)+": "+err.Error())
		}
		return Known(n, "B", ScopeHost, abs(name)+": "+key)
	}
	h.MemoryFree, h.MemoryAvailable = memory("MemFree"), memory("MemAvailable")
}

// parseMeminfo returns the bytes of key in proc/meminfo, which may be 0.
func parseMeminfo(b []byte, key string) (int64, error) {
	for _, line := range lines(b) {
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
		return 0, fmt.Errorf("%s is %q, want a number of kB", key, clip(rest))
	}
	return 0, errors.New("no " + key)
}

func (c *stateCapture) load() (one, five, fifteen Value[float64]) {
	const name = "proc/loadavg"
	b, err := c.file(name, smallFile)
	var means []float64
	if err == nil {
		if means, err = parseNumbers(b, 3); err != nil {
			err = fmt.Errorf("%s: %w", abs(name), err)
		}
	}
	if err != nil {
		v := Unknown[float64]("", ScopeHost, err.Error())
		return v, v, v
	}
	return Known(means[0], "", ScopeHost, abs(name)), Known(means[1], "", ScopeHost, abs(name)), Known(means[2], "", ScopeHost, abs(name))
}

// cpuClocks are from proc/cpuinfo, one file, and not from cpufreq, which has one for each of several hundred threads.
func (c *stateCapture) cpuClocks() (low, mean, high Value[float64]) {
	const name = "proc/cpuinfo"
	b, err := c.file(name, largeFile)
	var clocks []float64
	if err == nil {
		clocks = parseCPUClocks(b)
		if len(clocks) == 0 {
			err = errors.New(abs(name) + ": no cpu MHz")
		}
	}
	if err != nil {
		unknown := Unknown[float64]("MHz", ScopeHost, err.Error())
		return unknown, unknown, unknown
	}
	sum := 0.0
	for _, x := range clocks {
		sum += x
	}
	of := fmt.Sprintf(" of %d in %s: cpu MHz", len(clocks), abs(name))
	known := func(x float64, what string) Value[float64] { return Known(x, "MHz", ScopeHost, what+of) }
	return known(slices.Min(clocks), "least"), known(math.Round(sum/float64(len(clocks))*1e3)/1e3, "mean"), known(slices.Max(clocks), "most")
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
	t := newTable(w)
	t.cells("GPU", "Edge", "Junction", "Memory", "Power", "Cap", "Clock", "Memory clock", "VRAM used", "Busy", "ECC ue", "ECC ce", "Throttled")
	if len(s.AMD.Devices) == 0 {
		t.cells(s.AMD.Count.String())
	}
	for _, g := range s.AMD.Devices {
		power := g.Power
		if _, ok := power.Get(); !ok {
			power = g.PowerMean
		}
		row := []string{show(g.Location, plain).text}
		for _, v := range []Value[float64]{g.Edge, g.Junction, g.MemoryTemp, power, g.PowerCap, g.Clock, g.MemoryClock} {
			row = append(row, show(v, quantity[float64](v.Unit(), 1)).text)
		}
		t.cells(append(row, show(g.VRAMUsed, gibibytes).text, show(g.Busy, quantity[int64]("%", 0)).text,
			show(g.Uncorrected, plain).text, show(g.Corrected, plain).text, show(g.Throttled, plain).text)...)
	}
	s.NVIDIA.writeText(t)
	t.line("")
	t.cells("Process on the GPUs", "Program", "VRAM")
	if len(s.Processes.List) == 0 {
		t.cells(s.Processes.Count.String())
	}
	for _, p := range s.Processes.List {
		t.cells(strconv.Itoa(p.PID), show(p.Name, plain).text, show(p.VRAM, gibibytes).text)
	}
	t.line("")
	t.head("Host")
	t.row("Load (1 min)", show(s.Host.Load1, plain))
	t.row("CPU clock, mean", show(s.Host.CPUClockMean, quantity[float64]("MHz", 0)))
	t.row("Memory available", show(s.Host.MemoryAvailable, size[int64]))
	for _, warning := range s.Warnings {
		t.line(warning.String())
	}
	return t.flush()
}
