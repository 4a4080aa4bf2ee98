package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
)

// Names of the files in an experiment's directory.
const (
	PlanFile        = "plan.json"
	JournalFile     = "journal.jsonl"
	EnvironmentFile = "environment.json"
	ResultsFile     = "results.json"
)

// SchemaVersion is the version of the shape of a journal line. It changes when a reader of the old shape would read
// the new one wrongly.
const SchemaVersion = 1

// An Entry is one line of the journal. Exactly one of its pointers is set.
type Entry struct {
	Schema      int          `json:"schema"`
	Time        time.Time    `json:"time"`
	Begin       *Begin       `json:"begin,omitempty"`
	Start       *Start       `json:"start,omitempty"`
	Trace       *TracePart   `json:"trace,omitempty"`
	Measurement *Measurement `json:"measurement,omitempty"`
	End         *End         `json:"end,omitempty"`
}

// Begin opens a journal.
type Begin struct {
	Design      json.RawMessage      `json:"design"`             // as JSON, whatever design it was
	Workload    *Workload            `json:"workload,omitempty"` // nil: not stated
	Environment *envinfo.Environment `json:"environment"`
}

// A Start is a start of the server, from the stop of the one before until it was ready.
type Start struct {
	Run      int           `json:"run"`
	Arm      string        `json:"arm,omitempty"`
	Instance string        `json:"instance"`      // [Instance.ID]
	URL      string        `json:"url,omitempty"` // [PublicURL] of [Instance.URL]
	Ready    time.Duration `json:"ready_ns"`      // from the start to readiness
}

// End closes a journal. One without it was cut off.
type End struct {
	Error string `json:"error,omitempty"` // why the experiment did not finish, "" when it did
}

// journal appends entries to a file. Each is one write, synced before it is reported as written, so that what a
// crash leaves is whole up to its last line.
type journal struct {
	file   *os.File
	size   int64           // of the entries that were written whole
	failed error           // once writing has failed; nothing is written after that
	traces map[string]bool // that it has
}

// createJournal makes dir and a new journal in it. It never takes the place of one in which something was measured; one
// of an attempt that came to nothing, such as a server that did not start, makes way.
func createJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("output directory: %w; give one that can be written to", err)
	}
	path := filepath.Join(dir, JournalFile)
	if before, err := ReadExperiment(dir); err == nil && len(before.Measurements) == 0 && !before.Complete {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("output directory: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("output directory %s holds an experiment already; give another, or remove it", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("output directory: %w; give one that can be written to", err)
	}
	if d, err := os.Open(dir); err == nil { // so that the file's name survives a crash as well
		_ = d.Sync()
		_ = d.Close()
	}
	return &journal{file: file}, nil
}

func (j *journal) append(e Entry) error {
	if j == nil {
		return nil
	}
	if e.Measurement != nil {
		m := *e.Measurement
		for _, level := range []*loadgen.Level{&m.Step.Level, &m.Result.Level} {
			if sha256, trace := refer(level); sha256 != "" {
				if err := j.trace(sha256, trace); err != nil {
					return err
				}
			}
		}
		e.Measurement = &m
	}
	line, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if j.failed != nil {
		return j.failed
	}
	n, err := j.file.Write(append(line, '\n'))
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		// A part of a line, as a full disk leaves it, would make the next one unreadable.
		j.failed = errors.Join(fmt.Errorf("journal: %w", err), j.file.Truncate(j.size))
		return j.failed
	}
	j.size += int64(n)
	return nil
}

// trace writes a trace, unless the journal has it.
func (j *journal) trace(sha256 string, trace []time.Duration) error {
	if j == nil || j.traces[sha256] {
		return nil
	}
	for _, part := range partsOf(sha256, trace) {
		if err := j.append(Entry{Schema: SchemaVersion, Time: time.Now().UTC(), Trace: &part}); err != nil {
			return err
		}
	}
	if j.traces == nil {
		j.traces = map[string]bool{}
	}
	j.traces[sha256] = true
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.file.Close()
}

// maxEntry bounds a line of a journal that is read: many times what a level writes.
const maxEntry = 64 << 20

// ReadJournal reads an experiment from a journal. A last line that a crash cut off is left out, and the experiment
// is then incomplete, as it is when the journal has no end. Any other line that is not an entry is an error that
// names it.
func ReadJournal(r io.Reader) (*Experiment, error) {
	in := bufio.NewReaderSize(r, 1<<20)
	e := &Experiment{}
	var traces traces
	for n := 1; ; n++ {
		line, err := readLine(in)
		if errors.Is(err, io.EOF) { // whatever stands after the last newline was not written whole
			if n == 1 {
				return nil, errors.New("journal: it is empty")
			}
			return e, nil
		}
		if err != nil {
			return nil, fmt.Errorf("journal line %d: %w", n, err)
		}
		var entry Entry
		if err := json.Unmarshal(line, &entry); err != nil {
			return nil, fmt.Errorf("journal line %d: %w", n, err)
		}
		if entry.Schema != SchemaVersion {
			return nil, fmt.Errorf("journal line %d: schema %d, and this version reads %d", n, entry.Schema, SchemaVersion)
		}
		if (n == 1) != (entry.Begin != nil) {
			return nil, fmt.Errorf("journal line %d: the first line, and no other, begins an experiment", n)
		}
		if entry.Trace != nil {
			err = traces.add(*entry.Trace)
		}
		if m := entry.Measurement; m != nil {
			err = errors.Join(traces.restore(&m.Step.Level), traces.restore(&m.Result.Level))
		}
		if err != nil {
			return nil, fmt.Errorf("journal line %d: %w", n, err)
		}
		e.add(entry)
	}
}

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxEntry:
			return nil, fmt.Errorf("it is longer than %d MiB", maxEntry>>20)
		case err == nil:
			return bytes.TrimSpace(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// writeJSON writes v to a file in dir, which appears whole or not at all.
func writeJSON(dir, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	temporary, err := os.CreateTemp(dir, name+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(text, '\n'))
	if err == nil {
		err = temporary.Sync()
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Chmod(temporary.Name(), 0o644)
	}
	if err == nil {
		err = os.Rename(temporary.Name(), filepath.Join(dir, name))
	}
	return err
}
