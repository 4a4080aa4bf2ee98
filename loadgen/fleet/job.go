package fleet

import (
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Job is a level that a fleet is to measure, and all that its workers are told of it. There is no secret in it: what a
// server wants to let a worker in is in the worker's own environment.
type Job struct {
	URL   string        `json:"url"` // of the server; each worker has to allow it ([Worker.Allow])
	Spec  workload.Spec `json:"spec"`
	Level loadgen.Level `json:"level"` // the whole, whose shards are the coordinator's affair

	// Options is what else a worker's Target has to know of how to ask, such as the endpoint, and the SHA-256 of each file
	// that it then opens ([Files]): a matter between the programs. nil: nothing.
	Options json.RawMessage `json:"options,omitempty"`

	// Gauge says that the server is no limit, so that what a worker does of this level is what its client sustains
	// ([Worker.Sustains]) in the levels that follow.
	Gauge bool `json:"gauge,omitempty"`

	// ID names the level to a coordinator that starts again: it takes up the level of the same ID that it left, with the
	// results that there are by then. It must be another for anything else that is measured, such as the same level on
	// another start of the server. "": nothing is taken up.
	ID string `json:"id,omitempty"`
}

var sha256Text = regexp.MustCompile(`^[0-9a-f]{64}$`)

// shards are how many the level can be split into, of so many workers: each has to have something to do.
func (j *Job) shards(workers int) int {
	l := j.Level
	for l.Shards = workers; l.Shards > 1; l.Shards-- {
		if l.Validate() == nil {
			break
		}
	}
	return max(l.Shards, 1)
}

// validate returns an error for a job that cannot be split into so many shards.
func (j *Job) validate(shards int) error {
	switch {
	case j.Level.Shards > 0:
		return &loadgen.InvalidError{Field: "shards", Value: j.Level.Shards, Want: "0: a fleet makes the shards itself"}
	}
	if _, err := origin(j.URL); err != nil {
		return err
	}
	l := j.Level
	l.Shards = shards
	return l.Validate()
}

// DefaultFleet is the name of a fleet that nobody has named.
const DefaultFleet = "default"

var fleetName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// names are the subjects and the stores of a fleet.
type names struct{ fleet string }

func namesOf(fleet string) (names, error) {
	if fleet == "" {
		fleet = DefaultFleet
	}
	if !fleetName.MatchString(fleet) {
		return names{}, &loadgen.InvalidError{Field: "fleet", Value: fmt.Sprintf("%.80q", fleet),
			Want: "a name of 1 to 64 letters, digits, _ and -"}
	}
	return names{fleet}, nil
}

func (n names) subject(what string) string    { return "servegauge." + n.fleet + "." + what }
func (n names) order() string                 { return n.subject("order") }
func (n names) beat(instance string) string   { return n.subject("beat." + instance) }
func (n names) clock(instance string) string  { return n.subject("clock." + instance) }
func (n names) records(session string) string { return n.subject("records." + session) }
func (n names) store() string                 { return "servegauge-" + n.fleet }
func (n names) files() string                 { return n.store() + "-datasets" }
func (n names) kept(what string) string       { return n.subject("kept." + what) }
func (n names) level(id string) string        { return n.kept("level." + digest(id)) }
func (n names) job(session string) string     { return n.kept("job." + session) }
func (n names) result(session string, shard int) string {
	return n.kept(fmt.Sprintf("result.%s.%d", session, shard))
}
