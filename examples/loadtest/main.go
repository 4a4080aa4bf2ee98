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
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

func main() {
	program.Main("loadtest: one level of load, once", setup)
}

func setup(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	t := &test{}
	t.load.Register(flags, 64, 16, 30*time.Minute)
	flags.IntVar(&t.level.Concurrency, "concurrency", 8, "`requests` kept in flight")
	flags.IntVar(&t.level.Requests, "requests", 0, "measured `requests`; 0: ten for each one in flight, or until -duration")
	flags.DurationVar(&t.level.Duration, "duration", 0, "issue requests for so long; 0s: until -requests")
	flags.IntVar(&t.level.Warmup, "warmup", 0, "`requests` that are sent first and discarded, handing their slots over")
	t.goodput.Register(flags)
	flags.StringVar(&t.format, "format", "text", "text or json")
	return t.run
}

type test struct {
	load    program.Load
	level   loadgen.Level
	goodput program.Objectives
	format  string
}

// step is the level as a step of its own.
func (t *test) step() protocol.Step {
	level := t.level
	level.Timeout, level.Objectives = t.load.Timeout, t.goodput
	if level.Requests == 0 && level.Duration == 0 {
		level.Requests = 10 * level.Concurrency
	}
	return protocol.Step{Run: 1, Input: t.load.Input, Output: t.load.Output, Seed: t.load.Seed, Level: level}
}

func (t *test) run(ctx context.Context, stop <-chan struct{}) error {
	if t.format != "text" && t.format != "json" {
		return program.Usagef("-format %q: want text or json", t.format)
	}
	if t.load.Input == 0 || t.load.Output == 0 {
		return program.Usagef("-input %d, -output %d: want numbers of tokens, at least 1", t.load.Input, t.load.Output)
	}
	if err := t.load.Check(); err != nil {
		return err
	}
	step := t.step()
	if err := step.Level.Validate(); err != nil {
		return err
	}
	experiment, err := program.Run(ctx, stop, &t.load, t.load.Server(), protocol.Steps{step}, "")
	if experiment == nil || len(experiment.Measurements) == 0 {
		return err
	}
	result := &experiment.Measurements[0].Result
	if t.format == "json" {
		err = errors.Join(err, program.WriteJSON(os.Stdout, result))
	} else {
		err = errors.Join(err, report.LevelText(os.Stdout, result))
	}
	if err == nil && !result.Valid() {
		err = program.ErrInvalid
	}
	return err
}
