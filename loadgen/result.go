package loadgen

import (
	"fmt"
	"slices"
	"time"

	"github.com/servegauge/servegauge/stats"
)

// A Result is what one level showed. It marshals to JSON, with the distributions behind the figures, so that results of
// one level from several generators can be merged wherever they are: see [MergeResults].
type Result struct {
	Level Level     `json:"level"`
	Start time.Time `json:"start"` // zero of all offsets: just before the first request was issued, warmup included

	// Generators is how many generators' results were merged into this one. 0: it is of one, and was not merged.
	Generators int `json:"generators,omitempty"`

	// Makespan is from the first Sent to the last Done of the measured requests that completed. FirstSent is that first
	// Sent, an offset from Start.
	Makespan  time.Duration `json:"makespan_ns"`
	FirstSent time.Duration `json:"first_sent_ns,omitempty"`

	CutShort bool `json:"cut_short,omitempty"` // it was stopped or cancelled before all requests were issued or done

	Accounting Accounting `json:"accounting"` // of the measured requests
	Warmup     Accounting `json:"warmup"`     // of the discarded ones
	InFlight   InFlight   `json:"in_flight"`
	Tokens     Tokens     `json:"tokens"`

	// Stamps says what stamped the arrival of content, in the completed measured requests.
	Stamps Stamps `json:"stamps,omitzero"`

	// FinishReasons counts the completed measured requests by why their answer ended, in the server's words; those that
	// did not say are in none. At most 16 texts of at most 64 bytes are told apart, the rest are [OtherReasons].
	FinishReasons map[string]int `json:"finish_reasons,omitempty"`

	Answers  Answers   `json:"answers,omitzero"`    // what they lacked
	Texts    Texts     `json:"texts,omitzero"`      // what they looked like
	TPOT     TPOTBasis `json:"tpot,omitzero"`       // what TPOT was divided by
	Bunching Bunching  `json:"bunching,omitzero"`   // whether chunks can have come as they were generated
	Gaps     ChunkGaps `json:"chunk_gaps,omitzero"` // how many chunks came together with the one before

	// Unsure are the samples of TTFT, ITL and TPOT of which only an interval is known, by the name of the metric.
	Unsure map[string]*Unsure `json:"unsure,omitempty"`

	// Goodput counts the requests that met the level's objectives, nil where it has none.
	Goodput *Goodput `json:"goodput,omitempty"`

	// Retries counts what was tried again, nil where nothing was. Errors are how requests failed in the end.
	Retries *Retries `json:"retries,omitempty"`

	// Steady is the window in which the load was steady, nil when there was none. An open loop has none: its arrivals
	// do not depend on how many are in flight.
	Steady *Window `json:"steady,omitempty"`

	// Open is how the arrivals went; nil for a closed loop.
	Open *OpenLoop `json:"open,omitempty"`

	// Sessions are those of a level that has them; nil: it is of single requests.
	Sessions *SessionCounts `json:"sessions,omitempty"`

	// Groups are the measured requests by what some of them have in common: their turn, or the model that was asked.
	Groups []*Group `json:"groups,omitempty"`

	// Clock is how the generator's clock stood to the one that all generators of the level go by; nil: nobody compared
	// them ([Generator.Clock]).
	Clock *ClockOffset `json:"clock_offset,omitempty"`

	// Timeline is the load over time, warmup included; nil where it is not known, as in a result of another tool.
	Timeline *Timeline `json:"timeline,omitempty"`
	// Client is what the client saw of itself, and whether it was the limit. nil where results were merged, whose
	// clients were several: Parts has each one's, and their warnings are kept.
	Client *ClientWatch `json:"client,omitempty"`

	// Parts are what is kept of each generator's own, by their shards, where results were merged; nil elsewhere.
	Parts []Part `json:"parts,omitempty"`

	Figures  []Figure     `json:"figures"`
	Errors   []ErrorCount `json:"errors,omitempty"`
	Warnings []Warning    `json:"warnings,omitempty"`

	// Means are the means of TTFT, TPOT, E2E and their like with an interval within this run, by batches of successive
	// requests ([stats.MeanOfLevel]). A metric is missing where there are fewer than ten requests for each one in
	// flight, or more than are kept; and all are where results were merged, whose order is not known.
	Means map[string]stats.LevelMean `json:"means,omitempty"`

	// Distributions are the samples behind the figures, by the name of the metric.
	Distributions map[string]*Distribution `json:"distributions,omitempty"`
}

