package protocol

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/servegauge/servegauge/envinfo"
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
	Starts       []Start              `json:"starts"`
	Measurements []Measurement        `json:"measurements"`
	Stops        []Stop               `json:"stops,omitempty"`

	Complete bool   `json:"complete"`        // the design was carried out to its end
	Error    string `json:"error,omitempty"` // why not, where that is known
}

// add takes over a journal's entry: the experiment is what its journal says.
func (e *Experiment) add(entry Entry) {
	switch {
	case entry.Begin != nil:
		b := entry.Begin
		e.Time, e.Tool, e.Design, e.Workload, e.Environment = entry.Time, b.Tool, b.Design, b.Workload, b.Environment
	case entry.Start != nil:
		e.Starts = append(e.Starts, *entry.Start)
	case entry.Stop != nil:
		e.Stops = append(e.Stops, *entry.Stop)
	case entry.Measurement != nil:
		e.Measurements = append(e.Measurements, *entry.Measurement)
		if e.Workload == nil {
			e.Workload = entry.Measurement.Sent
		}
	case entry.End != nil:
		e.Error = entry.End.Error
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
