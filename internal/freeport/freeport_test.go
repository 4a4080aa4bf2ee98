package freeport

import (
	"net"
	"net/http"
	"strconv"
	"testing"
)

// A port is free, below those that the system gives out, and never had twice; one at which somebody listens is left
// out.
func TestGet(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:"+Get(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	mu.Lock()
	number, _ := strconv.Atoi(port)
	next = number - first
	mu.Unlock()
	seen := map[string]bool{port: true}
	for range 100 {
		got := Get(t)
		if n, err := strconv.Atoi(got); err != nil || n < first || n >= first+count || seen[got] {
			t.Errorf("%q: %v", got, err)
		}
		seen[got] = true
	}
	if response, err := http.Get(URL(t)); err == nil {
		response.Body.Close()
		t.Error("somebody answers")
	}
}
