package program

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/state"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/format"
	"github.com/servegauge/servegauge/protocol/server"
)

// Run carries out a design on a server, with progress on stderr. It returns what there is also when it was cut short.
// more sets what else the runner is to do; nil: nothing.
func Run(
	ctx context.Context, stop <-chan struct{}, load *Load, s protocol.Server, design protocol.Design, more func(*protocol.Runner),
) (*protocol.Experiment, error) {
	_, fixed := s.(server.None)
	progress := newProgress(!fixed)
	if plan, ok := design.(protocol.Plan); ok {
		progress.plan = &plan
	}
	client := &load.client
	client.Running, client.Calibrating, client.Readiness.Progress = fixed, progress.calibrating, progress.waiting
	runner := &protocol.Runner{
		Server:   s,
		Client:   client,
		Snapshot: snapshot(s),
		Inspect:  server.Inspect(inspecting(client.Config)),
		Observe:  progress.observe,
		Progress: progress.event,
		Measured: progress.measured,
		Stop:     stop,
	}
	if more != nil {
		more(runner)
	}
	experiment, err := runner.Run(ctx, design)
	progress.finish()
	return experiment, err
}

// A Chart draws an analysis as PNG.
type Chart func(io.Writer, *protocol.Analysis) error

// Save writes the results of an experiment, in every format, and its charts, by their file names, into its directory.
// "": nothing. Where nothing was measured there is nothing to draw.
func Save(dir string, e *protocol.Experiment, a *protocol.Analysis, charts map[string]Chart) error {
	if dir == "" {
		return nil
	}
	if err := a.Save(dir); err != nil || len(a.Points) == 0 {
		return err
	}
	if err := format.Write(dir, e, a, format.CSV, format.Benchstat, format.OpenMetrics, format.VLLM, format.LLMD); err != nil {
		return err
	}
	for name, draw := range charts {
		var picture bytes.Buffer
		if err := draw(&picture, a); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), picture.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// WriteJSON writes v as JSON that people can read.
func WriteJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}

// inspecting is how a server is asked what it is: with the key and the trust that requests have.
func inspecting(c openai.Config) (*http.Client, http.Header) {
	header := c.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if c.APIKey != "" {
		header.Set("Authorization", "Bearer "+c.APIKey)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = c.TLS.Clone()
	return &http.Client{Transport: transport}, header
}

// snapshot reads this host, unless the server is not restarted, or is one that we simulate, which uses no GPU.
func snapshot(s protocol.Server) func(context.Context) (*state.State, error) {
	switch s.(type) {
	case *Simulation, server.None:
		return nil
	}
	return func(ctx context.Context) (*state.State, error) { return envinfo.Snapshot(ctx, envinfo.Options{}) }
}
