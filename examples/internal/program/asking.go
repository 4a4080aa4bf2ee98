package program

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/loadgen/openai"
)

// asking is how a server is asked, as far as it travels from a coordinator to its workers: everything but the key, the
// headers and the certificates, which each worker has of its owner.
type asking struct {
	Models   []string        `json:"models,omitempty"`
	Endpoint string          `json:"endpoint,omitempty"`
	Whole    bool            `json:"whole,omitempty"`
	Usage    bool            `json:"continuous_usage,omitempty"`
	HTTP2    bool            `json:"http2,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
	Sending  sending         `json:"sending,omitzero"`
}

// mayTravel is an error where what the flags say must not go to workers: what looks like a secret.
func (l *Load) mayTravel() error {
	for text := range strings.SplitSeq(l.sending.Media.URLs, ",") {
		if u, err := url.Parse(text); err == nil && (u.User != nil || u.RawQuery != "") {
			return Usagef("-image-urls with -fleet: one of %s has a user or a query, which may be secret and would go to the NATS "+
				"server's disk", u.Host)
		}
	}
	c := l.client.Config
	if len(c.Body) == 0 {
		return nil
	}
	body, err := json.Marshal(c.Body)
	if err != nil {
		return err
	}
	public, err := c.PublicBody()
	if err == nil && !bytes.Equal(compact(body), compact(public)) {
		err = Usagef("-body with -fleet: it has what looks like a secret, which would go to the NATS server's disk; " +
			"give it to each worker as a -header")
	}
	return err
}

// travelling is what of the flags workers are told. Check has been called. Files go before, by share, which says their
// SHA-256.
func (l *Load) travelling(share func(name string, open func() (io.ReadCloser, error)) (string, error)) (json.RawMessage,
	error) {
	c := l.client.Config
	a := asking{Models: c.Models, Endpoint: string(c.Endpoint), Whole: c.Whole, Usage: c.ContinuousUsage, HTTP2: c.HTTP2}
	var err error
	a.Sending, err = l.sending.each(func(flag string, f file) (string, error) {
		open := func() (io.ReadCloser, error) { return os.Open(f.path) }
		if flag == "media" {
			archive, err := packed(os.DirFS(f.path))
			if err != nil {
				return "", Usagef("-media %s with -fleet: %w", f.path, err)
			}
			open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil }
		}
		sum, err := share(f.Name, open)
		if err != nil {
			return "", fmt.Errorf("-%s %s with -fleet: %w", flag, f.path, err)
		}
		return sum, nil
	})
	if err != nil {
		return nil, err
	}
	if len(c.Body) > 0 {
		if a.Body, err = json.Marshal(c.Body); err != nil {
			return nil, err
		}
	}
	return json.Marshal(a)
}

func compact(text []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, text) != nil {
		return text
	}
	return out.Bytes()
}

// Targets make the targets of a worker, by what its owner gave it and what a coordinator asks for. What was found out
// of a server is found out once.
type Targets struct {
	access *Access

	mu      sync.Mutex
	options string
	client  *openai.Client
}

// NewTargets makes them, and reads the key and the certificates, so that what is wrong with them is said at once.
func NewTargets(a *Access) (*Targets, error) {
	if _, err := a.key(); err != nil {
		return nil, err
	}
	if _, err := trust(a.caFile); err != nil {
		return nil, err
	}
	return &Targets{access: a}, nil
}

// Target is a [fleet.Worker]'s.
func (t *Targets) Target(ctx context.Context, j fleet.Job, files fleet.Files) (loadgen.Target, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil || string(j.Options) != t.options {
		client, err := t.ask(j.Options, shared{ctx, files})
		if err != nil {
			return nil, err
		}
		t.options, t.client = string(j.Options), client
	}
	return t.client.Target(ctx, j.URL, j.Spec)
}

// shared are the files of a coordinator.
type shared struct {
	ctx   context.Context // of the job that opens them
	files fleet.Files
}

func (s shared) open(f file) (io.ReadCloser, error) { return s.files(s.ctx, f.SHA256) }

func (s shared) folder(f file) (fs.FS, error) {
	in, err := s.open(f)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	archive, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
}

func (t *Targets) ask(options json.RawMessage, from source) (*openai.Client, error) {
	var a asking
	in := json.NewDecoder(bytes.NewReader(options))
	in.DisallowUnknownFields()
	if err := in.Decode(&a); err != nil {
		return nil, errors.Join(errors.New("what the coordinator says of how to ask is not understood: is it of another "+
			"version?"), err)
	}
	config := openai.Config{Models: a.Models,
		Endpoint: openai.Endpoint(a.Endpoint), Whole: a.Whole, ContinuousUsage: a.Usage,
		HTTP2: a.HTTP2, Header: t.access.headers.header()}
	if len(a.Body) > 0 {
		in := json.NewDecoder(bytes.NewReader(a.Body))
		in.UseNumber()
		if err := in.Decode(&config.Body); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	var err error
	if config.APIKey, err = t.access.key(); err != nil {
		return nil, err
	}
	if config.TLS, err = trust(t.access.caFile); err != nil {
		return nil, err
	}
	client := &openai.Client{Config: config, Running: true, Warn: warn}
	_, err = a.Sending.apply(client, from)
	return client, err
}
