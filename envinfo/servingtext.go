package envinfo

// rows writes what the server says of itself.
func (s *Server) rows(t *table) {
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

// rows writes what is known of the model.
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
