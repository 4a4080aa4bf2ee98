package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen/fleet"
)

// servers is a flag of URLs that may be given several times.
type servers []string

func (s *servers) String() string { return strings.Join(*s, ",") }

func (s *servers) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		*s = append(*s, strings.TrimSpace(part))
	}
	return nil
}

func worker(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	var access program.FleetAccess
	var to program.Access
	var allow servers
	nats := flags.String("nats", "", "`URL` of the NATS server, which has JetStream: tls://HOST:4222")
	name := flags.String("name", "", "`name` of this worker, unlike any other of the fleet; none: the host's, and the "+
		"process id")
	flags.Var(&allow, "allow", "`URL` of a server that this worker may load, of which scheme, host and port count; "+
		"several with commas between them, or by giving the flag again")
	directory := flags.String("datasets", "",
		"`directory` of datasets, which are told by their SHA-256; none: they are "+
			"had from the coordinator")
	check := flags.Int("client-check", 32,
		"`requests` in flight with which to measure first what this machine's client "+
			"can do; 0: not to")
	access.Register(flags)
	to.Register(flags)
	return func(ctx context.Context, stop <-chan struct{}) error {
		if *nats == "" {
			return program.Usagef("-nats: want the URL of a NATS server; on one machine -fleet N of the other " +
				"programs needs " +
				"none")
		}
		if len(allow) == 0 {
			return program.Usagef("-allow: want the URL of a server that this worker may load; without one it " +
				"would load " +
				"nothing")
		}
		var datasets fs.FS
		if *directory != "" {
			if _, err := os.ReadDir(*directory); err != nil {
				return program.Usagef("-datasets: want a directory that can be read: %v", err)
			}
			datasets = os.DirFS(*directory)
		}
		targets, err := program.NewTargets(&to)
		if err != nil {
			return err
		}
		w := &fleet.Worker{Fleet: access.Name, Name: *name, Allow: allow, Datasets: datasets, Target: targets.Target,
			Told: func(s string) { fmt.Fprintln(os.Stderr, time.Now().UTC().Format(time.TimeOnly), s) }}
		if err := w.Validate(); err != nil {
			return &program.UsageError{Err: err}
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-stop:
				cancel()
			case <-ctx.Done():
			}
		}()
		err = measureItself(ctx, w, *check)
		if err == nil {
			w.Conn, err = access.ConnectSoon(ctx, *nats, "servegauge worker")
		}
		switch {
		case ctx.Err() != nil: // interrupted before there was anything to do
			return nil
		case err != nil:
			return err
		}
		defer w.Conn.Close()
		return w.Run(ctx)
	}
}

// measureItself finds out what the machine's client can do, with so many requests in flight; 0: it does not.
func measureItself(ctx context.Context, w *fleet.Worker, inFlight int) (err error) {
	if inFlight <= 0 {
		return nil
	}
	if w.Sustains, w.SustainsChunks, err = program.Sustained(ctx, inFlight); err != nil {
		return fmt.Errorf("-client-check: %w", err)
	}
	fmt.Fprintf(os.Stderr, "this client sustains at least %.0f requests/s and %.0f chunks/s, with %d in flight\n",
		w.Sustains,
		w.SustainsChunks, inFlight)
	return nil
}

func status(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	var access program.FleetAccess
	nats := flags.String("nats", "", "`URL` of the NATS server")
	wait := flags.Duration("for", 2*time.Second, "`time` to listen for")
	asJSON := flags.Bool("json", false, "print it as JSON")
	access.Register(flags)
	return func(ctx context.Context, _ <-chan struct{}) error {
		if *nats == "" {
			return program.Usagef("-nats: want the URL of a NATS server")
		}
		conn, err := access.Connect(ctx, *nats, "servegauge status")
		if err != nil {
			return err
		}
		defer conn.Close()
		there, err := fleet.Look(ctx, conn, access.Name, *wait)
		if err != nil {
			return err
		}
		if *asJSON {
			return program.WriteJSON(os.Stdout, there)
		}
		fmt.Printf("%d workers", len(there.Workers))
		if there.Coordinator != "" {
			fmt.Printf(", coordinated by %q", there.Coordinator)
		}
		fmt.Println()
		for _, w := range there.Workers {
			fmt.Printf("  %q  %s, build %.12s, %g CPUs: %s", w.Name, w.Version, w.Build, w.CPUs, w.State)
			if w.InFlight > 0 || w.Completed > 0 {
				fmt.Printf(", %d completed, %d in flight", w.Completed, w.InFlight)
			}
			fmt.Println()
		}
		return nil
	}
}
