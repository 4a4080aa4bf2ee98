// Package freeport finds ports for the servers of tests, each for one of them.
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The ports are below those that a system gives out by itself, to listeners of port 0 and to every connection that is
// made (Linux: from 32768 on; others: from 49152). One of those would be in use again before its test has taken it,
// as tests run side by side, and who connects to a free one of them may be given it, and be connected to himself.
const first, count = 15_000, 15_000

var (
	mu   sync.Mutex
	next = rand.IntN(count) // other test processes begin elsewhere
)

// Get is a port of 127.0.0.1 at which nothing listens. No test of this process gets it a second time.
func Get(t testing.TB) string {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	for range count {
		port := strconv.Itoa(first + next)
		next = (next + 1) % count
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("none of the ports from %d to %d is free", first, first+count-1)
	return ""
}

// Address is that of such a port, and URL too.
func Address(t testing.TB) string { return net.JoinHostPort("127.0.0.1", Get(t)) }
func URL(t testing.TB) string     { return "http://" + Address(t) }
