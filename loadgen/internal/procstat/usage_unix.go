//go:build linux || darwin || freebsd || netbsd || openbsd

package procstat

import (
	"math"
	"os"
	"syscall"
	"time"
)

// CPUTime is what the process has used, in user and system mode, over all its threads; false where it cannot be known.
func CPUTime() (time.Duration, bool) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, false
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), true
}

// Descriptors are how many file descriptors the process has open, and the most that it may have; false where either
// cannot be known. Go's package os raises the soft limit to the hard one as a program starts, so that this is what
// "ulimit -Hn" says, unless the program has lowered it.
func Descriptors() (open, limit int, ok bool) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, 0, false
	}
	folder, err := os.Open("/dev/fd") // on Linux a link to /proc/self/fd
	if err != nil {
		return 0, 0, false
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return 0, 0, false
	}
	return len(names) - 1, int(min(uint64(l.Cur), math.MaxInt32)), true // less the folder's own
}
