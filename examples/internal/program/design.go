package program

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
)

// designs are the flags that make another design of a plan, of which one may be given.
type designs struct {
	adaptive bool
	until    percentage
	grid     shapes
}

func (d *designs) register(flags *flag.FlagSet) {
	flags.BoolVar(&d.adaptive, "adaptive", false,
		"find the knee: sweep levels a factor of two apart (-levels; none: those that a pilot finds), then measure "+
			"between, until nothing moves it or the -budget is over; -runs for each")
	flags.Var(&d.until, "until", "run until the steady throughput is known to so many `percent` at each level, such as "+
		"2%: -runs are a pilot, from whose spread follows how many that takes, 100 at most")
	flags.Var(&d.grid, "grid", "`shapes` of requests with commas between them, such as 128x128,2048x128: input and "+
		"output tokens, each measured at all levels in every run")
}

// designFlags are the flags' names.
var designFlags = []string{"adaptive", "until", "grid"}

// of is the design that the flags make of a plan.
func (d *designs) of(plan protocol.Plan, flags *flag.FlagSet) (protocol.Planned, error) {
	var chosen []string
	for _, name := range designFlags {
		if given(flags, name) {
			chosen = append(chosen, "-"+name)
		}
	}
	if len(chosen) > 1 {
		return nil, Usagef("%s: want one of them", strings.Join(chosen, ", "))
	}
	switch {
	case d.adaptive:
		if !given(flags, "levels") {
			plan.Levels = nil
		}
		return design.AdaptiveSweep{Plan: plan}, nil
	case d.until > 0:
		return design.UntilPrecise{Plan: plan, Precision: float64(d.until)}, nil
	case len(d.grid) > 0:
		if given(flags, "input") || given(flags, "output") {
			return nil, Usagef("-grid %v: it has the -input and -output of each shape", &d.grid)
		}
		return design.Grid{Plan: plan, Shapes: d.grid}, nil
	}
	return plan, nil
}

// shapes is a flag of shapes with commas between them.
type shapes []design.Shape

func (s *shapes) String() string {
	var parts []string
	for _, shape := range *s {
		parts = append(parts, shape.String())
	}
	return strings.Join(parts, ",")
}

func (s *shapes) Set(text string) error {
	*s = nil
	for part := range strings.SplitSeq(text, ",") {
		var shape design.Shape
		if err := shape.UnmarshalText([]byte(strings.TrimSpace(part))); err != nil {
			return err
		}
		*s = append(*s, shape)
	}
	return nil
}

// search is the flag of the limits of which the largest load is searched for.
type search struct {
	text string
}

func (s *search) register(flags *flag.FlagSet) {
	s.text = "ttft_p99<500ms"
	flags.StringVar(&s.text, "limit", s.text, "`limits` with commas between them, all of which must hold at once, such "+
		"as 'ttft_p99<500ms,attainment>=99%'; -goodput says what is attained")
}

// of is the search that a plan is made into: on its levels or rates where they were given, else on those that a pilot
// finds.
func (s *search) of(plan protocol.Plan, flags *flag.FlagSet) (protocol.Planned, error) {
	if !given(flags, "levels") && !given(flags, "rates") && !given(flags, "plan") {
		plan.Levels = nil
	}
	level := loadgen.Level{Concurrency: 1, Unit: plan.Unit, Objectives: plan.Objectives, Percentiles: plan.Percentiles}
	if len(plan.Rates) > 0 {
		level.Concurrency, level.Arrivals.Process = 0, loadgen.PoissonArrivals
	}
	known := loadgen.PossibleFigures(level)
	limits, err := protocol.ParseLimits(s.text, known...)
	if err != nil {
		return nil, Usagef("-limit: %w", err)
	}
	return design.SLO{Plan: plan, Limits: limits}, nil
}

// verdict is an error unless a load was shown to keep the limits.
func (s *search) verdict(a *protocol.Analysis) error {
	if s == nil {
		return nil
	}
	for _, f := range a.Findings {
		switch f.Decision {
		case protocol.Holds:
			return nil
		case protocol.Broken:
			return fmt.Errorf("-limit: broken at the least load already: %s", f.Name)
		}
	}
	return &UndecidedError{"-limit: undecided: no load was shown to keep them"}
}

// design is what the flags ask for, on a server that is not restarted where it is fixed.
func (x *experiment) design(fixed bool) (protocol.Planned, error) {
	if x.resume != "" {
		return x.resumed()
	}
	if whole, err := x.designOf(x.plan, fixed); whole != nil || err != nil {
		return whole, err
	}
	plan, err := x.chosen()
	if err != nil {
		return nil, err
	}
	if fixed {
		plan.Restart, plan.Cooldown = false, 0
	}
	switch {
	case x.arms != nil:
		return design.Ablation{Plan: plan, Margin: float64(x.arms.margin), Figures: slices.Clone(x.arms.figures)}, nil
	case x.search != nil:
		return x.search.of(plan, x.flags)
	}
	return x.designs.of(plan, x.flags)
}

// designOf is the design that a file has, as -out keeps it, where it is more than a plan: it is carried out as it
// stands. nil: name is no file, or that of a plan, which flags may change.
func (x *experiment) designOf(name string, fixed bool) (protocol.Planned, error) {
	if info, err := os.Stat(name); name == "" || err != nil || info.IsDir() {
		return nil, nil // what is wrong with it is said where plans are read
	}
	d, err := readDesign(name)
	if err != nil {
		return nil, err
	}
	if _, plan := d.(protocol.Plan); plan {
		return nil, nil
	}
	for _, flag := range slices.Concat(plansOwn, designFlags, armsOwn, openFlags, []string{"limit", x.runs.name}) {
		if flag != "plan" && flag != "out" && given(x.flags, flag) {
			return nil, Usagef("-%s with -plan %s: that file has a whole design, which says it; change it there", flag, name)
		}
	}
	if own, its := x.program(), programOf(d); own != its {
		return nil, Usagef("-plan %s: want an experiment of %s; this one is carried out by %s", name, own, its)
	}
	base := d.Outline().Plan
	if fixed && base.Restart {
		return nil, Usagef("-plan %s: want a server that can be restarted, as its runs do; -server says how", name)
	}
	x.load.Input, x.load.Output, x.load.Seed, x.load.Timeout = base.Input, base.Output, base.Seed, base.Timeout
	return d, nil
}
