package program

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A sending is what is sent, as flags say it. It is plain data, which travels to the workers of a fleet; what it comes to
// is made in one place, for them as for this process ([sending.apply]).
type sending struct {
	Prefix     int  `json:"prefix,omitempty"`
	Text       bool `json:"text,omitempty"`
	Vocabulary int  `json:"vocabulary,omitempty"`

	Sessions bool   `json:"sessions,omitempty"`    // of random words
	Turns    string `json:"turns,omitempty"`       // distributions, as people write them
	Think    string `json:"think,omitempty"`       //
	First    string `json:"first_input,omitempty"` //
	Input    string `json:"input_lengths,omitempty"`
	Output   string `json:"output_lengths,omitempty"`
	System   int    `json:"system,omitempty"`
	Recorded bool   `json:"recorded,omitempty"`

	Tree        string  `json:"tree,omitempty"`
	TraceFormat string  `json:"trace_format,omitempty"`
	Speed       float64 `json:"speed,omitempty"`
	Window      string  `json:"window,omitempty"`

	Media mediaFlags `json:"media,omitzero"`

	// Files are those that it comes from, by the flags that name them: dataset, conversations, trace, length-pairs, media
	// (a folder), and distributions that are file:NAME.
	Files map[string]file `json:"files,omitempty"`
}

// A file is one that a flag names. On this machine it has a path; to workers it is its SHA-256.
type file struct {
	Name   string `json:"name"` // without its directories
	SHA256 string `json:"sha256,omitempty"`
	path   string
}

// A source opens what a flag names.
type source interface {
	open(file) (io.ReadCloser, error)
	folder(file) (fs.FS, error)
}

// disk is this machine's.
type disk struct{}

func (disk) open(f file) (io.ReadCloser, error) { return os.Open(f.path) }
func (disk) folder(f file) (fs.FS, error)       { return os.DirFS(f.path), nil }

// has reports whether a flag names a file.
func (s *sending) has(name string) bool { return s.Files[name].Name != "" }

// name notes the file of a flag.
func (s *sending) name(flag, path string) {
	if s.Files == nil {
		s.Files = map[string]file{}
	}
	s.Files[flag] = file{Name: filepath.Base(path), path: path}
}

// ofSessions reports whether sessions are sent.
func (s *sending) ofSessions() bool { return s.Sessions || s.has("conversations") }

// known reports whether prompts have something in common that a cache may know.
func (s *sending) known() bool {
	return s.ofSessions() || s.has("trace") || s.Tree != "" || s.has("dataset") || s.Prefix != 0
}

// read reads the file of a flag.
func (s *sending) read(from source, flag string, read func(in io.Reader, name string) error) error {
	f := s.Files[flag]
	shown := f.path
	if shown == "" {
		shown = f.Name
	}
	in, err := from.open(f)
	if err != nil {
		return Usagef("-%s: %w", flag, err)
	}
	defer in.Close()
	if err := read(in, f.Name); err != nil {
		return Usagef("-%s %s: %w", flag, shown, err)
	}
	return nil
}

// distributionPrefix is what a distribution that is a file begins with.
const distributionPrefix = "file:"

// distribution is what a flag says of one. "": the zero one.
func (s *sending) distribution(from source, flag, text string) (d workload.Distribution, err error) {
	if text == "" {
		return d, nil
	}
	if strings.HasPrefix(text, distributionPrefix) {
		err = s.read(from, flag, func(in io.Reader, name string) (err error) {
			d, err = workload.ReadDistribution(in, name)
			return err
		})
	} else if d, err = workload.ParseDistribution(text); err != nil {
		err = Usagef("-%s %s: %w", flag, text, err)
	}
	if err == nil && flag != "think" {
		if err = d.Counts(); err != nil {
			err = Usagef("-%s %s: %w", flag, text, err)
		}
	}
	return d, err
}

// made is what a sending has come to, as far as a level has to know of it.
type made struct {
	trace   *workload.Trace                                     // nil: none
	tree    func(workload.Spec) (workload.Tree, error)          // nil: none
	lengths workload.Lengths                                    // zero: the level's
	media   func(s workload.Spec) (m workload.Media, err error) // nil: none
}

