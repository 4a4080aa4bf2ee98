package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/servegauge/servegauge/loadgen"
)

// serverVariable makes the test binary a NATS server, of the configuration file that it names.
const serverVariable = "SERVEGAUGE_FLEET_TEST_SERVER"

func serveNATS(config string) error {
	options, err := server.ProcessConfigFile(config)
	if err != nil {
		return err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return err
	}
	s.Start()
	s.WaitForShutdown()
	return nil
}

// A natsServer is a NATS server that is a process of its own, with TLS and JetStream: nats-server itself where
// SERVEGAUGE_NATS_SERVER says where that is, and else the same server in the test's binary.
type natsServer struct {
	*testing.T
	dir, address string
	process      *exec.Cmd
}

// startNATS starts one, with users, and limits of JetStream, as given.
func startNATS(t *testing.T, authorization, limits string) *natsServer {
	t.Helper()
	s := &natsServer{T: t, dir: t.TempDir()}
	certificate(t, s.dir)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = taken.Addr().String()
	taken.Close()
	in := func(name string) string { return filepath.Join(s.dir, name) }
	text := fmt.Sprintf("listen: %q\njetstream { store_dir: %q\n%s }\ntls { cert_file: %q, key_file: %q }\nauthorization { %s }\n",
		s.address, in("store"), limits, in("cert.pem"), in("key.pem"), authorization)
	if err := os.WriteFile(in("nats.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.start()
	return s
}

func (s *natsServer) url() string    { return "tls://" + s.address }
func (s *natsServer) caFile() string { return filepath.Join(s.dir, "cert.pem") }

// kill is kill −9.
func (s *natsServer) kill() { _ = s.process.Process.Kill(); _ = s.process.Wait() }

// start starts it, again perhaps, and waits until it lets somebody in.
func (s *natsServer) start() {
	s.Helper()
	self, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	config := filepath.Join(s.dir, "nats.conf")
	s.process = exec.Command(self)
	s.process.Env = append(os.Environ(), serverVariable+"="+config)
	if real := os.Getenv("SERVEGAUGE_NATS_SERVER"); real != "" {
		s.process = exec.Command(real, "-c", config)
		s.Logf("through %s", real)
	}
	if err := s.process.Start(); err != nil {
		s.Fatal(err)
	}
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			conn.Close()
			return
		}
		if time.Since(began) > 20*time.Second {
			s.Fatal(err)
		}
	}
}

// connect is somebody's connection to it.
func (s *natsServer) connect(change func(*Server)) *nats.Conn {
	s.Helper()
	to := Server{URL: s.url(), CAFile: s.caFile()}
	change(&to)
	conn, err := Connect(s.Context(), to)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(conn.Close)
	return conn
}

// certificate makes a server's certificate, which is its own authority.
func certificate(t *testing.T, dir string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "servegauge test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der},
		"key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A fleet works over a server of its user, with TLS, for those who have a token or an NKey, and for nobody else.
func TestServerWithTLSAndCredentials(t *testing.T) {
	t.Parallel()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, _ := user.PublicKey()
	seed, _ := user.Seed()
	seedFile := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	for way, c := range map[string]struct {
		authorization string
		good          func(*Server)
		bad           func(*Server)
	}{
		"token": {`token: "hunter2"`, func(s *Server) { s.Token = "hunter2" }, func(s *Server) { s.Token = "hunter3" }},
		"nkey": {`users: [ { nkey: "` + public + `" } ]`, func(s *Server) { s.NKeySeed = seedFile },
			func(*Server) {}},
	} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			server := startNATS(t, c.authorization, "")
			good := Server{URL: server.url(), CAFile: server.caFile()}
			bad := good
			c.good(&good)
			c.bad(&bad)
			untrusted := good
			untrusted.CAFile = ""
			for name, s := range map[string]Server{"credentials": bad, "certificate": untrusted} {
				conn, err := Connect(t.Context(), s)
				if err == nil {
					conn.Close()
					t.Errorf("wrong %s: connected", name)
				} else if strings.Contains(err.Error(), "hunter") {
					t.Errorf("wrong %s: the token is in the error: %v", name, err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 2)
			for i := range 2 {
				conn, err := Connect(ctx, good)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				w := &Worker{Conn: conn, Name: fmt.Sprint("w", i), Allow: []string{testURL},
					Target: func(context.Context, Job, Files) (loadgen.Target, error) {
						return takes(25 * time.Millisecond), nil
					}}
				go func() { done <- w.Run(ctx) }()
			}
			conn, err := Connect(ctx, good)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			coordinator := &Coordinator{Conn: conn, Workers: 2, Gather: 20 * time.Second}
			r, err := coordinator.Measure(ctx, Job{URL: testURL, Level: loadgen.Level{Concurrency: 4, Requests: 100}}, nil)
			if err != nil || r.Accounting.Completed != 100 || !r.Valid() {
				t.Errorf("%+v, %v", r, err)
			}
			if err := coordinator.Close(); err != nil {
				t.Error(err)
			}
			cancel()
			for range 2 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestServerRefused(t *testing.T) {
	for url, want := range map[string]string{
		"nats://example.org:4222":             "tls://",
		"nats://hunter2@127.0.0.1:4222":       "without a user",
		"http://127.0.0.1:4222":               "nats://",
		"4222":                                "nats://HOST",
		"unix:///a,unix:///b":                 "alone",
		"nats://127.0.0.1:1,nats://10.0.0.1:": "tls://",
	} {
		_, _, err := Server{URL: url}.options()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, _, err := (Server{URL: "nats://10.0.0.1:4222", Plain: true}).options(); err != nil {
		t.Error(err)
	}
	if _, _, err := (Server{URL: "nats://127.0.0.1", Token: "a", NKeySeed: "b"}).options(); err == nil {
		t.Error("two credentials are taken")
	}
}
