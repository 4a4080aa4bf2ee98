package procstat

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func tree(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return root
}

func TestCPUQuota(t *testing.T) {
	const self, v2, v1 = "proc/self/cgroup", "sys/fs/cgroup/", "sys/fs/cgroup/cpu/"
	for name, c := range map[string]struct {
		files     map[string]string
		cpus      float64       // 0: none
		throttled time.Duration // -1: not known
	}{
		"no cgroups": {map[string]string{}, 0, -1},
		"v2": {map[string]string{self: "0::/a\n", v2 + "a/cpu.max": "150000 100000\n",
			v2 + "a/cpu.stat": "nr_throttled 3\nthrottled_usec 2500\n"}, 1.5, 2500 * time.Microsecond},
		"v2 in a namespace": {map[string]string{self: "0::/\n", v2 + "cpu.max": "200000 100000\n",
			v2 + "cpu.stat": "usage_usec 9\nthrottled_usec 0\n"}, 2, 0},
		"v2, the parent's is less": {map[string]string{self: "0::/a/b/c\n", v2 + "a/cpu.max": "50000 100000\n",
			v2 + "a/b/cpu.max": "max 100000\n", v2 + "a/b/c/cpu.max": "400000 100000\n",
			v2 + "a/cpu.stat": "throttled_usec 7\n", v2 + "a/b/c/cpu.stat": "throttled_usec 9\n"}, 0.5,
			7 * time.Microsecond},
		"v2, the path is the host's": {map[string]string{self: "0::/docker/f00\n", v2 + "cpu.max": "100000 100000\n"},
			1, -1},
		"v2, outside the namespace": {map[string]string{self: "0::/../../x\n", v2 + "cpu.max": "300000 100000\n"}, 3,
			-1},
		"v2, no quota":     {map[string]string{self: "0::/a\n", v2 + "a/cpu.max": "max 100000\n"}, 0, -1},
		"v2, other period": {map[string]string{self: "0::/\n", v2 + "cpu.max": "5000 20000\n"}, 0.25, -1},
		"v1": {map[string]string{self: "4:memory:/m\n1:cpu,cpuacct:/a\n0::/z\n",
			v1 + "a/cpu.cfs_quota_us": "250000\n", v1 + "a/cpu.cfs_period_us": "100000\n",
			v1 + "a/cpu.stat": "nr_periods 1\nthrottled_time 123\n", v2 + "z/cpu.max": "100000 100000\n"}, 2.5,
			123},
		"v1, no quota": {map[string]string{self: "1:cpu:/a\n", v1 + "a/cpu.cfs_quota_us": "-1\n",
			v1 + "a/cpu.cfs_period_us": "100000\n"}, 0, -1},
		"v1, the parent's": {map[string]string{self: "1:cpu:/a/b\n", v1 + "a/b/cpu.cfs_quota_us": "-1\n",
			v1 + "a/b/cpu.cfs_period_us": "100000\n", v1 + "cpu.cfs_quota_us": "100000\n",
			v1 + "cpu.cfs_period_us": "50000\n"}, 2, -1},
		"v1, half of it": {map[string]string{self: "1:cpu:/\n", v1 + "cpu.cfs_quota_us": "100000\n"}, 0, -1},
		"cpuset is not cpu": {map[string]string{self: "3:cpuset:/\n", v1 + "cpu.cfs_quota_us": "100000\n",
			v1 + "cpu.cfs_period_us": "50000\n"}, 0, -1},
		"garbage": {map[string]string{self: "::\n0\n\x00\n0::/a\n",
			v2 + "a/cpu.max": "lots of it\n"}, 0, -1},
		"zero period": {map[string]string{self: "0::/\n", v2 + "cpu.max": "1 0\n"}, 0, -1},
		"zero quota":  {map[string]string{self: "0::/\n", v2 + "cpu.max": "0 100000\n"}, 0, -1},
		"two lines":   {map[string]string{self: "0::/\n", v2 + "cpu.max": "1 1\n2 1\n"}, 0, -1},
		"too large": {map[string]string{self: "0::/\n" + strings.Repeat("x\n", maxFile),
			v2 + "cpu.max": "1 1\n"}, 0, -1},
		"garbage where it throttles": {map[string]string{self: "0::/\n", v2 + "cpu.max": "1 1\n",
			v2 + "cpu.stat": "throttled_usec much\n"},
			1, -1},
		"throttled for longer than there is time": {map[string]string{self: "0::/\n", v2 + "cpu.max": "1 1\n",
			v2 + "cpu.stat": "throttled_usec 9223372036854775807\n"},
			1, -1},
	} {
		q, ok := CPUQuota(tree(c.files))
		if ok != (c.cpus > 0) || q.CPUs != c.cpus {
			t.Errorf("%s: %v CPUs, %v; want %v", name, q.CPUs, ok, c.cpus)
		}
		throttled, ok := q.Throttled()
		if ok != (c.throttled >= 0) || ok && throttled != c.throttled {
			t.Errorf("%s: throttled for %v, %v; want %v", name, throttled, ok, c.throttled)
		}
	}
}

// The process's own numbers move with what it does.
func TestThisProcess(t *testing.T) {
	before, ok := CPUTime()
	if !ok {
		return // not known on this system, which is an answer
	}
	after := before
	for sum := 0; after == before; after, _ = CPUTime() {
		sum++ // until it is seen to have used some
	}
	if after < before {
		t.Errorf("CPU time went from %v to %v", before, after)
	}
	open, limit, ok := Descriptors()
	if !ok {
		t.Fatal("the descriptors are not known")
	}
	var files []*os.File
	for range 20 {
		file, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if more, _, _ := Descriptors(); more != open+len(files) || more > limit {
		t.Errorf("%d descriptors, then %d more of them, are %d, of %d", open, len(files), more, limit)
	}
	for _, file := range files {
		file.Close()
	}
}
