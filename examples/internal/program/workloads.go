package program

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// workloadFlags are those that say how much of a workload a level has, beside what is sent.
type workloadFlags struct {
	sessions sessionCount
	unit     string
}

// registerWorkload registers the flags that say what is sent where that is more than single requests of one length.
func (l *Load) registerWorkload(flags *flag.FlagSet) {
	s := &l.sending
	flags.Var(&l.workload.sessions, "sessions", "measure so many `sessions` at a level, as a number or as a multiple of the "+
		"concurrency, such as 10x (of -rate and -rates: 60x is as many as begin in 60 s): chats of -turns, of which each "+
		"turn holds the answers before; concurrencies, rates and what is discarded first then count sessions")
	flags.StringVar(&l.workload.unit, "concurrency-of", string(loadgen.UnitSession), "with -sessions or -conversations: what "+
		"a concurrency counts, session (users, who think in between) or request (in flight)")
	flags.StringVar(&s.Turns, "turns", "4", "with -sessions: `distribution` of the turns of a session: a number, "+
		"LOW-HIGH, normal:MEAN,SD, lognormal:MEDIAN,SIGMA, exponential:MEAN, zipf:S,MOST (@LOW-HIGH after it bounds it), "+
		"or file:NAME of a number a line")
	flags.StringVar(&s.Think, "think", "0", "with -sessions or -conversations: `distribution` of the seconds from an "+
		"answer to the next turn")
	flags.StringVar(&s.First, "first-input", "", "with -sessions: `distribution` of the first message's tokens; none: "+
		"as -input-lengths")
	flags.IntVar(&s.System, "system", 0, "with -sessions: `tokens` of a system prompt that all sessions share")
	flags.StringVar(&s.Input, "input-lengths", "", "`distribution` of the input tokens (with -sessions of each turn's "+
		"message, with -tree of what is the prompt's own); none: -input")
	flags.StringVar(&s.Output, "output-lengths", "", "`distribution` of the output tokens; none: -output")
	flags.Var(&fileFlag{s, "length-pairs"}, "length-pairs", "`file` of input and output lengths, a pair a line, drawn "+
		"together")
	flags.StringVar(&s.Tree, "tree", "", "prompts that share beginnings: TOKENSxBRANCHES of each `level`, such as "+
		"1000x1,400x8")
	flags.Var(&fileFlag{s, "conversations"}, "conversations", "`file` of sessions: JSON lines with messages, conversations "+
		"(ShareGPT, or its array) or requests (fan-out and join), shuffled for each level")
	flags.BoolVar(&s.Recorded, "recorded", false, "with -conversations: later turns hold the file's answers, and not "+
		"the server's")
	s.Media.register(flags, &fileFlag{s, "media"})
	flags.Var(&fileFlag{s, "trace"}, "trace", "`file` to replay in an open loop, with its own times and lengths: as one "+
		"level, in each run")
	flags.StringVar(&s.TraceFormat, "trace-format", string(workload.Mooncake), "with -trace: mooncake, azure, burstgpt or "+
		"requests (a requests.jsonl.gz)")
	flags.Float64Var(&s.Speed, "speed", 1, "with -trace: so many `times` as fast")
	flags.StringVar(&s.Window, "window", "", "with -trace: the part of it from one time after its beginning to another, "+
		"such as 10m-20m; none: all")
}

// A fileFlag is a flag that names a file.
type fileFlag struct {
	of   *sending
	name string
}

func (f *fileFlag) String() string {
	if f.of == nil { // as the flag package has it, to compare with
		return ""
	}
	return f.of.Files[f.name].path
}

func (f *fileFlag) Set(path string) error {
	if path == "" {
		delete(f.of.Files, f.name)
		return nil
	}
	f.of.name(f.name, path)
	return nil
}

// A sessionCount is a flag of a number of sessions: "100" or "10x". Zero: not given.
type sessionCount struct{ protocol.Prompts }

func (c *sessionCount) String() string {
	if c.Prompts == (protocol.Prompts{}) {
		return ""
	}
	return c.Prompts.String()
}

func (c *sessionCount) Set(text string) error {
	digits, _ := strings.CutSuffix(text, "x")
	if n, err := strconv.Atoi(digits); err != nil || n < 1 || n > loadgen.MaxRequests {
		return fmt.Errorf("want a number of sessions, such as 100, or a multiple of the concurrency, such as 10x")
	}
	return c.UnmarshalText([]byte(text))
}

// kindsOfWorkload are the flags of which one says what is sent; without any: random prompts of one length.
var kindsOfWorkload = []string{"sessions", "conversations", "trace", "tree", "dataset", "length-pairs"}

