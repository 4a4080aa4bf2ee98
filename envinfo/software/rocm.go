package software

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// rocmDirs returns the folders that may hold ROCm, best first. Where /opt/rocm is missing there may be several
// /opt/rocm-X.Y.Z, none of which is the chosen one; they come as one group, so that the caller sees when they disagree.
// The error says why some of them may be missing from the list.
func (c *Inventory) rocmDirs() (groups [][]string, err error) {
	if given := strings.Trim(path.Clean(c.rocmPath), "/"); c.rocmPath != "" && given != "" {
		groups = append(groups, []string{given})
	}
	groups = append(groups, []string{"opt/rocm"})
	names, err := c.Dir("opt")
	if source.Missing(err) {
		err = nil
	}
	var versioned []string
	for _, n := range names {
		if strings.HasPrefix(n, "rocm-") {
			versioned = append(versioned, "opt/"+n)
		}
	}
	return append(groups, versioned, []string{"opt/rocm/core"}), err
}

// ROCm reads the version of ROCm from its version files, and else from the package database or the name of a library.
// hipconfig's is HIP's version, not ROCm's. Other versions that are installed beside it are components of their own.
func (c *Inventory) ROCm() {
	v, others := c.firstOf(".info/version-rocm or .info/version", func(dir string) fact.Value[string] {
		return c.firstFile([]string{dir + "/.info/version-rocm", dir + "/.info/version"}, "", source.SmallFile,
			parseROCmVersion)
	})
	_, known := v.Get()
	for _, other := range []fact.Value[string]{c.packageVersion("rocm-core", "rocm"), c.rocmByLibrary()} {
		switch _, ok := other.Get(); {
		case !ok:
		case !known && !strings.HasPrefix(v.Reason(), ambiguous):
			v, known = other, true
		case known:
			c.disagree("ROCm", v, other)
		}
	}
	c.addAll("ROCm", v, others)
}

// RCCL reads the version of RCCL from its header, and else from the package database, and only without either from the
// strings of the library, of which tens of MB are searched. The number in the library's name (librccl.so.1.0.60402) is
// ROCm's.
func (c *Inventory) RCCL() {
	v, others := c.firstOf("include/rccl/rccl.h or include/rccl.h", func(dir string) fact.Value[string] {
		return c.firstFile([]string{dir + "/include/rccl/rccl.h", dir + "/include/rccl.h"}, ": NCCL_VERSION_CODE",
			source.LargeFile, parseNCCLHeader)
	})
	_, known := v.Get()
	installed := c.packageVersion("rccl")
	switch _, ok := installed.Get(); {
	case strings.HasPrefix(v.Reason(), ambiguous):
	case known && ok:
		c.disagree("RCCL", v, installed)
	case !known && ok:
		v = installed
	case !known:
		library, more := c.firstOf("lib/librccl.so.1", func(dir string) fact.Value[string] {
			return c.rcclLibrary(dir+"/lib/librccl.so.1", c.userland)
		})
		if _, ok := library.Get(); ok {
			v, others = library, more
		} else {
			v = fact.Unknown[string]("", c.userland, fact.JoinReasons(v.Reason(), library.Reason()))
		}
	}
	c.addAll("RCCL", v, others)
}

// addAll records a version, and others of the same software that are installed beside it.
func (c *Inventory) addAll(name string, v fact.Value[string], others []fact.Value[string]) {
	c.Add(name, v)
	for _, other := range others {
		c.Add(name, other)
	}
	if _, ok := v.Get(); ok && len(others) > 0 {
		s, _ := v.Get()
		c.Warn(
			"software",
			"%d other versions of %s are installed beside %s; a program may use another than the one that is named "+
				"first",
			len(others),
			name,
			s,
		)
	}
}

// disagree warns when two sources give different versions of the same software. The build that a package adds is not
// compared: the files of 6.4.2-120 come from the package 6.4.2.60402-120~24.04.
func (c *Inventory) disagree(name string, v, other fact.Value[string]) {
	a, _ := v.Get()
	b, _ := other.Get()
	if release(a) != release(b) {
		c.Warn("software", "%s is %s by %s and %s by %s", name, a, v.Source(), b, other.Source())
	}
}

