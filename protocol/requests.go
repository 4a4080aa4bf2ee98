package protocol

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// RequestsFile is the name of the file of single requests in an experiment's directory, where they are kept.
const RequestsFile = "requests.jsonl.gz"

// A Request is what became of one request of a step: a line of [RequestsFile], in JSON. Times are ns since the
// level's start ([loadgen.Result.Start]).
type Request struct {
	Run     int    `json:"run"`
	Seq     int    `json:"seq"`
	Arm     string `json:"arm,omitempty"`
	Index   int    `json:"index"`            // in its level, the warmup included
	Warmup  bool   `json:"warmup,omitempty"` // discarded
	Discard bool   `json:"discard,omitempty"`

	Scheduled time.Duration `json:"scheduled_ns"`
	Sent      time.Duration `json:"sent_ns"`
	Written   time.Duration `json:"written_ns,omitempty"` // 0: not known
	First     time.Duration `json:"first_ns,omitempty"`   // first content; 0: none came in a stream
	Done      time.Duration `json:"done_ns"`
	Left      time.Duration `json:"left_ns,omitempty"`

	Input       int  `json:"input_tokens,omitempty"` // as the server counted; without Counted not known
	Output      int  `json:"output_tokens,omitempty"`
	Counted     bool `json:"counted,omitempty"`
	AskedInput  int  `json:"asked_input_tokens,omitempty"`
	AskedOutput int  `json:"asked_output_tokens,omitempty"`
	Chunks      int  `json:"chunks,omitempty"`

	Finish   string        `json:"finish,omitempty"`
	Attempts int           `json:"attempts,omitempty"` // where there was more than one
	Class    loadgen.Class `json:"error_class,omitempty"`
	Error    string        `json:"error,omitempty"`
}

func requestOf(s Step, r *loadgen.Record, failure *loadgen.Error) Request {
	q := Request{
		Run: s.Run, Seq: s.Seq, Arm: s.Arm, Index: r.Index, Warmup: r.Warmup, Discard: s.Discard,
		Scheduled: r.Scheduled, Sent: r.Sent, Written: r.Written, Done: r.Done, Left: r.Left,
		Input: r.Input, Output: r.Output, Counted: r.Counted, AskedInput: r.AskedInput, AskedOutput: r.AskedOutput,
		Chunks: r.ChunkCount(), Finish: r.Finish,
	}
	if first, ok := r.TTFT(); ok {
		q.First = r.Sent + first
	}
	if r.Attempts > 1 {
		q.Attempts = r.Attempts
	}
	if failure != nil {
		q.Class, q.Error = failure.Class, failure.Error()
	}
	return q
}

// A requestLog writes the requests of one step after the other. Each step is a gzip member of its own, so that what a
// crash cuts off is the last step's alone; where that began is known from the journal, and cut away on resuming.
type requestLog struct {
	file   *os.File
	zip    *gzip.Writer
	buffer *bufio.Writer
	failed error
}

// openRequests opens the log in dir, of which size bytes belong to steps that are in the journal.
func openRequests(dir string, size int64) (*requestLog, error) {
	file, err := os.OpenFile(filepath.Join(dir, RequestsFile), os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fmt.Errorf("requests: %w", err)
	}
	info, err := file.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("it has %d bytes, and the journal tells of %d", info.Size(), size)
	}
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		_, err = file.Seek(size, io.SeekStart)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("requests: %w", err)
	}
	l := &requestLog{file: file, buffer: bufio.NewWriterSize(nil, 64<<10)}
	return l, nil
}

// observer writes each request of a step. It is called from one goroutine.
func (l *requestLog) observer(s Step) loadgen.Observer {
	if l == nil {
		return loadgen.Observer{}
	}
	l.zip, _ = gzip.NewWriterLevel(l.file, gzip.BestSpeed) // the level is one that there is
	l.buffer.Reset(l.zip)
	to := json.NewEncoder(l.buffer)
	return loadgen.Observer{Record: func(r *loadgen.Record, failure *loadgen.Error) {
		if l.failed == nil {
			l.failed = to.Encode(requestOf(s, r, failure))
		}
	}}
}

// end ends a step, and returns how long the file is then.
func (l *requestLog) end() (size int64, err error) {
	if l == nil {
		return 0, nil
	}
	// The first of them is why the others fail.
	err = cmp.Or(l.failed, l.buffer.Flush(), l.zip.Close(), l.file.Sync())
	if err == nil {
		size, err = l.file.Seek(0, io.SeekCurrent)
	}
	if err != nil {
		return 0, fmt.Errorf("requests: %w", err)
	}
	return size, nil
}

func (l *requestLog) close() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// mostRequest bounds, in bytes, a line of a file of requests.
const mostRequest = 1 << 20

// ReadRequests calls each with the requests that a file holds, in the order in which they were over, until it returns
// an error, which ReadRequests then returns. A file that a crash cut off ends with its last whole line, and
// io.ErrUnexpectedEOF.
func ReadRequests(r io.Reader, each func(Request) error) error {
	zip, err := gzip.NewReader(r)
	if errors.Is(err, io.EOF) {
		return nil // no step is over yet
	}
	if err != nil {
		return fmt.Errorf("requests: %w", err)
	}
	lines := bufio.NewScanner(zip)
	lines.Buffer(nil, mostRequest)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var q Request
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return fmt.Errorf("requests line %d: %w", n, err)
		}
		if err := each(q); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("requests: %w", err)
	}
	return nil
}
