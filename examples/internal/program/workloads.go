package program

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Workloads is what is sent where that is more than single requests of one length: lengths, prefixes, sessions, traces.
type Workloads struct {
	sessions                           int
	unit                               string
	turns, think, first, input, output string
	system                             int
	conversations                      string
	recorded                           bool
	pairs, tree                        string
	trace, traceFormat, window         string
	speed                              float64
	media                              mediaFlags

	replayed *workload.Trace                 // once it is read
	grown    func(seed uint64) workload.Tree // nil: none
}

// Register registers the flags.
func (w *Workloads) Register(flags *flag.FlagSet) {
	flags.IntVar(&w.sessions, "sessions", 0, "measure so many `sessions`: chats of -turns, of which each turn holds the "+
		"answers before; -concurrency, -warmup and -rate then count sessions")
	flags.StringVar(&w.unit, "concurrency-of", "session", "with -sessions: what -concurrency counts, session (users, "+
		"who think in between) or request (in flight)")
	flags.StringVar(&w.turns, "turns", "4", "with -sessions: `distribution` of the turns of a session: a number, "+
		"LOW-HIGH, normal:MEAN,SD, lognormal:MEDIAN,SIGMA, exponential:MEAN, zipf:S,MOST (@LOW-HIGH after it bounds it), "+
		"or file:NAME of a number a line")
	flags.StringVar(&w.think, "think", "0", "with -sessions or -conversations: `distribution` of the seconds from an "+
		"answer to the next turn")
	flags.StringVar(&w.first, "first-input", "", "with -sessions: `distribution` of the first message's tokens; none: "+
		"as -input-lengths")
	flags.IntVar(&w.system, "system", 0, "with -sessions: `tokens` of a system prompt that all sessions share")
	flags.StringVar(&w.input, "input-lengths", "", "`distribution` of the input tokens (with -sessions of each turn's "+
		"message, with -tree of what is the prompt's own); none: -input")
	flags.StringVar(&w.output, "output-lengths", "", "`distribution` of the output tokens; none: -output")
	flags.StringVar(&w.pairs, "length-pairs", "", "`file` of input and output lengths, a pair a line, drawn together")
	flags.StringVar(&w.tree, "tree", "", "prompts that share beginnings: TOKENSxBRANCHES of each `level`, such as "+
		"1000x1,400x8")
	flags.StringVar(&w.conversations, "conversations", "", "`file` of sessions: JSON lines with messages, conversations "+
		"(ShareGPT, or its array) or requests (fan-out and join)")
	flags.BoolVar(&w.recorded, "recorded", false, "with -conversations: later turns hold the file's answers, and not "+
		"the server's")
	w.media.register(flags)
	flags.StringVar(&w.trace, "trace", "", "`file` to replay in an open loop, with its own times and lengths")
	flags.StringVar(&w.traceFormat, "trace-format", "mooncake", "with -trace: mooncake, azure, burstgpt or requests (a "+
		"requests.jsonl.gz)")
	flags.Float64Var(&w.speed, "speed", 1, "with -trace: so many `times` as fast")
	flags.StringVar(&w.window, "window", "", "with -trace: the part of it from one time after its beginning to another, "+
		"such as 10m-20m; none: all")
}

// given reports whether any of it is asked for.
func (w *Workloads) given() bool { return w.ofSessions() || w.trace != "" || w.tree != "" }

func (w *Workloads) ofSessions() bool { return w.sessions > 0 || w.conversations != "" }

