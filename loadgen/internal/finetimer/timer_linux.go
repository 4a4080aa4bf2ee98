// Package finetimer sleeps until tens of microseconds after a moment, where the system has the means. The runtime's
// own timers are rounded up to whole milliseconds on Linux, as long as nothing else wakes the process.
package finetimer

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// A Timer is a timerfd, which the runtime waits for as for a socket. The kernel fires it to the microsecond,
// where the timeout with which the runtime waits for its own timers is in milliseconds. Beside a thread of its own
// that sleeps (clock_nanosleep, with a timer slack of 1 ns) it is as fine, and keeps no thread and no scheduling slot
// from the rest.
type Timer struct {
	file *os.File
	conn syscall.RawConn
	left time.Duration
	set  bool
	read func(fd uintptr) bool // one, so that none is allocated for each sleep
}

// New makes a timer; nil where there is none to be had, or where it would not be of the time that time.Now tells.
func New() *Timer {
	if virtual() {
		return nil
	}
	const monotonic = 1
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil
	}
	f := &Timer{file: os.NewFile(fd, "timerfd")}
	conn, err := f.file.SyscallConn()
	if err != nil {
		f.Close()
		return nil
	}
	// It is called first, and then when the timer has fired. What there would be to read, how many times it has, is
	// forgotten when it is set again.
	f.conn, f.read = conn, func(fd uintptr) bool {
		if f.set {
			return true
		}
		f.set = true
		return !setTimer(fd, f.left)
	}
	return f
}

// setTimer has the timer fire once, after d.
func setTimer(fd uintptr, d time.Duration) (ok bool) {
	spec := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(d))}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	return errno == 0
}

// Sleep returns true after d, or false where it cannot.
func (f *Timer) Sleep(d time.Duration) bool {
	f.left, f.set = max(d, 1), false // 0 would disarm it
	return f.conn.Read(f.read) == nil
}

// Close gives the timer back.
func (f *Timer) Close() { _ = f.file.Close() }

// virtual reports whether time.Now is not the system's, as in a bubble of testing/synctest, whose time stands
// still while somebody waits for the kernel.
func virtual() bool {
	var system syscall.Timeval
	if err := syscall.Gettimeofday(&system); err != nil {
		return false
	}
	return time.Since(time.Unix(system.Unix())).Abs() > time.Hour
}
