package program

import (
	"reflect"

	"github.com/servegauge/servegauge/protocol"
)

// Plan is a published plan with what the flags say in its place: those of the load here, a program's own by change. One
// that is changed has a name that does not promise what it no longer is.
func (l *Load) Plan(published protocol.Plan, change func(*protocol.Plan)) protocol.Plan {
	plan := published
	if l.Input != 0 {
		plan.Input = l.Input
	}
	if l.Output != 0 {
		plan.Output = l.Output
	}
	change(&plan)
	if !reflect.DeepEqual(plan, published) {
		plan.Name += "-changed"
	}
	plan.Seed, plan.Timeout = l.Seed, l.Timeout
	return plan
}
