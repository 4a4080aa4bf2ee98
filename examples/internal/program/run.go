package program

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Run carries out a design on a server, with progress on stderr. It returns what there is also when it was cut short.
func Run(ctx context.Context, stop <-chan struct{}, load *Load, server protocol.Server, design protocol.Design, out string) (*protocol.Experiment, error) {
	progress := newProgress()
	runner := &protocol.Runner{
		Servers:  map[string]protocol.Server{"": server},
		Ready:    load.Ready,
		Target:   load.Target,
		Observe:  progress.observe,
		Progress: progress.event,
		Stop:     stop,
		Dir:      out,
	}
	experiment, err := runner.Run(ctx, design)
	progress.finish()
	if errors.Is(err, protocol.ErrStopped) {
		err = errors.New("interrupted: what was measured until then is above, and marked as cut short")
	}
	return experiment, err
}

// Valid reports whether a measurement may be used at all: it was finished, and no level failed. A level that the plan
// itself made meaningless is valid, and flagged.
func Valid(a *protocol.Analysis) bool {
	for _, w := range a.Warnings {
		if w.Code == protocol.WarnIncomplete {
			return false
		}
	}
	for _, p := range a.Points {
		for _, w := range p.Warnings {
			failed := w.Code == loadgen.WarnFailedRequests && len(w.Spoils) > 0
			if failed || w.Code == loadgen.WarnCutShort {
				return false
			}
		}
	}
	return true
}

// SaveChart writes a chart to a file.
func SaveChart(path string, a *protocol.Analysis, draw func(io.Writer, *protocol.Analysis) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(draw(file, a), file.Close())
}

// WriteJSON writes v as JSON that people can read.
func WriteJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
