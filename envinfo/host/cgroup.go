package host

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

const cgroupRoot = "sys/fs/cgroup"

// cgroups is where the control groups of the process are, as proc/self/cgroup and proc/self/mountinfo say.
type cgroups struct {
	// paths has the path of the group in each hierarchy: by controller for version 1, and by "" for version 2.
	paths    map[string]string
	pathsErr error
	// mounts is what mountinfo lists. Nil where it cannot be read; then the usual places are tried.
	mounts []cgroupMount
	listed bool
}

// cgroupMount is a mounted hierarchy: the group root is seen at the path point below the root that is read.
type cgroupMount struct {
	version     int
	controllers []string // of version 1
	root, point string
}

// hierarchy is the group of the process in one mounted hierarchy, from its folder up to where it is mounted.
type hierarchy struct {
	version int
	dir     string
	top     string
}

func (c *processCapture) cgroups() *cgroups {
	g := &cgroups{}
	const self, mounts = "proc/self/cgroup", "proc/self/mountinfo"
	b, err := c.File(self, source.SmallFile)
	if err == nil {
		g.paths = parseCgroups(b)
	} else {
		g.pathsErr = err
	}
	// A host with many containers mounts thousands of layers.
	if b, err := c.File(mounts, source.LargeFile); err == nil {
		g.mounts, g.listed = parseCgroupMounts(b), true
	}
	return g
}

// find returns the group that governs what the controller is for. A controller belongs to one hierarchy: to one of
// version 1 where proc/self/cgroup names it, and else to that of version 2.
func (c *processCapture) find(g *cgroups, controller string) (hierarchy, error) {
	const self = "proc/self/cgroup"
	if g.pathsErr != nil {
		return hierarchy{}, g.pathsErr
	}
	version := 1
	group, ok := g.paths[controller]
	if !ok {
		version = 2
		if group, ok = g.paths[""]; !ok {
			return hierarchy{}, fmt.Errorf("%s: no version 2 group (0::/…), and no version 1 group for %s",
				source.Abs(self), controller)
		}
	}
	if !strings.HasPrefix(group, "/") || strings.Contains(group+"/", "/../") {
		return hierarchy{}, fmt.Errorf("%s: group %q lies outside of what this process can see", source.Abs(self),
			fact.Clean(group))
	}
	mounts := g.mounts
	if !g.listed {
		mounts = c.usualMounts(version, controller)
	}
	var best *cgroupMount
	for i := range mounts {
		m := &mounts[i]
		if m.version != version || version == 1 && !slices.Contains(m.controllers, controller) {
			continue
		}
		// Of several the one that shows the most groups above; of equal ones the last, which hides those under it.
		if _, ok := below(group, m.root); ok && (best == nil || len(m.root) <= len(best.root)) {
			best = m
		}
	}
	if best == nil {
		return hierarchy{}, fmt.Errorf(
			"no mounted control groups of version %d show the group %q, which %s names for %s",
			version,
			fact.Clean(group),
			source.Abs(self),
			controller,
		)
	}
	rel, _ := below(group, best.root)
	h := hierarchy{version, path.Join(best.point, rel), best.point}
	// Without this, a group that the tree lacks would look like one without a limit.
	if err := c.Stat(h.dir); err != nil {
		return hierarchy{}, fmt.Errorf("the control group of the process cannot be seen: %w", err)
	}
	return h, nil
}

// usualMounts is where the hierarchies are by convention, for trees without mountinfo.
func (c *processCapture) usualMounts(version int, controller string) []cgroupMount {
	var places []string
	if version == 2 {
		for _, dir := range []string{cgroupRoot, cgroupRoot + "/unified"} {
			if c.Stat(dir+"/cgroup.controllers") == nil {
				places = append(places, dir)
			}
		}
	} else {
		for _, dir := range []string{controller, "cpu,cpuacct", "cpuacct,cpu"} {
			if strings.Contains(dir, controller) && c.Stat(cgroupRoot+"/"+dir) == nil {
				places = append(places, cgroupRoot+"/"+dir)
			}
		}
	}
	if len(places) == 0 {
		return nil
	}
	return []cgroupMount{{version, []string{controller}, "/", places[0]}}
}

// below returns the path of group relative to root, "." where they are the same, and whether it is below it at all.
func below(group, root string) (string, bool) {
	if root == "/" {
		return path.Join(".", group), true
	}
	rest, ok := strings.CutPrefix(group, root)
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return path.Join(".", rest), true
}

// up calls f for the folder of the group and those above it, until f returns false.
func (h hierarchy) up(f func(dir string) bool) {
	for dir := h.dir; f(dir) && dir != h.top && dir != "."; dir = path.Dir(dir) {
	}
}

