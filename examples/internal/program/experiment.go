package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/report/chart"
	"github.com/servegauge/servegauge/protocol/server"
)

// Experiment returns the setup of a program that carries out a plan with restarts: seed is the plan as the page
// has it, quick a plan of its shape that takes under a minute on the simulated server.
func Experiment(seed, quick protocol.Plan) func(*flag.FlagSet) func(context.Context, <-chan struct{}) error {
	return setup(&experiment{seed: seed, quick: quick})
}

// Ablation is the same of a program that compares two servers, in blocks of a run each.
func Ablation(seed, quick protocol.Plan) func(*flag.FlagSet) func(context.Context, <-chan struct{}) error {
	return setup(&experiment{seed: seed, quick: quick, arms: &arms{}})
}

// SLO is the same of a program that searches for the largest load within limits.
func SLO(seed, quick protocol.Plan) func(*flag.FlagSet) func(context.Context, <-chan struct{}) error {
	return setup(&experiment{seed: seed, quick: quick, search: &search{}})
}

func setup(x *experiment) func(*flag.FlagSet) func(context.Context, <-chan struct{}) error {
	return func(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
		x.load.Register(flags, 0, 0, x.seed.Timeout)
		flags.StringVar(&x.plan, "plan", "", "published, corrected (10 prompts for each request in flight), quick (scaled "+
			"down), or a `FILE` with a plan as -out has it; none: quick on the simulated server, else published")
		flags.Var(&x.levels, "levels", "`concurrencies` with commas between them; none: the plan's")
		x.open.register(flags)
		flags.TextVar(&x.prompts, "requests", protocol.Prompts{}, "`requests` at each level, as a number or as a multiple "+
			"of the concurrency, such as 10x, or of the rate: 60x is as many as arrive in 60 s; not given: the plan's")
		x.runs.name = "runs"
		switch {
		case x.arms != nil:
			x.runs.name = "blocks"
			x.arms.register(flags)
		case x.search != nil:
			x.search.register(flags)
		default:
			x.designs.register(flags)
		}
		flags.Var(&x.runs, x.runs.name, "`number` of "+x.runs.name+", or with -resume +N: so many more; not given: the "+
			"plan's")
		flags.TextVar(&x.order, "order", protocol.AsGiven, "order of the levels in each run: ascending, descending, "+
			"shuffled (by -seed) or latin (a Latin square over the runs); not given: the plan's")
		flags.DurationVar(&x.budget, "budget", 0, "`time` for all runs: levels get their part of it, and runs that would "+
			"go beyond it are left out; 0s: none")
		flags.DurationVar(&x.levelBudget, "level-budget", 0, "`time` for one level, after which it issues no more; 0s: none")
		flags.Var(&x.warmup, "warmup", "`requests` that are sent first in each run and discarded, or steady: until "+
			"throughput and TTFT have stopped moving, for 10 minutes at most; not given: the plan's")
		flags.BoolVar(&x.prime, "prime", false, "start the server once before the first run, with a wave of requests, and "+
			"throw that start away: first boots compile and fill caches; not given: the plan's")
		flags.DurationVar(&x.cooldown, "cooldown", 0, "rest before each restart; not given: the plan's")
		flags.Var(&x.retry, "retry", "`causes` for which a level is measured again, as codes of warnings with commas "+
			"between them, such as server-died, once or as often as N: in front says; every try is shown, and the last one "+
			"counts; not given: the plan's")
		x.goodput.Register(flags)
		x.percentiles.Register(flags)
		x.server.Register(flags, x.arms == nil)
		x.fleet.Register(flags)
		x.evidence.Register(flags)
		flags.StringVar(&x.out, "out", "", "`directory` for the journal, the results, the charts and the report; it must "+
			"not hold an experiment yet")
		flags.StringVar(&x.resume, "resume", "", "`directory` of an experiment to go on with: with its plan, in the same "+
			"order, with the same seeds")
		flags.BoolVar(&x.accept, "accept-changes", false, "with -resume: although the environment, the server or the "+
			"requests are not what they were; what differs is recorded")
		flags.BoolVar(&x.requests, "save-requests", false, "with -out: keep each single request, in requests.jsonl.gz")
		flags.StringVar((*string)(&x.strict), "strict", "", strictUsage)
		x.require.Register(flags)
		flags.BoolVar(&x.json, "json", false, "print the analysis as JSON")
		flags.BoolVar(&x.wide, "wide", false, "print tables in one piece and paragraphs on one line, however wide; without "+
			"it they fit 80 columns")
		flags.BoolVar(&x.dryRun, "dry-run", false, "print the plan and its warnings, and measure nothing")
		x.flags = flags
		return x.run
	}
}

