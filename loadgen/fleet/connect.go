package fleet

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
)

// A Server is where a fleet's messages go, and what lets one in. Secrets come from files and from the environment, and
// never from a command line, which everybody on the machine may read.
type Server struct {
	// URL is nats://, tls:// or ws(s)://HOST:PORT, several with commas between them, or unix:///PATH of a socket, as
	// package broker has one.
	URL string

	Token       string // zero: none
	NKeySeed    string // a file with the seed of an NKey; zero: none
	Credentials string // a file of credentials (JWT and NKey); zero: none

	CAFile   string // PEM certificates to trust, beside the system's; zero: none
	CertFile string // our own certificate and its key, for servers that ask for one; zero: none
	KeyFile  string

	// Plain says that messages may go over the network without TLS. Zero: to this machine only.
	Plain bool

	Name string // as the server's monitoring shows the connection; zero: "servegauge"
}

// The time that a connection which no packet crosses any more is taken for one that stands is up to pingEvery ×
// (pingsOut + 1): less than Lost.
const (
	pingEvery = 1200 * time.Millisecond
	pingsOut  = 2
	dialLimit = 5 * time.Second
)

// Connect connects. A connection that breaks is made again until it is closed.
func Connect(ctx context.Context, s Server) (*nats.Conn, error) {
	options, address, err := s.options()
	if err != nil {
		return nil, err
	}
	type connected struct {
		conn *nats.Conn
		err  error
	}
	done := make(chan connected, 1)
	go func() {
		conn, err := nats.Connect(address, options...)
		done <- connected{conn, err}
	}()
	select {
	case c := <-done:
		if c.err != nil {
			return nil, fmt.Errorf("nats server %s: %w", s.shown(), c.err)
		}
		return c.conn, nil
	case <-ctx.Done():
		go func() { // the dial has a limit of its own
			if c := <-done; c.conn != nil {
				c.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// shown is the URL as it may be printed.
func (s Server) shown() string {
	var shown []string
	for part := range strings.SplitSeq(s.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil {
			return "(not a URL)"
		}
		shown = append(shown, hidden(u))
	}
	return strings.Join(shown, ",")
}

func (s Server) options() (options []nats.Option, address string, err error) {
	name := s.Name
	if name == "" {
		name = "servegauge"
	}
	options = []nats.Option{nats.Name(name), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond), nats.PingInterval(pingEvery),
		nats.MaxPingsOutstanding(pingsOut), nats.Timeout(dialLimit), nats.NoEcho(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	address = s.URL
	encrypted, local := true, true
	for part := range strings.SplitSeq(s.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		if err != nil || u.Host == "" && u.Scheme != "unix" {
			return nil, "", &loadgen.InvalidError{Field: "nats server", Value: fmt.Sprintf("%.200q", s.shown()),
				Want: "nats://HOST:PORT, tls://HOST:PORT or unix:///PATH"}
		}
		if u.User != nil {
			return nil, "", &loadgen.InvalidError{Field: "nats server", Value: s.shown(),
				Want: "a URL without a user, password or token: these come from files or the environment"}
		}
		switch u.Scheme {
		case "unix":
			if part != s.URL {
				return nil, "", &loadgen.InvalidError{Field: "nats server", Value: s.shown(),
					Want: "one unix:///PATH alone"}
			}
			address = "nats://localhost"
			options = append(options, nats.SetCustomDialer(socket(u.Path)))
		case "tls", "wss":
		case "nats", "ws":
			encrypted = encrypted && s.CAFile+s.CertFile != ""
			local = local && loopback(u.Hostname())
		default:
			return nil, "", &loadgen.InvalidError{Field: "nats server", Value: s.shown(),
				Want: "nats://, tls://, ws://, wss:// or unix://"}
		}
	}
	if !encrypted && !local && !s.Plain {
		return nil, "", &loadgen.InvalidError{Field: "nats server", Value: s.shown(),
			Want: "tls:// for a server on another machine (or that plain text be asked for)"}
	}
	ways := 0
	for _, given := range []string{s.Token, s.NKeySeed, s.Credentials} {
		if given != "" {
			ways++
		}
	}
	if ways > 1 {
		return nil, "", &loadgen.InvalidError{Field: "nats credentials", Value: ways,
			Want: "one of a token, an NKey and credentials"}
	}
	switch {
	case s.Token != "":
		options = append(options, nats.Token(s.Token))
	case s.NKeySeed != "":
		nkey, err := nats.NkeyOptionFromSeed(s.NKeySeed)
		if err != nil {
			return nil, "", fmt.Errorf("nats nkey: %w", err)
		}
		options = append(options, nkey)
	case s.Credentials != "":
		options = append(options, nats.UserCredentials(s.Credentials))
	}
	trust, err := s.tls()
	if err != nil {
		return nil, "", err
	}
	if trust != nil {
		options = append(options, nats.Secure(trust))
	}
	return options, address, nil
}

func (s Server) tls() (*tls.Config, error) {
	if s.CAFile == "" && s.CertFile == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, fmt.Errorf("nats certificates: %w", err)
		}
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, &loadgen.InvalidError{Field: "nats certificates", Value: s.CAFile,
				Want: "PEM, with a CERTIFICATE in it"}
		}
		config.RootCAs = pool
	}
	if s.CertFile != "" {
		own, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("nats certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return config, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// A socket is the path of a Unix socket, to which everything is dialled.
type socket string

// Dial implements [nats.CustomDialer].
func (s socket) Dial(_, _ string) (net.Conn, error) {
	return net.DialTimeout("unix", string(s), dialLimit)
}
