package envinfo

import "fmt"

// served writes the containers, the server and the model that were asked for.
func (e *Environment) served(t *table) {
	for i := range e.Containers {
		e.Containers[i].rows(t)
	}
	if s := e.Server; s != nil {
		t.line("")
		t.head("Server")
		t.row("URL", show(s.URL, plain))
		t.row("Version", show(s.Version, plain))
		for _, m := range s.Models {
			t.row("Model", show(m.ID, plain))
			t.row("Model root", show(m.Root, plain))
			t.row("Longest context", show(m.MaxModelLen, quantity[int64]("tokens", 0)))
		}
		settings(t, s.Facts)
	}
	if e.Model != nil {
		e.Model.rows(t)
	}
}

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

func (m *Model) rows(t *table) {
	t.line("")
	t.head("Model")
	t.row("Name", show(m.Name, plain))
	t.row("Revision", show(m.Revision, plain))
	list(t, "Snapshot", m.Snapshots)
	list(t, "Architecture", m.Architectures)
	t.row("Data type", show(m.DType, plain))
	t.row("Quantization", show(m.Quantization, plain))
	t.row("Quantization format", show(m.QuantizationFormat, plain))
	t.row("Layers", show(m.Layers, plain))
	for _, w := range m.Warnings {
		t.line("Warning: " + w.String())
	}
}

// list is a row for each value, and one that says so where there is none.
func list(t *table, name string, values []Value[string]) {
	if len(values) == 0 {
		t.cells(name, "none", "", "")
	}
	for i, v := range values {
		row := name
		if len(values) > 1 {
			row = fmt.Sprintf("%s %d", name, i+1)
		}
		t.row(row, show(v, plain))
	}
}

func settings(t *table, all []Setting) {
	for _, s := range all {
		t.row(s.Name, show(s.Value, plain))
	}
}
