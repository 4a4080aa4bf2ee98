package container

import (
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// Rows writes what is known of the container.
func (c *Container) Rows(t *table.Table) {
	t.Line("")
	t.Head("Container (" + c.Runtime + ")")
	t.Row("ID", table.Show(c.ID, table.Plain))
	t.Row("Name", table.Show(c.Name, table.Plain))
	t.Row("Image", table.Show(c.Image, table.Plain))
	t.Row("Image ID", table.Show(c.ImageID, table.Plain))
	table.List(t, "Repo digest", c.RepoDigests)
	t.Row("Pinned digest", table.Show(c.PinnedDigest, table.Plain))
	for _, v := range c.Versions {
		t.Row(v.Name, table.Show(v.Version, table.Plain))
	}
	t.Row("State", table.Show(c.State, table.Plain))
	t.Row("Created", table.Show(c.Created, table.Plain))
	t.Row("Started", table.Show(c.Started, table.Plain))
	t.Row("Command", table.Show(c.Command, table.Plain))
	table.Settings(t, c.Environment)
	table.List(t, "Device", c.Devices)
	t.Row("Shared memory", table.Show(c.ShmSize, table.Size[int64]))
	t.Row("IPC", table.Show(c.IPC, table.Plain))
	t.Row("Network", table.Show(c.Network, table.Plain))
	t.Row("Privileged", table.Show(c.Privileged, table.Plain))
	t.Row("CPUs", table.Show(c.CPULimit, table.Plain))
	t.Row("CPU set", table.Show(c.CPUSet, table.Plain))
	t.Row("Memory", table.Show(c.MemoryLimit, table.Size[fact.Limit]))
	table.List(t, "Mount", c.Mounts)
	for _, v := range c.Software {
		t.Row(v.Name, table.Show(v.Version, table.Plain))
	}
	if c.Engine != nil {
		t.Line("")
		t.Head("Engine arguments")
		t.Row("model", table.Show(c.Engine.Model, table.Plain))
		table.Settings(t, c.Engine.Arguments)
	}
	if c.Model != nil {
		c.Model.Rows(t)
	}
	for _, w := range c.Warnings {
		t.Line("Warning: " + w.String())
	}
}
