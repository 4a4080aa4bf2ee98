package protocol

import (
	"context"
	"slices"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// An Auditor is a [loadgen.Target] that can check the answers of its latest level. A pointer to openai.Target is one,
// where it keeps answers.
type Auditor interface {
	// Audits reports whether answers are kept to be checked.
	Audits() bool

	// Audit is called once the level and all that watched it are over, on the server that was measured, which has no
	// other load. healthy is the sample at one in flight of an earlier level of the same arm and shape, zero where
	// there is none.
	Audit(ctx context.Context, healthy audit.Tally) *audit.Outcome
}

// Codes of the warnings about a level's answers.
const (
	// The server does not stand by so many of the level's answers that its figures are those of other work. It spoils
	// all of them.
	WarnAnswersWrong = "answers-wrong"
	// The answers were to be checked, and could not be: which is not that they are right.
	WarnAnswersNotCheckable = "answers-not-checkable"
)

// A sample is what a healthy sample is of: answers of other lengths, or of another server, have another rate.
type sample struct {
	arm  string
	spec workload.Spec // without its seed
}

// audit has the answers of a level checked on the quiet server, before it is stopped or loaded again. Warmups are
// not, and neither is what somebody else measured (Measure), whose answers are not here. An experiment that was asked
// to stop does not begin with it, and does not wait for its end.
func (r *running) audit(ctx context.Context, target loadgen.Target, m *Measurement) {
	auditor, ok := target.(Auditor)
	if !ok || r.Runner.Measure != nil || !auditor.Audits() || m.Step.Discard || m.Result.CutShort || m.GaveUp {
		return
	}
	ctx, release := r.untilStopped(ctx)
	defer release()
	of := sample{m.Step.Arm, m.Step.Spec}
	of.spec.Seed = 0
	r.progress(Event{Phase: PhaseAudit, Step: m.Step})
	m.Audit = auditor.Audit(ctx, r.healthy[of])
	if m.Audit == nil {
		return
	}
	if h := m.Audit.Healthy; h.Answers >= audit.HealthyAnswers && h.Wrong == 0 {
		if r.healthy == nil {
			r.healthy = map[sample]audit.Tally{}
		}
		r.healthy[of] = h
	}
	m.auditWarnings()
}

// auditWarnings says in the level's warnings what its audit came to.
func (m *Measurement) auditWarnings() {
	switch o := m.Audit; o.Verdict {
	case audit.Spoiled:
		m.spoil(WarnAnswersWrong, "%v; %s", o, faults(o))
	case audit.NotCheckable:
		m.Result.Warnings = append(slices.Clip(m.Result.Warnings),
			loadgen.Warning{Code: WarnAnswersNotCheckable, Message: o.String()})
	}
}

// faults names the first few wrong answers.
func faults(o *audit.Outcome) string {
	const most = 3
	text := "such as"
	for i, f := range o.Faults[:min(len(o.Faults), most)] {
		if i > 0 {
			text += ";"
		}
		text += " " + f.String()
	}
	return text
}
