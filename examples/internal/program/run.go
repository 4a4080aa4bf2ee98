package program

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/state"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// Run carries out a design on a server, with progress on stderr. It returns what there is also when it was cut short.
// more sets what else the runner is to do; nil: nothing.
func Run(
	ctx context.Context, stop <-chan struct{}, load *Load, s protocol.Server, design protocol.Design,
	more func(*protocol.Runner),
) (*protocol.Experiment, error) {
	return RunFleet(ctx, stop, load, s, nil, design, more)
}

// RunFleet is [Run] by the generators of a fleet. nil, or one that no flag asks for: by this process.
func RunFleet(
	ctx context.Context, stop <-chan struct{}, load *Load, s protocol.Server, f *Fleet, design protocol.Design,
	more func(*protocol.Runner),
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
	for _, c := range runner.Clients {
		if own, ok := c.(*openai.Client); ok {
			own.Running, own.Calibrating, own.Readiness.Progress = client.Running, client.Calibrating,
				client.Readiness.Progress
		}
	}
	if f != nil && f.Used() {
		end, err := f.apply(ctx, runner, load)
		if err != nil {
			return nil, err
		}
		defer end()
	}
	experiment, err := runner.Run(ctx, design)
	progress.finish()
	return experiment, err
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