// Valid reports whether the level was measured at all: to its end, with no more than 1 % of its requests failed. A
// valid result may still have figures that must not be used.
func (r *Result) Valid() bool { return !slices.ContainsFunc(r.Warnings, Warning.Invalidates) }

// Figure finds a figure by its name; false when the level has none of it.
func (r *Result) Figure(name string) (Figure, bool) {
	for _, f := range r.Figures {
		if f.Name == name {
			return f, true
		}
	}
	return Figure{}, false
}

// Accounting counts what became of the requests that were issued.
type Accounting struct {
	Issued    int `json:"issued"`
	Completed int `json:"completed"`
	Failed    int `json:"failed"`
	Cancelled int `json:"cancelled"` // in flight when the level was cut short
}

// Check returns an [*AccountingError] unless issued = completed + failed + cancelled.
func (a Accounting) Check() error {
	if a.Issued != a.Completed+a.Failed+a.Cancelled {
		return &AccountingError{a}
	}
	return nil
}

// Add adds the counts of b.
func (a *Accounting) Add(b Accounting) {
	a.Issued += b.Issued
	a.Completed += b.Completed
	a.Failed += b.Failed
	a.Cancelled += b.Cancelled
}

// InFlight says how many requests were in flight, warmup included. One that waits to be retried ([Level.Retries]) is
// among them: they are the users that wait, of whom the server then had fewer.
type InFlight struct {
	Peak int `json:"peak"` // most at once, between a request's issue and its return
	// Mean is Σ (Done − Sent) ÷ time, from the first measured issue to the last Done: what the server had.
	Mean float64 `json:"mean"`

	// Measured is the part of Mean that was measured requests, which is what the makespan's throughputs stand on. It is
	// less at the start, where a warmup hands over, and in the drain.
	Measured float64 `json:"measured"`

	// Occupied is Σ (Left − Sent) ÷ the same time: the slots that were taken, whatever the server did with the
	// requests in them. It is what a closed loop keeps at its concurrency. OccupiedMeasured is the part of measured
	// requests. LateEnd is what of Occupied − Mean is of requests that completed, whose answers ended later than
	// their last chunk; the rest is of those that failed after it.
	Occupied         float64 `json:"occupied,omitempty"`
	OccupiedMeasured float64 `json:"occupied_measured,omitempty"`
	LateEnd          float64 `json:"late_end,omitempty"`

	// InRamp is how many measured requests a closed loop with a RampUp issued before all of its slots had started, at
	// less than the level's concurrency. An open loop has its own: [OpenLoop.InRamp].
	InRamp int `json:"in_ramp,omitempty"`

	From time.Duration `json:"from_ns,omitempty"` // the time that the means are over: first measured issue
	To   time.Duration `json:"to_ns,omitempty"`   // last Done
}

// heldMeasured is how much of the load that the client was to keep was there for measured requests. (Measured alone is
// what results of older versions have; it is never more than what was occupied.)
func (f InFlight) heldMeasured() float64 { return max(f.OccupiedMeasured, f.Measured) }

// Tokens counts tokens of the completed measured requests.
type Tokens struct {
	Input  int `json:"input"`
	Output int `json:"output"`

	Uncounted int `json:"uncounted,omitempty"` // completed requests for which the server told no counts
	Mismatch  int `json:"mismatch,omitempty"`  // completed requests whose counts are not what was asked for

	InputOff  Deviation `json:"input_off,omitzero"` // of the mismatch, in the prompts and in the answers
	OutputOff Deviation `json:"output_off,omitzero"`

	Cached   CachedTokens `json:"cached,omitzero"`   // zero: no server told
	Draft    DraftTokens  `json:"draft,omitzero"`    // zero: no server told
	Chunking Chunking     `json:"chunking,omitzero"` // zero: no answer was streamed and counted
}

// An ErrorCount counts the requests that failed in one way, cancelled ones and those of the warmup included.
type ErrorCount struct {
	Class   Class  `json:"class"`
	Status  int    `json:"status,omitempty"`
	Count   int    `json:"count"`
	Example string `json:"example"` // the text of the first
}

func (e ErrorCount) String() string { return fmt.Sprintf("%d × %s", e.Count, e.Example) }
