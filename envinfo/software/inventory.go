// Package software finds the software in a root filesystem, of the host or of a container: ROCm, CUDA and their
// communication libraries, packages of dpkg and rpm, and Python's; and the version of the program that looks.
package software

import (
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Inventory is the software in one root filesystem: that of the host, or of a container. Its methods each look for
// something, and add what they found, or looked for and did not find.
type Inventory struct {
	Found         []fact.Component
	fact.Warnings // about what was found, by "software"

	*source.Reader
	userland fact.Scope // of what the root filesystem holds, as opposed to what the kernel says
	rocmPath string     // where ROCm is looked for first
	// prefixes are folders in which Python packages are looked for before the usual ones.
	prefixes []string
	db       *packageDB   // what installed has read; nil: not yet
	rpm      *source.Tool // nil: it is not asked
}

// New is an empty one of the root filesystem that r reads, of which the scope is userland. ROCm is looked for in
// rocmPath and Python packages in prefixes before the usual places; both may be empty.
func New(r *source.Reader, userland fact.Scope, rocmPath string, prefixes ...string) *Inventory {
	return &Inventory{Found: []fact.Component{}, Reader: r, userland: userland, rocmPath: rocmPath, prefixes: prefixes}
}

// AskRPM makes the inventory take packages from rpm where there is no database of dpkg.
func (c *Inventory) AskRPM(t *source.Tool) { c.rpm = t }

// Add records one piece of software.
func (c *Inventory) Add(name string, version fact.Value[string]) {
	c.Found = append(c.Found, fact.Component{Name: name, Version: version})
}

// Check compares what a tool says of a piece of software with the components of that name: one has to agree. Where none
// is known, the tool's is the first's. Several installs that disagree stay unknown: which of them the tool means is as
// open as before.
func (c *Inventory) Check(name string, tool fact.Value[string], same func(file, tool string) bool) {
	said, ok := tool.Get()
	if !ok {
		return
	}
	first, other := -1, -1
	for i, s := range c.Found {
		if s.Name != name || s.Version.Scope() != tool.Scope() {
			continue
		}
		v, known := s.Version.Get()
		switch {
		case known && same(v, said):
			return
		case known:
			other = i
		case first < 0:
			first = i
		}
	}
	switch {
	case other >= 0:
		v := c.Found[other].Version
		c.Warn("software", "%s: %s says %v, and %s says %s", name, v.Source(), v, tool.Source(), said)
	case first >= 0 && !strings.HasPrefix(c.Found[first].Version.Reason(), "ambiguous"):
		c.Found[first].Version = tool
	}
}