type experiment struct {
	seed, quick protocol.Plan

	flags       *flag.FlagSet
	load        Load
	goodput     Objectives
	percentiles Percentiles
	designs     designs
	byArm       map[string]protocol.Server
	clients     map[string]protocol.Client // of arms that are asked otherwise
	open        openLoop
	search      *search // for the largest load within limits; nil: there is none
	arms        *arms   // of a comparison of two servers; nil: there is one
	plan        string
	levels      IntList
	prompts     protocol.Prompts
	runs        runCount
	order       protocol.Order
	budget      time.Duration
	levelBudget time.Duration
	retry       retryFlag
	evidence    evidence
	resume      string
	accept      bool
	requests    bool
	strict      strict
	require     Require
	warmup      Warmup
	prime       bool
	cooldown    time.Duration
	server      serverFlags
	fleet       Fleet
	out         string
	json        bool
	wide        bool
	dryRun      bool
}

func (x *experiment) run(ctx context.Context, stop <-chan struct{}) error {
	if err := x.load.Check(); err != nil {
		return err
	}
	if err := errors.Join(x.evidence.validate(), x.strict.validate(), x.fleet.Validate(&x.load)); err != nil {
		return err
	}
	s, err := x.serverOf()
	if err != nil {
		return err
	}
	_, fixed := s.(server.None)
	chosen, err := x.design(fixed)
	if err != nil {
		return err
	}
	if base := chosen.Outline().Plan; fixed && base.Prime {
		return Usagef("-prime: want a server that is started anew; the one at its URL is left as it is")
	}
	if err := knownCauses(chosen.Outline().Plan.Retry); err != nil {
		return err
	}
	warnings, err := chosen.Check()
	if err != nil {
		return err
	}
	if err := x.require.Check(stepsOf(chosen.Outline()), x.evidence.view); err != nil {
		return err
	}
	if x.dryRun {
		return x.show(chosen, warnings)
	}
	for _, w := range warnings { // now, and not after hours
		fmt.Fprintln(os.Stderr, "warning:", w)
	}
	if err := x.strict.any(warnings); err != nil { // what the plan cannot show, it would not show after hours either
		return fmt.Errorf("%w by the plan, before anything was measured", err)
	}
	if steps := stepsOf(chosen.Outline()); len(steps) > 0 {
		x.load.Expect(os.Stderr, steps[0])
	}
	if x.out == "" {
		fmt.Fprintln(os.Stderr, "nothing will be saved; -out DIR keeps the journal, the results, the charts and the report")
	}
	result, err := RunFleet(ctx, stop, &x.load, s, &x.fleet, chosen, func(r *protocol.Runner) {
		r.Arms, r.Clients = x.byArm, x.clients
		r.Dir, r.Resume, r.AcceptChanges, r.SaveRequests = x.out, x.resume != "", x.accept, x.requests
		x.evidence.apply(r, &x.load, x.load.unique())
	})
	if result != nil && !result.Measured() && x.out != "" && (ctx.Err() != nil || errors.Is(err, protocol.ErrStopped)) {
		fmt.Fprintf(os.Stderr, "nothing was measured, and %s is free for the same command again\n", x.out)
	}
	if result == nil || len(result.Measurements) == 0 {
		return err
	}
	analysis := protocol.Conclude(result, chosen)
	unfinished := err != nil
	err = errors.Join(err, x.save(result, analysis), x.print(analysis))
	verdict := x.require.Verdict(x.beside(), analysis)
	switch {
	case unfinished && x.out != "" && result.Measured():
		fmt.Fprintf(os.Stderr, "what was measured is in %s; go on with -resume %s and the flags that name the server and "+
			"its requests\n", x.out, x.out)
	case !unfinished:
		Where(os.Stderr, x.out)
		Next(os.Stderr, analysis, x.out, x.runs.name, x.narrows(chosen))
		verdict = errors.Join(verdict, x.search.verdict(analysis))
	}
	if err == nil && !analysis.Valid() {
		err = ErrInvalid
	}
	return errors.Join(err, x.strict.check(analysis, x.load.warned), verdict)
}

// narrows tells whether a knee is what a design is after, and other levels or more runs would narrow it.
func (x *experiment) narrows(d protocol.Planned) bool {
	_, plain := d.(protocol.Plan)
	return plain && x.arms == nil && x.search == nil
}

