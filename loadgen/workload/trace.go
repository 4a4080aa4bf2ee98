package workload

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// A Trace is what somebody's users asked for, and when: for an open loop whose arrivals are [Trace.Arrivals]. Its prompts
// are made up, as long as the trace says; where it says which blocks of tokens prompts share, they share them. Prompt i
// is request i of the trace. It is a small value; copies share what was read.
type Trace struct {
	Seed uint64 // of the tokens that are made up
	Name string // what a [Description] calls the file

	// Low and High bound the token ids, as in [RandomTokens]; zero: 1,000 and 4,000.
	Low, High int
	// Text makes the prompts of words, for chat, and for servers that take no token ids. Their number is that of tokens only
	// as far as words are one token each.
	Text bool

	asks  []traced
	block int // tokens of a block
	speed float64
	sum   string
	whole int // requests of the file, before it was cut
}

// traced is a request of a trace.
type traced struct {
	at            time.Duration // since the first
	input, output int
	blocks        []uint64 // whose tokens its input begins with, the last perhaps in part; nil: it shares nothing
	line          int
}

// A TraceFormat is one that [ReadTrace] reads.
type TraceFormat string

const (
	// Mooncake is JSON lines, ms and blocks of 512 tokens:
	//
	//	{"timestamp": 27482, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}
	Mooncake TraceFormat = "mooncake"
	// AzureLLM is the CSV of the Azure LLM inference traces:
	//
	//	TIMESTAMP,ContextTokens,GeneratedTokens
	//	2023-11-16 18:15:46.6805900,374,44
	AzureLLM TraceFormat = "azure"
	// BurstGPT is a CSV with seconds; a response of no tokens, which was a failure, asks for one:
	//
	//	Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
	//	5,ChatGPT,472,18,490,Conversation log
	BurstGPT TraceFormat = "burstgpt"
	// Requests is our own requests.jsonl.gz: one measured step's requests, by when they were due.
	Requests TraceFormat = "requests"
)

// TraceFormats are all of them.
func TraceFormats() []TraceFormat { return []TraceFormat{Mooncake, AzureLLM, BurstGPT, Requests} }

const mooncakeBlock = 512 // tokens

// ReadTrace reads a trace, gzipped or not. Of the file's own times only the differences count: the first request is due
// at 0. The error is a [*DatasetError] with the number of the first line that cannot be used, such as one whose time is
// before that of the line in front of it; nothing is read by halves.
func ReadTrace(r io.Reader, format TraceFormat, limits DatasetLimits) (Trace, error) {
	limits, err := limits.filled()
	if err != nil {
		return Trace{}, err
	}
	sum := sha256.New()
	in := bufio.NewReader(io.TeeReader(&boundedReader{r, limits.Bytes}, sum))
	var lines io.Reader = in
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		zip, err := gzip.NewReader(in)
		if err != nil {
			return Trace{}, &DatasetError{0, err}
		}
		lines = &boundedReader{zip, limits.Bytes}
	}
	t := Trace{speed: 1, block: mooncakeBlock}
	var read func(n int, line string) (traced, bool, error)
	switch format {
	case Mooncake:
		read = readMooncake
	case AzureLLM:
		read = new(csvTrace).reader("TIMESTAMP", "ContextTokens", "GeneratedTokens", parseAzureTime)
	case BurstGPT:
		read = new(csvTrace).reader("Timestamp", "Request tokens", "Response tokens", parseSeconds)
	case Requests:
		read = new(ownTrace).read
	default:
		return Trace{}, &loadgen.InvalidError{Field: "trace format", Value: string(format), Want: fmt.Sprint(TraceFormats())}
	}
	scan := bufio.NewScanner(lines)
	scan.Buffer(nil, limits.LineBytes+2)
	n := 0
	for scan.Scan() {
		n++
		line := strings.TrimSpace(scan.Text())
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if n > limits.Lines {
			return Trace{}, &DatasetError{n, fmt.Errorf("more than %d lines", limits.Lines)}
		}
		if line == "" {
			continue
		}
		ask, ok, err := read(n, line)
		if err != nil {
			return Trace{}, &DatasetError{n, err}
		}
		if ok {
			ask.line = n
			t.asks = append(t.asks, ask)
		}
	}
	if err := scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Trace{}, &DatasetError{n + 1, fmt.Errorf("longer than %d bytes", limits.LineBytes)}
	} else if err != nil {
		return Trace{}, &DatasetError{n + 1, err}
	}
	if len(t.asks) == 0 {
		return Trace{}, &DatasetError{0, errors.New("it has no requests")}
	}
	if format == Requests {
		sortByTime(t.asks)
	}
	first := t.asks[0].at
	for i := range t.asks {
		a := &t.asks[i]
		if a.at -= first; i > 0 && a.at < t.asks[i-1].at {
			return Trace{}, &DatasetError{a.line, fmt.Errorf("its time is %v before that of line %d",
				t.asks[i-1].at-a.at, t.asks[i-1].line)}
		}
		if a.input < 1 || a.input > MaxTokens || a.output < 0 || a.output > MaxTokens {
			return Trace{}, &DatasetError{a.line, fmt.Errorf("%d tokens in and %d out: want 1 to 10,000,000", a.input, a.output)}
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return Trace{}, &DatasetError{0, err}
	}
	t.sum, t.whole = hex.EncodeToString(sum.Sum(nil)), len(t.asks)
	return t, nil
}

