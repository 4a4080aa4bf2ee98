package host

import (
	"errors"
	"fmt"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

const cpuDir = "sys/devices/system/cpu"

// count counts hardware threads, cores and sockets, from proc/cpuinfo and from sysfs
// (Documentation/admin-guide/cputopology.rst). Each of the two is wrong somewhere, so that they are compared:
//
//   - proc/cpuinfo has an id for each core, which firmware makes unique only within a die: an Opteron 6134 of two
//     dies has ids 0 to 3 twice. What threads share a core in sysfs tells how many cores there are.
//   - proc/cpuinfo can be of fewer or more processors than are online, behind lxcfs or in a tree that was copied in
//     parts.
//   - Firmware that divides a package into NUMA clusters has made kernels list a part of it as the package.
//
// It returns whether every core has as many threads, as far as sysfs tells.
func (c *capture) count(info cpuinfo, err error) (even bool) {
	const cpuinfo = "/proc/cpuinfo"
	h := &c.out
	listed := func(n int64, key string) fact.Value[int64] {
		switch {
		case err != nil:
			return fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		case n == 0:
			return fact.Unknown[int64]("", fact.ScopeHost, fmt.Sprintf("%s: no %s for every processor", cpuinfo, key))
		}
		return fact.Known(n, "", fact.ScopeHost, cpuinfo+": "+key)
	}
	// runtime.NumCPU is what the scheduler lets this process use, on this machine: another question, of another host.
	h.CPUThreads = listed(info.threads, "processor")
	h.CPUSockets = listed(info.sockets, "physical id")
	h.CPUCores = listed(info.cores, "core id")
	h.CPUsOnline = c.online()

	threads, ok := h.CPUThreads.Get()
	list, known := h.CPUsOnline.Get()
	online, _ := source.ParseList(list)
	if known && ok && online != threads {
		c.Warn("host.cpu_threads", "%s lists %d and %s names %d: what %s says of cores and sockets is of others",
			h.CPUThreads.Source(), threads, h.CPUsOnline.Source(), online, cpuinfo)
	}
	if known && online != threads {
		h.CPUThreads = fact.Known(online, "", fact.ScopeHost, h.CPUsOnline.Source()+", counted")
		reason := fmt.Sprintf("%s lists %d of %d processors", cpuinfo, threads, online)
		if !ok {
			reason = ""
		}
		for _, v := range []*fact.Value[int64]{&h.CPUCores, &h.CPUSockets} {
			if reason != "" {
				*v = fact.Unknown[int64]("", fact.ScopeHost, reason)
			}
		}
	}
	// The later names are those of kernels before 5.3, and masks those of kernels and copies without lists.
	cores, even := c.groups("core_cpus_list", "thread_siblings_list", "core_cpus", "thread_siblings")
	sockets, _ := c.groups("package_cpus_list", "core_siblings_list", "package_cpus", "core_siblings")
	h.CPUCores = c.cores(h.CPUCores, cores, info)
	ids, ok := h.CPUSockets.Get()
	packages, seen := sockets.Get()
	switch {
	case !ok && seen:
		h.CPUSockets = sockets
	case !ok:
		h.CPUSockets = fact.Unknown[int64]("", fact.ScopeHost,
			fact.JoinReasons(h.CPUSockets.Reason(), sockets.Reason()))
	case seen && packages != ids:
		c.Warn("host.cpu_sockets", "%d by %s and %d by %s", ids, h.CPUSockets.Source(), packages, sockets.Source())
	}
	return even
}

// cores decides between the ids in proc/cpuinfo and the threads that share a core in sysfs.
func (c *capture) cores(ids, shared fact.Value[int64], info cpuinfo) fact.Value[int64] {
	byID, ok := ids.Get()
	byShare, seen := shared.Get()
	switch {
	case ok && seen && byShare > byID:
		return fact.Known(byShare, "", fact.ScopeHost,
			shared.Source()+"; the core ids in /proc/cpuinfo repeat within a package")
	case ok && seen && byShare < byID:
		return fact.Unknown[int64]("", fact.ScopeHost,
			fmt.Sprintf("%d by %s and %d by %s", byID, ids.Source(), byShare, shared.Source()))
	case ok && !seen && info.single && byID < info.threads:
		return fact.Known(info.threads, "", fact.ScopeHost,
			"/proc/cpuinfo: processor, each on a core of its own by siblings and cpu cores; the core ids repeat")
	case ok:
		return ids
	case seen:
		return shared
	}
	return fact.Unknown[int64]("", fact.ScopeHost, fact.JoinReasons(ids.Reason(), shared.Reason()))
}

// online is which processors are, as a list. Kernels that do not list them have a folder for each, with 0 in its file
// "online" where it is not.
func (c *capture) online() fact.Value[string] {
	const name = cpuDir + "/online"
	b, err := c.File(name, source.SmallFile)
	if !source.Missing(err) {
		return c.List(name, b, err, fact.ScopeHost)
	}
	names, _ := c.Dir(cpuDir)
	var cpus []int64
	for _, i := range source.Numbered(names, "cpu") {
		if on, ok := c.Flag(fmt.Sprintf("%s/cpu%d/online", cpuDir, i), fact.ScopeHost).Get(); on || !ok {
			cpus = append(cpus, int64(i))
		}
	}
	if len(cpus) == 0 {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return fact.Known(source.FormatList(cpus), "", fact.ScopeHost, "folders cpu0 and on in "+source.Abs(cpuDir))
}

// groups is how many different sets of processors the first of the files that is there names, over all that are online.
// They are counted by their members, since ids are unique only within the level above, and some firmware gives none.
// even is false where they differ in size.
func (c *capture) groups(files ...string) (n fact.Value[int64], even bool) {
	fail := func(reason string) (fact.Value[int64], bool) {
		return fact.Unknown[int64]("", fact.ScopeHost, reason), true
	}
	list, ok := c.out.CPUsOnline.Get()
	if !ok {
		return fail(c.out.CPUsOnline.Reason())
	}
	ranges, _ := source.Ranges(list)
	if n, _ := source.ParseList(list); n > source.MaxEntries {
		return fail("more processors than are read")
	}
	groups, sizes, file := map[string]bool{}, map[int64]bool{}, ""
	for _, r := range ranges {
		for cpu := r[0]; cpu <= r[1]; cpu++ {
			set, err := "", error(nil)
			for _, f := range files {
				file = fmt.Sprintf("%s/cpu%d/topology/%s", cpuDir, cpu, f)
				if set, err = c.processors(file); !source.Missing(err) {
					break
				}
			}
			if err != nil {
				return fail(err.Error())
			}
			size, _ := source.ParseList(set)
			groups[set], sizes[size] = true, true
		}
	}
	if len(groups) == 0 {
		return fail(source.Abs(cpuDir) + "/online: empty")
	}
	return fact.Known(int64(len(groups)), "", fact.ScopeHost, "different ones of "+source.Abs(file)+" and its like"),
		len(sizes) == 1
}

// processors reads a set of processors that is not empty, from a list or a mask, as a list.
func (c *capture) processors(file string) (string, error) {
	b, err := c.File(file, source.SmallFile)
	if err != nil {
		return "", err
	}
	list, err := source.ListOf(file, b)
	if err != nil || list == "" {
		return "", errors.New(source.Abs(file) + ": not a list of processors")
	}
	return list, nil
}
