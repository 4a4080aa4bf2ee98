package workload

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Description says what was sent to a server beyond the numbers that each [Spec] has, so that it can be sent again.
// Only the target makes one, since nobody else knows what it sends. It stands in an experiment's journal, where
// everybody reads it, and holds no secret. The zero value of a field says nothing of it.
type Description struct {
	Endpoint string `json:"endpoint,omitempty"`         // "completions", "chat"
	Whole    bool   `json:"whole,omitempty"`            // answers came in one piece; false: they were streamed
	Usage    bool   `json:"continuous_usage,omitempty"` // the usage so far was asked for in each chunk

	// Prompts is their kind: [TokenIDs], [Words], [FromFile], or the type of a program's own workload.
	Prompts string `json:"prompts,omitempty"`
	// InputIn is what the Input of the steps counts: "tokens", or "words" where random text was not calibrated. "": it
	// does not say, as for prompts from a file, whose lengths are their own.
	InputIn string `json:"input_in,omitempty"`

	// of prompts of different lengths, the most; 0: all have the step's Input
	InputMax  int `json:"max_input,omitempty"`
	OutputMax int `json:"max_output_tokens,omitempty"` // likewise

	// of each prompt, the first, in the unit of InputIn: shared with others of the level
	Prefix   int   `json:"prefix_tokens,omitempty"`
	Prefixes int   `json:"prefixes,omitempty"`  // how many different ones there are, taken in turn; 0: one
	IDs      []int `json:"token_ids,omitempty"` // the lowest and the highest that a prompt may have
	File     *File `json:"dataset,omitempty"`   // nil: the prompts are made up, from the step's seed

	Sessions *SessionShape `json:"sessions,omitempty"` // nil: each request is by itself

	Media   *MediaShape `json:"media,omitempty"`       // images and sounds beside the text; nil: none
	Lengths string      `json:"lengths,omitempty"`     // of prompts and answers, where they are drawn from distributions
	Tree    []string    `json:"prefix_tree,omitempty"` // of each level, tokens and branches: "1000x1", "400x8"
	Trace   *TraceShape `json:"trace,omitempty"`       // nil: the prompts are of no trace
	Files   []File      `json:"files,omitempty"`       // beside File: what lengths, turns and times were drawn from

	// names of those beside the usual; no values, which may be secret
	Headers []string `json:"headers,omitempty"`
	// fields added to each request's body: a JSON object, its secrets hidden
	Body json.RawMessage `json:"body,omitempty"`
}

// Kinds of prompts, as [Description.Prompts] has them.
const (
	TokenIDs = "random token ids"
	Words    = "random words"
	FromFile = "dataset"
)

// A SessionShape says what sessions are like: each a distribution as people write it ([ParseDistribution]), with "" for
// what a file says itself.
type SessionShape struct {
	Turns    string `json:"turns,omitempty"`         // of a session
	First    string `json:"first_input,omitempty"`   // "": as Input
	Input    string `json:"input,omitempty"`         // of each message of the user
	Output   string `json:"output_tokens,omitempty"` // of each answer
	Think    string `json:"think_s,omitempty"`       // seconds from an answer to the next message
	Recorded bool   `json:"recorded,omitempty"`      // later turns hold the file's answers, and not the server's
}

// A MediaShape says what stands beside the text of prompts.
type MediaShape struct {
	Kind   string `json:"kind"`   // "100 images of 512x512, png", or the folder's name
	Number int    `json:"number"` // of different ones
	Each   int    `json:"each"`   // in a request

	// SHA256 is of all of them as they are sent, in hexadecimal; "": they are made, from the step's seed.
	SHA256 string `json:"sha256,omitempty"`
}

// A TraceShape says which part of a trace is replayed, and how.
type TraceShape struct {
	Requests int     `json:"requests"`                // of the File's Prompts
	Speed    float64 `json:"speed"`                   // 1: the trace's own
	Shared   int     `json:"shared_tokens,omitempty"` // of the input tokens, those that a request before begins with too
	Input    int     `json:"input_tokens"`            // of all its requests
}

// Units of [Description.InputIn].
const (
	InTokens = "tokens"
	InWords  = "words"
)

// A File is one that prompts were taken from.
type File struct {
	Name    string `json:"name"`    // without its directories
	SHA256  string `json:"sha256"`  // of its bytes, in hexadecimal; "": they were not read from a file
	Prompts int    `json:"prompts"` // how many it has; of one of Files, how many numbers or pairs
}

// Describe returns the part of a description that is w's, a [Workload] or [Conversations].
func Describe(w any) Description {
	var d Description
	if says, ok := w.(interface{ Describe(*Description) }); ok {
		says.Describe(&d)
		return d
	}
	d.Prompts = fmt.Sprintf("%T", w)
	return d
}

