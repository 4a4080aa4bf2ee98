package protocol

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/internal/wholefile"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
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
	Client      *ClientCheck `json:"client,omitempty"`
	Start       *Start       `json:"start,omitempty"`
	Trace       *TracePart   `json:"trace,omitempty"`
	Measurement *Measurement `json:"measurement,omitempty"`
	Rewarm      *Measurement `json:"rewarm,omitempty"`
	Stop        *Stop        `json:"stop,omitempty"`
	Resume      *Resume      `json:"resume,omitempty"`
	End         *End         `json:"end,omitempty"`
}

// Begin opens a journal.
type Begin struct {
	Tool        string               `json:"tool,omitempty"` // [Tool] of the program that measured; "": of before it was noted
	Design      json.RawMessage      `json:"design"`         // as JSON, whatever design it was
	Environment *envinfo.Environment `json:"environment"`

	// Workload is what all steps sent. Only journals of before [Measurement.Sent] have it.
	Workload *workload.Description `json:"workload,omitempty"`
}

// A Start is a start of the server, from the stop of the one before until it was ready.
type Start struct {
	Run      int           `json:"run"`
	Arm      string        `json:"arm,omitempty"`
	Instance string        `json:"instance"`      // [Identity.Proof]
	URL      string        `json:"url,omitempty"` // [PublicURL] of [Instance.URL]
	Ready    time.Duration `json:"ready_ns"`      // from the start to readiness

	Identity *Identity `json:"identity,omitempty"` // nil: nothing tells
	Path     *Path     `json:"path,omitempty"`     // nil: not known

	// Asked is what was asked for, and Server what there is instead, as the server and its container say. nil: neither.
	Asked  json.RawMessage      `json:"asked,omitempty"`
	Server *envinfo.Environment `json:"server,omitempty"`

	Warnings []loadgen.Warning `json:"warnings,omitempty"`
}

// End closes a journal. One without it was cut off.
type End struct {
	Error string `json:"error,omitempty"` // why the experiment did not finish, "" when it did

	// Shortened says what a design that finished left out of itself, such as runs for which its budget had no time.
	Shortened string `json:"shortened,omitempty"`
}

// journal appends entries to a file. Each is one write, synced before it is reported as written, so that what a
// crash leaves is whole up to its last line.
type journal struct {
	file   *os.File
	lock   *flock.Flock
	size   int64           // of the entries that were written whole
	failed error           // once writing has failed; nothing is written after that
	traces map[string]bool // that it has
}

// lockFile is held by the process that writes the journal. A lock goes with its process, however that ends.
const lockFile = "journal.lock"

// A BusyError says that another process writes to an experiment's directory.
type BusyError struct{ Dir string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("output directory %s: another process is writing an experiment there; wait for it, or give "+
		"another", e.Dir)
}

// openJournal makes dir and opens the journal in it for writing, with the experiment that it holds, nil where it
// holds none. An attempt that came to nothing, such as one whose server did not start or that ended in its warmup, is
// none, and makes way; so does half a line that a crash has left. Without resume an experiment that was measured is an error: nothing takes
// its place.
func openJournal(dir string, resume bool) (j *journal, before *Experiment, err error) {
	if resume {
		if _, err := os.Stat(filepath.Join(dir, JournalFile)); err != nil {
			return nil, nil, fmt.Errorf("nothing to resume: %w", err)
		}
	} else if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, nil, fmt.Errorf("output directory: %w; give one that can be written to", err)
	}
	if foreign := foreignFiles(dir); foreign != nil && !resume {
		return nil, nil, foreign
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	held, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("output directory: %w; give one that can be written to", err)
	case !held:
		return nil, nil, &BusyError{dir}
	}
	defer func() {
		if err != nil {
			_ = lock.Close()
		}
	}()
	file, err := os.OpenFile(filepath.Join(dir, JournalFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, nil, fmt.Errorf("output directory: %w; give one that can be written to", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close()
		}
	}()
	before, told, size, err := readJournal(file)
	switch {
	case errors.Is(err, errEmptyJournal):
		before, size = nil, 0
	case err != nil && resume:
		return nil, nil, fmt.Errorf("%s: %w", dir, err)
	case err != nil:
		return nil, nil, fmt.Errorf("output directory %s holds an experiment that cannot be read; give another: %w",
			dir, err)
	case !resume && (before.Complete || before.Measured()):
		return nil, nil, &TakenError{Dir: dir}
	case !resume:
		before, size = nil, 0
	}
	if resume && before == nil {
		return nil, nil, fmt.Errorf("nothing to resume: the journal in %s is empty", dir)
	}
	if err := file.Truncate(size); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	if _, err := file.Seek(size, io.SeekStart); err != nil {
		return nil, nil, fmt.Errorf("journal: %w", err)
	}
	if d, err := os.Open(dir); err == nil { // so that the file's name survives a crash as well
		_ = d.Sync()
		_ = d.Close()
	}
	j = &journal{file: file, lock: lock, size: size, traces: map[string]bool{}}
	if before != nil {
		for sha256 := range told.whole {
			j.traces[sha256] = true
		}
	}
	return j, before, nil
}

