package server

import (
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
)

// Netlink and the files of /proc tell the same of sockets that listen, on either family, several at one port, and of
// ports at which nothing listens, or something that only connects.
func TestListening(t *testing.T) {
	listen := func(network, address string) (net.Listener, int) {
		l, err := net.Listen(network, address)
		if err != nil {
			t.Skip(network, "is not there:", err)
		}
		t.Cleanup(func() { l.Close() })
		return l, l.Addr().(*net.TCPAddr).Port
	}
	four, fourPort := listen("tcp4", "127.0.0.1:0")
	listen("tcp4", "127.0.0.2:"+strconv.Itoa(fourPort))
	conn, err := net.Dial("tcp4", four.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ports := map[int]int{fourPort: 2, conn.LocalAddr().(*net.TCPAddr).Port: 0}
	if l, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		defer l.Close()
		ports[l.Addr().(*net.TCPAddr).Port] = 1
	}
	if l, err := net.Listen("tcp", ":0"); err == nil { // of both families, in the table of IPv6
		defer l.Close()
		ports[l.Addr().(*net.TCPAddr).Port] = 1
	}
	for port, want := range ports {
		var files []string
		for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			text, _ := os.ReadFile(name)
			files = append(files, readListening(string(text), port)...)
		}
		got := listening(port)
		slices.Sort(got)
		slices.Sort(files)
		if len(got) != want || !slices.Equal(got, files) {
			t.Errorf("port %d: %v by netlink, %v by /proc; want %d", port, got, files, want)
		}
		holders, known := listeners(port)
		if mine := len(holders) == 1 && holders[0].pid == os.Getpid(); !known || mine != (want > 0) {
			t.Errorf("port %d: held by %v (%v)", port, holders, known)
		}
	}
	if _, err := askListening(255, fourPort); err == nil {
		t.Error("a family that there is not has been answered for: what is refused must lead to /proc")
	}
}

// What is no answer is an error, upon which the files are read.
func TestListeningGarbage(t *testing.T) {
	whole := listeningRequest(2, 8000) // shaped as an answer, and too short for one
	for name, part := range map[string][]byte{
		"cut off": whole[:20], "short": whole, "a length of none": make([]byte, 64),
	} {
		if inodes, done, err := parseListening(part, 8000); err == nil {
			t.Errorf("%s: %v, %v, no error", name, inodes, done)
		}
	}
}

func BenchmarkListening(b *testing.B) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	b.Run("netlink", func(b *testing.B) {
		for b.Loop() {
			if len(listening(port)) != 1 {
				b.Fatal("not found")
			}
		}
	})
	b.Run("files", func(b *testing.B) {
		for b.Loop() {
			for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
				text, _ := os.ReadFile(name)
				readListening(string(text), port)
			}
		}
	})
}