// Len is the number of requests.
func (t Trace) Len() int { return len(t.asks) }

// Window is the part of the trace from one time after its beginning up to another, which then begins at 0; 0: its end.
// The error is a [*loadgen.InvalidError], also where there is no request in it.
func (t Trace) Window(from, to time.Duration) (Trace, error) {
	if to == 0 {
		to = math.MaxInt64
	}
	var cut []traced
	for _, a := range t.asks {
		if a.at >= from && a.at < to {
			a.at -= from
			cut = append(cut, a)
		}
	}
	if from < 0 || to <= from || len(cut) == 0 {
		return Trace{}, &loadgen.InvalidError{Field: "window", Value: fmt.Sprintf("%v to %v", from, to),
			Want: fmt.Sprintf("a part of the trace, which goes from 0s to %v, with requests in it", t.asks[len(t.asks)-1].at)}
	}
	t.asks = cut
	return t, nil
}

// Faster is the trace at so many times its speed: 2 has twice as many requests a second, 0.5 half as many. The error is
// a [*loadgen.InvalidError] for what is no speed.
func (t Trace) Faster(speed float64) (Trace, error) {
	if !(speed >= 1e-6 && speed <= 1e6) {
		return Trace{}, &loadgen.InvalidError{Field: "speed", Value: speed, Want: "a number from 0.000001 to 1,000,000"}
	}
	t.speed *= speed
	return t, nil
}

// AsText is the trace in words: for endpoints that take no token ids.
func (t Trace) AsText() Workload {
	t.Text = true
	return t
}

// Mean is how many tokens a request has in the mean, and asks for.
func (t Trace) Mean() (input, output float64) {
	for _, a := range t.asks {
		input += float64(a.input) / float64(len(t.asks))
		output += float64(max(1, a.output)) / float64(len(t.asks))
	}
	return input, output
}

// Arrivals are when the requests are due.
func (t Trace) Arrivals() loadgen.Arrivals {
	a := loadgen.Arrivals{Process: loadgen.TraceArrivals}
	for _, ask := range t.asks {
		a.Trace = append(a.Trace, time.Duration(float64(ask.at)/t.speed))
	}
	return a
}

// Shared is how many input tokens there are, and how many of these are in blocks at the beginning of prompts that a
// request before has had at its beginning too: what a prefix cache without bounds would find, if each request came
// after the end of those before.
func (t Trace) Shared() (shared, input int) {
	type key struct{ before, block uint64 }
	known := map[key]int{} // how many tokens of the block a request had
	for _, a := range t.asks {
		input += a.input
		h, found := uint64(0), true
		for i, b := range a.blocks {
			k := key{h, b}
			size := min(t.block, a.input-i*t.block)
			if found {
				shared += min(size, known[k])
				found = known[k] == t.block
			}
			known[k] = max(known[k], size)
			h = h*0x9e3779b97f4a7c15 + b + 1
		}
	}
	return shared, input
}

// Describe says what the prompts are, for [Describe].
func (t Trace) Describe(d *Description) {
	d.Prompts, d.InputIn = TokenIDs, InTokens
	if t.Text {
		d.Prompts, d.InputIn = Words, InWords
	}
	d.File = &File{Name: t.Name, SHA256: t.sum, Prompts: t.whole}
	d.Trace = &TraceShape{Requests: len(t.asks), Speed: t.speed}
	d.Trace.Shared, d.Trace.Input = t.Shared()
}

// Prompt implements [Workload]. Beyond its end a trace has no prompts.
func (t Trace) Prompt(i int, p *Prompt) error {
	if i >= len(t.asks) {
		return &loadgen.InvalidError{Field: "request", Value: i, Want: fmt.Sprintf("one of the %d of the trace", len(t.asks))}
	}
	a := &t.asks[i]
	p.Input, p.Output = a.input, max(1, a.output)
	low, high := t.Low, t.High
	if low == 0 && high == 0 {
		low, high = 1000, 4000
	}
	var text strings.Builder
	put := func(from *source, n int) {
		for range n {
			if t.Text {
				text.WriteString(words[from.below(len(words))])
				text.WriteByte(' ')
			} else {
				p.Tokens = append(p.Tokens, low+from.below(high-low))
			}
		}
	}
	left := a.input
	for _, b := range a.blocks {
		var shared source
		shared.Seed(t.Seed, ^b)
		n := min(left, t.block)
		put(&shared, n)
		left -= n
	}
	var own source
	own.Seed(t.Seed, uint64(i))
	put(&own, left)
	if t.Text {
		p.Text, p.Input = strings.TrimSpace(text.String()), 0
	}
	return nil
}
