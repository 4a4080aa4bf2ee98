//go:build !linux || !(amd64 || arm64)

package netstamp

import "net"

// receiver reads without stamps.
type receiver struct{}

func newConn(tcp *net.TCPConn) *Conn { return &Conn{Conn: tcp, tcp: tcp} }

func (receiver) read(tcp *net.TCPConn, p []byte) (n int, kernel int64, waited bool, err error) {
	n, err = tcp.Read(p)
	return n, 0, false, err
}

func (receiver) isQuiet() bool { return true }

func (receiver) hasEnded() bool { return false }

func (receiver) unacknowledged() (bytes int, ok bool) { return 0, false }
