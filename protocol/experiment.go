package protocol

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// An Experiment is everything that was measured by one design, in the order in which it was.
type Experiment struct {
	Tool   string          `json:"tool,omitempty"` // [Tool] of the program that measured
	Time   time.Time       `json:"time"`           // when it began
	Design json.RawMessage `json:"design"`

	// Workload is what was sent: what the first measurement says of it, each of which has its own. nil: not stated.
	Workload *workload.Description `json:"workload,omitempty"`

	Environment  *envinfo.Environment `json:"environment"`
	Clients      []ClientCheck        `json:"clients,omitempty"` // one at the beginning, and one each time it was taken up again
	Starts       []Start              `json:"starts"`
	Measurements []Measurement        `json:"measurements"`
	Stops        []Stop               `json:"stops,omitempty"`

	// Resumes are the times at which the experiment was taken up again, after an end or a crash. Rewarms are the
	// discarded steps that were repeated then, because the server was new in the middle of a run. Superseded are
	// measurements that were cut short and made again.
	Resumes    []Resume      `json:"resumes,omitempty"`
	Rewarms    []Measurement `json:"rewarms,omitempty"`
	Superseded []Measurement `json:"superseded,omitempty"`

	Complete bool   `json:"complete"`        // the design was carried out to its end
	Error    string `json:"error,omitempty"` // why not, where that is known

	Shortened string `json:"shortened,omitempty"` // what a design that finished left out, such as runs beyond its budget

	// Import says that another tool measured, and what its files left open; nil: this library measured.
	Import *Import `json:"import,omitempty"`
}

// An Import says where an experiment was read from that another tool had measured. Its measurements have the figures
// that the tool printed, with the tool's own definitions, and no steady window.
type Import struct {
	Format   string            `json:"format"`             // the name of the format: "vllm"
	Files    int               `json:"files"`              // that measurements were found in
	Warnings []loadgen.Warning `json:"warnings,omitempty"` // what the files leave open, and what was passed over
}

// Measured reports whether there is a step that counts, even one that was cut short: more than warmups.
func (e *Experiment) Measured() bool {
	return len(e.Superseded) > 0 || slices.ContainsFunc(e.Measurements, func(m Measurement) bool { return !m.Step.Discard })
}

// requestsSize is how long the file of requests is up to the latest step that is in the journal.
func (e *Experiment) requestsSize() (size int64) {
	for _, steps := range [][]Measurement{e.Measurements, e.Rewarms, e.Superseded} {
		for _, m := range steps {
			size = max(size, m.Requests)
		}
	}
	return size
}

// add takes over a journal's entry: the experiment is what its journal says.
func (e *Experiment) add(entry Entry) {
	switch {
	case entry.Begin != nil:
		b := entry.Begin
		e.Time, e.Tool, e.Design, e.Workload, e.Environment = entry.Time, b.Tool, b.Design, b.Workload, b.Environment
	case entry.Client != nil:
		e.Clients = append(e.Clients, *entry.Client)
	case entry.Start != nil:
		e.Starts = append(e.Starts, *entry.Start)
	case entry.Stop != nil:
		e.Stops = append(e.Stops, *entry.Stop)
	case entry.Measurement != nil:
		e.Measurements = append(e.Measurements, *entry.Measurement)
		if e.Workload == nil {
			e.Workload = entry.Measurement.Sent
		}
	case entry.Rewarm != nil:
		e.Rewarms = append(e.Rewarms, *entry.Rewarm)
	case entry.Resume != nil:
		e.resume(entry.Resume)
	case entry.End != nil:
		e.Error, e.Shortened = entry.End.Error, entry.End.Shortened
		e.Complete = entry.End.Error == ""
	}
}

// ReadExperiment reads the experiment whose journal lies in dir.
func ReadExperiment(dir string) (*Experiment, error) {
	file, err := os.Open(filepath.Join(dir, JournalFile))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	e, err := ReadJournal(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return e, nil
}
