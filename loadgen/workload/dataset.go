package workload

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"math/rand/v2"

	"github.com/servegauge/servegauge/loadgen"
)

// A Dataset is a workload of prompts that were read with [ReadDataset]. Prompt i is line i of the file; when a level
// has more requests than there are lines, they begin again at the first, and a server's prefix cache may know them:
// compare [Dataset.Len]. The zero Dataset has no prompts and cannot be used.
//
// A Dataset is a small value. Copies share the prompts, which nothing changes.
type Dataset struct {
	// Output is how many tokens those prompts ask for whose line does not say. It has no bearing on whole bodies.
	// Zero: every line has to say.
	Output int

	// Name is what a [Description] calls the file: its name without directories. It has no bearing on the prompts.
	// Zero: it has none.
	Name string

	lines []entry
	order []int  // of lines; nil: the file's
	sum   string // SHA-256 of the file, in hexadecimal; "": there was none
}

// DatasetLimits bound what [ReadDataset] reads, which is kept in memory. Zero: the default.
type DatasetLimits struct {
	Lines     int   // most lines, empty ones included; zero: 1,000,000
	LineBytes int   // longest line, in bytes without its end; zero: 16 MiB
	Bytes     int64 // most bytes of the whole file; zero: 256 MiB
}

// Validate returns a [*loadgen.InvalidError] for the first limit that is negative.
func (l DatasetLimits) Validate() error {
	switch {
	case l.Lines < 0:
		return &loadgen.InvalidError{Field: "lines", Value: l.Lines, Want: "0 or more"}
	case l.LineBytes < 0 || l.LineBytes > math.MaxInt32:
		return &loadgen.InvalidError{Field: "line bytes", Value: l.LineBytes, Want: "0 to 2 GiB"}
	case l.Bytes < 0:
		return &loadgen.InvalidError{Field: "bytes", Value: l.Bytes, Want: "0 or more"}
	}
	return nil
}

// filled is l with the defaults.
func (l DatasetLimits) filled() (DatasetLimits, error) {
	if l.Lines == 0 {
		l.Lines = 1_000_000
	}
	if l.LineBytes == 0 {
		l.LineBytes = 16 << 20
	}
	if l.Bytes == 0 {
		l.Bytes = 256 << 20
	}
	return l, l.Validate()
}

// A DatasetError says which line of a file cannot be used, and why.
type DatasetError struct {
	Line int // from 1; 0: the file as a whole
	Err  error
}

func (e *DatasetError) Error() string {
	if e.Line == 0 {
		return "dataset: " + e.Err.Error()
	}
	return fmt.Sprintf("dataset line %d: %v", e.Line, e.Err)
}

func (e *DatasetError) Unwrap() error { return e.Err }

// ReadDataset reads prompts from JSON lines: one object a line in UTF-8, empty lines apart. Each has one of these
// fields:
//
//	{"prompt": "a text"}
//	{"prompt_token_ids": [1001, 1002]}                                 for Completions; the input length is exact
//	{"messages": [{"role": "user", "content": "a text"}]}              for Chat, and sent as it is
//	{"conversations": [{"from": "human", "value": "a text"}, …]}       ShareGPT's: the first turn of human or user, as a text
//	{"body": {"messages": […], "max_tokens": 100, "cache_salt": "x"}}  a whole request, sent as it is
//
// Beside the first four, "max_tokens" or "output_tokens" says how many tokens to ask for, as [Dataset].Output does for
// lines without, and "model" which model. Other fields are ignored. ShareGPT's own file is one JSON array; its elements
// have to be put on a line each.
//
// To a body nothing is added but the model, where it names none, and stream and stream_options, which the measurement
// decides: its own are left out. Its answers end where the model ends them; only if it has both max_tokens (or
// max_completion_tokens) and "ignore_eos": true is the length of the answer known beforehand, and noted as asked for.
//
// The error is a [*DatasetError] with the number of the first line that cannot be used, or a [*loadgen.InvalidError]
// for limits.
func ReadDataset(r io.Reader, limits DatasetLimits) (Dataset, error) {
	limits, err := limits.filled()
	if err != nil {
		return Dataset{}, err
	}
	sum := sha256.New()
	in := bufio.NewScanner(io.TeeReader(&boundedReader{r, limits.Bytes}, sum))
	in.Buffer(nil, limits.LineBytes+len("\r\n")+1)
	var d Dataset
	n := 0
	for in.Scan() {
		n++
		line := in.Bytes()
		if n == 1 {
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		switch {
		case n > limits.Lines:
			return Dataset{}, &DatasetError{n, fmt.Errorf("more than %d lines", limits.Lines)}
		case len(line) > limits.LineBytes:
			return Dataset{}, &DatasetError{n, fmt.Errorf("longer than %d bytes", limits.LineBytes)}
		case len(bytes.TrimSpace(line)) == 0:
			continue
		}
		e := entry{line: n}
		if err := e.parse(line); err != nil {
			return Dataset{}, &DatasetError{n, err}
		}
		d.lines = append(d.lines, e)
	}
	switch err := in.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return Dataset{}, &DatasetError{n + 1, fmt.Errorf("longer than %d bytes", limits.LineBytes)}
	case err != nil:
		return Dataset{}, &DatasetError{n + 1, err}
	case len(d.lines) == 0:
		return Dataset{}, &DatasetError{0, errors.New("it has no prompts")}
	}
	d.sum = hex.EncodeToString(sum.Sum(nil))
	return d, nil
}

