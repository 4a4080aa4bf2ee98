package envinfo

import (
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
)

// rows writes the tables of the host and its network.
func (h *Host) rows(t *table) {
	count := quantity[int64]("", 0)
	t.line("")
	t.head("Host")
	t.row("Machine", pair(show(h.Machine.Vendor, plain), show(h.Machine.Product, plain), "%s %s"))
	t.row("Board", show(h.Machine.Board, plain))
	t.row("BIOS", pair(show(h.Machine.BIOSVersion, plain), show(h.Machine.BIOSDate, plain), "%s of %s"))
	t.row("Virtualization", show(h.Virtualization, plain))
	t.row("SMT", show(h.SMT, plain))
	t.row("Threads per core", show(h.ThreadsPerCore, count))
	t.row("Microcode", show(h.Microcode, plain))
	t.row("Governor", pair(show(h.Frequency.Governor, plain), show(h.Frequency.Driver, plain), "%s (%s)"))
	t.row("Energy preference", show(h.Frequency.EnergyPreference, plain))
	t.row("Highest clock", show(h.Frequency.Max, func(kHz int64) string { return number.Short(float64(kHz)/1000, 0) + " MHz" }))
	t.row("Boost", show(h.Frequency.Boost, onOff))
	t.row("Memory modules", show(h.MemoryModules, plain))
	t.row("Memory speed", show(h.MemorySpeed, quantity[int64]("MT/s", 0)))
	t.row("NUMA nodes", show(h.NUMA.Count, count))
	for _, n := range h.NUMA.Nodes {
		t.row(fmt.Sprintf("NUMA node %d", n.Index), pair(show(n.Memory, size[int64]), show(n.CPUs, plain), "%s, CPUs %s"))
	}
	t.row("NUMA balancing", show(h.NUMA.Balancing, func(n int64) string { return onOff(n != 0) }))
	t.row("Transparent huge pages", pair(show(h.Tuning.HugePages, plain), show(h.Tuning.HugePagesDefrag, plain), "%s (defrag %s)"))
	t.row("Clock source", show(h.Tuning.ClockSource, plain))
	t.row("IOMMUs", pair(show(h.Tuning.IOMMUs, count), show(h.Tuning.IOMMUDomains, plain), "%s (domains %s)"))
	t.row("Vulnerabilities", pair(show(h.Tuning.Mitigated, count), show(h.Tuning.Vulnerable, count), "%s mitigated, %s open"))

	t.line("")
	t.head("Network")
	t.row("Cards", show(h.Network.Count, count))
	for _, card := range h.Network.Cards {
		c := pair(show(card.Driver, plain), show(card.State, plain), "%s, %s")
		for _, extra := range []cell{show(card.Speed, speed), show(card.MTU, func(n int64) string { return fmt.Sprint("MTU ", n) }),
			show(card.PCIAddress, plain)} {
			if extra.text != "unknown" {
				c.text += ", " + extra.text
			}
		}
		t.row(card.Name, c)
	}
	t.row("RDMA devices", show(h.Network.RDMACount, count))
	for _, d := range h.Network.RDMA {
		c := show(d.Firmware, func(s string) string { return "firmware " + s })
		for _, p := range d.Ports {
			port := pair(show(p.LinkLayer, plain), show(p.State, plain), "%s %s")
			if rate := show(p.RateText, plain); rate.text != "unknown" {
				port.text += " " + rate.text
			}
			c.text = strings.Join([]string{c.text, fmt.Sprintf("port %d %s", p.Index, port.text)}, ", ")
		}
		t.row(d.Name, c)
	}
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// speed is the speed of a link as cards are sold: 400 Gb/s.
func speed(mb int64) string {
	if mb >= 1000 {
		return number.Short(float64(mb)/1000, 1) + " Gb/s"
	}
	return number.Short(float64(mb), 0) + " Mb/s"
}

// smallSize is a size of which most are below 1 GiB.
func smallSize(l Limit) string {
	if l >= 1<<30 {
		return size(l)
	}
	return number.Short(float64(l)/(1<<20), 1) + " MiB (" + number.Short(float64(l), 0) + " B)"
}

// rows writes the limits of the process that the kernel sets by control groups and by ulimits.
func (p *Process) rows(t *table) {
	t.row("CPUs, control group", show(p.CPULimit, plain))
	t.row("CPUs, allowed", show(p.Allowed, plain))
	t.row("CPUs, usable", show(p.UsableCPUs, quantity[float64]("", 2)))
	t.row("Memory nodes", show(p.MemoryNodes, plain))
	t.row("Memory, control group", show(p.MemoryLimit, size[Limit]))
	t.row("Memory, usable", show(p.UsableMemory, size[int64]))
	t.row("Tasks, control group", show(p.TaskLimit, plain))
	t.row("Open files", show(p.OpenFiles, plain))
	t.row("Open files, hard", show(p.OpenFilesHard, plain))
	t.row("Locked memory", show(p.LockedMemory, smallSize))
	t.row("Processes", show(p.Processes, plain))
	t.row("Stack", show(p.Stack, smallSize))
}