// release is the first three numbers of a version, with .0 for those that are left out: 6.4 is 6.4.0.
func release(version string) [3]string {
	out := [3]string{"0", "0", "0"}
	_, after, epoch := strings.Cut(version, ":") // of a Debian version
	if epoch {
		version = after
	}
	for i := range out {
		end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			end = len(version)
		}
		if n := strings.TrimLeft(version[:end], "0"); n != "" {
			out[i] = n
		}
		if end == len(version) || version[end] != '.' {
			break
		}
		version = version[end+1:]
	}
	return out
}

// firstFile is the version that parse finds in the first of the files that has one. The reason is of those that are
// there and wrong.
func (c *Inventory) firstFile(
	files []string,
	what string,
	limit int,
	parse func([]byte) (string, error),
) fact.Value[string] {
	var reason string
	for _, file := range files {
		b, err := c.File(file, limit)
		if err == nil {
			var version string
			if version, err = parse(b); err == nil {
				return fact.Known(version, "", c.userland, source.Abs(file)+what)
			}
			err = fmt.Errorf("%s: %w", source.Abs(file), err)
		}
		if !source.Missing(err) {
			reason = fact.JoinReasons(reason, err.Error())
		}
	}
	return fact.Unknown[string]("", c.userland, reason)
}

const ambiguous = "ambiguous: "

// firstOf returns what read finds in the first of the ROCm folders that knows it, and what differs from it in the
// others. read gives a reason only for what is there and wrong; that files are missing is said once, for all folders,
// as what was looked for.
func (c *Inventory) firstOf(
	what string,
	read func(dir string) fact.Value[string],
) (first fact.Value[string], others []fact.Value[string]) {
	var looked, wrong []string
	groups, err := c.rocmDirs()
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	seen := map[string]bool{} // versions
	chosen := false
	for _, group := range groups {
		var found []fact.Value[string]
		for _, dir := range group {
			looked = append(looked, source.Abs(dir))
			v := read(dir)
			if s, ok := v.Get(); ok {
				if !seen[s] {
					seen[s] = true
					found = append(found, v)
				}
			} else if v.Reason() != fact.NotCaptured {
				wrong = append(wrong, v.Reason())
			}
		}
		switch {
		case chosen || len(found) == 0:
			others = append(others, found...)
		case len(found) == 1:
			first, chosen = found[0], true
		default:
			a, _ := found[0].Get()
			b, _ := found[1].Get()
			first, chosen = fact.Unknown[string]("", c.userland, fmt.Sprintf(ambiguous+"%s says %s and %s says %s",
				found[0].Source(), a, found[1].Source(), b)), true
			others = append(others, found...)
		}
	}
	if chosen {
		return first, others
	}
	reason := fmt.Sprintf("no %s in %s", what, strings.Join(looked, ", "))
	return fact.Unknown[string]("", c.userland, strings.Join(append(wrong, reason), "; ")), nil
}

// rocmVersion is "6.4.2-120", "7.0.0" and "7.13.0-123-gfx942;gfx950": numbers, and then whatever the build adds.
var rocmVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){1,3}([-+.~][-+.~;,_A-Za-z0-9]{1,200})?$`)

// parseROCmVersion returns the version in a version file of ROCm, as it stands there.
func parseROCmVersion(b []byte) (string, error) {
	for _, line := range source.Lines(b) {
		switch {
		case line == "":
			continue
		case !rocmVersion.MatchString(line):
			return "", fmt.Errorf("%q is not a version", fact.Clip(line))
		}
		return line, nil
	}
	return "", errors.New("empty")
}

// parseNCCLHeader returns the version in nccl.h or rccl.h: NCCL_VERSION_CODE is X·1000 + Y·100 + Z up to 2.8 and
// X·10000 + Y·100 + Z from 2.9 on (the NCCL_VERSION macro of the same header).
func parseNCCLHeader(b []byte) (string, error) {
	for _, line := range source.Lines(b) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "#define" || f[1] != "NCCL_VERSION_CODE" {
			continue
		}
		code, err := strconv.ParseUint(f[2], 10, 31)
		if err != nil || code < 1000 {
			return "", fmt.Errorf("NCCL_VERSION_CODE is %q", fact.Clip(f[2]))
		}
		major := uint64(10000)
		if code < 10000 {
			major = 1000
		}
		return fmt.Sprintf("%d.%d.%d", code/major, code%major/100, code%100), nil
	}
	return "", errors.New("no NCCL_VERSION_CODE")
}
