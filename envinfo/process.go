package envinfo

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// Process is the limits of one process; all of it is of [ScopeProcess]. In a copied tree they are those of the process that proc/self
// was when the copy was made.
type Process struct {
	// CPULimit is the processor time that the process's control group may use, in processors: 1.5 is 150 ms in every 100 ms. The
	// tightest limit of the group and of those above it counts, as far up as the process can see.
	CPULimit    Value[Limit] `json:"cpu_limit"`
	MemoryLimit Value[Limit] `json:"memory_limit"` // B, likewise
	// OpenFiles is the soft limit of open files. Go programs raise theirs to the hard limit when they start, so of this program it
	// is not what ulimit -n printed in the shell that started it.
	OpenFiles     Value[Limit] `json:"open_files"`
	OpenFilesHard Value[Limit] `json:"open_files_hard"`
}

func (c *capture) process() {
	p := &c.env.Process
	p.CPULimit = c.cgroupLimit("cpu.max", "CPU", parseCPUMax)
	p.MemoryLimit = c.cgroupLimit("memory.max", "B", parseMemoryMax)

	const name = "proc/self/limits"
	b, err := c.file(name, smallFile)
	if err != nil {
		p.OpenFiles = Unknown[Limit]("", ScopeProcess, err.Error())
		p.OpenFilesHard = p.OpenFiles
		return
	}
	soft, hard, err := parseOpenFiles(b)
	if err != nil {
		p.OpenFiles = Unknown[Limit]("", ScopeProcess, abs(name)+": "+err.Error())
		p.OpenFilesHard = p.OpenFiles
		return
	}
	p.OpenFiles = Known(soft, "", ScopeProcess, abs(name)+": soft limit")
	p.OpenFilesHard = Known(hard, "", ScopeProcess, abs(name)+": hard limit")
}

const cgroupRoot = "sys/fs/cgroup"

// cgroupLimit is the tightest limit that file sets in the process's control group or above it
// (Documentation/admin-guide/cgroup-v2.rst). A group without the file has no limit of its own: the root group never has one, and the
// others not unless the controller is enabled for them.
func (c *capture) cgroupLimit(file, unit string, parse func([]byte) (Limit, error)) Value[Limit] {
	unknown := func(reason string) Value[Limit] { return Unknown[Limit](unit, ScopeProcess, reason) }
	if err := c.stat(cgroupRoot + "/cgroup.controllers"); err != nil {
		if missing(err) {
			// Version 1 has limits in other files, one hierarchy a controller. Saying "no limit" there would be wrong.
			return unknown(err.Error() + ", so this is not control groups version 2, and only version 2 is read")
		}
		return unknown(err.Error())
	}
	const self = "proc/self/cgroup"
	b, err := c.file(self, smallFile)
	if err != nil {
		return unknown(err.Error())
	}
	group, err := parseCgroup(b)
	if err != nil {
		return unknown(abs(self) + ": " + err.Error())
	}
	// Without this, a group that the tree lacks would look like one without a limit.
	if err := c.stat(path.Join(cgroupRoot, group)); err != nil {
		return unknown("the control group of the process cannot be seen: " + err.Error())
	}
	tightest, source := NoLimit(), "no "+file+" sets one from "+abs(path.Join(cgroupRoot, group))+" up to "+abs(cgroupRoot)
	for g := group; ; g = path.Dir(g) {
		name := path.Join(cgroupRoot, g, file)
		b, err := c.file(name, smallFile)
		switch {
		case missing(err):
		case err != nil:
			return unknown(err.Error())
		default:
			limit, err := parse(b)
			if err != nil {
				return unknown(abs(name) + ": " + err.Error())
			}
			if limit < tightest {
				tightest, source = limit, abs(name)
			}
		}
		if g == "." {
			return Known(tightest, unit, ScopeProcess, source)
		}
	}
}

// parseCgroup returns the version 2 control group in proc/self/cgroup, relative to the root of the hierarchy: "." is the root.
func parseCgroup(b []byte) (string, error) {
	for _, line := range lines(b) {
		group, ok := strings.CutPrefix(line, "0::/")
		if !ok {
			continue
		}
		if group == "" {
			return ".", nil
		}
		group = strings.TrimSuffix(group, " (deleted)")
		if !fs.ValidPath(group) { // "../..": above the root of the control group namespace
			return "", fmt.Errorf("group %q lies outside of what this process can see", clean(line))
		}
		return group, nil
	}
	return "", errors.New("no version 2 group (0::/…)")
}

// parseCPUMax parses "QUOTA PERIOD" in µs, or "max PERIOD", into processors.
func parseCPUMax(b []byte) (Limit, error) {
	f := strings.Fields(string(b))
	bad := fmt.Errorf("%q is not a quota and a period", clean(string(b)))
	if len(f) != 2 {
		return 0, bad
	}
	period, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil || period <= 0 {
		return 0, bad
	}
	if f[0] == "max" {
		return NoLimit(), nil
	}
	quota, err := strconv.ParseInt(f[0], 10, 64)
	if err != nil || quota <= 0 {
		return 0, bad
	}
	return Limit(float64(quota) / float64(period)), nil
}

// parseMemoryMax parses bytes, or "max".
func parseMemoryMax(b []byte) (Limit, error) {
	s := strings.TrimSpace(string(b))
	if s == "max" {
		return NoLimit(), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a number of bytes", clean(s))
	}
	return Limit(n), nil
}

// parseOpenFiles returns the limits of open files in proc/self/limits (proc_pid_limits(5)).
func parseOpenFiles(b []byte) (soft, hard Limit, err error) {
	for _, line := range lines(b) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) < 2 {
			return 0, 0, fmt.Errorf("%q has no two limits", clean(line))
		}
		var out [2]Limit
		for i := range out {
			if f[i] == "unlimited" {
				out[i] = NoLimit()
				continue
			}
			n, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil || n > math.MaxInt64 {
				return 0, 0, fmt.Errorf("%q has no two limits", clean(line))
			}
			out[i] = Limit(n)
		}
		return out[0], out[1], nil
	}
	return 0, 0, errors.New(`no "Max open files"`)
}
