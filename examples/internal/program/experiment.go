package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// Experiment returns the setup of a program that carries out a plan with restarts: seed is the plan as the seed page
// has it, quick a plan of its shape that takes under a minute on the simulated server.
func Experiment(seed, quick protocol.Plan) func(*flag.FlagSet) func(context.Context, <-chan struct{}) error {
	return func(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
		x := &experiment{seed: seed, quick: quick}
		x.load.Register(flags, 0, 0, seed.Timeout)
		flags.StringVar(&x.plan, "plan", "", "seed (as published), corrected (10 prompts for each request in flight) or quick (scaled down); none: quick on the simulated server, else seed")
		flags.Var(&x.levels, "levels", "`concurrencies` with commas between them; none: the plan's")
		flags.TextVar(&x.prompts, "prompts", protocol.Prompts{}, "`requests` at each level, as a number or as a multiple of the concurrency, such as 10x; 0: the plan's")
		flags.IntVar(&x.runs, "runs", 0, "`number` of runs; 0: the plan's")
		flags.IntVar(&x.warmup, "warmup", -1, "`requests` that are sent first in each run and discarded; -1: the plan's")
		flags.DurationVar(&x.cooldown, "cooldown", -1, "rest before each restart; -1ns: the plan's")
		flags.Var(&x.server, "server", serverHelp)
		flags.StringVar(&x.out, "out", "", "`directory` for the journal, the results and the chart; it must not hold an experiment yet")
		flags.BoolVar(&x.json, "json", false, "print the analysis as JSON")
		flags.BoolVar(&x.dryRun, "dry-run", false, "print the plan and its warnings, and measure nothing")
		return x.run
	}
}

type experiment struct {
	seed, quick protocol.Plan

	load     Load
	plan     string
	levels   IntList
	prompts  protocol.Prompts
	runs     int
	warmup   int
	cooldown time.Duration
	server   serverFlag
	out      string
	json     bool
	dryRun   bool
}

func (x *experiment) run(ctx context.Context, stop <-chan struct{}) error {
	if err := x.load.Check(); err != nil {
		return err
	}
	plan, err := x.chosen()
	if err != nil {
		return err
	}
	warnings, err := plan.Check()
	if err != nil {
		return err
	}
	if x.dryRun {
		return x.show(plan, warnings)
	}
	server, err := x.server.server(&x.load)
	if err != nil {
		return err
	}
	if _, restarts := server.(protocol.Fixed); restarts {
		plan.Restart = false
	}
	if x.out == "" {
		fmt.Fprintln(os.Stderr, "nothing will be saved; -out DIR keeps the journal, the results and a chart")
	}
	result, err := Run(ctx, stop, &x.load, server, plan, x.out)
	if result == nil || len(result.Measurements) == 0 {
		return err
	}
	analysis := protocol.Analyze(result)
	err = errors.Join(err, x.save(analysis), x.print(analysis))
	if err == nil && !Valid(analysis) {
		err = ErrInvalid
	}
	return err
}

// chosen is the plan that the flags ask for.
func (x *experiment) chosen() (protocol.Plan, error) {
	name := x.plan
	if name == "" {
		name = "seed"
		if x.load.URL == "" && x.server.text == "" {
			name = "quick"
		}
	}
	var plan protocol.Plan
	switch name {
	case "seed":
		plan = x.seed
	case "corrected":
		plan = x.seed.Corrected()
	case "quick":
		plan = x.quick
	default:
		return plan, Usagef("-plan %q: want seed, corrected or quick", x.plan)
	}
	published := plan
	if x.levels != nil {
		plan.Levels = x.levels
	}
	if x.prompts != (protocol.Prompts{}) {
		plan.Prompts = x.prompts
	}
	if x.runs != 0 {
		plan.Runs = x.runs
	}
	if x.warmup != -1 {
		plan.Warmup = x.warmup
	}
	if x.cooldown != -1 {
		plan.Cooldown = x.cooldown
	}
	if x.load.Input != 0 {
		plan.Input = x.load.Input
	}
	if x.load.Output != 0 {
		plan.Output = x.load.Output
	}
	if !reflect.DeepEqual(plan, published) { // the name must not promise what the plan no longer is
		plan.Name += "-changed"
	}
	plan.Seed, plan.Timeout = x.load.Seed, x.load.Timeout
	return plan, nil
}

// show prints what would be done.
func (x *experiment) show(plan protocol.Plan, warnings []loadgen.Warning) error {
	if x.json {
		return WriteJSON(os.Stdout, struct {
			Plan     protocol.Plan     `json:"plan"`
			Warnings []loadgen.Warning `json:"warnings"`
		}{plan, warnings})
	}
	if err := report.PlanText(os.Stdout, plan, warnings); err != nil {
		return err
	}
	if x.server.preset == nil {
		return nil
	}
	return showPreset(os.Stdout, x.server.preset)
}

func (x *experiment) print(a *protocol.Analysis) error {
	if x.json {
		return WriteJSON(os.Stdout, a)
	}
	return report.Text(os.Stdout, a)
}

func (x *experiment) save(a *protocol.Analysis) error {
	if x.out == "" {
		return nil
	}
	if err := a.Save(x.out); err != nil {
		return err
	}
	return SaveChart(filepath.Join(x.out, "throughput.png"), a, report.ThroughputChart)
}

// An IntList is a flag of numbers with commas between them.
type IntList []int

func (l *IntList) String() string {
	var parts []string
	for _, n := range *l {
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, ",")
}

func (l *IntList) Set(s string) error {
	*l = nil
	for part := range strings.SplitSeq(s, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 1 {
			return fmt.Errorf("%q: want whole numbers from 1 up with commas between them, such as 1,4,16", part)
		}
		*l = append(*l, n)
	}
	return nil
}
