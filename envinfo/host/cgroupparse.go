package host

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// parseCgroups reads proc/self/cgroup (cgroups(7)): "ID:CONTROLLERS:PATH", of which the one with the id 0 and no
// controllers is version 2. A path may hold colons.
func parseCgroups(b []byte) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimRight(line, "\r\n"), ":", 3)
		if len(f) != 3 {
			continue
		}
		group := strings.TrimSuffix(f[2], " (deleted)")
		if f[1] == "" {
			if f[0] == "0" {
				out[""] = group
			}
			continue
		}
		for controller := range strings.SplitSeq(f[1], ",") {
			if controller != "" {
				out[controller] = group
			}
		}
	}
	return out
}

// parseCgroupMounts returns the control group hierarchies in proc/self/mountinfo (proc_pid_mountinfo(5)): six fields,
// optional ones up to a "-", then the kind of file system, its source and its options, among which are the controllers
// of a version 1 hierarchy.
func parseCgroupMounts(b []byte) []cgroupMount {
	var out []cgroupMount
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		dash := slices.Index(f, "-")
		if dash < 6 || len(f) < dash+2 {
			continue
		}
		m := cgroupMount{root: unescape(f[3]), point: strings.TrimPrefix(unescape(f[4]), "/")}
		switch f[dash+1] {
		case "cgroup2":
			m.version = 2
		case "cgroup":
			m.version = 1
			if len(f) > dash+3 {
				m.controllers = strings.Split(f[dash+3], ",")
			}
		default:
			continue
		}
		if fs.ValidPath(m.point) && path.IsAbs(m.root) {
			out = append(out, m)
		}
	}
	return out
}

// unescape undoes the octal escapes (\040 for a space) of mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// parseCPUMax parses "QUOTA PERIOD" in µs, or "max PERIOD", into processors.
func parseCPUMax(b []byte) (fact.Limit, error) {
	f := strings.Fields(string(b))
	if len(f) == 2 {
		if period, err := strconv.ParseInt(f[1], 10, 64); err == nil && period > 0 {
			if f[0] == "max" {
				return fact.NoLimit(), nil
			}
			if quota, err := strconv.ParseInt(f[0], 10, 64); err == nil && quota > 0 {
				return fact.Limit(float64(quota) / float64(period)), nil
			}
		}
	}
	return 0, fmt.Errorf("%q is not a quota and a period", fact.Clean(string(b)))
}

// parseCFS parses version 1's quota and period in µs into processors; a quota of -1 is none.
func parseCFS(quota, period []byte) (fact.Limit, error) {
	q, err := strconv.ParseInt(strings.TrimSpace(string(quota)), 10, 64)
	if err == nil && q == -1 {
		return fact.NoLimit(), nil
	}
	p, perr := strconv.ParseInt(strings.TrimSpace(string(period)), 10, 64)
	if err != nil || perr != nil || q <= 0 || p <= 0 {
		return 0, fmt.Errorf("%q in a period of %q is not a quota", fact.Clean(string(quota)),
			fact.Clean(string(period)))
	}
	return fact.Limit(float64(q) / float64(p)), nil
}

// parseMemoryMax parses bytes, or "max".
func parseMemoryMax(b []byte) (fact.Limit, error) {
	s := strings.TrimSpace(string(b))
	if s == "max" {
		return fact.NoLimit(), nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a number", fact.Clean(s))
	}
	return fact.Limit(n), nil
}

// parseMemoryV1 parses bytes. Version 1 writes no limit as the greatest signed number of whole pages, of which there
// are several sizes, and early kernels as the greatest signed number.
func parseMemoryV1(b []byte) (fact.Limit, error) {
	s := strings.TrimSpace(string(b))
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not a number", fact.Clean(s))
	}
	if n > math.MaxInt64-1<<20 {
		return fact.NoLimit(), nil
	}
	return fact.Limit(n), nil
}

const hierarchicalLimit = "hierarchical_memory_limit"

// parseHierarchicalLimit returns that limit in version 1's memory.stat.
func parseHierarchicalLimit(b []byte) (fact.Limit, error) {
	for _, line := range source.Lines(b) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == hierarchicalLimit {
			return parseMemoryV1([]byte(f[1]))
		}
	}
	return 0, errors.New("no " + hierarchicalLimit)
}