// tightest is the least limit of the group and of those above it (Documentation/admin-guide/cgroup-v2.rst, cgroup-v1).
// A group without the file has no limit of its own: the root group never has one in version 2, and the others not
// unless the controller is enabled.
func (h hierarchy) tightest(file, unit string, read func(dir string) (fact.Limit, error)) fact.Value[fact.Limit] {
	least, origin := fact.NoLimit(), "no "+file+" sets one from "+source.Abs(h.dir)+" up to "+source.Abs(h.top)
	var failed error
	h.up(func(dir string) bool {
		limit, err := read(dir)
		switch {
		case source.Missing(err):
		case err != nil:
			failed = err
			return false
		case limit < least:
			least, origin = limit, source.Abs(path.Join(dir, file))
		}
		return true
	})
	if failed != nil { // the one that cannot be read may be the tightest
		return fact.Unknown[fact.Limit](unit, fact.ScopeProcess, failed.Error())
	}
	return fact.Known(least, unit, fact.ScopeProcess, origin)
}

// limitIn reads the limit in one file of a group.
func (c *processCapture) limitIn(file string, parse func([]byte) (fact.Limit, error)) func(string) (fact.Limit, error) {
	return func(dir string) (fact.Limit, error) {
		name := path.Join(dir, file)
		b, err := c.File(name, source.SmallFile)
		if err != nil {
			return 0, err
		}
		limit, err := parse(b)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", source.Abs(name), err)
		}
		return limit, nil
	}
}

func (c *processCapture) cpuLimit(g *cgroups) fact.Value[fact.Limit] {
	h, err := c.find(g, "cpu")
	if err != nil {
		return fact.Unknown[fact.Limit]("CPU", fact.ScopeProcess, err.Error())
	}
	if h.version == 2 {
		return h.tightest("cpu.max", "CPU", c.limitIn("cpu.max", parseCPUMax))
	}
	const quotaFile, periodFile = "cpu.cfs_quota_us", "cpu.cfs_period_us"
	return h.tightest(quotaFile, "CPU", func(dir string) (fact.Limit, error) {
		quota, err := c.File(path.Join(dir, quotaFile), source.SmallFile)
		if err != nil {
			return 0, err
		}
		period, err := c.File(path.Join(dir, periodFile), source.SmallFile)
		if err != nil {
			return 0, errors.New(err.Error()) // not merely absent: a quota means nothing without its period
		}
		limit, err := parseCFS(quota, period)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", source.Abs(path.Join(dir, quotaFile)), err)
		}
		return limit, nil
	})
}

func (c *processCapture) memoryLimit(g *cgroups) fact.Value[fact.Limit] {
	h, err := c.find(g, "memory")
	if err != nil {
		return fact.Unknown[fact.Limit]("B", fact.ScopeProcess, err.Error())
	}
	if h.version == 2 {
		return h.tightest("memory.max", "B", c.limitIn("memory.max", parseMemoryMax))
	}
	// The kernel itself gives the least of the group and of those above that bind it, also above what a container is
	// shown.
	const stat = "memory.stat"
	if b, err := c.File(path.Join(h.dir, stat), source.SmallFile); err == nil {
		if limit, err := parseHierarchicalLimit(b); err == nil {
			return fact.Known(limit, "B", fact.ScopeProcess, source.Abs(path.Join(h.dir, stat))+": "+hierarchicalLimit)
		}
	}
	return h.tightest("memory.limit_in_bytes", "B", c.limitIn("memory.limit_in_bytes", parseMemoryV1))
}

func (c *processCapture) taskLimit(g *cgroups) fact.Value[fact.Limit] {
	h, err := c.find(g, "pids")
	if err != nil {
		return fact.Unknown[fact.Limit]("", fact.ScopeProcess, err.Error())
	}
	return h.tightest("pids.max", "", c.limitIn("pids.max", parseMemoryMax))
}

// cpuset is the list in the first of the files that is there, in the group or the nearest above that has one: in
// version 2 a group for which the controller is not enabled has none, and uses what the group above it may use.
func (c *processCapture) cpuset(g *cgroups, v1, v2 []string) fact.Value[string] {
	unknown := func(reason string) fact.Value[string] { return fact.Unknown[string]("", fact.ScopeProcess, reason) }
	h, err := c.find(g, "cpuset")
	if err != nil {
		return unknown(err.Error())
	}
	files := v2
	if h.version == 1 {
		files = v1
	}
	out := unknown("no " + files[0] + " from " + source.Abs(h.dir) + " up to " + source.Abs(h.top))
	h.up(func(dir string) bool {
		for _, file := range files {
			name := path.Join(dir, file)
			b, err := c.File(name, source.SmallFile)
			if source.Missing(err) {
				continue
			}
			out = c.List(name, b, err, fact.ScopeProcess)
			return false
		}
		return true
	})
	return out
}
