package protocol

import (
	"io"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Step is one thing to measure: a load on the server of a run.
type Step struct {
	Run int    `json:"run"`           // from 1
	Seq int    `json:"seq"`           // position in the run, from 0
	Arm string `json:"arm,omitempty"` // which server of a comparison; "" where there is one

	Restart  bool          `json:"restart,omitempty"`     // the server is started anew before this step
	Cooldown time.Duration `json:"cooldown_ns,omitempty"` // rest between the stop of the old server and the new start
	Discard  bool          `json:"discard,omitempty"`     // a warmup: journalled, but in no analysis

	workload.Spec               // of the prompts
	Level         loadgen.Level `json:"level"`
}

// A Measurement is a step and what it showed.
type Measurement struct {
	Step     Step      `json:"step"`
	Time     time.Time `json:"time"`     // when it began
	Instance string    `json:"instance"` // [Identity.Proof] of the server; "": not known to be another one

	// Models are those that the requests asked, in rotation, and Sent is what they asked for, where the target says it
	// (see [Client]). Journals of before have neither, or what was sent for the whole experiment.
	Models []string              `json:"models,omitempty"`
	Sent   *workload.Description `json:"sent,omitempty"`

	// Result is what the instrument saw. Its Figures and Warnings are what analysis uses; an experiment that was
	// imported from another tool has those and little else.
	Result loadgen.Result `json:"result"`
}

// A Design says what to do next, given what was measured: it is pure, so that carrying on after an interruption is
// the same as starting. It returns [io.EOF] when the experiment is finished.
type Design interface {
	Next(done []Measurement) (Step, error)
}

// Steps is a design that carries out a list, as it stands.
type Steps []Step

// Next implements [Design].
func (s Steps) Next(done []Measurement) (Step, error) {
	if len(done) >= len(s) {
		return Step{}, io.EOF
	}
	return s[len(done)], nil
}
