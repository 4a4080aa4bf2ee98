package serving

import "github.com/servegauge/servegauge/envinfo/internal/table"

// Rows writes what the server says of itself.
func (s *Server) Rows(t *table.Table) {
	t.Line("")
	t.Head("Server")
	t.Row("URL", table.Show(s.URL, table.Plain))
	if s.Engine.Source() != "" {
		t.Row("Engine", table.Show(s.Engine, table.Plain))
	}
	t.Row("Version", table.Show(s.Version, table.Plain))
	for _, m := range s.Models {
		t.Row("Model", table.Show(m.ID, table.Plain))
		t.Row("Model root", table.Show(m.Root, table.Plain))
		t.Row("Longest context", table.Show(m.MaxModelLen, table.Quantity[int64]("tokens", 0)))
	}
	table.Settings(t, s.Facts)
}

// Rows writes what is known of the model.
func (m *Model) Rows(t *table.Table) {
	t.Line("")
	t.Head("Model")
	t.Row("Name", table.Show(m.Name, table.Plain))
	t.Row("Revision", table.Show(m.Revision, table.Plain))
	table.List(t, "Snapshot", m.Snapshots)
	table.List(t, "Architecture", m.Architectures)
	t.Row("Data type", table.Show(m.DType, table.Plain))
	t.Row("Quantization", table.Show(m.Quantization, table.Plain))
	t.Row("Quantization format", table.Show(m.QuantizationFormat, table.Plain))
	t.Row("Layers", table.Show(m.Layers, table.Plain))
	for _, w := range m.Warnings {
		t.Line("Warning: " + w.String())
	}
}
