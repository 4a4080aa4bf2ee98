package program

import (
	"flag"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
)

// designs are the flags that make another design of a plan.
type designs struct {
	adaptive bool
}

func (d *designs) register(flags *flag.FlagSet) {
	flags.BoolVar(&d.adaptive, "adaptive", false,
		"find the knee: sweep levels a factor of two apart (-levels; none: those that a pilot finds), then measure between, until nothing moves it or the -budget is over; -runs for each")
}

// names are the flags' own.
var designFlags = []string{"adaptive"}

// of is the design that the flags make of a plan.
func (d *designs) of(plan protocol.Plan, levelsGiven bool) protocol.Planned {
	if d.adaptive {
		if !levelsGiven {
			plan.Levels = nil
		}
		return design.AdaptiveSweep{Plan: plan}
	}
	return plan
}

// design is what the flags ask for, on a server that is not restarted where it is fixed.
func (x *experiment) design(fixed bool) (protocol.Planned, error) {
	if x.resume != "" {
		return x.resumed()
	}
	plan, err := x.chosen()
	if err != nil {
		return nil, err
	}
	if fixed {
		plan.Restart, plan.Cooldown = false, 0
	}
	if x.arms != nil {
		return design.Ablation{Plan: plan, Margin: float64(x.arms.margin), Figures: x.arms.figures}, nil
	}
	return x.designs.of(plan, given(x.flags, "levels")), nil
}
