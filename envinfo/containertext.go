package envinfo

// rows writes what is known of the container.
func (c *Container) rows(t *table) {
	t.line("")
	t.head("Container (" + c.Runtime + ")")
	t.row("ID", show(c.ID, plain))
	t.row("Name", show(c.Name, plain))
	t.row("Image", show(c.Image, plain))
	t.row("Image ID", show(c.ImageID, plain))
	list(t, "Repo digest", c.RepoDigests)
	t.row("Pinned digest", show(c.PinnedDigest, plain))
	for _, v := range c.Versions {
		t.row(v.Name, show(v.Version, plain))
	}
	t.row("State", show(c.State, plain))
	t.row("Created", show(c.Created, plain))
	t.row("Started", show(c.Started, plain))
	t.row("Command", show(c.Command, plain))
	settings(t, c.Environment)
	list(t, "Device", c.Devices)
	t.row("Shared memory", show(c.ShmSize, size[int64]))
	t.row("IPC", show(c.IPC, plain))
	t.row("Network", show(c.Network, plain))
	t.row("Privileged", show(c.Privileged, plain))
	t.row("CPUs", show(c.CPULimit, plain))
	t.row("CPU set", show(c.CPUSet, plain))
	t.row("Memory", show(c.MemoryLimit, size[Limit]))
	list(t, "Mount", c.Mounts)
	for _, v := range c.Software {
		t.row(v.Name, show(v.Version, plain))
	}
	if c.Engine != nil {
		t.line("")
		t.head("Engine arguments")
		t.row("model", show(c.Engine.Model, plain))
		settings(t, c.Engine.Arguments)
	}
	if c.Model != nil {
		c.Model.rows(t)
	}
	for _, w := range c.Warnings {
		t.line("Warning: " + w.String())
	}
}