// Bodies is a dataset of whole requests, each a JSON object, in the order given. Of them it is as of "body" in
// [ReadDataset]. The error is a [*DatasetError] whose Line is the request's number, from 1.
func Bodies(requests ...json.RawMessage) (Dataset, error) {
	var d Dataset
	for i, body := range requests {
		e := entry{line: i + 1}
		if err := e.parseContent("body", body); err != nil {
			return Dataset{}, &DatasetError{i + 1, err}
		}
		d.lines = append(d.lines, e)
	}
	return d, nil
}

// A boundedReader fails where an io.LimitedReader would pretend that the file ends.
type boundedReader struct {
	io.Reader
	left int64
}

func (r *boundedReader) Read(b []byte) (int, error) {
	if int64(len(b)) > r.left+1 {
		b = b[:r.left+1]
	}
	n, err := r.Reader.Read(b)
	if r.left -= int64(n); r.left < 0 {
		return 0, errors.New("the file is larger than the limit")
	}
	return n, err
}

// Len is the number of prompts.
func (d Dataset) Len() int { return len(d.lines) }

// Shuffled returns the same prompts in an order that depends on the file's and on the seed alone.
func (d Dataset) Shuffled(seed uint64) Dataset {
	d.order = rand.New(rand.NewPCG(seed, uint64(len(d.lines)))).Perm(len(d.lines))
	return d
}

// Validate returns a [*loadgen.InvalidError] for an Output that cannot be used or a Dataset without prompts, and a
// [*DatasetError] for the first prompt that has no number of tokens to ask for.
func (d Dataset) Validate() error {
	switch {
	case len(d.lines) == 0:
		return &loadgen.InvalidError{Field: "dataset", Value: "without prompts", Want: "one from ReadDataset"}
	case d.Output < 0 || d.Output > MaxTokens:
		return &loadgen.InvalidError{Field: "output tokens", Value: d.Output, Want: "a number from 0 to 10,000,000"}
	}
	for i := range d.lines {
		if err := d.check(&d.lines[i]); err != nil {
			return err
		}
	}
	return nil
}

func (d Dataset) check(e *entry) error {
	if len(e.Body) == 0 && e.Output == 0 && d.Output == 0 {
		return &DatasetError{e.line, errors.New("no max_tokens, and the Dataset has no Output")}
	}
	return nil
}

// All are the prompts in the order of the file, with the number of the line of each. They must not be changed, and have
// no Output where their line does not say.
func (d Dataset) All() iter.Seq2[int, *Prompt] {
	return func(yield func(int, *Prompt) bool) {
		for i := range d.lines {
			if e := &d.lines[i]; !yield(e.line, &e.Prompt) {
				return
			}
		}
	}
}

// Prompt implements [Workload]. The errors are those of Validate.
func (d Dataset) Prompt(i int, p *Prompt) error {
	if len(d.lines) == 0 || d.Output < 0 || d.Output > MaxTokens {
		return d.Validate()
	}
	i %= len(d.lines)
	if d.order != nil {
		i = d.order[i]
	}
	e := &d.lines[i]
	if err := d.check(e); err != nil {
		return err
	}
	memory := p.Tokens
	*p = e.Prompt
	if e.Tokens == nil {
		p.Tokens = memory
	}
	if len(e.Body) == 0 && e.Output == 0 {
		p.Output = d.Output
	}
	return nil
}
