package software

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

const (
	dpkgStatus  = "var/lib/dpkg/status"
	packageFile = 16 << 20 // 2 to 5 MB on a host with ROCm
)

// packages are those of which the version is recorded. ROCm's come a second time with the version in their name
// (rccl6.4.2), where several are installed side by side.
var packages = []string{
	"amd-smi-lib", "amdgpu-dkms", "hip-runtime-amd", "hipblaslt", "hsa-rocr", "miopen-hip", "rccl", "rocblas", "rocm",
	"rocm-core",
	"rocm-smi-lib", "rocprofiler-register",
}

// installedPackage is one installed package.
type installedPackage struct{ name, version string }

// packageDB is the packages that are wanted, where they were read, or why they are not known.
type packageDB struct {
	packages []installedPackage
	origin   string
	err      error
}

// StartRPM starts rpm, which alone reads its database: SQLite, Berkeley DB or ndb, by distribution.
func StartRPM(b *source.Toolbox) *source.Tool {
	args := []string{"-qa", "--qf", `%{NAME} %{VERSION}-%{RELEASE}\n`}
	for _, p := range packages {
		args = append(args, p+"*")
	}
	return b.Spawn("rpm -qa", func() ([]byte, error) { return b.Run("rpm", args...) })
}

// installed reads the package database once: that of dpkg, or where there is none what rpm says.
func (c *Inventory) installed() *packageDB {
	if c.db != nil {
		return c.db
	}
	b, err := c.File(dpkgStatus, packageFile)
	c.db = &packageDB{parseDpkgStatus(b, isROCmPackage), source.Abs(dpkgStatus), err}
	if !source.Missing(err) || c.rpm == nil {
		return c.db
	}
	switch b, err := c.rpm.Wait(); {
	case source.NoTool(err): // dpkg's database is what is missed
	case err != nil:
		c.db.err = err
	default:
		c.db = &packageDB{parseRPM(b, isROCmPackage), c.rpm.Name, nil}
	}
	return c.db
}

// parseRPM returns the packages in lines of a name and a version: "rocm-core 6.4.2.60402-120.el9". At most 256 are
// kept.
func parseRPM(b []byte, wanted func(string) bool) []installedPackage {
	var out []installedPackage
	for _, line := range source.Lines(b) {
		name, version, ok := strings.Cut(line, " ")
		v, known := source.Version(version, "", "rpm").Get()
		if ok && known && wanted(name) && len(out) < 256 {
			out = append(out, installedPackage{name, v})
		}
	}
	return out
}

// isROCmPackage tells whether a package is one of packages, with or without the version in its name.
func isROCmPackage(name string) bool {
	for _, p := range packages {
		if rest, ok := strings.CutPrefix(name, p); ok && strings.Trim(rest, "0123456789.") == "" {
			return true
		}
	}
	return false
}

// packageVersion is the version of the first of the named packages that is installed.
func (c *Inventory) packageVersion(names ...string) fact.Value[string] {
	l := c.installed()
	if l.err != nil {
		return fact.Unknown[string]("", c.userland, l.err.Error())
	}
	for _, name := range names {
		for _, p := range l.packages {
			if p.name == name {
				return fact.Known(p.version, "", c.userland, l.origin+": "+name)
			}
		}
	}
	return fact.Unknown[string]("", c.userland, fmt.Sprintf("%s: no %s", l.origin, strings.Join(names, ", ")))
}

// Packages records the packages of ROCm, by their names. Where there is no database that can be read, one component
// "packages" says so.
func (c *Inventory) Packages() {
	l := c.installed()
	for _, p := range l.packages {
		c.Add(p.name, fact.Known(p.version, "", c.userland, l.origin+": "+p.name))
	}
	if len(l.packages) > 0 {
		return
	}
	reason := l.origin + ": no package of ROCm"
	if l.err != nil {
		reason = l.err.Error()
		if source.Missing(l.err) {
			for _, dir := range []string{"usr/lib/sysimage/rpm", "var/lib/rpm"} {
				if c.Stat(dir) == nil {
					reason = source.Abs(
						dir,
					) + ": the database of rpm is not text, and is not read: rpm was not there to ask"
					break
				}
			}
		}
	}
	c.Add("packages", fact.Unknown[string]("", c.userland, reason))
}

// parseDpkgStatus returns the installed packages that are wanted, in the order of the file (deb-control(5): fields in
// paragraphs, with continuation lines that begin with white space). At most 256 are kept.
func parseDpkgStatus(b []byte, wanted func(string) bool) []installedPackage {
	var out []installedPackage
	var name, version, status string
	end := func() {
		if f := strings.Fields(status); len(f) == 3 && f[2] == "installed" && name != "" && version != "" &&
			wanted(name) &&
			len(out) < 256 {
			out = append(out, installedPackage{name, version})
		}
		name, version, status = "", "", ""
	}
	for line := range bytes.Lines(b) {
		line = bytes.TrimRight(line, "\r\n")
		if len(bytes.TrimSpace(line)) == 0 {
			end()
			continue
		}
		if line[0] == ' ' || line[0] == '\t' || len(line) > 4096 {
			continue
		}
		field, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch { // names of fields are not case-sensitive
		case bytes.EqualFold(field, []byte("Package")):
			name = fact.Clean(string(value))
		case bytes.EqualFold(field, []byte("Version")):
			version = fact.Clean(string(value))
		case bytes.EqualFold(field, []byte("Status")):
			status = string(value)
		}
	}
	end()
	return out
}
