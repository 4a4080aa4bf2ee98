package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/protocol"
)

// A Side is what is compared: one experiment, or several that measured the same in the same way.
type Side struct {
	Name  string
	Parts []Part
}

// A Part is one experiment of a side.
type Part struct {
	Name     string
	Analysis *protocol.Analysis

	// Client is the environment where the client was, Server that of the server's host and the server, at its first
	// start. nil: not known.
	Client, Server *envinfo.Environment
}

// Of is the side of experiments that a program has.
func Of(name string, experiments ...*protocol.Experiment) *Side {
	s := &Side{Name: name}
	for i, e := range experiments {
		part := name
		if len(experiments) > 1 {
			part = fmt.Sprintf("%s, experiment %d", name, i+1)
		}
		s.Parts = append(s.Parts, partOf(part, e))
	}
	return s
}

func partOf(name string, e *protocol.Experiment) Part {
	p := Part{Name: name, Analysis: protocol.Analyze(e), Client: e.Environment}
	if i := slices.IndexFunc(e.Starts, func(s protocol.Start) bool { return s.Server != nil }); i >= 0 {
		p.Server = e.Starts[i].Server
	}
	return p
}

// A SideError says that there is no experiment where one was to be.
type SideError struct {
	Path string
	Err  error
}

func (e *SideError) Error() string { return e.Path + ": " + e.Err.Error() }

func (e *SideError) Unwrap() error { return e.Err }

var errNone = fmt.Errorf("it holds no experiment: want a folder with %s or %s, or one with several of those",
	protocol.JournalFile, protocol.ResultsFile)

// Read reads a side: a folder with a journal or with results, a folder of such folders, or one of these files. Where
// there are both the journal is read, which is the truth that the results were derived from. Errors are [*SideError].
func Read(path string) (*Side, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, &SideError{path, errors.Unwrap(err)}
	}
	side := &Side{Name: filepath.Clean(path)}
	if !info.IsDir() {
		if !info.Mode().IsRegular() {
			return nil, &SideError{path, errNone}
		}
		part, err := readFile(path)
		if err != nil {
			return nil, &SideError{path, err}
		}
		side.Parts = []Part{*part}
		return side, nil
	}
	part, err := readFolder(path)
	switch {
	case err == nil:
		side.Parts = []Part{*part}
		return side, nil
	case !errors.Is(err, errNone):
		return nil, &SideError{path, err}
	}
	inside, err := os.ReadDir(path)
	if err != nil {
		return nil, &SideError{path, err}
	}
	for _, entry := range inside {
		if !entry.IsDir() {
			continue
		}
		below := filepath.Join(path, entry.Name())
		switch part, err := readFolder(below); {
		case err == nil:
			side.Parts = append(side.Parts, *part)
		case !errors.Is(err, errNone):
			return nil, &SideError{below, err}
		}
	}
	if len(side.Parts) == 0 {
		return nil, &SideError{path, errNone}
	}
	return side, nil
}

// readFolder reads the experiment of one folder; errNone: it has none.
func readFolder(dir string) (*Part, error) {
	for _, name := range []string{protocol.JournalFile, protocol.ResultsFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no file", name)
		}
		return readFile(filepath.Join(dir, name))
	}
	return nil, errNone
}

// readFile reads a journal or results, by what their names end in.
func readFile(path string) (*Part, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	dir := filepath.Dir(path)
	if filepath.Ext(path) == filepath.Ext(protocol.JournalFile) {
		e, err := protocol.ReadJournal(file)
		if err != nil {
			return nil, err
		}
		part := partOf(dir, e)
		return &part, nil
	}
	a, err := protocol.ReadResults(file)
	if err != nil {
		return nil, err
	}
	part := &Part{Name: dir, Analysis: a}
	part.Client, err = readEnvironment(filepath.Join(dir, protocol.EnvironmentFile), a.Host)
	return part, err
}

// maxEnvironment bounds what is read of an environment.
const maxEnvironment = 16 << 20

// readEnvironment reads the environment beside a file of results, nil where it is not there or is that of another
// experiment.
func readEnvironment(path, hash string) (*envinfo.Environment, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxEnvironment))
	if err != nil {
		return nil, err
	}
	e := &envinfo.Environment{}
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fmt.Errorf("%s: %w", protocol.EnvironmentFile, err)
	}
	if e.Hash() != hash {
		return nil, nil
	}
	return e, nil
}
