package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// listening are the inodes of the TCP sockets of this network namespace that listen at a port.
//
// The kernel is asked by netlink, for listening sockets alone: some tens of microseconds. For /proc/net/tcp it walks
// its whole table of connections, which is as large as the host's memory allows, and takes milliseconds in which the
// client measures nothing; that is what is left where netlink is not allowed. (Packages that speak sock_diag ask for
// sockets in every state, or bring a netlink stack along for one question of 72 bytes.)
func listening(port int) (inodes []string) {
	for _, family := range []struct {
		number byte
		file   string
	}{{syscall.AF_INET, "/proc/net/tcp"}, {syscall.AF_INET6, "/proc/net/tcp6"}} {
		found, err := askListening(family.number, port)
		if err != nil {
			text, _ := os.ReadFile(family.file)
			found = readListening(string(text), port)
		}
		inodes = append(inodes, found...)
	}
	return inodes
}

// readListening finds them in the text of /proc/net/tcp. A line of it, of a socket that listens (0A) at 127.0.0.1:8000:
//
//	sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
//	 0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 75482 1 …
func readListening(text string, port int) (inodes []string) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if n, err := strconv.ParseUint(hex, 16, 16); err == nil && int(n) == port {
			inodes = append(inodes, fields[9])
		}
	}
	return inodes
}

// What linux/sock_diag.h, linux/inet_diag.h and net/tcp_states.h say, as far as it is needed.
const (
	netlinkSockDiag  = 4
	sockDiagByFamily = 20
	stateListen      = 10

	// family, protocol, extensions, padding, states; then a socket, of which the port counts
	requestLength = 8 + socketLength
	socketLength  = 48 // source and destination port, two addresses of 16 bytes, interface, cookie
	answerLength  = 72 // family, state, timer, retransmissions; a socket; expiry, two queues, uid, inode
	answerInode   = 68
)

// askPatience bounds how long the kernel is waited for, which answers at once.
const askPatience = time.Second

// askListening asks the kernel for them, of one family of addresses.
func askListening(family byte, port int) (inodes []string, err error) {
	s, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, netlinkSockDiag)
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	defer syscall.Close(s)
	patience := syscall.NsecToTimeval(int64(askPatience))
	if err := syscall.SetsockoptTimeval(s, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &patience); err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	if err := syscall.Sendto(s, listeningRequest(family, port), 0,
		&syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	buffer := make([]byte, 32<<10) // more than the kernel puts into one answer
	for {
		n, from, err := syscall.Recvfrom(s, buffer, 0)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("netlink: %w", err)
		}
		if kernel, ok := from.(*syscall.SockaddrNetlink); !ok || kernel.Pid != 0 {
			continue // anybody may send to a netlink socket
		}
		found, done, err := parseListening(buffer[:n], port)
		if err != nil {
			return nil, err
		}
		if inodes = append(inodes, found...); done {
			return inodes, nil
		}
	}
}

// listeningRequest is the question.
func listeningRequest(family byte, port int) []byte {
	order := binary.NativeEndian
	b := make([]byte, syscall.NLMSG_HDRLEN+requestLength)
	order.PutUint32(b[0:], uint32(len(b)))
	order.PutUint16(b[4:], sockDiagByFamily)
	order.PutUint16(b[6:], syscall.NLM_F_REQUEST|syscall.NLM_F_DUMP)
	body := b[syscall.NLMSG_HDRLEN:]
	body[0], body[1] = family, syscall.IPPROTO_TCP
	order.PutUint32(body[4:], 1<<stateListen)
	binary.BigEndian.PutUint16(body[8:], uint16(port))
	return b
}

// parseListening reads a part of the answer. done says that it is the last. The kernel need not heed the port.
func parseListening(part []byte, port int) (inodes []string, done bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(part)
	if err != nil {
		return nil, false, fmt.Errorf("netlink: %w", err)
	}
	for _, m := range messages {
		switch m.Header.Type {
		case syscall.NLMSG_DONE:
			return inodes, true, nil
		case syscall.NLMSG_ERROR:
			return nil, false, fmt.Errorf("netlink: it refuses to tell who listens (%x)", m.Data[:min(4, len(m.Data))])
		}
		if len(m.Data) < answerLength {
			return nil, false, fmt.Errorf("netlink: an answer of %d bytes, where %d are wanted", len(m.Data),
				answerLength)
		}
		if m.Data[1] == stateListen && int(binary.BigEndian.Uint16(m.Data[4:])) == port {
			inodes = append(inodes, strconv.FormatUint(uint64(binary.NativeEndian.Uint32(m.Data[answerInode:])), 10))
		}
	}
	return inodes, false, nil
}
