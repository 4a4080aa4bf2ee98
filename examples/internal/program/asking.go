package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// asking is how a server is asked, as far as it travels from a coordinator to its workers: everything but the key, the
// headers and the certificates, which each worker has of its owner.
type asking struct {
	Models     []string        `json:"models,omitempty"`
	Endpoint   string          `json:"endpoint,omitempty"`
	Whole      bool            `json:"whole,omitempty"`
	Usage      bool            `json:"continuous_usage,omitempty"`
	HTTP2      bool            `json:"http2,omitempty"`
	Body       json.RawMessage `json:"body,omitempty"`
	Text       bool            `json:"text,omitempty"`
	Prefix     int             `json:"prefix,omitempty"`
	Vocabulary int             `json:"vocabulary,omitempty"`
}

// travelling is what of the flags workers are told. Check has been called.
func (l *Load) travelling() (json.RawMessage, error) {
	if l.audit > 0 {
		return nil, Usagef("-audit with -fleet: workers keep no answers to be checked; audit a level of one generator")
	}
	if l.Workload.given() || !l.client.Lengths.IsZero() || l.client.Media.Len() > 0 {
		return nil, Usagef("-fleet: sessions, traces, trees, distributions of lengths, images and sounds do not travel to workers yet; random prompts and -dataset do")
	}
	c := l.client.Config
	a := asking{Models: c.Models, Endpoint: string(c.Endpoint), Whole: c.Whole, Usage: c.ContinuousUsage, HTTP2: c.HTTP2,
		Text: l.asText, Prefix: l.prefix, Vocabulary: l.vocab}
	if len(c.Body) > 0 {
		body, err := json.Marshal(c.Body)
		if err != nil {
			return nil, err
		}
		public, err := c.PublicBody()
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(compact(body), compact(public)) {
			return nil, Usagef("-body with -fleet: it has what looks like a secret, which would go to the NATS server's disk; " +
				"give it to each worker as a -header")
		}
		a.Body = body
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
	dataset *workload.Dataset
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
func (t *Targets) Target(ctx context.Context, j fleet.Job, dataset *workload.Dataset) (loadgen.Target, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil || string(j.Options) != t.options || dataset != t.dataset {
		client, err := t.ask(j.Options, dataset)
		if err != nil {
			return nil, err
		}
		t.options, t.dataset, t.client = string(j.Options), dataset, client
	}
	return t.client.Target(ctx, j.URL, j.Spec)
}

func (t *Targets) ask(options json.RawMessage, dataset *workload.Dataset) (*openai.Client, error) {
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
	return &openai.Client{Config: config, Dataset: dataset, Text: a.Text, Vocabulary: a.Vocabulary, Prefix: a.Prefix,
		Running: true, Warn: warn}, nil
}
