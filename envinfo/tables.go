package envinfo

import (
	"io"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// WriteTables writes e as three short tables in the form in which test environments are published: hardware, software
// and container images, without scopes and sources, which [Environment.WriteText] has. Every cell is a reading, or a
// published figure found by PCI id, or "unknown"; nothing is filled in. Software that was found in several scopes has a
// row for each, that says which.
//
// The error is that of w.
func (e *Environment) WriteTables(w io.Writer) error {
	t := table.New(w)
	hardware, software, images := e.Tables()
	written := false
	for _, rows := range [][][]string{hardware, software, images} {
		if len(rows) < 2 { // a head, and nothing below it
			continue
		}
		if written {
			t.Line("")
		}
		for _, row := range rows {
			t.Cells(row...)
		}
		written = true
	}
	return t.Flush()
}

// Tables are the rows of [Environment.WriteTables], for who writes tables of another kind: hardware and software with
// two columns, images with three. The first row of each is its head.
func (e *Environment) Tables() (hardware, software, images [][]string) {
	collect := func(write func(*table.Table)) [][]string {
		t := table.Collect()
		write(t)
		return t.Rows()
	}
	return collect(e.hardwareTable), collect(e.softwareTable), collect(func(t *table.Table) { writeImages(t, e.images()) })
}

func (e *Environment) hardwareTable(t *table.Table) {
	t.Cells("Component", "Specification")
	e.AMD.ShortRows(t)
	e.NVIDIA.ShortRows(t)
	if len(e.AMD.Cards)+len(e.NVIDIA.Cards) == 0 {
		e.withoutCards(t)
	}
}

func (e *Environment) softwareTable(t *table.Table) {
	t.Cells("Component", "Version")
	scopes := map[string]int{}
	software := slices.DeleteFunc(e.software(), e.irrelevant)
	for _, s := range software {
		scopes[s.Name]++
	}
	for _, s := range software {
		name := s.Name
		if scopes[name] > 1 {
			name += " (" + string(s.Version.Scope()) + ")"
		}
		t.Cells(name, table.Show(s.Version, table.Plain).Text)
	}
}

// withoutCards writes what there is of a host that has no GPU, or whose GPUs nothing shows.
func (e *Environment) withoutCards(t *table.Table) {
	t.Cells("GPU", e.noCards().Text)
	t.Cells("CPU", table.Show(e.Host.CPUModel, table.Plain).Text)
	t.Cells("CPU sockets", table.Show(e.Host.CPUSockets, table.Plain).Text)
	t.Cells("CPU cores", table.Show(e.Host.CPUCores, table.Plain).Text)
	t.Cells("Memory", table.Show(e.Host.Memory, table.Size[int64]).Text)
}

// irrelevant tells whether a piece of software is that of a maker without a card here, and was not found.
func (e *Environment) irrelevant(s fact.Component) bool {
	scope := s.Version.Scope()
	if _, ok := s.Version.Get(); ok || scope != fact.ScopeHost && scope != fact.ScopeContainer {
		return false
	}
	switch s.Name {
	case "amdgpu", "ROCm", "RCCL", "AMD SMI", "packages":
		return len(e.AMD.Cards) == 0
	case "NVIDIA driver", "CUDA", "CUDA (driver)", "NCCL":
		return len(e.NVIDIA.Cards) == 0
	}
	return false
}

// software is that of the host, that of the containers, and their runtimes; what is on the host once is listed once,
// however many containers tell of it.
func (e *Environment) software() []fact.Component {
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

// image is a row of the table of images.
type image struct {
	name    string // as it was asked for: "vllm/vllm-openai-rocm:latest"
	version fact.Value[string]
	digest  fact.Value[string]
}

// images is the images of the containers that were captured.
func (e *Environment) images() []image {
	var out []image
	for _, c := range e.Containers {
		row := image{name: table.Show(c.Image, table.Plain).Text, digest: c.PinnedDigest}
		for _, d := range c.RepoDigests { // what runs goes before what was asked for
			if text, ok := d.Get(); ok {
				_, digest, found := strings.Cut(text, "@")
				if !found {
					digest = text
				}
				row.digest = fact.Known(digest, "", d.Scope(), d.Source())
				break
			}
		}
		row.version = fact.Unknown[string]("", fact.ScopeContainer, "no vLLM was found inside")
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

func writeImages(t *table.Table, images []image) {
	t.Cells("Image", "vLLM Version", "Digest")
	if len(images) == 0 {
		t.Cells("unknown", "unknown", "unknown")
	}
	for _, i := range images {
		t.Cells(i.name, table.Show(i.version, table.Plain).Text, table.Show(i.digest, shortDigest).Text)
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
