package fleet

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
)

// protocolVersion is of the messages below. Workers of another one are named as odd, and nothing is measured.
const protocolVersion = 2

const (
	every = 500 * time.Millisecond // orders and beats, when nothing changes

	// Lost is for how long nothing has to be heard of a worker for it to be lost. A process that is stopped, or a
	// machine that is cut off, is no longer the load that it should be after a tenth of that; less would take a busy
	// machine for a lost one.
	Lost = 5 * time.Second

	// Orphaned is for how long a worker goes on with a level whose coordinator is not heard of, while its connection
	// stands. Whoever starts a coordinator again within it finds the level under way, or its result.
	Orphaned = time.Minute
)

// A phase is how far a session is: what the coordinator wants, and what a worker has come to. A session is one attempt
// at a level.
type phase string

const (
	idle    phase = "idle"    // of a worker: it has no session
	prepare phase = "prepare" // make the target
	arm     phase = "arm"     // open connections
	run     phase = "run"     // load the server, from the moment in the order on
	drain   phase = "drain"   // issue no more requests
	stop    phase = "stop"    // and cancel those that are in flight

	prepared phase = "prepared"
	armed    phase = "armed"
	running  phase = "running"
	stored   phase = "stored" // of a worker: its result can be read
	failed   phase = "failed" // of a worker: it says why
)

// An order is what a coordinator wants, for example:
//
//	{"version":2,"term":7,"seq":41,"holder":"host/4711","session":"Ab3…","phase":"run","shards":{"x9…":0},"at_ns":1754…,"clocks":{…}}
type order struct {
	Version int    `json:"version"`
	Term    uint64 `json:"term"`
	Seq     uint64 `json:"seq"` // of the term's orders: one that is late is not obeyed
	Holder  string `json:"holder"`
	Session string `json:"session,omitempty"` // "": none; whoever has one ends it,
	Hold    bool   `json:"hold,omitempty"`    // unless it is to go on: the coordinator does not know yet what it wants
	Phase   phase  `json:"phase,omitempty"`

	Shards map[string]int                 `json:"shards,omitempty"` // of each instance that takes part
	At     int64                          `json:"at_ns,omitempty"`  // when it starts, in Unix ns by the coordinator's clock
	Clocks map[string]loadgen.ClockOffset `json:"clocks,omitempty"` // of each instance to the coordinator's
	Told   bool                           `json:"records,omitempty"`
}

// A beat is what a worker is and does.
type beat struct {
	Version  int     `json:"version"`
	Instance string  `json:"instance"` // of this start of the worker, unlike any other
	Name     string  `json:"name"`
	Program  string  `json:"program"` // its version
	Build    string  `json:"build"`
	CPUs     float64 `json:"cpus"`

	Sustains       float64 `json:"sustains,omitempty"`        // requests/s
	SustainsChunks float64 `json:"sustains_chunks,omitempty"` // chunks/s

	Session  string           `json:"session,omitempty"`
	Phase    phase            `json:"phase"`
	Why      string           `json:"why,omitempty"`      // it failed
	Workload string           `json:"workload,omitempty"` // what it would send, once it is prepared
	Progress loadgen.Progress `json:"progress,omitzero"`

	Term uint64 `json:"term,omitempty"` // the latest that it knows
	Seq  uint64 `json:"seq"`            // of the instance's beats: one that is late says nothing
	Left bool   `json:"left,omitempty"` // it ends, as its last words
}

// errMessage is what a message that is none of ours comes to.
var errMessage = errors.New("this is no message of a fleet")

// decode takes apart what came from outside: one JSON value with no field that we do not know, unless it is a beat, by
// which a worker of another version is known.
func decode(data []byte, v any) error {
	in := json.NewDecoder(bytes.NewReader(data))
	if _, any := v.(*beat); !any {
		in.DisallowUnknownFields()
	}
	if err := in.Decode(v); err != nil {
		return errMessage
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return errMessage
	}
	return nil
}

// mostName and mostWhy bound what a worker says of itself, in bytes.
const (
	mostName = 128
	mostWhy  = 2000
)

// valid is false for what no worker says. What it says is shown to people, so that it is text that does nothing to a
// terminal; why it failed may be anything, and is made such text.
func (b *beat) valid(subject string, n names) bool {
	b.Why = shown(b.Why)
	for _, text := range []string{b.Instance, b.Name, b.Program, b.Build, b.Workload, b.Session, string(b.Phase)} {
		if len(text) > mostName || shown(text) != text {
			return false
		}
	}
	return b.Version > 0 && b.Instance != "" && subject == n.beat(b.Instance) && b.Name != "" && len(b.Why) <= mostWhy
}

// shown is a text with a space in the place of each character that is not to be seen.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}
