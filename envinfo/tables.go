package envinfo

import (
	"io"
	"slices"
	"strings"
)

// WriteTables writes e as three short tables in the form in which test environments are published: hardware, software and container
// images, without scopes and sources, which [Environment.WriteText] has. Every cell is a reading, or a published figure found by
// PCI id, or "unknown"; nothing is filled in. Software that was found in several scopes has a row for each, that says which.
//
// The error is that of w.
func (e *Environment) WriteTables(w io.Writer) error {
	t := newTable(w)
	g := &e.AMD
	t.cells("Component", "Specification")
	if len(e.NVIDIA.Cards) == 0 || len(g.Cards) > 0 {
		g.shortRows(t)
	}
	e.NVIDIA.shortRows(t) // in the place of AMD's, or below them

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
	return t.flush()
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
