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
	g := &e.AMD
	t.Cells("Component", "Specification")
	if len(e.NVIDIA.Cards) == 0 || len(g.Cards) > 0 {
		g.ShortRows(t)
	}
	e.NVIDIA.ShortRows(t) // in the place of AMD's, or below them

	t.Line("")
	t.Cells("Component", "Version")
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
		t.Cells(name, table.Show(s.Version, table.Plain).Text)
	}

	t.Line("")
	writeImages(t, e.images())
	return t.Flush()
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
