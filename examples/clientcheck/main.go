// Clientcheck measures the load generator itself, against a server that answers at once: what it can issue, what it
// really kept in flight, and what it adds to TTFT and ITL. A limit found by a client that is near its own is the
// client's.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/report/chart"
	"github.com/servegauge/servegauge/protocol/server"
)

func main() {
	program.Main(`clientcheck: the load generator against a server that answers at once

  clientcheck
  clientcheck -plan corrected -need 4.4 -out client`, setup)
}

func setup(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	c := &check{}
	c.load.Register(flags, 0, 0, protocol.ClientValidation().Timeout)
	flags.StringVar(&c.plan, "plan", "published", "published (1,000 requests at each level, as published) or corrected "+
		"(10 for each one in flight)")
	flags.Var(&c.levels, "levels", "`concurrencies` with commas between them; none: the plan's")
	flags.TextVar(&c.requests, "requests", protocol.Prompts{}, "`requests` at each level, as a number or as a multiple "+
		"of the concurrency, such as 10x; not given: the plan's")
	flags.IntVar(&c.tokens, "tokens", 0, "`tokens` that each answer has, a chunk each; 0: the plan's 100")
	flags.Float64Var(&c.need, "need", 0, "`requests/s` that the experiment will need; the verdict states the headroom "+
		"over it")
	flags.StringVar(&c.out, "out", "", "`directory` for the journal, the results and the two charts; it must not hold "+
		"an experiment yet")
	flags.BoolVar(&c.json, "json", false, "print the analysis as JSON")
	flags.BoolVar(&c.dryRun, "dry-run", false, "print the plan and its warnings, and measure nothing")
	return c.run
}

type check struct {
	load     program.Load
	plan     string
	levels   program.IntList
	requests protocol.Prompts
	tokens   int
	need     float64
	out      string
	json     bool
	dryRun   bool
}

func (c *check) run(ctx context.Context, stop <-chan struct{}) error {
	if err := c.load.Check(); err != nil {
		return err
	}
	plan, warnings, err := c.chosen()
	if err != nil {
		return err
	}
	if !(c.need >= 0 && c.need < 1e12) {
		return program.Usagef("-need %v: want requests per second, 0 (not stated) or more", c.need)
	}
	if c.dryRun {
		return c.load.ShowPlan(os.Stdout, c.json, plan, warnings)
	}
	// Each chunk is written on its own, as inference servers do, so that the client's work is what it is in earnest.
	var s protocol.Server = &program.Simulation{Echo: true, FlushEach: true}
	what := "a server that answers at once, started as a child of this program"
	if c.load.URL != "" {
		s = server.None(c.load.URL)
		what = "the server at -url, which must answer at once: what it takes itself counts as the client's here"
	}
	result, err := program.Run(ctx, stop, &c.load, s, plan, func(r *protocol.Runner) { r.Dir = c.out })
	if result == nil || len(result.Measurements) == 0 {
		return err
	}
	a := protocol.Analyze(result)
	err = errors.Join(err, c.save(result, a), c.print(a, what))
	if err == nil {
		program.Where(os.Stderr, c.out)
	}
	switch {
	case err != nil:
		return err
	case !a.Valid():
		return program.ErrInvalid
	}
	if shortage := report.NewClientVerdict(a, c.need).Shortage(); shortage != "" {
		return fmt.Errorf("-need: %s", shortage)
	}
	return nil
}

func (c *check) chosen() (protocol.Plan, []loadgen.Warning, error) {
	plan := protocol.ClientValidation()
	switch c.plan {
	case "published":
	case "corrected":
		plan = plan.Corrected()
	default:
		return plan, nil, program.Usagef("-plan %q: want published or corrected", c.plan)
	}
	plan, err := c.load.Plan(plan, func(plan *protocol.Plan) {
		if c.levels != nil {
			plan.Levels = c.levels
		}
		if c.requests != (protocol.Prompts{}) {
			plan.Prompts = c.requests
		}
		if c.tokens != 0 {
			plan.Output = c.tokens
		}
	})
	if err != nil {
		return plan, nil, err
	}
	if plan.Arrivals.Process == loadgen.TraceArrivals {
		return plan, nil, program.Usagef("-trace with clientcheck: its levels are concurrencies; loadtest replays a trace, and " +
			"its client block says whether the client was the limit")
	}
	warnings, err := plan.Check()
	return plan, warnings, err
}

func (c *check) print(a *protocol.Analysis, server string) error {
	if c.json {
		return program.WriteJSON(os.Stdout, struct {
			Verdict  report.ClientVerdict `json:"verdict"`
			Analysis *protocol.Analysis   `json:"analysis"`
		}{report.NewClientVerdict(a, c.need), a})
	}
	return report.ClientText(os.Stdout, a, server, c.need)
}

func (c *check) save(e *protocol.Experiment, a *protocol.Analysis) error {
	return program.Save(c.out, e, a, chart.Client(e, a))
}