// set has the client send what the flags say.
func (w *Workloads) set(c *openai.Client, l *Load) error {
	if w.turns == "" { // they were not registered
		return nil
	}
	n := 0
	for _, asked := range []bool{w.ofSessions(), w.trace != "", w.tree != "", l.dataset != ""} {
		if asked {
			n++
		}
	}
	if n > 1 {
		return Usagef("-sessions, -trace, -tree, -dataset: want one of them")
	}
	switch {
	case w.sessions < 0:
		return Usagef("-sessions %d: want how many to measure, 1 or more, or 0 for none", w.sessions)
	case l.prefix != 0 && w.given():
		return Usagef("-prefix %d: sessions, traces and trees share what they share", l.prefix)
	case w.pairs != "" && (w.given() || w.input != "" || w.output != ""):
		return Usagef("-length-pairs: want random prompts, without -input-lengths and -output-lengths")
	case w.trace == "" && (w.window != "" || w.speed != 1):
		return Usagef("-window, -speed: want -trace with it")
	case !w.ofSessions() && w.think != "0":
		return Usagef("-think %s: want -sessions or -conversations with it", w.think)
	}
	if err := w.media.set(c, l); err != nil {
		return err
	}
	distributions := map[string]*workload.Distribution{}
	for name, text := range map[string]string{"turns": w.turns, "think": w.think, "first-input": w.first,
		"input-lengths": w.input, "output-lengths": w.output} {
		d := new(workload.Distribution)
		distributions[name] = d
		if text == "" {
			continue
		}
		var err error
		if *d, err = readDistribution(text); err != nil {
			return Usagef("-%s %s: %v", name, text, err)
		}
	}
	input, output := *distributions["input-lengths"], *distributions["output-lengths"]
	lengths := workload.Lengths{Input: input, Output: output}
	if lengths.Input.IsZero() {
		lengths.Input = workload.Fixed(float64(l.Input))
	}
	if lengths.Output.IsZero() {
		lengths.Output = workload.Fixed(float64(l.Output))
	}
	var err error
	switch {
	case w.conversations != "":
		c.Conversations, err = w.readConversations(lengths.Output, *distributions["think"], l.Seed)
	case w.sessions > 0:
		c.Talks = &workload.Talks{Turns: *distributions["turns"], System: w.system, First: *distributions["first-input"],
			Input: lengths.Input, Output: lengths.Output, Think: *distributions["think"]}
	case w.trace != "":
		err = w.readTrace(c, l)
	case w.tree != "":
		var levels []workload.TreeLevel
		if levels, err = workload.ParseTree(w.tree); err == nil {
			w.grown = func(seed uint64) workload.Tree {
				return workload.Tree{Seed: seed, Levels: levels, Own: lengths.Input, Output: lengths.Output,
					Text: l.asText || l.endpoint == "chat"}
			}
			c.Workload = func(s workload.Spec) (workload.Workload, error) {
				t := w.grown(s.Seed)
				return t, t.Validate()
			}
		}
	case w.pairs != "":
		err = opened("length-pairs", w.pairs, func(file io.Reader, name string) error {
			c.Lengths, err = workload.ReadPairs(file, name)
			return err
		})
	case !input.IsZero() || !output.IsZero():
		c.Lengths = lengths
	}
	return err
}

// Level makes a level one of what the flags say.
func (w *Workloads) Level(l *loadgen.Level) error {
	if w.trace != "" {
		if l.Arrivals.Process != "" {
			return Usagef("-rate with -trace: the trace has its own times; -speed changes them")
		}
		if l.Warmup >= w.replayed.Len() {
			return Usagef("-warmup %d: the trace has %d requests", l.Warmup, w.replayed.Len())
		}
		l.Concurrency, l.Arrivals = 0, w.replayed.Arrivals()
		if l.Requests == 0 && l.Duration == 0 {
			l.Requests = w.replayed.Len() - l.Warmup
		}
		return nil
	}
	if !w.ofSessions() {
		return nil
	}
	if l.Requests != 0 {
		return Usagef("-requests %d with -sessions or -conversations: want -sessions, which says how many are measured",
			l.Requests)
	}
	l.Unit, l.Sessions = loadgen.Unit(w.unit), w.sessions
	if l.Sessions == 0 && l.Duration == 0 {
		return Usagef("-conversations: want -sessions or -duration with it, which say how many are measured")
	}
	return nil
}

