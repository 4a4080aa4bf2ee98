//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package procstat

import "time"

// CPUTime is what the process has used; not known on this system.
func CPUTime() (time.Duration, bool) { return 0, false }

// Descriptors are those of the process; not known on this system.
func Descriptors() (open, limit int, ok bool) { return 0, 0, false }