func (j *journal) append(e Entry) error {
	if j == nil {
		return nil
	}
	for _, measured := range []**Measurement{&e.Measurement, &e.Rewarm} {
		if *measured == nil {
			continue
		}
		m := **measured
		for _, level := range []*loadgen.Level{&m.Step.Level, &m.Result.Level} {
			if sha256, trace := refer(level); sha256 != "" {
				if err := j.trace(sha256, trace); err != nil {
					return err
				}
			}
		}
		*measured = &m
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
		j.failed = errors.Join(fmt.Errorf("journal: %w; what was measured before is kept", err),
			j.file.Truncate(j.size))
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
	j.traces[sha256] = true
	return nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return errors.Join(j.file.Close(), j.lock.Close())
}

// maxEntry bounds a line of a journal that is read: many times what a level writes.
const maxEntry = 64 << 20

var errEmptyJournal = errors.New("journal: it is empty")

// ReadJournal reads an experiment from a journal. A last line that a crash cut off is left out, and the experiment
// is then incomplete, as it is when the journal has no end. Any other line that is not an entry is an error that
// names it.
func ReadJournal(r io.Reader) (*Experiment, error) {
	e, _, _, err := readJournal(r)
	return e, err
}

// readJournal also returns the traces that it has told, and how many bytes the whole lines are.
func readJournal(r io.Reader) (e *Experiment, told traces, size int64, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	e = &Experiment{}
	for n := 1; ; n++ {
		line, length, err := readLine(in)
		if errors.Is(err, io.EOF) { // whatever stands after the last newline was not written whole
			if n == 1 {
				return nil, told, 0, errEmptyJournal
			}
			return e, told, size, nil
		}
		if err != nil {
			return nil, told, 0, fmt.Errorf("journal line %d: %w", n, err)
		}
		entry, err := readEntry(line)
		if _, other := errors.AsType[*SchemaError](err); err != nil && n > 1 && !other {
			return nil, told, 0, fmt.Errorf("journal line %d: %w; the %d before it can be read: to go on from there, "+
				"keep them alone in a copy of the directory (head -n %[3]d)", n, err, n-1)
		}
		if err != nil {
			return nil, told, 0, fmt.Errorf("journal line %d: %w", n, err)
		}
		if (n == 1) != (entry.Begin != nil) {
			return nil, told, 0, fmt.Errorf("journal line %d: the first line, and no other, begins an experiment", n)
		}
		if entry.Trace != nil {
			err = told.add(*entry.Trace)
		}
		for _, m := range []*Measurement{entry.Measurement, entry.Rewarm} {
			if m != nil {
				err = errors.Join(err, told.restore(&m.Step.Level), told.restore(&m.Result.Level))
			}
		}
		if err != nil {
			return nil, told, 0, fmt.Errorf("journal line %d: %w", n, err)
		}
		e.add(entry)
		size += int64(length)
	}
}

// A SchemaError says that a journal, or a file of results, is of another version than this one reads.
type SchemaError struct {
	Schema int    // 0: it says none
	Tool   string // that wrote it, where that is known
	Reads  int    // the version that this one reads
}

func (e *SchemaError) Error() string {
	if e.Schema == 0 {
		return "it is no line of an experiment's journal, which says its schema"
	}
	by := ""
	if e.Tool != "" {
		by = ", written by " + e.Tool
	}
	return fmt.Sprintf("schema %d%s, and this version reads %d; read it with the version that wrote it",
		e.Schema, by, e.Reads)
}

// readEntry reads a line of a journal. Its version comes first: nothing else of a line of another one means what it
// does here.
func readEntry(line []byte) (e Entry, err error) {
	var version struct {
		Schema int
		Begin  struct{ Tool string }
	}
	if err := json.Unmarshal(line, &version); version.Schema != SchemaVersion && (err == nil || version.Schema != 0) {
		return e, &SchemaError{version.Schema, version.Begin.Tool, SchemaVersion}
	}
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	of := 0
	for _, set := range []bool{
		e.Begin != nil, e.Client != nil, e.Start != nil, e.Trace != nil, e.Measurement != nil, e.Rewarm != nil,
		e.Stop != nil, e.Resume != nil, e.End != nil,
	} {
		if set {
			of++
		}
	}
	if of > 1 { // none: of a kind that came later, and is passed over
		return e, fmt.Errorf("it is of %d things, and a line is of one", of)
	}
	return e, nil
}

// readLine returns a line without its end, and how many bytes it has with it.
func readLine(in *bufio.Reader) (line []byte, length int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxEntry:
			return nil, 0, fmt.Errorf("it is longer than %d MiB", maxEntry>>20)
		case err == nil:
			return bytes.TrimSpace(line), len(line), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, 0, err
		}
	}
}

// writeJSON writes v to a file in dir, which appears whole or not at all.
func writeJSON(dir, name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return wholefile.WriteIn(dir, name, append(text, '\n'))
}