// String is the description as people read it: "chat, streamed; random words, whose number is the input's". What it
// quotes of file names is as it was given.
func (d Description) String() string {
	answers := "streamed"
	if d.Whole {
		answers = "in one piece"
	}
	if d.Endpoint != "" {
		answers = d.Endpoint + ", " + answers
	}
	parts := []string{answers}
	switch {
	case d.File != nil:
		kind, of := FromFile, "prompts"
		switch {
		case d.Trace != nil:
			kind, of = "trace", "requests"
		case d.Sessions != nil:
			kind, of = "conversations", "sessions"
		}
		file := fmt.Sprintf("%s %s of %d %s", kind, d.File.Name, d.File.Prompts, of)
		if d.File.SHA256 != "" {
			file += fmt.Sprintf(", SHA-256 %.12s…", d.File.SHA256)
		}
		parts = append(parts, file)
	case d.Prompts == Words && d.InputIn == InWords:
		parts = append(parts, d.Prompts+", as many as there should be tokens")
	case d.Prompts == Words && d.InputIn == InTokens:
		parts = append(parts, d.Prompts+" of one token each")
	case d.Prompts != "":
		parts = append(parts, d.Prompts)
	}
	unit := d.InputIn
	if unit == "" {
		unit = InTokens
	}
	switch {
	case d.Prefix > 0 && d.Prefixes > 1:
		parts = append(parts, fmt.Sprintf("the first %d %s one of %d prefixes", d.Prefix, unit, d.Prefixes))
	case d.Prefix > 0 && d.Sessions != nil:
		parts = append(parts, fmt.Sprintf("a system prompt of %d %s, the same in all sessions", d.Prefix, unit))
	case d.Prefix > 0:
		parts = append(parts, fmt.Sprintf("the first %d %s the same in all prompts of a level", d.Prefix, unit))
	}
	if m := d.Media; m != nil {
		text := fmt.Sprintf("%d a request of %s", m.Each, m.Kind)
		if m.SHA256 != "" {
			text += fmt.Sprintf(" (%d, SHA-256 %.12s…)", m.Number, m.SHA256)
		}
		parts = append(parts, text)
	}
	if len(d.Tree) > 0 {
		parts = append(parts, "a tree of prefixes "+strings.Join(d.Tree, ", "))
	}
	if d.Lengths != "" {
		parts = append(parts, "lengths: "+d.Lengths)
	}
	if t := d.Trace; t != nil {
		parts = append(parts, fmt.Sprintf("a trace of %d requests at %g times its speed, %d of its %d input tokens shared with "+
			"requests before", t.Requests, t.Speed, t.Shared, t.Input))
	}
	if d.Sessions != nil {
		parts = append(parts, d.Sessions.String())
	}
	for _, f := range d.Files {
		parts = append(parts, fmt.Sprintf("%s of %d, SHA-256 %.12s…", f.Name, f.Prompts, f.SHA256))
	}
	return strings.Join(parts, "; ")
}

// OwnLengths reports whether prompts and answers have lengths of their own, and not those of the step's [Spec].
func (d *Description) OwnLengths() bool {
	return d != nil && (d.File != nil || d.Lengths != "" || d.Sessions != nil)
}

// Generates reports whether answers have tokens of their own, as far as is stated: those of embeddings and of rerank
// have none, whatever the step's [Spec] has for the others.
func (d *Description) Generates() bool {
	return d == nil || d.Endpoint != "embeddings" && d.Endpoint != "rerank"
}

// String is the shape as people read it.
func (s *SessionShape) String() string {
	text := "sessions"
	for _, part := range []struct{ name, value string }{
		{"turns", s.Turns}, {"first input", s.First}, {"input", s.Input}, {"output", s.Output}, {"think time (s)", s.Think},
	} {
		if part.value != "" {
			text += fmt.Sprintf(", %s %s", part.name, part.value)
		}
	}
	if s.Recorded {
		text += ", with the file's answers"
	}
	return text
}

// Describe says what the prompts are, for [Describe].
func (w RandomTokens) Describe(d *Description) {
	low, high := w.bounds()
	d.Prompts, d.InputIn, d.IDs = TokenIDs, InTokens, []int{low, high - 1}
	w.shape().describe(d)
}

// Describe says what the prompts are, for [Describe].
func (w RandomWords) Describe(d *Description) {
	d.Prompts, d.InputIn = Words, InWords
	if w.Calibration != nil {
		d.InputIn = InTokens
	}
	w.shape().describe(d)
}

func (s shape) describe(d *Description) {
	d.InputMax, d.OutputMax, d.Prefix, d.Prefixes = s.inputMax, s.outputMax, s.prefix, s.prefixCount
	if !s.lengths.IsZero() {
		d.Lengths, d.Files = s.lengths.String(), s.lengths.files()
	}
}

// Describe says what the prompts are, for [Describe].
func (d Dataset) Describe(to *Description) {
	to.Prompts, to.File = FromFile, &File{Name: d.Name, SHA256: d.sum, Prompts: len(d.lines)}
}
