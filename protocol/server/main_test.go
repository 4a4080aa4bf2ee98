//go:build unix

package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is also the server that the tests start and stop: a real process with a real port.
func TestMain(m *testing.M) {
	if how := os.Getenv("PROTOCOL_TEST_SERVER"); how != "" {
		beServer(how)
		return
	}
	os.Exit(m.Run())
}

// beServer listens at 127.0.0.1:0, or at the address that how ends in, and prints its URL.
func beServer(how string) {
	kind, address, _ := strings.Cut(how, "@")
	switch kind {
	case "fails":
		fmt.Println("first words")
		fmt.Println("cannot allocate memory")
		os.Exit(3)
	case "silent":
		time.Sleep(time.Hour)
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
	}
	if address == "" {
		address = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	go func() { // the parent is gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		if kind != "detached" {
			os.Exit(0)
		}
	}()
	_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, os.Getpid())
	}))
}

// asServer is the environment in which the test binary is a server.
func asServer(how string) []string { return append(os.Environ(), "PROTOCOL_TEST_SERVER="+how) }

// eventually waits for what a process is about to do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for range 6000 {
		if ok() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: never", what)
}

// survives reports whether a process is still there when it has had time to go: it refuses connections before it ends.
func survives(pid int) bool {
	for range 200 {
		if !alive(pid) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// alive reports whether a process exists and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return !exists("/proc/self") && syscall.Kill(pid, 0) == nil
	}
	return !strings.Contains(string(stat), ") Z ")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// pidAt asks a test server for its process id.
func pidAt(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	http.DefaultClient.CloseIdleConnections()
	return pid
}
