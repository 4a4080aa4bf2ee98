package server

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// listeners finds the processes that listen at a TCP port. known is false where one of them cannot be found.
func listeners(port int) (found []holder, known bool) {
	inodes := map[string]bool{} // whether its process is known
	for _, inode := range listening(port) {
		inodes[inode] = false
	}
	if len(inodes) == 0 {
		return nil, true
	}
	sockets := strings.Join(slices.Sorted(maps.Keys(inodes)), " ")
	if found := latest.of(sockets); found != nil {
		return found, true
	}
	for _, pid := range processes() {
		descriptors, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
		if err != nil {
			continue // not ours to see, or gone
		}
		holds := false
		for _, d := range descriptors { // all of them: it may listen at two addresses, or for both families
			target, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + d.Name())
			inode, socket := strings.CutPrefix(target, "socket:[")
			inode = strings.TrimSuffix(inode, "]")
			if _, wanted := inodes[inode]; err == nil && socket && wanted {
				inodes[inode], holds = true, true
			}
		}
		if holds {
			s, _ := readStat(pid)
			found = append(found, holder{pid: pid, ticks: s.start, name: s.name})
		}
	}
	for _, seen := range inodes {
		if !seen {
			return found, false
		}
	}
	latest.keep(sockets, found)
	return found, true
}

// latest is who was found last. The same question is asked before and after each level, and the answer takes a look
// at every file that every process has open.
var latest answer

// An answer is who holds sockets, which are named by their inodes.
type answer struct {
	mu      sync.Mutex
	sockets string
	holders []holder
}

// of is the answer where it is for those sockets, and each of the processes lives still; nil: look again.
func (a *answer) of(sockets string) []holder {
	a.mu.Lock()
	defer a.mu.Unlock()
	if sockets != a.sockets {
		return nil
	}
	for _, h := range a.holders {
		if s, ok := readStat(h.pid); !ok || s.start != h.ticks || s.state == 'Z' {
			return nil
		}
	}
	return slices.Clone(a.holders)
}

func (a *answer) keep(sockets string, holders []holder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sockets, a.holders = sockets, slices.Clone(holders)
}

// processes are the ids of all processes that can be seen.
func processes() []int {
	names, _ := filepath.Glob("/proc/[0-9]*")
	var out []int
	for _, name := range names {
		if pid, err := strconv.Atoi(filepath.Base(name)); err == nil {
			out = append(out, pid)
		}
	}
	return out
}

// A stat is what /proc/PID/stat says of a process.
type stat struct {
	name   string
	state  byte
	parent int
	group  int
	start  uint64 // in ticks since boot, of which Linux shows 100 a second on every architecture
}

// readStat reads it. The name may hold anything, blanks and parentheses too; what follows its last ')' is plain:
//
//	4711 (vllm serve) S 4710 4711 4711 0 -1 4194560 … (the start is the 22nd field)
func readStat(pid int) (stat, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if err != nil || open < 0 || end < open {
		return stat{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 20 {
		return stat{}, false
	}
	s := stat{name: string(text[open+1 : end]), state: fields[0][0]}
	s.parent, _ = strconv.Atoi(fields[1])
	s.group, _ = strconv.Atoi(fields[2])
	s.start, _ = strconv.ParseUint(fields[19], 10, 64)
	return s, true
}

// descends reports whether a process is another one, or was started by it or by what that started, or is of its process
// group, which stays also with those whose parents have ended.
func descends(pid, ancestor int) bool {
	for range 64 {
		if pid == ancestor {
			return true
		}
		s, ok := readStat(pid)
		if !ok || pid <= 1 {
			return false
		}
		if s.group == ancestor {
			return true
		}
		pid = s.parent
	}
	return false
}

// processStart tells a process from a later one with its id: the boot it is of, and its ticks. "": there is none.
func processStart(pid int) string {
	s, ok := readStat(pid)
	if !ok || s.state == 'Z' {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot)) + " " + strconv.FormatUint(s.start, 10)
}

// inGroup reports whether a process lives and is of a process group.
func inGroup(pid, group int) bool {
	s, ok := readStat(pid)
	return ok && s.group == group && s.state != 'Z'
}

// anyLives reports whether a process of a group is more than a dead one that nobody has reaped.
func anyLives(group int) bool {
	return slices.ContainsFunc(processes(), func(pid int) bool { return inGroup(pid, group) })
}

// hasVariable reports whether a process was started with NAME=VALUE in its environment.
func hasVariable(pid int, variable string) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err == nil && bytes.Contains(append([]byte{0}, text...), append(append([]byte{0}, variable...), 0))
}
