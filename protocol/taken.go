package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A TakenError says that an output directory is taken: by an experiment, which nothing takes the place of, or by
// files of something else, which an experiment would be mixed with or written over.
type TakenError struct {
	Dir   string
	Files []string // of something else; none: it holds an experiment
}

func (e *TakenError) Error() string {
	if len(e.Files) == 0 {
		return fmt.Sprintf("output directory %s holds an experiment already; resume it, give another, or remove it",
			e.Dir)
	}
	named := e.Files[:min(len(e.Files), 3)]
	text := listOf(named)
	if more := len(e.Files) - len(named); more > 0 {
		text = fmt.Sprintf("%s and %d more", strings.Join(named, ", "), more)
	}
	return fmt.Sprintf("output directory %s holds files that are of no experiment there (%s) and would be written "+
		"over; give another, "+
		"or take them away", e.Dir, text)
}

// written are the names that an experiment's files have, and those of its reports, which would be written over.
var written = []string{
	PlanFile, JournalFile, EnvironmentFile, ResultsFile, RequestsFile, "report.html", "report.md", "report.txt",
	"levels.csv", "runs.csv",
	"benchstat.txt", "metrics.prom", "vllm", "llm-d",
}

// foreignFiles is a [*TakenError] where a directory without a journal holds a file by the name of an experiment's,
// which no attempt at one has left there. Nothing is written to such a one. Notes and other files may stay beside an
// experiment.
func foreignFiles(dir string) error {
	begun, err := begins(filepath.Join(dir, JournalFile))
	if err != nil || begun == journalBegun {
		return err
	}
	var foreign []string
	for _, name := range written {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil &&
			(name != JournalFile || begun == journalForeign) {
			foreign = append(foreign, name)
		}
	}
	if foreign != nil {
		return &TakenError{Dir: dir, Files: foreign}
	}
	return nil
}

// How a journal's file begins.
const (
	journalForeign = iota // as one of something else
	journalEmpty          // with nothing, or with less than tells
	journalBegun          // as a journal does
)

// begins tells how a file begins: with {"schema":, of which a crash may have left a part, or zeros in its place.
func begins(name string) (int, error) {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return journalEmpty, nil
	} else if err != nil {
		return 0, fmt.Errorf("output directory: %w; give one that can be written to", err)
	}
	defer file.Close()
	const begin = `{"schema":`
	half := make([]byte, len(begin))
	n, err := io.ReadFull(file, half)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, fmt.Errorf("journal: %w", err)
	}
	switch half = half[:n]; {
	case string(half) == begin:
		return journalBegun, nil
	case strings.HasPrefix(begin, string(bytes.TrimRight(half, "\x00"))):
		return journalEmpty, nil
	}
	return journalForeign, nil
}