// apply has a client send what it says. The errors name the flags.
func (s *sending) apply(c *openai.Client, from source) (m made, err error) {
	c.Prefix, c.Text, c.Vocabulary = s.Prefix, s.Text, s.Vocabulary
	var turns, think, first workload.Distribution
	for _, d := range []struct {
		of         *workload.Distribution
		flag, text string
	}{
		{&turns, "turns", s.Turns}, {&think, "think", s.Think}, {&first, "first-input", s.First},
		{&m.lengths.Input, "input-lengths", s.Input}, {&m.lengths.Output, "output-lengths", s.Output},
	} {
		if *d.of, err = s.distribution(from, d.flag, d.text); err != nil {
			return m, err
		}
	}
	if m.media, err = s.Media.apply(c, s.Files["media"], from); err != nil {
		return m, err
	}
	switch {
	case s.has("dataset"):
		err = s.read(from, "dataset", func(in io.Reader, name string) error {
			prompts, err := workload.ReadDataset(in, workload.DatasetLimits{})
			prompts.Name = name
			c.Dataset = &prompts
			return err
		})
	case s.has("conversations"):
		err = s.read(from, "conversations", func(in io.Reader, name string) error {
			talks, err := workload.ReadTalks(in, workload.DatasetLimits{})
			talks.Think, talks.Name, talks.Recorded = think, name, s.Recorded
			lengths := m.lengths
			c.Conversations = func(spec workload.Spec) (workload.Conversations, error) {
				level := talks.Shuffled(spec.Seed)
				level.Output = lengths.Or(spec.Input, spec.Output).Output
				return level, nil
			}
			return err
		})
	case s.Sessions:
		c.Talks = &workload.Talks{Turns: turns, System: s.System, First: first, Input: m.lengths.Input,
			Output: m.lengths.Output, Think: think}
	case s.has("trace"):
		err = s.replay(c, from, &m)
	case s.Tree != "":
		err = s.grow(c, &m)
	case s.has("length-pairs"):
		err = s.read(from, "length-pairs", func(in io.Reader, name string) (err error) {
			m.lengths, err = workload.ReadPairs(in, name)
			return err
		})
		c.Lengths = m.lengths
	default:
		c.Lengths = m.lengths
	}
	return m, err
}

// ids are the token ids that prompts are made of; zero: the usual ones.
func (s *sending) ids(c *openai.Client) (low, high int) {
	if s.Vocabulary == 0 {
		return 0, 0
	}
	c.Vocabulary = 0 // of the client's own prompts
	return workload.SafeTokens(s.Vocabulary)
}

func (s *sending) grow(c *openai.Client, m *made) error {
	levels, err := workload.ParseTree(s.Tree)
	if err != nil {
		return Usagef("-tree: %w", err)
	}
	low, high := s.ids(c)
	lengths := m.lengths
	m.tree = func(spec workload.Spec) (workload.Tree, error) {
		l := lengths.Or(spec.Input, spec.Output)
		t := workload.Tree{Seed: spec.Seed, Levels: levels, Own: l.Input, Output: l.Output, Low: low, High: high,
			Text: s.Text}
		return t, t.Validate()
	}
	c.Workload = func(spec workload.Spec) (workload.Workload, error) { return m.tree(spec) }
	return nil
}

func (s *sending) replay(c *openai.Client, from source, m *made) error {
	var start, end time.Duration
	if s.Window != "" {
		first, last, _ := strings.Cut(s.Window, "-")
		var err1, err2 error
		start, err1 = time.ParseDuration(first)
		end, err2 = time.ParseDuration(last)
		if err1 != nil || err2 != nil || end <= start {
			return Usagef("-window %q: want two times after the trace's beginning, such as 10m-20m", s.Window)
		}
	}
	return s.read(from, "trace", func(in io.Reader, name string) error {
		t, err := workload.ReadTrace(in, workload.TraceFormat(s.TraceFormat), workload.DatasetLimits{})
		if err == nil && s.Window != "" {
			t, err = t.Window(start, end)
		}
		if err == nil {
			t, err = t.Faster(s.Speed)
		}
		if err != nil {
			return err
		}
		t.Name, t.Text = name, s.Text
		t.Low, t.High = s.ids(c)
		m.trace = &t
		c.Workload = func(spec workload.Spec) (workload.Workload, error) {
			level := t
			level.Seed = spec.Seed
			return level, nil
		}
		return nil
	})
}

// each calls do with the files, so that they have a SHA-256.
func (s *sending) each(do func(flag string, f file) (sha256 string, err error)) (sending, error) {
	travelling := *s
	travelling.Files = map[string]file{}
	for flag, f := range s.Files {
		sum, err := do(flag, f)
		if err != nil {
			return travelling, err
		}
		travelling.Files[flag] = file{Name: f.Name, SHA256: sum}
	}
	return travelling, nil
}

// packed is a folder as one file, always the same for the same contents: a ZIP archive, uncompressed, without times.
func packed(folder fs.FS) ([]byte, error) {
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	err := fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !workload.IsMedia(path) {
			return nil
		}
		data, err := fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		if out.Len()+len(data) > mostPacked {
			return fmt.Errorf("its images and sounds are more than %d MiB", mostPacked>>20)
		}
		to, err := archive.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Store})
		if err == nil {
			_, err = to.Write(data)
		}
		return err
	})
	if err == nil {
		err = archive.Close()
	}
	return out.Bytes(), err
}

// mostPacked bounds, in bytes, a folder that travels; workers take no file that is longer.
const mostPacked = 255 << 20
