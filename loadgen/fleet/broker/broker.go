// Package broker is a NATS server inside the coordinator's process, for a fleet on one machine. It listens at no
// port: the coordinator is connected in memory, and workers through a Unix socket in a directory that nobody else may
// enter. It is a package of its own, so that workers are not the 17 MB larger that the server is.
package broker

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// A Broker is a running server.
type Broker struct {
	nats *server.Server
	dir  string
	door net.Listener
	lock *flock.Flock // held as long as the directory is in use

	mu     sync.Mutex
	open   map[net.Conn]bool
	closed bool
	wait   sync.WaitGroup
}

const (
	readyLimit = 10 * time.Second
	memory     = 1 << 30 // bytes of results that are kept, at most
)

// Start starts a server. What it keeps is in memory and in a temporary directory, and is gone with Close.
func Start() (*Broker, error) {
	sweep()
	dir, err := os.MkdirTemp(place(), prefix) // of mode 0700
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	b := &Broker{dir: dir, open: map[net.Conn]bool{}, lock: flock.New(filepath.Join(dir, lockFile))}
	if _, err := b.lock.TryLock(); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("broker: %w", err)
	}
	options := &server.Options{
		ServerName: "servegauge", DontListen: true, NoSigs: true, NoLog: true,
		JetStream: true, JetStreamMaxMemory: memory, JetStreamMaxStore: memory, StoreDir: filepath.Join(dir, "store"),
	}
	if b.nats, err = server.NewServer(options); err == nil {
		b.nats.Start()
		if !b.nats.ReadyForConnections(readyLimit) {
			err = errors.New("it was not ready in time")
		}
	}
	if err == nil {
		b.door, err = net.Listen("unix", b.socket())
	}
	if err != nil {
		b.Close()
		return nil, fmt.Errorf("broker: %w", err)
	}
	b.wait.Go(b.accept)
	return b, nil
}

func (b *Broker) socket() string { return filepath.Join(b.dir, socketFile) }

// longest is how long the path of a Unix socket may be: 103 bytes on macOS, 107 on Linux.
const longest = 103

// place is where the directory is made: that of all temporary files, unless the path of a socket in it would be too
// long, as in the deep folders that build systems make for each job.
func place() string {
	dir := os.TempDir()
	if len(filepath.Join(dir, prefix+"4294967295", socketFile)) > longest && runtime.GOOS != "windows" {
		return "/tmp"
	}
	return dir
}

// URL is where workers connect to, as fleet.Connect takes it.
func (b *Broker) URL() string { return "unix://" + b.socket() }

// Connect connects in memory. The options are in addition to those that this takes.
func (b *Broker) Connect(options ...nats.Option) (*nats.Conn, error) {
	options = append([]nats.Option{nats.InProcessServer(b.nats), nats.NoEcho()}, options...)
	return nats.Connect("", options...)
}

// accept lets workers in. The server knows no Unix sockets, so that bytes are carried between the socket and a
// connection in memory.
func (b *Broker) accept() {
	for {
		outside, err := b.door.Accept()
		if err != nil {
			return
		}
		inside, err := b.nats.InProcessConn()
		if err != nil || !b.keep(outside, inside) {
			_ = outside.Close()
			if inside != nil {
				_ = inside.Close()
			}
			continue
		}
		b.wait.Go(func() { b.carry(outside, inside) })
	}
}

func (b *Broker) carry(outside, inside net.Conn) {
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{outside, inside}, {inside, outside}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = outside.Close(), inside.Close() // either end ends both
		})
	}
	both.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.open, outside)
	delete(b.open, inside)
}

func (b *Broker) keep(conns ...net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	for _, c := range conns {
		b.open[c] = true
	}
	return true
}

// Close ends the server and all connections to it, and deletes what it kept.
func (b *Broker) Close() error {
	if b.door != nil {
		_ = b.door.Close()
	}
	b.mu.Lock()
	b.closed = true
	for c := range b.open {
		_ = c.Close()
	}
	b.mu.Unlock()
	b.wait.Wait()
	if b.nats != nil {
		b.nats.Shutdown()
		b.nats.WaitForShutdown()
	}
	err := os.RemoveAll(b.dir)
	return errors.Join(err, b.lock.Close())
}

const (
	prefix     = "servegauge-fleet-"
	lockFile   = "lock"
	socketFile = "nats"
	fresh      = time.Minute // in which a directory may have no lock yet
)

// sweep deletes what servers have left whose process was killed. Another user's cannot be deleted, and is not.
func sweep() {
	left, _ := filepath.Glob(filepath.Join(place(), prefix+"*"))
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < fresh {
			continue
		}
		lock := flock.New(filepath.Join(dir, lockFile))
		if free, err := lock.TryLock(); err == nil && free {
			_ = os.RemoveAll(dir)
		}
		_ = lock.Close()
	}
}
