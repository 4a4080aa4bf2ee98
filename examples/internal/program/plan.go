package program

import (
	"io"
	"reflect"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// ShowPlan prints what would be done, for -dry-run.
func (l *Load) ShowPlan(w io.Writer, asJSON bool, d protocol.Planned, warnings []loadgen.Warning) error {
	plan := d.Outline().Plan
	sent, err := l.describe(workload.Spec{Input: plan.Input, Output: plan.Output, Seed: l.Seed})
	if err != nil {
		return err
	}
	if !asJSON {
		return report.PlanText(w, d, warnings, sent)
	}
	return WriteJSON(w, struct {
		Plan     protocol.Planned      `json:"plan"`
		Sent     *workload.Description `json:"sent,omitempty"`
		Warnings []loadgen.Warning     `json:"warnings"`
	}{d, sent, warnings})
}

// ShowStep prints what one level would do.
func (l *Load) ShowStep(w io.Writer, s protocol.Step) error {
	sent, err := l.describe(s.Spec)
	if err != nil {
		return err
	}
	return report.StepText(w, s, sent)
}

// Plan is a published plan with what the flags say in its place: those of the load here, a program's own by change. One
// that is changed has a name that does not promise what it no longer is.
func (l *Load) Plan(published protocol.Plan, change func(*protocol.Plan)) (protocol.Plan, error) {
	plan := published
	if l.Input != 0 {
		plan.Input = l.Input
	}
	if l.Output != 0 {
		plan.Output = l.Output
	}
	change(&plan)
	if err := l.changePlan(&plan); err != nil {
		return plan, err
	}
	if !reflect.DeepEqual(plan, published) {
		plan.Name += "-changed"
	}
	plan.Seed, plan.Timeout = l.Seed, l.Timeout
	return plan, nil
}
