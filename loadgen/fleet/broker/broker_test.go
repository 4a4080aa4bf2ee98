package broker

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// A server is there at once, listens at no port, and leaves nothing. What one that was killed has left goes with the
// next one's start, and what is in use stays.
func TestBroker(t *testing.T) {
	t.Setenv("TMPDIR", shortDir(t))
	left := filepath.Join(os.TempDir(), prefix+"killed")
	if err := os.Mkdir(left, 0o700); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(left, old, old); err != nil {
		t.Fatal(err)
	}
	b, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what was left is there: %v", err)
	}
	if address := b.nats.Addr(); address != nil {
		t.Errorf("it listens at %v", address)
	}
	if info, err := os.Stat(b.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info, err)
	}
	if err := os.Chtimes(b.dir, old, old); err != nil {
		t.Fatal(err)
	}
	other, err := Start()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	conn, err := b.Connect(nats.Timeout(10 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if entries, err := os.ReadDir(os.TempDir()); err != nil || len(entries) > 0 {
		t.Errorf("%v are left: %v", entries, err)
	}
}

// shortDir is a directory in which a socket has room for its path, wherever the temporary files of this test are.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "broker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Where temporary files are in a folder too deep for the path of a socket, workers come in all the same, and nothing is
// left.
func TestDeepTemporaryFolder(t *testing.T) {
	for _, length := range []int{longest - 40, longest - 30, longest, 200} {
		dir := shortDir(t)
		deep := filepath.Join(dir, strings.Repeat("x", length-len(dir)-1))
		if err := os.Mkdir(deep, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Setenv("TMPDIR", deep)
		b, err := Start()
		if err != nil {
			t.Errorf("%d bytes: %v", length, err)
			continue
		}
		conn, err := net.Dial("unix", b.socket())
		if err != nil {
			t.Errorf("%d bytes: %v", length, err)
		} else {
			conn.Close()
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", b.dir, err)
		}
	}
}
