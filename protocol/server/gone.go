package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// presence is what is found at a URL.
type presence int

const (
	refused   presence = iota // connections are refused: nothing is there
	forwarded                 // something takes connections for a server that is not there
	present
)

// gatewaySettle is how long a gateway must go on saying that nothing is behind it. A server that drains may answer 503
// for a moment and then go on.
const gatewaySettle = 2 * time.Second

// lookTimeout is how long a single look may take. A server whose queue of connections is full answers no sooner.
const lookTimeout = 2 * time.Second

// look finds out whether something is at a URL. What it cannot tell it takes for present: to wait in vain costs time,
// and to take the old server for the new one costs the result.
func look(ctx context.Context, rawURL string) presence {
	address := hostPort(rawURL)
	if address == "" {
		return refused
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		// A host or a container's own address that is gone is unreachable.
		for _, gone := range []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH} {
			if errors.Is(err, gone) {
				return refused
			}
		}
		return present
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	status, err := statusOf(conn, rawURL)
	switch {
	// A forwarder (kubectl port-forward, docker-proxy) accepts, and hangs up when it finds nobody behind.
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return forwarded
	case err != nil:
		return present
	}
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return forwarded
	}
	return present
}

// statusOf asks for a URL on a connection, and returns the status of the answer. Nothing is sent that another should
// not read, so that nobody need be trusted. (A transport of package http would hide how the connection ended.)
func statusOf(conn net.Conn, rawURL string) (int, error) {
	request, err := http.NewRequest(http.MethodGet, rawURL, nil)
	if err != nil {
		return 0, err
	}
	request.URL.User, request.Close = nil, true
	if request.URL.Scheme == "https" {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, ServerName: request.URL.Hostname()})
	}
	if err := request.Write(conn); err != nil {
		return 0, err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), request)
	if err != nil {
		return 0, err
	}
	_ = response.Body.Close()
	return response.StatusCode, nil
}

// hostPort is where a URL's server listens, "" for what is no URL.
func hostPort(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.Hostname() == "" {
		return ""
	}
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	return net.JoinHostPort(u.Hostname(), port)
}

var errStillAnswers = errors.New("something still accepts connections")

// awaitGone waits until nothing is at a URL any more, and says whether it was a gateway that told.
func awaitGone(ctx context.Context, rawURL string, grace time.Duration) (gateway bool, err error) {
	deadline := time.Now().Add(grace)
	var since time.Time // of an unbroken row of the gateway's words
	for {
		seen := look(ctx, rawURL)
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		now := time.Now()
		switch {
		case seen == refused:
			return false, nil
		case seen == present:
			since = time.Time{}
		case since.IsZero():
			since = now
		case now.Sub(since) >= gatewaySettle:
			return true, nil
		}
		if now.After(deadline) && since.IsZero() {
			return false, fmt.Errorf("%w at %s after %v%s", errStillAnswers, protocol.PublicURL(rawURL), grace,
				heldBy(rawURL))
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// taken is an error where something is at a URL at which a server is to be started.
func taken(ctx context.Context, rawURL string) error {
	if rawURL == "" || look(ctx, rawURL) != present {
		return nil
	}
	return fmt.Errorf("something answers at %s already%s; stop it, or give another -url",
		protocol.PublicURL(rawURL), heldBy(rawURL))
}

// vacant is an error where something is at a URL before the server of a key is started there, other than what an
// earlier run left of it, which the start ends.
func vacant(ctx context.Context, key string, argv []string, rawURL string) error {
	err := taken(ctx, rawURL)
	if err == nil || len(argv) == 0 || slices.ContainsFunc(leftOvers(), func(n *note) bool { return n.Key == key }) {
		return nil
	}
	return &protocol.ServerError{Phase: "start", Command: argv[0], Err: err}
}

// heldBy says in an error who holds the port of a URL, where the system tells.
func heldBy(rawURL string) string {
	holders, known := holdersOf(rawURL)
	if !known || len(holders) == 0 {
		return ""
	}
	return ": " + holders[0].String()
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// roundTrip is the least time that a connection to a URL took to open, 0 where none did.
func roundTrip(ctx context.Context, rawURL string) time.Duration {
	least := time.Duration(0)
	for range 5 {
		begin := time.Now()
		conn, err := (&net.Dialer{Timeout: lookTimeout}).DialContext(ctx, "tcp", hostPort(rawURL))
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				break
			}
			continue
		}
		if took := time.Since(begin); least == 0 || took < least {
			least = took
		}
		_ = conn.Close()
	}
	return least
}
