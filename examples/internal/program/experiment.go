package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/server"
)

// Experiment returns the setup of a program that carries out a plan with restarts: seed is the plan as the page
// has it, quick a plan of its shape that takes under a minute on the simulated server.
func Experiment(seed, quick protocol.Plan) func(*flag.FlagSet) func(context.Context, <-chan struct{}) error {
	return func(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
		x := &experiment{seed: seed, quick: quick}
		x.load.Register(flags, 0, 0, seed.Timeout)
		flags.StringVar(&x.plan, "plan", "", "seed (as published), corrected (10 prompts for each request in flight) or quick (scaled down); none: quick on the simulated server, else seed")
		flags.Var(&x.levels, "levels", "`concurrencies` with commas between them; none: the plan's")
		flags.TextVar(&x.prompts, "prompts", protocol.Prompts{}, "`requests` at each level, as a number or as a multiple of the concurrency, such as 10x; not given: the plan's")
		flags.IntVar(&x.runs, "runs", 0, "`number` of runs; not given: the plan's")
		flags.IntVar(&x.warmup, "warmup", 0, "`requests` that are sent first in each run and discarded; not given: the plan's")
		flags.DurationVar(&x.cooldown, "cooldown", 0, "rest before each restart; not given: the plan's")
		x.goodput.Register(flags)
		x.server.Register(flags)
		flags.StringVar(&x.out, "out", "", "`directory` for the journal, the results and the chart; it must not hold an experiment yet")
		flags.BoolVar(&x.json, "json", false, "print the analysis as JSON")
		flags.BoolVar(&x.dryRun, "dry-run", false, "print the plan and its warnings, and measure nothing")
		x.flags = flags
		return x.run
	}
}

type experiment struct {
	seed, quick protocol.Plan

	flags    *flag.FlagSet
	load     Load
	goodput  Objectives
	plan     string
	levels   IntList
	prompts  protocol.Prompts
	runs     int
	warmup   int
	cooldown time.Duration
	server   serverFlags
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
	s, err := x.server.server(&x.load)
	if err != nil {
		return err
	}
	if _, fixed := s.(server.None); fixed {
		plan.Restart, plan.Cooldown = false, 0
	}
	warnings, err := plan.Check()
	if err != nil {
		return err
	}
	if x.dryRun {
		return x.show(plan, warnings)
	}
	for _, w := range warnings { // now, and not after hours
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	if x.out == "" {
		fmt.Fprintln(os.Stderr, "nothing will be saved; -out DIR keeps the journal, the results and a chart")
	}
	result, err := Run(ctx, stop, &x.load, s, plan, x.out)
	if result == nil || len(result.Measurements) == 0 {
		return err
	}
	analysis := protocol.Analyze(result)
	err = errors.Join(err, x.save(analysis), x.print(analysis))
	if err == nil && !analysis.Valid() {
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
	plan = x.load.Plan(plan, func(plan *protocol.Plan) {
		x.flags.Visit(func(f *flag.Flag) { // those that were given
			switch f.Name {
			case "levels":
				plan.Levels = x.levels
			case "prompts":
				plan.Prompts = x.prompts
			case "runs":
				plan.Runs = x.runs
			case "warmup":
				plan.Warmup = x.warmup
			case "cooldown":
				plan.Cooldown = x.cooldown
			}
		})
	})
	plan.Objectives = x.goodput
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
	return x.server.show(os.Stdout)
}

func (x *experiment) print(a *protocol.Analysis) error {
	if x.json {
		return WriteJSON(os.Stdout, a)
	}
	return report.Text(os.Stdout, a)
}

func (x *experiment) save(a *protocol.Analysis) error {
	return Save(x.out, a, map[string]Chart{"throughput.png": report.ThroughputChart})
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
