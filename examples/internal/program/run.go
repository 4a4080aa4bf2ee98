package program

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// Run carries out a design on a server, with progress on stderr. It returns what there is also when it was cut short.
func Run(ctx context.Context, stop <-chan struct{}, load *Load, s protocol.Server, design protocol.Design, out string) (*protocol.Experiment, error) {
	_, fixed := s.(server.None)
	load.running = fixed
	workload, err := load.workload()
	if err != nil {
		return nil, err
	}
	progress := newProgress(!fixed)
	runner := &protocol.Runner{
		Server:   s,
		Client:   load,
		Inspect:  server.Inspect(load.client, load.header()),
		Workload: workload,
		Observe:  progress.observe,
		Progress: progress.event,
		Stop:     stop,
		Dir:      out,
	}
	experiment, err := runner.Run(ctx, design)
	progress.finish()
	return experiment, err
}

// A Chart draws an analysis as PNG.
type Chart func(io.Writer, *protocol.Analysis) error

// Save writes the results of an experiment and its charts, by their file names, into its directory. "": nothing. Where
// nothing was measured there is nothing to draw.
func Save(dir string, a *protocol.Analysis, charts map[string]Chart) error {
	if dir == "" {
		return nil
	}
	if err := a.Save(dir); err != nil || len(a.Points) == 0 {
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