// Expect says what a prefix cache can find at most of a level's prompts, where that is known beforehand.
func (w *Workloads) Expect(out io.Writer, seed uint64, l loadgen.Level) {
	var shared, input int
	switch {
	case w.grown != nil && l.Requests > 0:
		shared, input = w.grown(seed).Shared(l.Warmup+l.Requests, 1)
	case w.replayed != nil:
		shared, input = w.replayed.Shared()
	}
	if input > 0 && shared > 0 {
		fmt.Fprintf(out, "%d of %d input tokens (%.1f %%) begin a prompt before too: what a prefix cache can find at most\n",
			shared, input, 100*float64(shared)/float64(input))
	}
}

func (w *Workloads) readConversations(output, think workload.Distribution, seed uint64) (workload.TalkFile, error) {
	var talks workload.TalkFile
	err := opened("conversations", w.conversations, func(file io.Reader, name string) (err error) {
		talks, err = workload.ReadTalks(file, workload.DatasetLimits{})
		talks.Output, talks.Think, talks.Seed, talks.Name, talks.Recorded = output, think, seed, name, w.recorded
		return err
	})
	return talks, err
}

func (w *Workloads) readTrace(c *openai.Client, l *Load) error {
	var from, to time.Duration
	if w.window != "" {
		first, last, _ := strings.Cut(w.window, "-")
		var err1, err2 error
		from, err1 = time.ParseDuration(first)
		to, err2 = time.ParseDuration(last)
		if err1 != nil || err2 != nil || to <= from {
			return Usagef("-window %q: want two times after the trace's beginning, such as 10m-20m", w.window)
		}
	}
	return opened("trace", w.trace, func(file io.Reader, name string) error {
		t, err := workload.ReadTrace(file, workload.TraceFormat(w.traceFormat), workload.DatasetLimits{})
		if err == nil && w.window != "" {
			t, err = t.Window(from, to)
		}
		if err == nil {
			t, err = t.Faster(w.speed)
		}
		if err != nil {
			return err
		}
		t.Name, t.Text = name, l.asText || l.endpoint == "chat"
		if l.vocab != 0 {
			t.Low, t.High = workload.SafeTokens(l.vocab)
			c.Vocabulary = 0
		}
		w.replayed = &t
		c.Workload = func(s workload.Spec) (workload.Workload, error) {
			t.Seed = s.Seed
			return t, nil
		}
		return nil
	})
}

// opened opens a file that a flag names, and reads it.
func opened(flag, name string, read func(file io.Reader, name string) error) error {
	file, err := os.Open(name)
	if err != nil {
		return Usagef("-%s: %v", flag, err)
	}
	defer file.Close()
	if err := read(file, filepath.Base(name)); err != nil {
		return Usagef("-%s %s: %v", flag, name, err)
	}
	return nil
}

func readDistribution(text string) (d workload.Distribution, err error) {
	name, ok := strings.CutPrefix(text, "file:")
	if !ok {
		return workload.ParseDistribution(text)
	}
	file, err := os.Open(name)
	if err != nil {
		return d, err
	}
	defer file.Close()
	return workload.ReadDistribution(file, filepath.Base(name))
}

// models are the names of models to ask in turn, one with a weight so many times: "base*3,lora" is asked base, lora,
// base, base, as evenly as that goes.
func models(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var names []string
	var weights []int
	all := 0
	for part := range strings.SplitSeq(text, ",") {
		name, times, weighted := strings.Cut(strings.TrimSpace(part), "*")
		n := 1
		if weighted {
			n, _ = strconv.Atoi(times)
		}
		if name == "" || n < 1 || n > 1000 {
			return nil, Usagef("-model %q: want names with commas between them, each perhaps with *WEIGHT from 1 to 1000", text)
		}
		names, weights, all = append(names, name), append(weights, n), all+n
	}
	// Smooth weighted round-robin: who is furthest behind goes next.
	var turn []string
	behind := make([]int, len(names))
	for range all {
		next := 0
		for i := range names {
			if behind[i] += weights[i]; behind[i] > behind[next] {
				next = i
			}
		}
		behind[next] -= all
		turn = append(turn, names[next])
	}
	return turn, nil
}
