package protocol

import (
	"io"
	"slices"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Step is one thing to measure: a load on the server of a run.
type Step struct {
	Run int    `json:"run"`           // from 1; 0: a start before them, which is thrown away ([Plan.Prime])
	Seq int    `json:"seq"`           // position in the run, from 0
	Arm string `json:"arm,omitempty"` // which server of a comparison; "" where there is one

	// Stage is that of a design which decides from what it has measured what to measure next, from 1. Each run is of
	// one stage. 0: the design has no stages.
	Stage int `json:"stage,omitempty"`

	Restart  bool          `json:"restart,omitempty"`     // the server is started anew before this step
	Cooldown time.Duration `json:"cooldown_ns,omitempty"` // rest between the stop of the old server and the new start; without Restart before the step
	Discard  bool          `json:"discard,omitempty"`     // a warmup: journalled, but in no analysis
	// UntilSteady ends a discarded step once throughput and TTFT have stopped moving; its Level's Duration bounds it.
	UntilSteady bool `json:"until_steady,omitempty"`

	Try int `json:"try,omitempty"` // which attempt at it, from 2 where one before did not count; 0: the first

	workload.Spec               // of the prompts
	Level         loadgen.Level `json:"level"`
}

// A Measurement is a step and what it showed.
type Measurement struct {
	Step Step      `json:"step"`
	Time time.Time `json:"time"` // when it began

	// Instance is [Identity.Proof] of the server that was measured; "": not known to be another one
	Instance string `json:"instance"`

	// Models are those that the requests asked, in rotation, and Sent is what they asked for, where the target says it
	// (see [Client]). Journals of before have neither, or what was sent for the whole experiment.
	Models []string              `json:"models,omitempty"`
	Sent   *workload.Description `json:"sent,omitempty"`

	// Result is what the instrument saw. Its Figures and Warnings are what analysis uses; an experiment that was
	// imported from another tool has those and little else.
	Result loadgen.Result `json:"result"`

	// GaveUp says that the level was ended because nothing in it worked.
	GaveUp bool `json:"gave_up,omitempty"`

	// Warming is the course of a step UntilSteady; nil: it is none.
	Warming *Warming `json:"warming,omitempty"`

	// Took is how long the step took in all, the restart of the server, its readiness and the rest before it included.
	Took time.Duration `json:"took_ns,omitempty"`

	// Requests is how long [RequestsFile] is with the step's requests, in bytes; 0: they are not kept.
	Requests int64 `json:"requests_size,omitempty"`

	// Audit says whether the level's answers are the server's own still: nil where nobody asked ([Auditor]).
	Audit *audit.Outcome `json:"audit,omitempty"`

	// Readings are what the runner's probes saw meanwhile.
	Readings []Reading `json:"readings,omitempty"`
}

// figures are those of the instrument and of the probes.
func (m Measurement) figures() []loadgen.Figure {
	out := slices.Clip(m.Result.Figures)
	for _, r := range m.Readings {
		out = append(out, r.Figures...)
	}
	return out
}

// warnings are those of the instrument and of the probes.
func (m Measurement) warnings() []loadgen.Warning {
	out := slices.Clip(m.Result.Warnings)
	for _, r := range m.Readings {
		out = append(out, r.Warnings...)
	}
	return out
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
