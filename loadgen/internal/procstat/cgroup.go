package procstat

import (
	"bufio"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// maxFile bounds what is read of a file; those of a cgroup are a page at most.
const maxFile = 64 << 10

// Root is the file system of this machine.
func Root() fs.FS { return os.DirFS("/") }

// A Quota is the CPU time that the kernel grants a cgroup, the process's own or one above it.
type Quota struct {
	CPUs float64 // CPU seconds a second

	root fs.FS
	dir  string // of the cgroup that has it
	v1   bool
}

// CPUQuota is the lowest quota of the process's cgroup and of those above it, by cgroup v2 or v1; false where there is
// none, or none that can be read.
//
// In a container without a cgroup namespace the path in /proc/self/cgroup is the host's, and is not under the mount:
// folders that are not there are passed over, and the mount's root, which is the container's own group then, is always
// looked at.
func CPUQuota(root fs.FS) (Quota, bool) {
	group, v1, ok := cpuGroup(root)
	if !ok {
		return Quota{}, false
	}
	base, read := "sys/fs/cgroup", readMax
	if v1 {
		base, read = "sys/fs/cgroup/cpu", readCFS
	}
	lowest, found := Quota{}, false
	for {
		dir := path.Join(base, group)
		if cpus, ok := read(root, dir); ok && (!found || cpus < lowest.CPUs) {
			lowest, found = Quota{CPUs: cpus, root: root, dir: dir, v1: v1}, true
		}
		if group == "/" {
			return lowest, found
		}
		group = path.Dir(group)
	}
}

// Throttled is for how long, since it was made, the quota's cgroup was held back because it had used the quota up;
// false where that cannot be read. Time that two CPUs were held back at once counts twice.
func (q Quota) Throttled() (time.Duration, bool) {
	if q.root == nil {
		return 0, false
	}
	key, unit := "throttled_usec", time.Microsecond
	if q.v1 {
		key, unit = "throttled_time", time.Nanosecond
	}
	for _, line := range lines(q.root, path.Join(q.dir, "cpu.stat")) {
		name, value, _ := strings.Cut(line, " ")
		if name != key {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if err != nil || n < 0 || n > int64(1<<63-1)/int64(unit) {
			return 0, false
		}
		return time.Duration(n) * unit, true
	}
	return 0, false
}

// cpuGroup is the path of the cgroup that governs the process's CPU time. Where controllers are split between v1 and
// v2, the v1 hierarchy that has the cpu controller is the one.
func cpuGroup(root fs.FS) (group string, v1, ok bool) {
	for _, line := range lines(root, "proc/self/cgroup") {
		parts := strings.SplitN(line, ":", 3) // hierarchy:controllers:path
		if len(parts) != 3 {
			continue
		}
		clean := path.Clean("/" + parts[2]) // outside a cgroup namespace's root the path begins with /..
		if parts[0] == "0" && parts[1] == "" {
			group, ok = clean, true
			continue
		}
		for controller := range strings.SplitSeq(parts[1], ",") {
			if controller == "cpu" {
				return clean, true, true
			}
		}
	}
	return group, false, ok
}

// readMax reads cgroup v2's quota: "150000 100000", µs in each period of µs, or "max 100000".
func readMax(root fs.FS, dir string) (float64, bool) {
	all := lines(root, path.Join(dir, "cpu.max"))
	if len(all) != 1 {
		return 0, false
	}
	quota, period, ok := strings.Cut(all[0], " ")
	if !ok {
		return 0, false
	}
	return cpus(quota, period)
}

// readCFS reads cgroup v1's: a file each, in µs; -1 is no quota.
func readCFS(root fs.FS, dir string) (float64, bool) {
	quota, period := lines(root, path.Join(dir, "cpu.cfs_quota_us")), lines(root, path.Join(dir, "cpu.cfs_period_us"))
	if len(quota) != 1 || len(period) != 1 {
		return 0, false
	}
	return cpus(quota[0], period[0])
}

func cpus(quota, period string) (float64, bool) {
	q, errQ := strconv.ParseInt(quota, 10, 64)
	p, errP := strconv.ParseInt(period, 10, 64)
	if errQ != nil || errP != nil || q <= 0 || p <= 0 {
		return 0, false
	}
	return float64(q) / float64(p), true
}

// lines are those of a file; none where it cannot be read, or is larger than such a file is.
func lines(root fs.FS, name string) []string {
	file, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer file.Close()
	limited := &io.LimitedReader{R: file, N: maxFile + 1}
	var out []string
	for scan := bufio.NewScanner(limited); scan.Scan(); {
		out = append(out, scan.Text())
	}
	if limited.N == 0 {
		return nil
	}
	return out
}
