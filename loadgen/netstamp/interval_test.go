package netstamp

import (
	"io"
	"net"
	"testing"
	"time"
)

// A read has one stamp and an interval: what it brought came no earlier than Since. That is the end of the read before
// where there was nothing to read at first, and else the stamp of the read before.
func TestSince(t *testing.T) {
	c, other := pair(t)
	var e Exchange
	c.Begin(&e)
	buffer := make([]byte, 100)
	write := func(text string) time.Time {
		t.Helper()
		at := time.Now()
		if _, err := io.WriteString(other, text); err != nil {
			t.Fatal(err)
		}
		return at
	}
	read := func(want string) Arrival {
		t.Helper()
		n, err := c.Read(buffer)
		if err != nil || string(buffer[:n]) != want {
			t.Fatalf("%q %v, want %q", buffer[:n], err, want)
		}
		a, _ := e.Arrival()
		return a
	}
	const pause = 10 * time.Millisecond
	write("a")
	first := read("a")

	// Two writes wait together: the stamp is the second's, and the first came between Since and that.
	begun := write("b")
	time.Sleep(pause)
	later := write("c")
	for n := 0; n < 1000 && c.Quiet(); n++ {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(pause)
	both := read("bc")
	if both.Since.IsZero() || both.Since.After(begun) || both.Read != first.Read+1 {
		t.Errorf("since %v, want %v or before; read %d after %d", both.Since, begun, both.Read, first.Read)
	}
	if stamps {
		if want := first.Seen.Add(-first.Lag); !both.Since.Equal(want) {
			t.Errorf("since %v, want the stamp before, %v", both.Since, want)
		}
		if at := both.Seen.Add(-both.Lag); at.Before(later.Add(-pause / 2)) {
			t.Errorf("stamped %v, want the second write's %v", at, later)
		}
	}

	// A reader that waits knows that nothing had come when the read before returned.
	go func() {
		time.Sleep(pause)
		_, _ = io.WriteString(other, "d")
	}()
	waited := read("d")
	if stamps && !waited.Since.Equal(both.Seen) {
		t.Errorf("since %v, want the end of the read before, %v", waited.Since, both.Seen)
	}
	// Reads that leave some of what was there count as one with those that take it: the kernel keeps one stamp for all.
	begun = write("12")
	time.Sleep(pause)
	write("34")
	for n := 0; n < 1000 && c.Quiet(); n++ {
		time.Sleep(time.Millisecond)
	}
	time.Sleep(pause)
	buffer = buffer[:1]
	parts := []Arrival{read("1"), read("2"), read("3"), read("4")}
	buffer = buffer[:100]
	for i, a := range parts {
		if a.Read != waited.Read+1 || a.Since.After(begun) || !a.Since.Equal(parts[0].Since) {
			t.Errorf("part %d: %+v, written since %v", i, a, begun)
		}
	}
	waited = parts[3]
	go func() {
		time.Sleep(pause)
		_, _ = io.WriteString(other, "f")
	}()
	if a := read("f"); stamps && (a.Read != waited.Read+1 || !a.Since.Equal(waited.Seen)) {
		t.Errorf("%+v after %+v", a, waited)
	}
	waited.Read++
	// The next exchange's first read is bounded by the last one of this.
	var next Exchange
	c.Begin(&next)
	write("e")
	if _, err := c.Read(buffer); err != nil {
		t.Fatal(err)
	}
	if a, _ := next.Arrival(); a.Read != waited.Read+1 || a.Since.IsZero() {
		t.Errorf("%+v after %+v", a, waited)
	}
}

// An end is known when it comes, whatever waits to be read before it.
func TestEnded(t *testing.T) {
	if !stamps {
		t.Skip("the kernel is not asked on this system")
	}
	for name, end := range map[string]func(net.Conn){
		"end":   func(other net.Conn) { other.Close() },
		"reset": func(other net.Conn) { _ = other.(*net.TCPConn).SetLinger(0); other.Close() },
	} {
		c, other := newPair(t)
		_, _ = other.Write([]byte("ticket"))
		for n := 0; n < 1000 && c.Quiet(); n++ {
			time.Sleep(time.Millisecond)
		}
		if c.Ended() || c.Quiet() {
			t.Errorf("%s: ended %v, quiet %v, before it", name, c.Ended(), c.Quiet())
		}
		end(other)
		for n := 0; n < 1000 && !c.Ended(); n++ {
			time.Sleep(time.Millisecond)
		}
		if !c.Ended() {
			t.Errorf("%s: not seen", name)
		}
	}
}

// What a peer had closed before a write came has taken nothing of it; what it has read, or left unread, it may have.
func TestUntaken(t *testing.T) {
	if !stamps {
		t.Skip("the kernel is not asked on this system")
	}
	for _, test := range []struct {
		name string
		do   func(c *Conn, other net.Conn)
		want bool
	}{
		{"closed before", func(c *Conn, other net.Conn) {
			other.Close()
			for !c.Ended() {
				time.Sleep(time.Millisecond)
			}
			_, _ = c.Write(make([]byte, 100))
		}, true},
		{"read", func(c *Conn, other net.Conn) {
			_, _ = c.Write(make([]byte, 100))
			_, _ = io.ReadFull(other, make([]byte, 100))
			other.Close()
		}, false},
		{"read in part", func(c *Conn, other net.Conn) {
			_, _ = c.Write(make([]byte, 100))
			_, _ = other.Read(make([]byte, 1))
			_, _ = other.Write([]byte("x")) // which acknowledges it
			other.Close()
		}, false},
	} {
		c, other := newPair(t)
		var e Exchange
		if e.Untaken() {
			t.Error("an exchange that has not begun was not taken")
		}
		_, _ = c.Write([]byte("an earlier request"))
		_, _ = io.ReadFull(other, make([]byte, len("an earlier request")))
		_, _ = other.Write([]byte("y"))
		_, _ = c.Read(make([]byte, 1))
		c.Begin(&e)
		test.do(c, other)
		for buffer := make([]byte, 10); ; {
			if _, err := c.Read(buffer); err != nil {
				break
			}
		}
		if got := e.Untaken(); got != test.want {
			t.Errorf("%s: untaken %v", test.name, got)
		}
	}
}