// together says which flags have a sense only beside another one (needs, of which one will do), or none beside another
// (not). A flag may stand in several lines.
var together = []struct {
	flags, needs, not []string
	why               string // "": want one of them
}{
	{flags: []string{"turns", "first-input", "system"}, needs: []string{"sessions"}, not: []string{"conversations"}},
	{flags: []string{"think", "concurrency-of"}, needs: []string{"sessions", "conversations"}},
	{flags: []string{"recorded"}, needs: []string{"conversations"}},
	{flags: []string{"trace-format", "speed", "window"}, needs: []string{"trace"}},
	{flags: []string{"image-size", "image-format"}, needs: []string{"images"}},
	{flags: []string{"media-each"}, needs: mediaKinds},
	{flags: mediaKinds, not: []string{"sessions", "conversations", "dataset"}},
	{flags: []string{"input"}, not: []string{"input-lengths", "length-pairs", "conversations", "trace"}},
	{flags: []string{"output"}, not: []string{"output-lengths", "length-pairs", "trace"}},
	{flags: []string{"input-lengths"}, not: []string{"length-pairs", "conversations", "trace", "dataset"}},
	{flags: []string{"output-lengths"}, not: []string{"length-pairs", "trace", "dataset"}},
	{flags: []string{"prefix"}, not: []string{"sessions", "conversations", "trace", "tree", "dataset"}},
	{flags: []string{"text"}, not: []string{"sessions", "conversations", "dataset"}},
	{flags: []string{"vocabulary"}, not: append([]string{"sessions", "conversations", "dataset", "text"}, mediaKinds...),
		why: "only prompts of token ids need it"},
	{flags: []string{"requests"}, not: []string{"sessions", "conversations"}},
	{flags: []string{"trace"}, not: []string{"concurrency", "rate", "levels", "rates", "arrivals", "burstiness", "ramp-up",
		"order", "adaptive", "grid", "limit"}},
	{flags: []string{"grid"}, not: []string{"sessions", "conversations", "tree", "dataset", "length-pairs", "input-lengths",
		"output-lengths"}},
}

var mediaKinds = []string{"images", "sound", "media", "image-urls"}

// checkTogether refuses flags that make no sense together, or by themselves.
func checkTogether(flags *flag.FlagSet) error {
	oneOf := func(names []string) error {
		first := ""
		for _, name := range names {
			switch {
			case !given(flags, name):
			case first == "sessions" && name == "conversations": // so many of that file's
			case first != "":
				return Usagef("%s with -%s: want one of them", shownFlag(flags, name), first)
			default:
				first = name
			}
		}
		return nil
	}
	if err := oneOf(kindsOfWorkload); err != nil {
		return err
	}
	if err := oneOf(mediaKinds); err != nil {
		return err
	}
	for _, rule := range together {
		for _, name := range rule.flags {
			if !given(flags, name) {
				continue
			}
			for _, other := range rule.not {
				if given(flags, other) {
					return Usagef("%s with -%s: %s", shownFlag(flags, name), other, cmp.Or(rule.why, "want one of them"))
				}
			}
			if len(rule.needs) > 0 && !slices.ContainsFunc(rule.needs, func(n string) bool { return given(flags, n) }) {
				return Usagef("%s: want -%s with it", shownFlag(flags, name), strings.Join(rule.needs, " or -"))
			}
		}
	}
	return nil
}

// shownFlag is a flag with its value: "-prefix 9", "-text".
func shownFlag(flags *flag.FlagSet, name string) string {
	value := flags.Lookup(name).Value
	if is, ok := value.(interface{ IsBoolFlag() bool }); ok && is.IsBoolFlag() {
		return "-" + name
	}
	return "-" + name + " " + value.String()
}

// checkWorkload refuses what is sent where it makes no sense, before any file is read.
func (l *Load) checkWorkload() error {
	s := &l.sending
	if err := checkTogether(l.flags); err != nil {
		return err
	}
	s.Sessions = given(l.flags, "sessions") && !s.has("conversations")
	for flag, text := range map[string]*string{"turns": &s.Turns, "think": &s.Think, "first-input": &s.First,
		"input-lengths": &s.Input, "output-lengths": &s.Output} {
		if path, ok := strings.CutPrefix(*text, distributionPrefix); ok {
			s.name(flag, path)
			*text = distributionPrefix + s.Files[flag].Name // which is all that travels of it
		}
	}
	switch {
	case l.workload.unit != string(loadgen.UnitSession) && l.workload.unit != string(loadgen.UnitRequest):
		return Usagef("-concurrency-of %q: want session or request", l.workload.unit)
	case s.System < 0:
		return Usagef("-system %d: want a number of tokens, or 0 for none", s.System)
	case s.Media.Images < 0, s.Media.Sound < 0:
		return Usagef("-images %d, -sound %g: want 1 or more, or 0 for none", s.Media.Images, s.Media.Sound)
	case s.Media.Each < 1:
		return Usagef("-media-each %d: want 1 or more", s.Media.Each)
	case s.ofMedia() && l.endpoint != "" && l.endpoint != "chat":
		return Usagef("-%s with -endpoint %s: images and sounds go to chat", l.firstGiven(mediaKinds), l.endpoint)
	}
	return nil
}

// ofMedia reports whether images or sounds are sent.
func (s *sending) ofMedia() bool {
	return s.Media.Images != 0 || s.Media.Sound != 0 || s.Media.URLs != "" || s.has("media")
}

func (l *Load) firstGiven(names []string) string {
	for _, name := range names {
		if given(l.flags, name) {
			return name
		}
	}
	return ""
}