// beside is where what is said beside the result goes: after it, unless that is for a program to read.
func (x *experiment) beside() io.Writer {
	if x.json {
		return os.Stderr
	}
	return os.Stdout
}

// stepsOf are the steps that a design foresees, of a run.
func stepsOf(o protocol.Outline) (steps []protocol.Step) {
	for _, s := range o.Plan.Steps() {
		if s.Run == 1 && !s.Discard {
			steps = append(steps, s)
		}
	}
	return steps
}

// serverOf is the server, or the first of those that are compared.
func (x *experiment) serverOf() (s protocol.Server, err error) {
	if x.arms == nil {
		return x.server.server(&x.load)
	}
	if x.clients, err = x.arms.clients(&x.load); err != nil {
		return nil, err
	}
	x.byArm, err = x.arms.servers(&x.load, x.server.options)
	return x.byArm[design.ArmA], err
}

// chosen is the plan that the flags ask for.
func (x *experiment) chosen() (protocol.Plan, error) {
	if x.accept {
		return protocol.Plan{}, Usagef("-accept-changes: want -resume DIR with it")
	}
	if x.requests && x.out == "" {
		return protocol.Plan{}, Usagef("-save-requests: want -out DIR with it")
	}
	if x.runs.more {
		return protocol.Plan{}, Usagef("-%s %v: want -resume DIR with it, which has %[1]s to add to", x.runs.name, &x.runs)
	}
	name := x.plan
	if name == "" {
		name = "published"
		if x.load.URL == "" && x.server.text == "" && (x.arms == nil || x.arms.a == "") {
			name = "quick"
		}
	}
	var plan protocol.Plan
	switch name {
	case "published":
		plan = x.seed
	case "corrected":
		plan = x.seed.Corrected()
	case "quick":
		plan = x.quick
	default:
		var err error
		if plan, err = readPlan(x.plan); errors.Is(err, fs.ErrNotExist) {
			return plan, Usagef("-plan %s: want published, corrected, quick, or a file with a plan: %v", x.plan, err)
		} else if err != nil {
			return plan, err
		}
		if x.load.Seed == 0 || !given(x.flags, "seed") {
			x.load.Seed = plan.Seed
		}
		if !given(x.flags, "timeout") {
			x.load.Timeout = plan.Timeout
		}
	}
	objectives := plan.Objectives
	if err := x.open.check(x.flags); err != nil {
		return plan, err
	}
	plan, err := x.load.Plan(plan, func(plan *protocol.Plan) {
		x.flags.Visit(func(f *flag.Flag) { // those that were given
			switch f.Name {
			case "percentiles":
				plan.Percentiles = x.percentiles
			case "levels":
				plan.Levels, plan.Rates = x.levels, nil
			case "requests":
				plan.Prompts = x.prompts
			case x.runs.name:
				plan.Runs = x.runs.n
			case "warmup":
				x.warmup.change(plan)
			case "prime":
				plan.Prime = x.prime
			case "cooldown":
				plan.Cooldown = x.cooldown
			case "retry":
				plan.Retry = x.retry.Retry
			case "order":
				plan.Order = x.order
			case "budget":
				plan.Budget = x.budget
			case "level-budget":
				plan.LevelBudget = x.levelBudget
			}
		})
		x.open.change(plan, x.flags)
	})
	plan.Objectives = x.goodput
	if len(x.goodput) == 0 {
		plan.Objectives = objectives
	}
	return plan, err
}

func readPlan(name string) (protocol.Plan, error) {
	file, err := os.Open(name)
	if err != nil {
		return protocol.Plan{}, &UsageError{err}
	}
	defer file.Close()
	plan, err := protocol.ReadPlan(file)
	if err != nil {
		return plan, Usagef("%s: %v", name, err)
	}
	return plan, nil
}

// given reports whether a flag was given.
func given(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

// show prints what would be done.
func (x *experiment) show(d protocol.Planned, warnings []loadgen.Warning) error {
	if err := x.load.ShowPlan(os.Stdout, x.json, d, warnings); err != nil || x.json {
		return err
	}
	return x.server.show(os.Stdout)
}

func (x *experiment) print(a *protocol.Analysis) error {
	if x.json {
		return WriteJSON(os.Stdout, a)
	}
	if x.wide {
		return report.WideText(os.Stdout, a)
	}
	return report.Text(os.Stdout, a)
}

func (x *experiment) save(e *protocol.Experiment, a *protocol.Analysis) error {
	return Save(x.out, e, a, chart.Draw(e, a))
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
