//go:build linux && (amd64 || arm64)

package netstamp

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// From linux/net_tstamp.h and asm-generic/socket.h: the kernel stamps on receipt, and reports it.
const (
	soTimestamping  = 37
	rxSoftware      = 1 << 3
	reportSoftware  = 1 << 4
	scmTimestamping = soTimestamping
	controlWords    = 16 // enough for any control messages that can come
	wordSize        = 8  // also what they are aligned to
)

// receiver reads with recvmsg, which hands out the stamp. All that a read needs is kept in it, so that reading
// allocates nothing.
type receiver struct {
	raw     syscall.RawConn // nil: the kernel would not stamp
	wait    func(fd uintptr) bool
	header  syscall.Msghdr
	vector  syscall.Iovec
	control [controlWords]uint64
	n       uintptr
	errno   syscall.Errno

	waited bool // there was nothing to read at first

	peek  func(fd uintptr) bool
	quiet bool
}

func newConn(tcp *net.TCPConn) *Conn {
	c := &Conn{Conn: tcp, tcp: tcp}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return c
	}
	var optErr error
	err = raw.Control(func(fd uintptr) {
		optErr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soTimestamping, rxSoftware|reportSoftware)
	})
	if err != nil || optErr != nil {
		return c
	}
	k := &c.receiver
	k.raw = raw
	k.wait = func(fd uintptr) bool {
		for {
			k.header = syscall.Msghdr{Iov: &k.vector, Iovlen: 1, Control: (*byte)(unsafe.Pointer(&k.control[0]))}
			k.header.SetControllen(controlWords * wordSize)
			k.n, _, k.errno = syscall.Syscall(syscall.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&k.header)), 0)
			switch k.errno {
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				k.waited = true
				return false
			}
			observe(fd)
			return true
		}
	}
	k.peek = func(fd uintptr) bool {
		var b [1]byte
		_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		k.quiet = err == syscall.EAGAIN || err == syscall.EINTR
		return true // whatever it was: nothing waits
	}
	return c
}

// isQuiet looks whether there is anything to read, an end included.
func (k *receiver) isQuiet() bool {
	if k.raw == nil {
		return true
	}
	return k.raw.Read(k.peek) == nil && k.quiet
}

// From linux/tcp.h and linux/sockios.h.
const (
	tcpInfo        = 11     // of which the first byte is the state
	stateConnected = 1      // TCP_ESTABLISHED
	outQueue       = 0x5411 // SIOCOUTQ: bytes that were written and not acknowledged
)

// hasEnded asks the kernel for the state of the connection, which an end changes when it comes and not when it is read.
func (k *receiver) hasEnded() bool {
	if k.raw == nil {
		return false
	}
	state := [8]byte{stateConnected}
	err := k.raw.Control(func(fd uintptr) {
		size := uint32(len(state))
		_, _, _ = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_TCP, tcpInfo,
			uintptr(unsafe.Pointer(&state[0])), uintptr(unsafe.Pointer(&size)), 0)
	})
	return err != nil || state[0] != stateConnected
}

func (k *receiver) unacknowledged() (bytes int, ok bool) {
	if k.raw == nil {
		return 0, false
	}
	var n int32
	var errno syscall.Errno
	err := k.raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, outQueue, uintptr(unsafe.Pointer(&n)))
	})
	return int(n), err == nil && errno == 0
}

// read reads what is there. waited says that nothing was when it began.
func (k *receiver) read(tcp *net.TCPConn, p []byte) (n int, stamp int64, waited bool, err error) {
	if k.raw == nil || len(p) == 0 {
		n, err = tcp.Read(p)
		return n, 0, false, err
	}
	k.vector.Base = &p[0]
	k.vector.SetLen(len(p))
	k.waited = false
	err = k.raw.Read(k.wait)
	k.vector.Base = nil
	switch {
	case err != nil:
		if op, ok := err.(*net.OpError); ok {
			op.Op = "read" // and not "raw-read", which says how and not what
		}
		return 0, 0, false, err
	case k.errno != 0:
		err = os.NewSyscallError("recvmsg", k.errno)
		return 0, 0, false, &net.OpError{Op: "read", Net: "tcp", Source: tcp.LocalAddr(), Addr: tcp.RemoteAddr(),
			Err: err}
	case k.n == 0:
		return 0, 0, false, io.EOF
	}
	return int(k.n), k.stamp(), k.waited, nil
}

// stamp finds the kernel's stamp among the control messages: the first of three timespecs, in Unix nanoseconds; 0 for
// none.
func (k *receiver) stamp() int64 {
	all := unsafe.Slice((*byte)(unsafe.Pointer(&k.control[0])), controlWords*wordSize)
	return findStamp(all[:min(k.header.Controllen, uint64(len(all)))])
}

func findStamp(control []byte) int64 {
	for len(control) >= syscall.SizeofCmsghdr {
		h := (*syscall.Cmsghdr)(unsafe.Pointer(&control[0]))
		if h.Len < syscall.SizeofCmsghdr || h.Len > uint64(len(control)) {
			return 0
		}
		data := control[syscall.SizeofCmsghdr:h.Len]
		if h.Level == syscall.SOL_SOCKET && h.Type == scmTimestamping &&
			len(data) >= int(unsafe.Sizeof(syscall.Timespec{})) {
			return (*syscall.Timespec)(unsafe.Pointer(&data[0])).Nano()
		}
		next := (h.Len + wordSize - 1) / wordSize * wordSize
		if next > uint64(len(control)) {
			return 0
		}
		control = control[next:]
	}
	return 0
}
