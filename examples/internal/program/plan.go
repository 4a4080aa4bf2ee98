package program

import (
	"io"
	"reflect"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// ShowPlan prints what would be done, for -dry-run.
func ShowPlan(w io.Writer, asJSON bool, d protocol.Planned, warnings []loadgen.Warning) error {
	if !asJSON {
		return report.PlanText(w, d, warnings)
	}
	return WriteJSON(w, struct {
		Plan     protocol.Planned  `json:"plan"`
		Warnings []loadgen.Warning `json:"warnings"`
	}{d, warnings})
}

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
