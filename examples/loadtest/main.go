// Loadtest measures one level of load, once.
package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"time"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet/broker"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/report/chart"
)

func main() {
	program.StartBroker = func() (program.Broker, error) { return broker.Start() }
	program.Main(`loadtest: one level of load, once

  loadtest -url http://127.0.0.1:8000 -concurrency 16 -input 256 -output 64
  loadtest -url http://127.0.0.1:8000 -rate 5 -duration 2m \
    -goodput ttft:500,tpot:50
  loadtest -url http://127.0.0.1:8000 -concurrency 4096 -fleet 4`, setup)
}

func setup(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	t := &test{flags: flags}
	t.load.Register(flags, 64, 16, 30*time.Minute)
	flags.IntVar(&t.level.Concurrency, "concurrency", 8, "`requests` kept in flight")
	flags.IntVar(&t.level.Requests, "requests", 0, "measured `requests`; 0: ten for each one in flight (100 with "+
		"-rate), or until -duration")
	flags.DurationVar(&t.level.Duration, "duration", 0, "issue requests for so long; 0s: until -requests")
	flags.IntVar(&t.level.Warmup, "warmup", 0, "`requests` that are sent first and discarded, handing their slots over")
	flags.IntVar(&t.level.Retries, "retries", 0, "how many more `times` a request is tried after 429, 502, 503, 504, or "+
		"without a connection; it waits as long as the server asked for (Retry-After), and its latencies count from the "+
		"first time")
	flags.DurationVar(&t.level.RampUp, "ramp-up", 0, "start the requests in flight one after the other over so `long`, "+
		"or let the rate rise over it; have a -warmup that covers it")
	t.goodput.Register(flags)
	t.fleet.Register(flags)
	t.percentiles.Register(flags)
	flags.BoolVar(&t.figures, "figures", false, "say what each figure means, and measure nothing")
	flags.Float64Var(&t.level.Arrivals.Rate, "rate", 0, "an open loop instead of -concurrency: so many requests/s, as "+
		"`R` says, whatever became of those before")
	flags.StringVar(&t.arrivals, "arrivals", "poisson", "with -rate: constant, poisson or gamma")
	flags.Float64Var(&t.burstiness, "burstiness", 1, "with -arrivals gamma: `shape` of the gaps; 1 is poisson, less "+
		"comes in bursts, more is more even")
	flags.IntVar(&t.maxInFlight, "max-in-flight", 0, "with -rate or -trace: most `requests` in flight, beyond which "+
		"arrivals wait; 0: no bound")
	flags.StringVar(&t.out, "out", "", "`directory` for the journal and the results in every format; it must not hold "+
		"an experiment yet")
	t.require.Register(flags)
	flags.BoolVar(&t.json, "json", false, "print the result as JSON")
	flags.BoolVar(&t.dryRun, "dry-run", false, "print what would be done, and measure nothing")
	return t.run
}

type test struct {
	flags       *flag.FlagSet
	load        program.Load
	level       loadgen.Level
	arrivals    string
	burstiness  float64
	maxInFlight int
	goodput     program.Objectives
	fleet       program.Fleet
	require     program.Require
	percentiles program.Percentiles
	figures     bool
	json        bool
	dryRun      bool
	out         string
}

// openLoop makes the level an open loop where the flags say so, and refuses flags that would have no effect.
func (t *test) openLoop() error {
	given := map[string]bool{}
	t.flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if t.maxInFlight < 0 || t.maxInFlight > loadgen.MaxConcurrency {
		return program.Usagef("-max-in-flight %d: want a number from 0 (no bound) to 100,000", t.maxInFlight)
	}
	if given["trace"] {
		t.level.Concurrency = t.maxInFlight
		return nil
	}
	if !given["rate"] {
		for _, name := range []string{"arrivals", "burstiness", "max-in-flight"} {
			if given[name] {
				return program.Usagef("-%s: want -rate with it, without which there are no arrivals", name)
			}
		}
		return nil
	}
	if given["concurrency"] {
		return program.Usagef("-concurrency with -rate: want one of them; -max-in-flight bounds how many are in flight at " +
			"a rate")
	}
	arrivals := &t.level.Arrivals
	switch arrivals.Process = loadgen.Process(t.arrivals); arrivals.Process {
	case loadgen.GammaArrivals:
		arrivals.Burstiness = t.burstiness
	case loadgen.ConstantArrivals, loadgen.PoissonArrivals:
		if given["burstiness"] {
			return program.Usagef("-burstiness with -arrivals %s: want -arrivals gamma", t.arrivals)
		}
	default:
		return program.Usagef("-arrivals %q: want constant, poisson or gamma", t.arrivals)
	}
	t.level.Concurrency = t.maxInFlight
	return nil
}

// step is the level as a step of its own.
func (t *test) step() protocol.Step {
	level := t.level
	level.Timeout, level.Objectives, level.Percentiles = t.load.Timeout, t.goodput, t.percentiles
	open := level.Arrivals.Process != ""
	switch {
	case level.Unit != "":
	case open && level.Requests == 0 && level.Duration == 0:
		level.Requests = 100
	case level.Requests == 0 && level.Duration == 0:
		level.Requests = 10 * level.Concurrency
	}
	level.Seed = t.load.Seed // of the prompts too: with it the level can be repeated
	return protocol.Step{Run: 1, Level: level, Spec: workload.Spec{
		Input: t.load.Input, Output: t.load.Output, Seed: t.load.Seed,
	}}
}

func (t *test) run(ctx context.Context, stop <-chan struct{}) error {
	if t.figures {
		return report.Glossary(os.Stdout)
	}
	if t.load.Input == 0 || t.load.Output == 0 {
		return program.Usagef("-input %d, -output %d: want numbers of tokens, at least 1", t.load.Input, t.load.Output)
	}
	if err := t.fleet.Validate(&t.load); err != nil {
		return err
	}
	if err := t.load.Check(); err != nil {
		return err
	}
	if err := t.openLoop(); err != nil {
		return err
	}
	if err := t.load.Level(&t.level); err != nil {
		return err
	}
	step := t.step()
	if err := step.Level.Validate(); err != nil {
		return err
	}
	t.load.Expect(os.Stderr, step)
	if err := t.require.Check([]protocol.Step{step}, false); err != nil {
		return err
	}
	if t.dryRun && t.json {
		return program.WriteJSON(os.Stdout, step)
	} else if t.dryRun {
		return t.load.ShowStep(os.Stdout, step)
	}
	experiment, err := program.RunFleet(ctx, stop, &t.load, t.load.Server(), &t.fleet, protocol.Steps{step},
		func(r *protocol.Runner) { r.Dir = t.out })
	if experiment == nil || len(experiment.Measurements) == 0 {
		return err
	}
	if t.out != "" {
		a := protocol.Analyze(experiment)
		err = errors.Join(err, program.Save(t.out, experiment, a, chart.Draw(experiment, a)))
		if err == nil {
			defer program.Where(os.Stderr, t.out) // after the result
		}
	}
	measured := &experiment.Measurements[0]
	result := &measured.Result
	beside := os.Stdout
	if t.json {
		beside = os.Stderr
		err = errors.Join(err, program.WriteJSON(os.Stdout, result))
	} else {
		err = errors.Join(err, report.LevelText(os.Stdout, result), report.AuditText(os.Stdout, measured.Audit))
	}
	if err == nil && !result.Valid() {
		err = program.ErrInvalid
	}
	return errors.Join(err, t.require.Verdict(beside, protocol.Analyze(experiment)))
}
