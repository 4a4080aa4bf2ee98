//go:build unix

// Clients compares programs that load inference servers, each as a measuring instrument: how fast it can go, what it
// costs, and how far what it says is from the truth. It starts a server whose truth is known, as a process of its own,
// and each client in turn, and prints a table in Markdown:
//
//	go run ./docs/clients -rounds 5 -json runs.json -tokenizer DIR -vllm PATH -rust PATH -aiperf PATH -guidellm PATH -hey PATH -wrk PATH
//
// It installs no client. Ours is built from this repository, a bare loop on net/http is built in, and the others are
// given by their paths; those that are not are left out, and the table says so. What the server knows is counted there
// (requests, tokens, requests in flight, the time to its first write), and what the system knows is asked of it (CPU
// time, memory): the time to first token is the only figure that is taken from a client, since it is what is checked.
//
// The arguments for each peer are in peers.go, the loads in scenario.go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	if isChild, err := beChild(); isChild {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	switch err := compare(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// compare is the whole program.
func compare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("clients", flag.ContinueOnError)
	flags.SetOutput(stderr)
	c := comparison{Scenarios: scenarios(), Progress: stderr}
	all := clients()
	for i := range all {
		if all[i].Flag != "" {
			flags.StringVar(&all[i].Path, all[i].Flag, "", "`path` of "+all[i].Name+"; none: it is left out")
		}
	}
	flags.StringVar(&c.Tokenizer, "tokenizer", "", "`directory` of a tokenizer, for the clients that send text")
	flags.IntVar(&c.Rounds, "rounds", 3, "`times` that everything is run")
	flags.DurationVar(&c.Target, "target", 6*time.Second,
		"how `long` a run is to take, about: the number of requests follows from it")
	flags.IntVar(&c.Requests, "requests", 0,
		"`requests` in each run whose number is not a matter of the scenario; 0: by -target")
	flags.DurationVar(&c.Deadline, "deadline", 3*time.Minute, "`time` after which a client is ended and has failed")
	names := flags.String("scenarios", "",
		"which `names`, with commas between them; none: all of "+strings.Join(scenarioNames(c.Scenarios), ","))
	file := flags.String("json", "", "`file` for every single run")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; flags start with a dash", flags.Arg(0))
	}
	if c.Rounds < 1 || c.Target <= 0 || c.Requests < 0 || c.Deadline <= 0 {
		return fmt.Errorf("-rounds %d, -target %v, -requests %d, -deadline %v: want at least 1, more than 0s, at "+
			"least 0 and more than 0s",
			c.Rounds, c.Target, c.Requests, c.Deadline)
	}
	var err error
	if c.Scenarios, err = choose(c.Scenarios, *names); err != nil {
		return err
	}
	if c.Dir, err = os.MkdirTemp("", "servegauge-clients"); err != nil {
		return err
	}
	defer os.RemoveAll(c.Dir)
	if all[0].Path, err = buildOurs(ctx, c.Dir); err != nil {
		return err
	}
	all[1].Path = "built in"
	for i := range all {
		if err := all[i].check(&c.Tokenizer); err != nil {
			return err
		}
		if all[i].Path != "" {
			c.Clients = append(c.Clients, all[i])
		}
	}
	conditions(ctx, stdout, c, all)

	runs := c.run(ctx)
	for _, s := range c.Scenarios {
		results(runs).write(stdout, s, all)
	}
	if *file != "" {
		text, err := json.MarshalIndent(runs, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(*file, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// check looks up what the user gave for a client, so that a wrong path is known before hours of measuring.
func (c *client) check(tokenizer *string) error {
	if c.Path == "" || c.Flag == "" {
		return nil
	}
	path, err := exec.LookPath(c.Path)
	if err != nil {
		return fmt.Errorf("-%s %s: %w", c.Flag, c.Path, err)
	}
	if c.Path, err = filepath.Abs(path); err != nil {
		return err
	}
	if !c.needsTokenizer() {
		return nil
	}
	if *tokenizer == "" {
		return fmt.Errorf("-%s: %s sends text; give it the directory of a tokenizer, with -tokenizer", c.Flag, c.Name)
	}
	if _, err := os.Stat(*tokenizer); err != nil {
		return fmt.Errorf("-tokenizer: %w", err)
	}
	*tokenizer, err = filepath.Abs(*tokenizer)
	return err
}

// buildOurs builds our own client.
func buildOurs(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "loadtest")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/servegauge/servegauge/examples/loadtest")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	return path, nil
}

// choose are the scenarios of those names, and start besides, which the figures of others need.
func choose(all []scenario, names string) ([]scenario, error) {
	if names == "" {
		return all, nil
	}
	wanted := strings.Split(names, ",")
	for _, name := range wanted {
		if !slices.Contains(scenarioNames(all), name) {
			return nil, fmt.Errorf("-scenarios %q: want some of %s", name, strings.Join(scenarioNames(all), ","))
		}
	}
	return slices.DeleteFunc(all, func(s scenario) bool {
		return s.Name != startName &&
			!slices.Contains(wanted, s.Name)
	}), nil
}

func scenarioNames(all []scenario) []string {
	var names []string
	for _, s := range all {
		names = append(names, s.Name)
	}
	return names
}

// conditions writes what the figures depend on.
func conditions(ctx context.Context, w io.Writer, c comparison, all []client) {
	fmt.Fprintf(w, "%d cores shared by client and server, %s, %s/%s; %d rounds, every client in each; median "+
		"(lowest to highest)\n\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, c.Rounds)
	fmt.Fprintln(w, "Rates, tokens, requests in flight and the server's TTFT (handler's start to first write) are "+
		"the server's count, rates from the")
	fmt.Fprintln(w, "first request's arrival to the end of the last. CPU and memory are the kernel's for the "+
		"whole client, memory that of its largest")
	fmt.Fprintln(w, "process; CPU per chunk is without that of a run of one request. The number of requests "+
		"follows from what each client is expected")
	fmt.Fprintln(w, "to manage, so that the slow ones have fewer. Ours and the bare loop open their connections "+
		"first, those of others are dialled")
	fmt.Fprintln(w, "by their first requests. Within a round clients and loads have a fixed order. The mean TTFT "+
		"is what each client says: ours goes by")
	fmt.Fprintln(w, "the kernel's stamps where it has them, the others by their own clocks. Ours makes prompts of "+
		"random token ids; the bare loop, hey")
	fmt.Fprintln(w, "and wrk send one body that was made before; and the others make text with a tokenizer, which "+
		"is in their CPU time.")
	fmt.Fprintln(w)
	for _, one := range all {
		switch {
		case one.Flag == "":
		case one.Path == "":
			fmt.Fprintf(w, "- %s: left out, not given (-%s)\n", one.Name, one.Flag)
		default:
			fmt.Fprintf(w, "- %s: %s\n", one.Name, one.version(ctx, c.Dir))
		}
	}
}
