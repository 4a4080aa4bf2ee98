package envinfo

import (
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteTables writes e as three short tables in the form in which test environments are published: hardware, software and container
// images, without scopes and sources, which [Environment.WriteText] has. Every cell is a reading, or a published figure found by
// PCI id, or "unknown"; nothing is filled in. Software that was found in several scopes has a row for each, that says which.
//
// The error is that of w.
func (e *Environment) WriteTables(w io.Writer) error {
	t := &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	g := &e.AMD
	t.cells("Component", "Specification")
	type row struct {
		name string
		cell cell
	}
	rows := []row{
		{"GPU", g.gpuRow()},
		{"Architecture", g.perCard(architecture)},
		{"VRAM per GPU", g.perCard(vram)},
		{"Total VRAM", totalVRAM(g)},
		{"Memory Bandwidth (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.Bandwidth, bandwidth) })},
		{"Aggregate Bandwidth", show(g.NominalBandwidth, quantity[float64]("TB/s", 3))},
		{"FP16 Compute (per GPU)", g.perCard(func(c GPU) cell { return show(c.Nominal.FP16, quantity[float64]("TFLOPS", 0)) })},
	}
	if n := &e.NVIDIA; len(n.Cards) > 0 { // in the place of AMD's, or below them
		if len(g.Cards) == 0 {
			rows = nil
		}
		rows = append(rows,
			row{"GPU", n.modelRow()},
			row{"Compute capability", n.perCard(func(c NVIDIAGPU) cell { return show(c.ComputeCapability, plain) })},
			row{"VRAM per GPU", n.perCard(func(c NVIDIAGPU) cell {
				return orElse(pair(show(c.Nominal.VRAM, gigabytes), show(c.Nominal.MemoryType, plain), "%s %s"), show(c.VRAM, size[int64]))
			})},
			row{"Total VRAM", show(n.VRAM, size[int64])},
			row{"Memory Bandwidth (per GPU)", n.perCard(func(c NVIDIAGPU) cell { return show(c.Nominal.Bandwidth, bandwidth) })},
			row{"FP16 Compute (per GPU)", n.perCard(func(c NVIDIAGPU) cell { return show(c.Nominal.FP16, quantity[float64]("TFLOPS", 0)) })})
	}
	for _, row := range rows {
		t.cells(row.name, row.cell.text)
	}

	t.line("")
	t.cells("Component", "Version")
	scopes := map[string]int{}
	software := e.software()
	for _, s := range software {
		scopes[s.Name]++
	}
	for _, s := range software {
		name := s.Name
		if scopes[name] > 1 {
			name += " (" + string(s.Version.Scope()) + ")"
		}
		t.cells(name, show(s.Version, plain).text)
	}

	t.line("")
	writeImages(t, e.images())
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

// software is that of the host, that of the containers, and their runtimes; what is on the host once is listed once, however many
// containers tell of it.
func (e *Environment) software() []Component {
	out := slices.Clone(e.Software)
	for _, c := range e.Containers {
		for _, s := range slices.Concat(c.Versions, c.Software) {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

// vram is the published size of a card, which a buyer knows it by, or else what the driver offers.
func vram(c GPU) cell {
	return orElse(pair(show(c.Nominal.VRAM, gigabytes), show(c.Nominal.MemoryType, plain), "%s %s"), show(c.VRAM, size[int64]))
}

func totalVRAM(g *GPUs) cell {
	return orElse(show(g.NominalVRAM, terabytes), show(g.VRAM, size[int64]))
}

// image is a row of the table of images.
type image struct {
	name    string // as it was asked for: "vllm/vllm-openai-rocm:latest"
	version Value[string]
	digest  Value[string]
}

// images is the images of the containers that were captured.
func (e *Environment) images() []image {
	var out []image
	for _, c := range e.Containers {
		row := image{name: show(c.Image, plain).text, digest: c.PinnedDigest}
		for _, d := range c.RepoDigests { // what runs goes before what was asked for
			if text, ok := d.Get(); ok {
				_, digest, found := strings.Cut(text, "@")
				if !found {
					digest = text
				}
				row.digest = Known(digest, "", d.Scope(), d.Source())
				break
			}
		}
		row.version = Unknown[string]("", ScopeContainer, "no vLLM was found inside")
		for _, s := range c.Software {
			if s.Name == "vllm" {
				row.version = s.Version
				break
			}
		}
		out = append(out, row)
	}
	return out
}

func writeImages(t *table, images []image) {
	t.cells("Image", "vLLM Version", "Digest")
	if len(images) == 0 {
		t.cells("unknown", "unknown", "unknown")
	}
	for _, i := range images {
		t.cells(i.name, show(i.version, plain).text, show(i.digest, shortDigest).text)
	}
}

// shortDigest is the first ten digits of a digest, which is what fits into a table; the record has them all.
func shortDigest(s string) string {
	const digits = 10
	algorithm, hex, ok := strings.Cut(s, ":")
	if !ok || len(hex) <= digits {
		return s
	}
	return algorithm + ":" + hex[:digits] + "..."
}
