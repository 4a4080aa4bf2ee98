package protocol

import (
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A Planned design can be looked at before it is carried out. A [Plan] is one, and so are those of package design.
type Planned interface {
	Design

	// Check returns an error, a [*loadgen.InvalidError], for a design that cannot be carried out, and warnings for one
	// that can but will not show what it is meant to.
	Check() ([]loadgen.Warning, error)

	// Estimate is about how long it takes on a server of so many input and output tokens/s, without the starts of the
	// server, of which nothing is known beforehand.
	Estimate(tokensPerSecond float64) time.Duration

	// Outline says what it will do.
	Outline() Outline
}

// An Outline is what a design will do, as far as that is known beforehand.
type Outline struct {
	Kind  string   // "plan", "adaptive sweep"
	Plan  Plan     // what a run of it is; levels that it has yet to find are examples
	Arms  int      // servers of which each does that; 0: one
	Lines []string // what it does beside, each as "name: what"
}

// Outline implements [Planned].
func (p Plan) Outline() Outline { return Outline{Kind: "plan", Plan: p} }
