package state

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/amd"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

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
	return out, fact.Known(int64(len(out)), "", fact.ScopeHost,
		"render nodes in "+source.Abs(drmClass)+" of vendor 0x1002")
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
		return fact.Unknown[float64](unit, fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a number", source.Abs(name), fact.Clip(string(b))))
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
		return fact.Unknown[int64](unit, fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a number from 0 to %d", source.Abs(name), fact.Clip(string(b)), limit))
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
