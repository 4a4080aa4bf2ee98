package program

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"net/http"
	"os"
	"strings"
)

// Access is how a server lets a program in: the flags that all programs share which ask one anything.
type Access struct {
	apiKeyEnv, caFile string
	headers           headers
}

// Register registers the flags.
func (a *Access) Register(flags *flag.FlagSet) {
	flags.StringVar(&a.apiKeyEnv, "api-key-env", "", "`name` of the environment variable that holds the API key")
	flags.StringVar(&a.caFile, "ca-file", "",
		"`file` of PEM certificates to trust for an https:// server, beside those "+
			"that the system trusts")
	flags.Var(&a.headers, "header", "`\"Name: value\"` to send with each request; may be given several times")
}

// Given tells whether any of the flags was.
func (a *Access) Given() bool { return a.apiKeyEnv != "" || a.caFile != "" || len(a.headers) > 0 }

// key is the API key, "" for none.
func (a *Access) key() (string, error) {
	if a.apiKeyEnv == "" {
		return "", nil
	}
	key := os.Getenv(a.apiKeyEnv)
	if key == "" {
		return "", Usagef("-api-key-env %s: that environment variable is not set", a.apiKeyEnv)
	}
	return key, nil
}

// Client returns a client that trusts what was given, and the header to send with each request.
func (a *Access) Client() (*http.Client, http.Header, error) {
	key, err := a.key()
	if err != nil {
		return nil, nil, err
	}
	header := a.headers.header()
	if key != "" && header.Get("Authorization") == "" {
		header.Set("Authorization", "Bearer "+strings.TrimSpace(key))
	}
	trusted, err := trust(a.caFile)
	if err != nil {
		return nil, nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = trusted
	return &http.Client{Transport: transport}, header, nil
}

// trust is how TLS servers are trusted, given a file of certificates. "": as Go does, nil.
func trust(name string) (*tls.Config, error) {
	if name == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, Usagef("-ca-file: %v", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil { // there are none, or they cannot be read: what was given may be enough
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, Usagef("-ca-file %s: want PEM, with a CERTIFICATE in it", name)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// headers is a flag that may be given several times.
type headers []string

func (h *headers) String() string { return strings.Join(*h, ", ") }

func (h *headers) Set(s string) error {
	name, _, ok := strings.Cut(s, ":")
	if !ok || strings.TrimSpace(name) == "" {
		return errors.New(`want "Name: value"`)
	}
	*h = append(*h, s)
	return nil
}

func (h headers) header() http.Header {
	header := http.Header{}
	for _, pair := range h {
		name, value, _ := strings.Cut(pair, ":")
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header
}
