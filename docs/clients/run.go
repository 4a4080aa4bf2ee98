//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// A run is one client in one scenario, once.
type run struct {
	Round    int           `json:"round"`
	Scenario string        `json:"scenario"`
	Client   string        `json:"client"`
	Requests int           `json:"requests"` // asked of it; 0: it was told for how long instead
	Wall     time.Duration `json:"wall_ns"`  // from its start to its end
	CPU      time.Duration `json:"cpu_ns"`
	PeakRSS  int64         `json:"peak_rss_bytes"`
	TTFT     float64       `json:"ttft_ms,omitempty"` // mean, as the client says; 0: it said none
	Server   tally         `json:"server"`
	Failed   string        `json:"failed,omitempty"` // why there is nothing to count
}

// maxResult is the longest result of a client that is read, in bytes.
const maxResult = 256 << 20

// A comparison is everything that is to be run.
type comparison struct {
	Clients   []client
	Scenarios []scenario
	Rounds    int
	Target    time.Duration // how long a run is to take, about
	Requests  int           // in each run; 0: by Target
	Deadline  time.Duration // for one run
	Tokenizer string
	Dir       string // a scratch directory
	Progress  io.Writer
}

// run runs everything, round by round, so that whatever drifts on the machine meets all clients alike. It returns what
// it has when ctx ends.
func (c comparison) run(ctx context.Context) []run {
	var runs []run
	for round := range c.Rounds {
		for _, s := range c.Scenarios {
			for _, one := range c.Clients {
				if _, ok := one.arguments(s); !ok {
					continue
				}
				r := c.one(ctx, one, s)
				if ctx.Err() != nil {
					return runs
				}
				r.Round = round + 1
				fmt.Fprintf(c.Progress, "round %d of %d, %s: %s: %d served in %.1f s %s\n",
					round+1, c.Rounds, s.Name, one.Name, r.Server.Served, r.Wall.Seconds(), r.Failed)
				runs = append(runs, r)
			}
		}
	}
	return runs
}

// one runs a client in a scenario, against a server of its own.
func (c comparison) one(ctx context.Context, one client, s scenario) run {
	r := run{Scenario: s.Name, Client: one.Name}
	if !one.Timed {
		if r.Requests = c.Requests; r.Requests == 0 || s.Once || s.Only > 0 {
			r.Requests = s.requests(one, c.Target)
		}
	}
	if err := c.measure(ctx, one, s, &r); err != nil {
		r.Failed = printable(err.Error(), 240)
	}
	return r
}

func (c comparison) measure(ctx context.Context, one client, s scenario, r *run) error {
	dir, err := os.MkdirTemp(c.Dir, "run")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, err := startServer(ctx, s.Pace)
	if err != nil {
		return err
	}
	o := order{Scenario: s, URL: server.URL, Tokenizer: c.Tokenizer, Dir: dir, Requests: r.Requests, Target: c.Target}
	used, ran := c.client(ctx, one, o)
	r.Wall, r.CPU, r.PeakRSS = used.Wall, used.CPU, used.PeakRSS
	if r.Server, err = server.stop(); err != nil {
		return errors.Join(ran, err)
	}
	if ran != nil {
		return ran
	}
	if r.Server.Served == 0 {
		return fmt.Errorf("the server answered no request: %s", lastWords(dir))
	}
	if one.TTFT == nil || s.Whole {
		return nil
	}
	name := one.Result
	if name == "" {
		name = outputFile
	}
	result, err := tail(filepath.Join(dir, name), maxResult)
	if err != nil {
		return fmt.Errorf("its result: %w", err)
	}
	if r.TTFT, err = one.TTFT(result); err != nil {
		return fmt.Errorf("its result: %w: %s", err, lastWords(dir))
	}
	return nil
}

// client starts a client as ordered and waits for its end, or for the deadline.
func (c comparison) client(ctx context.Context, one client, o order) (usage, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Deadline, fmt.Errorf("the deadline of %v", c.Deadline))
	defer cancel()
	if one.Name == bareName {
		cmd, err := self(ctx, child{Bare: &bareLoop{
			URL: o.URL, Concurrency: o.Scenario.Concurrency, Requests: o.Requests, Tokens: o.Scenario.Tokens,
			Stream: !o.Scenario.Whole,
		}})
		if err != nil {
			return usage{}, err
		}
		return execute(ctx, cmd, o.Dir, one.Exits)
	}
	for name, template := range one.Files {
		text, err := o.fill([]string{template})
		if err != nil {
			return usage{}, err
		}
		if err := os.WriteFile(filepath.Join(o.Dir, name), []byte(text[0]), 0o600); err != nil {
			return usage{}, err
		}
	}
	templates, _ := one.arguments(o.Scenario)
	args, err := o.fill(templates)
	if err != nil {
		return usage{}, err
	}
	return execute(ctx, one.command(ctx, args), o.Dir, one.Exits)
}

// command is a client with its environment.
func (c client) command(ctx context.Context, args []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Path, args...)
	cmd.Env = slices.Concat(os.Environ(), quiet, c.Env)
	return cmd
}

// version is what a client says it is.
func (c client) version(ctx context.Context, dir string) string {
	if c.Version == nil {
		return "tells no version"
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	// Some print their version and exit with an error.
	_, err := execute(ctx, c.command(ctx, c.Version), dir, 1)
	if err != nil {
		return printable(err.Error(), 120)
	}
	for _, name := range []string{outputFile, errorFile} {
		text, _ := tail(filepath.Join(dir, name), 16<<10)
		if v := versionIn(string(text)); v != "" {
			return v
		}
	}
	return "tells no version"
}
