package host

import (
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/table"
	"github.com/servegauge/servegauge/internal/number"
)

// Rows writes the tables of the host and its network.
func (h *Host) Rows(t *table.Table) {
	count := table.Quantity[int64]("", 0)
	t.Line("")
	t.Head("Host")
	t.Row("Machine",
		table.Pair(table.Show(h.Machine.Vendor, table.Plain), table.Show(h.Machine.Product, table.Plain), "%s %s"))
	t.Row("Board", table.Show(h.Machine.Board, table.Plain))
	t.Row(
		"BIOS",
		table.Pair(table.Show(h.Machine.BIOSVersion, table.Plain), table.Show(h.Machine.BIOSDate, table.Plain),
			"%s of %s"),
	)
	t.Row("Virtualization", table.Show(h.Virtualization, table.Plain))
	t.Row("SMT", table.Show(h.SMT, table.Plain))
	t.Row("Threads per core", table.Show(h.ThreadsPerCore, count))
	t.Row("Microcode", table.Show(h.Microcode, table.Plain))
	t.Row(
		"Governor",
		table.Pair(table.Show(h.Frequency.Governor, table.Plain), table.Show(h.Frequency.Driver, table.Plain),
			"%s (%s)"),
	)
	t.Row("Energy preference", table.Show(h.Frequency.EnergyPreference, table.Plain))
	t.Row("Highest clock",
		table.Show(h.Frequency.Max, func(kHz int64) string { return number.Short(float64(kHz)/1000, 0) + " MHz" }))
	t.Row("Boost", table.Show(h.Frequency.Boost, onOff))
	t.Row("Memory modules", table.Show(h.MemoryModules, table.Plain))
	t.Row("Memory speed", table.Show(h.MemorySpeed, table.Quantity[int64]("MT/s", 0)))
	t.Row("NUMA nodes", table.Show(h.NUMA.Count, count))
	for _, n := range h.NUMA.Nodes {
		t.Row(fmt.Sprintf("NUMA node %d", n.Index),
			table.Pair(table.Show(n.Memory, table.Size[int64]), table.Show(n.CPUs, table.Plain), "%s, CPUs %s"))
	}
	t.Row("NUMA balancing", table.Show(h.NUMA.Balancing, func(n int64) string { return onOff(n != 0) }))
	t.Row(
		"Transparent huge pages",
		table.Pair(table.Show(h.Tuning.HugePages, table.Plain), table.Show(h.Tuning.HugePagesDefrag, table.Plain),
			"%s (defrag %s)"),
	)
	t.Row("Clock source", table.Show(h.Tuning.ClockSource, table.Plain))
	t.Row(
		"IOMMUs",
		table.Pair(table.Show(h.Tuning.IOMMUs, count), table.Show(h.Tuning.IOMMUDomains, table.Plain),
			"%s (domains %s)"),
	)
	t.Row(
		"Vulnerabilities",
		table.Pair(table.Show(h.Tuning.Mitigated, count), table.Show(h.Tuning.Vulnerable, count),
			"%s mitigated, %s open"),
	)

	t.Line("")
	t.Head("Network")
	t.Row("Cards", table.Show(h.Network.Count, count))
	for _, card := range h.Network.Cards {
		c := table.Pair(table.Show(card.Driver, table.Plain), table.Show(card.State, table.Plain), "%s, %s")
		for _, extra := range []table.Cell{table.Show(card.Speed, speed),
			table.Show(card.MTU, func(n int64) string { return fmt.Sprint("MTU ", n) }),
			table.Show(card.PCIAddress, table.Plain)} {
			if extra.Text != "unknown" {
				c.Text += ", " + extra.Text
			}
		}
		t.Row(card.Name, c)
	}
	t.Row("RDMA devices", table.Show(h.Network.RDMACount, count))
	for _, d := range h.Network.RDMA {
		c := table.Show(d.Firmware, func(s string) string { return "firmware " + s })
		for _, p := range d.Ports {
			port := table.Pair(table.Show(p.LinkLayer, table.Plain), table.Show(p.State, table.Plain), "%s %s")
			if rate := table.Show(p.RateText, table.Plain); rate.Text != "unknown" {
				port.Text += " " + rate.Text
			}
			c.Text = strings.Join([]string{c.Text, fmt.Sprintf("port %d %s", p.Index, port.Text)}, ", ")
		}
		t.Row(d.Name, c)
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
func smallSize(l fact.Limit) string {
	if l >= 1<<30 {
		return table.Size(l)
	}
	return number.Short(float64(l)/(1<<20), 1) + " MiB (" + number.Short(float64(l), 0) + " B)"
}

// Rows writes the limits of the process that the kernel sets by control groups and by ulimits.
func (p *Process) Rows(t *table.Table) {
	t.Row("CPUs, control group", table.Show(p.CPULimit, table.Plain))
	t.Row("CPUs, allowed", table.Show(p.Allowed, table.Plain))
	t.Row("CPUs, usable", table.Show(p.UsableCPUs, table.Quantity[float64]("", 2)))
	t.Row("Memory nodes", table.Show(p.MemoryNodes, table.Plain))
	t.Row("Memory, control group", table.Show(p.MemoryLimit, table.Size[fact.Limit]))
	t.Row("Memory, usable", table.Show(p.UsableMemory, table.Size[int64]))
	t.Row("Tasks, control group", table.Show(p.TaskLimit, table.Plain))
	t.Row("Open files", table.Show(p.OpenFiles, table.Plain))
	t.Row("Open files, hard", table.Show(p.OpenFilesHard, table.Plain))
	t.Row("Locked memory", table.Show(p.LockedMemory, smallSize))
	t.Row("Processes", table.Show(p.Processes, table.Plain))
	t.Row("Stack", table.Show(p.Stack, smallSize))
}
