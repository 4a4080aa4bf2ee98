package state

import (
	"io"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// WriteText writes s as tables for people. The error is that of w.
func (s *State) WriteText(w io.Writer) error {
	t := table.New(w)
	t.Cells("GPU", "Edge", "Junction", "Memory", "Power", "Cap", "Clock", "Memory clock", "VRAM used", "Busy", "ECC ue",
		"ECC ce", "Throttled")
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
			append(row, table.Show(g.VRAMUsed, table.Gibibytes).Text,
				table.Show(g.Busy, table.Quantity[int64]("%", 0)).Text, table.Show(g.Uncorrected, table.Plain).Text,
				table.Show(g.Corrected, table.Plain).Text, table.Show(g.Throttled, table.Plain).Text)...)
	}
	s.NVIDIA.writeText(t)
	s.Processes.writeText(t, "Process on the GPUs")
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

// writeText writes the processes under a title.
func (p GPUProcesses) writeText(t *table.Table, title string) {
	t.Line("")
	t.Cells(title, "Program", "VRAM")
	if len(p.List) == 0 {
		t.Cells(p.Count.String())
	}
	for _, one := range p.List {
		name, vram := table.Show(one.Name, table.Plain), table.Show(one.VRAM, table.Gibibytes)
		t.Cells(strconv.Itoa(one.PID), name.Text, vram.Text)
	}
}