// Level makes a level, of which the flags of load say the rest, one of what is sent.
func (l *Load) Level(level *loadgen.Level) error {
	switch {
	case l.made.trace != nil:
		n := l.made.trace.Len()
		if level.Warmup >= n {
			return Usagef("-warmup %d with -trace: the trace has %d requests", level.Warmup, n)
		}
		level.Arrivals = l.made.trace.Arrivals()
		if level.Requests == 0 && level.Duration == 0 {
			level.Requests = n - level.Warmup
		}
	case l.sending.ofSessions():
		level.Unit = loadgen.Unit(l.workload.unit)
		if level.Sessions = l.workload.sessions.At(level.Concurrency); level.Arrivals.Process != "" {
			level.Sessions = l.workload.sessions.AtRate(level.Arrivals.Rate)
		}
		if level.Sessions == 0 && level.Duration == 0 {
			return Usagef("-conversations: want -sessions or -duration with it, which say how many are measured")
		}
	}
	return nil
}

// changePlan makes a plan one of what is sent.
func (l *Load) changePlan(plan *protocol.Plan) error {
	ofSessions, replays := l.sending.ofSessions(), plan.Arrivals.Process == loadgen.TraceArrivals
	switch t := l.made.trace; {
	case plan.Unit != "" && !ofSessions:
		return Usagef("-plan: its levels are of sessions; want -sessions or -conversations with it")
	case replays && t == nil:
		return Usagef("-plan: it replays a trace; want -trace with it")
	case t != nil:
		plan.Levels, plan.Rates, plan.Order, plan.Handover = nil, nil, protocol.AsGiven, false
		plan.Arrivals = t.Arrivals()
		if f := l.flags.Lookup("max-in-flight"); f != nil {
			plan.MaxInFlight = f.Value.(flag.Getter).Get().(int)
		}
		if !given(l.flags, "requests") {
			plan.Prompts = protocol.Prompts{}
		}
		plan.Input, plan.Output = means(t.Mean())
	case ofSessions:
		plan.Unit = loadgen.Unit(l.workload.unit)
		if given(l.flags, "sessions") {
			plan.Prompts = l.workload.sessions.Prompts
		}
	}
	if l.made.trace == nil && !l.made.lengths.IsZero() {
		plan.Input, plan.Output = means(l.made.lengths.Or(plan.Input, plan.Output).Mean())
	}
	return nil
}

// means are mean lengths as a plan has them, which is of one length each: it is what it estimates its time by.
func means(input, output float64) (int, int) {
	whole := func(x float64) int { return int(min(max(math.Round(x), 1), workload.MaxTokens)) }
	return whole(input), whole(output)
}

// resumes is an error where the flags do not say what a plan that is taken up again sends. Of a trace it puts the times
// back, which the plan does not keep.
func (l *Load) resumes(plan *protocol.Plan, dir string) error {
	ofSessions, replays := l.sending.ofSessions(), plan.Arrivals.Process == loadgen.TraceArrivals
	switch {
	case (plan.Unit != "") != ofSessions && ofSessions:
		return Usagef("-%s with -resume: the levels of %s are of single requests",
			l.firstGiven([]string{"conversations", "sessions"}), dir)
	case (plan.Unit != "") != ofSessions:
		return Usagef("-resume %s: its levels are of sessions; want -sessions %v with it, or -conversations, and what else "+
			"says what they are", dir, plan.Prompts)
	case ofSessions && given(l.flags, "sessions") && l.workload.sessions.Prompts != plan.Prompts:
		return Usagef("-sessions %v with -resume: %s has %v", &l.workload.sessions, dir, plan.Prompts)
	case ofSessions && given(l.flags, "concurrency-of") && l.workload.unit != string(plan.Unit):
		return Usagef("-concurrency-of %s with -resume: %s has %s", l.workload.unit, dir, plan.Unit)
	case replays != (l.made.trace != nil) && replays:
		return Usagef("-resume %s: it replays a trace; want -trace with it, and its -trace-format, -speed and -window", dir)
	case replays != (l.made.trace != nil):
		return Usagef("-trace with -resume: %s replays none", dir)
	case replays:
		plan.Arrivals = l.made.trace.Arrivals()
	}
	return nil
}

// Expect says what a prefix cache can find at most of a level's prompts, where that is known beforehand. Other levels of
// a tree differ by chance, and in the share of first prompts.
func (l *Load) Expect(out io.Writer, s protocol.Step) {
	var shared, input int
	switch {
	case l.made.tree != nil && s.Level.Requests > 0:
		t, err := l.made.tree(s.Spec)
		if err != nil {
			return // which is said where it is built
		}
		shared, input = t.Shared(s.Level.Warmup+s.Level.Requests, 1)
	case l.made.trace != nil:
		shared, input = l.made.trace.Shared()
	}
	if input > 0 && shared > 0 {
		fmt.Fprintf(out, "%d of %d input tokens (%.1f %%) begin a prompt before too: what a prefix cache can find at most\n",
			shared, input, 100*float64(shared)/float64(input))
	}
}
