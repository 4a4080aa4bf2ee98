package protocol

import (
	"encoding/json"

	"github.com/servegauge/servegauge/loadgen"
)

// A Finding is something that a design concludes, which reports print as it stands.
type Finding struct {
	Name   string `json:"name"`   // what it is about: "knee", "b against a at concurrency 16"
	Answer string `json:"answer"` // in a few words, with how sure: "(48, 64]"
	Reason string `json:"reason"` // what decided it, or left it open, and under which conditions it holds

	// Decision says of a question whether something holds what was shown: that it does, or that it does not. Of others,
	// and where nothing was, it is [Undecided].
	Decision Decision `json:"decision,omitzero"`

	// Detail is what package stats says about it, as JSON. nil: nothing more.
	Detail   json.RawMessage   `json:"detail,omitempty"`
	Warnings []loadgen.Warning `json:"warnings,omitempty"`
}

// A Concluder is a [Design] that answers a question. Conclude is as pure as Next: what was measured is all that it goes
// by, so that an experiment which is read again has the same findings, and one that was cut short those of what it has.
type Concluder interface {
	Conclude(done []Measurement) []Finding
}

// Conclude is [Analyze] with the findings of the design that was carried out, where it has any.
func Conclude(e *Experiment, d Design) *Analysis {
	a := Analyze(e)
	if c, ok := d.(Concluder); ok {
		a.Findings = c.Conclude(e.Measurements)
	}
	return a
}
