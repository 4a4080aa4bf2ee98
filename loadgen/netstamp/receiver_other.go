//go:build !linux || !(amd64 || arm64)

package netstamp

import "net"

// receiver reads without stamps.
type receiver struct{}

func newConn(tcp *net.TCPConn) *Conn { return &Conn{Conn: tcp, tcp: tcp} }

func (receiver) read(tcp *net.TCPConn, p []byte) (n int, kernel int64, err error) {
	n, err = tcp.Read(p)
	return n, 0, err
}

func (receiver) isQuiet() bool { return true }
