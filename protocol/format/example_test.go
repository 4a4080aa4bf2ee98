package format_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/format"
	"github.com/servegauge/servegauge/protocol/server"
)

// A format of one's own is a name and a func that writes. This one has a line for each load: how many runs there were,
// and how many requests can have been in flight.
func ExampleFormat() {
	lines := format.Format{
		Name: "lines",
		Write: func(create func(string) (io.WriteCloser, error), _ *protocol.Experiment, a *protocol.Analysis) error {
			file, err := create("lines.txt")
			if err != nil {
				return err
			}
			for i := range a.Points {
				p := &a.Points[i]
				fmt.Fprintf(file, "%s: %d runs, at most %d in flight\n", p.Load, len(p.Runs), p.Condition)
			}
			return file.Close()
		},
	}

	runner := protocol.Runner{
		Server: server.Handler(func(int) http.Handler { return &loadgentest.Echo{} }),
		Client: &openai.Client{},
	}
	experiment, err := runner.Run(context.Background(), protocol.Plan{
		Runs: 2, Restart: true, Input: 8, Output: 4, Levels: []int{1, 50}, Prompts: protocol.Prompts{Count: 20},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	dir, err := os.MkdirTemp("", "lines")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := format.Write(dir, experiment, protocol.Analyze(experiment), lines, format.CSV); err != nil {
		fmt.Println(err)
		return
	}
	text, err := os.ReadFile(filepath.Join(dir, "lines.txt"))
	fmt.Print(string(text))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// concurrency 1: 2 runs, at most 1 in flight
	// concurrency 50: 2 runs, at most 20 in flight
}
