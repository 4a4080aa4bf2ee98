package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/servegauge/servegauge/internal/wholefile"
	"github.com/servegauge/servegauge/protocol"
)

// A Format is a kind of result file.
type Format struct {
	Name string

	// Write writes an experiment and its analysis, each file where create makes one of a name with slashes. The same
	// experiment gives the same bytes. nil: it is not written.
	Write func(create func(name string) (io.WriteCloser, error), e *protocol.Experiment, a *protocol.Analysis) error

	// Read reads all results of this format in a folder. [errors.ErrUnsupported]: there are none. nil: it is not read.
	Read func(fs.FS) (*protocol.Experiment, error)
}

// All are the formats that there are.
func All() []Format {
	return []Format{
		CSV, Benchstat, VLLM, LLMD, OpenMetrics, SGLang, AIPerf, GuideLLM, GenAIBench, InferencePerf, EvalScope,
	}
}

// Write writes an experiment in each of the formats, which must be some that are written, into a directory that there
// is. A file that is there already is replaced.
func Write(dir string, e *protocol.Experiment, a *protocol.Analysis, formats ...Format) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range formats {
		if f.Write == nil {
			return fmt.Errorf("format %s is read and not written", f.Name)
		}
		var files []*file
		create := func(name string) (io.WriteCloser, error) {
			files = append(files, &file{name: name})
			return files[len(files)-1], nil
		}
		err := f.Write(create, e, a)
		for _, made := range files { // once they are whole
			if err == nil {
				err = made.save(root)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: format %s: %w", dir, f.Name, err)
		}
	}
	return nil
}

// A file is one that a format writes.
type file struct {
	bytes.Buffer
	name string // with slashes
}

func (*file) Close() error { return nil }

func (f *file) save(root *os.Root) error {
	if folder, _, deeper := strings.Cut(f.name, "/"); deeper {
		if err := root.Mkdir(folder, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return wholefile.Write(root, filepath.FromSlash(f.name), f.Bytes())
}

// writeFile creates a file, has it written, and closes it.
func writeFile(create func(string) (io.WriteCloser, error), name string, write func(io.Writer) error) error {
	file, err := create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// Open reads the experiment that a folder holds: one of ours, by its journal, or the results of another tool, by what
// is in the files. The path of a single result file will do. An [*UnknownError] says that it is neither.
func Open(path string) (*protocol.Experiment, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return open(filepath.Dir(path), filepath.Base(path), path)
	}
	if _, err := os.Stat(filepath.Join(path, protocol.JournalFile)); err == nil {
		return protocol.ReadExperiment(path)
	}
	return open(path, "", path)
}

func open(dir, only, path string) (*protocol.Experiment, error) {
	if only == protocol.JournalFile {
		return protocol.ReadExperiment(dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	e, err := read(root.FS(), only, tools...)
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, &UnknownError{Path: path, Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// Restarted says of an experiment that was imported that each of its runs had a server that was started anew for it,
// which no tool's file shows: who calls it answers for that. The intervals are then those of restarts.
func Restarted(e *protocol.Experiment) {
	for i := range e.Measurements {
		s := e.Measurements[i].Step
		e.Measurements[i].Instance = strings.TrimSpace(fmt.Sprintf("the server of run %d, as told %s", s.Run, s.Arm))
	}
}

// An UnknownError says that a path holds no results that can be read.
type UnknownError struct {
	Path string
	Err  error // wraps [errors.ErrUnsupported]
}

func (e *UnknownError) Unwrap() error { return e.Err }

func (e *UnknownError) Error() string {
	var names []string
	for _, t := range tools {
		names = append(names, t.about)
	}
	return fmt.Sprintf("%s: %v; want the -out directory of an experiment (with %s), or results of %s or %s",
		e.Path, e.Err, protocol.JournalFile, strings.Join(names[:len(names)-1], ", "), names[len(names)-1])
}

// A MixedError says that a folder holds results of several tools, which are no replicates of each other.
type MixedError struct{ Tools []string }

func (e *MixedError) Error() string {
	return fmt.Sprintf("results of %s lie together: want a folder with those of one tool, since each measures in "+
		"its own way",
		strings.Join(e.Tools, " and "))
}

// A FileError says which value of a tool's file cannot be what it says.
type FileError struct {
	File  string // and the line, where it has several results
	Key   string
	Value any
	Want  string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s: %s is %v: want %s; mend the file, or leave it out", e.File, e.Key, e.Value, e.Want)
}
