package envinfo

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// rocmDirs returns the folders that may hold ROCm, best first. Where /opt/rocm is missing there may be several /opt/rocm-X.Y.Z, none of
// which is the chosen one; they come as one group, so that the caller sees when they disagree. The error
// says why some of them may be missing from the list.
func (c *capture) rocmDirs() (groups [][]string, err error) {
	if given := strings.Trim(path.Clean(c.opts.ROCmPath), "/"); c.opts.ROCmPath != "" && given != "" {
		groups = append(groups, []string{given})
	}
	groups = append(groups, []string{"opt/rocm"})
	names, err := c.dir("opt")
	if missing(err) {
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

// rocm reads the version of ROCm from its version files. hipconfig's is HIP's version, not ROCm's; the package database is not read
// yet.
func (c *capture) rocm() {
	c.add("ROCm", c.firstOf(".info/version-rocm or .info/version", func(dir string) Value[string] {
		var reason string
		for _, file := range []string{dir + "/.info/version-rocm", dir + "/.info/version"} {
			b, err := c.file(file, smallFile)
			if err == nil {
				var version string
				if version, err = parseROCmVersion(b); err == nil {
					return Known(version, "", c.userland, abs(file))
				}
				err = fmt.Errorf("%s: %w", abs(file), err)
			}
			if !missing(err) {
				reason = joinReasons(reason, err.Error())
			}
		}
		return Unknown[string]("", c.userland, reason)
	}))
}

// rccl reads the version of RCCL from its header. The number in the library's name (librccl.so.1.0.60402) is ROCm's.
func (c *capture) rccl() {
	c.add("RCCL", c.firstOf("include/rccl/rccl.h or include/rccl.h", func(dir string) Value[string] {
		var reason string
		for _, file := range []string{dir + "/include/rccl/rccl.h", dir + "/include/rccl.h"} {
			b, err := c.file(file, largeFile)
			if err == nil {
				var version string
				if version, err = parseNCCLHeader(b); err == nil {
					return Known(version, "", c.userland, abs(file)+": NCCL_VERSION_CODE")
				}
				err = fmt.Errorf("%s: %w", abs(file), err)
			}
			if !missing(err) {
				reason = joinReasons(reason, err.Error())
			}
		}
		return Unknown[string]("", c.userland, reason)
	}))
}

// firstOf returns what read finds in the first of the ROCm folders that knows it. read gives a reason only for what is there and wrong;
// that files are missing is said once, for all folders, as what was looked for.
func (c *capture) firstOf(what string, read func(dir string) Value[string]) Value[string] {
	var looked, wrong []string
	groups, err := c.rocmDirs()
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	for _, group := range groups {
		var found []Value[string]
		for _, dir := range group {
			looked = append(looked, abs(dir))
			v := read(dir)
			if _, ok := v.Get(); ok {
				found = append(found, v)
			} else if v.Reason() != notCaptured {
				wrong = append(wrong, v.Reason())
			}
		}
		if len(found) == 0 {
			continue
		}
		first, _ := found[0].Get()
		if i := slices.IndexFunc(found, func(v Value[string]) bool { s, _ := v.Get(); return s != first }); i >= 0 {
			other, _ := found[i].Get()
			return Unknown[string]("", c.userland, fmt.Sprintf("ambiguous: %s says %s and %s says %s",
				found[0].Source(), first, found[i].Source(), other))
		}
		return found[0]
	}
	reason := fmt.Sprintf("no %s in %s", what, strings.Join(looked, ", "))
	return Unknown[string]("", c.userland, strings.Join(append(wrong, reason), "; "))
}

// rocmVersion is "6.4.2-120", "7.0.0" and "7.13.0-123-gfx942;gfx950": numbers, and then whatever the build adds.
var rocmVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){1,3}([-+.~][-+.~;,_A-Za-z0-9]{1,200})?$`)

// parseROCmVersion returns the version in a version file of ROCm, as it stands there.
func parseROCmVersion(b []byte) (string, error) {
	for _, line := range lines(b) {
		switch {
		case line == "":
			continue
		case !rocmVersion.MatchString(line):
			return "", fmt.Errorf("%q is not a version", clip(line))
		}
		return line, nil
	}
	return "", errors.New("empty")
}

// clip shortens what a file holds to what a message can take.
func clip(s string) string {
	s = clean(s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// parseNCCLHeader returns the version in nccl.h or rccl.h: NCCL_VERSION_CODE is X·1000 + Y·100 + Z up to 2.8 and
// X·10000 + Y·100 + Z from 2.9 on (the NCCL_VERSION macro of the same header).
func parseNCCLHeader(b []byte) (string, error) {
	for _, line := range lines(b) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "#define" || f[1] != "NCCL_VERSION_CODE" {
			continue
		}
		code, err := strconv.ParseUint(f[2], 10, 31)
		if err != nil || code < 1000 {
			return "", fmt.Errorf("NCCL_VERSION_CODE is %q", clip(f[2]))
		}
		major := uint64(10000)
		if code < 10000 {
			major = 1000
		}
		return fmt.Sprintf("%d.%d.%d", code/major, code%major/100, code%100), nil
	}
	return "", errors.New("no NCCL_VERSION_CODE")
}
