package audit

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/stats"
)

// A Verdict says what an audit came to.
type Verdict string

const (
	Passed       Verdict = "passed"        // fewer wrong answers than spoil a level, of a server whose answers can be checked
	Spoiled      Verdict = "spoiled"       // Limit or more: the level's figures are of another work than was asked for
	NotCheckable Verdict = "not checkable" // the check says nothing here; Reason says why
)

// A Method is how answers were checked.
type Method string

const (
	// Scored asks for the log-probabilities of all of an answer's tokens at once.
	Scored Method = "scored"

	// SingleTokens asks at 8 positions of an answer which token comes next, with the log-probabilities of the first few.
	// It is weaker: it sees what is wrong at those positions alone, and a token beyond the few that are told has a gap of
	// unknown size.
	SingleTokens Method = "single tokens"

	// Prefilled asks for the log-probabilities of all of an answer's tokens where the server does not say which tokens were
	// the best (TGI): those of a probability below 1/e, which alone can be wrong, are compared with the best one by a
	// request each, for the 8 least probable. It is weaker where an answer has more of them, and where its text is not
	// read back as the tokens that were given.
	Prefilled Method = "prefill details"

	// KnownAnswers asks prompts whose answers are known, during the level: they are not the level's own answers.
	KnownAnswers Method = "known answers"
)

// A Tally counts the answers of one sample.
type Tally struct {
	Answers int `json:"answers"` // that were looked at
	Wrong   int `json:"wrong"`   // of these

	Positions int `json:"positions,omitempty"` // that were scored
	Tops      int `json:"tops,omitempty"`      // of these, where the given token was the most probable one

	// Gap is the largest gap of the answers that are not wrong, in nats: how far a healthy server comes to the limit.
	Gap float64 `json:"gap_nats,omitempty"`
}

// Add counts an answer.
func (t *Tally) Add(s *Score) {
	t.Answers++
	if s.Wrong() {
		t.Wrong++
	} else if len(s.Gaps) > 0 {
		t.Gap = max(t.Gap, slices.Max(s.Gaps))
	}
	t.Positions += len(s.Gaps)
	t.Tops += s.Tops
}

// Agreement is the share of positions at which the given token was the most probable one, and whether there were any.
// It has no verdict: a quantisation path moves it (0.9985 where nothing differed, 0.993 with fp8 and 0.956 with int4, of
// one model), where gaps see nothing; so does batching.
func (t Tally) Agreement() (share float64, known bool) {
	if t.Positions == 0 {
		return 0, false
	}
	return float64(t.Tops) / float64(t.Positions), true
}

// A Fault says where one answer is wrong.
type Fault struct {
	Index     int     `json:"index"`              // of its request in the level, or of its session
	Request   int     `json:"request,omitempty"`  // which of that session's requests, from 1; 0: of no session
	Asked     int     `json:"asked"`              // positions that were scored
	Positions int     `json:"positions"`          // of these, the wrong ones
	First     int     `json:"first"`              // the first of these, from 0; −1: none, it was refused
	Missing   int     `json:"missing,omitempty"`  // wrong ones without a gap, or with one that is no number
	Gap       float64 `json:"gap_nats,omitempty"` // the largest; 0: none is known
	Refused   string  `json:"refused,omitempty"`  // why the server would not score it
}

func (f Fault) String() string {
	name := requestName(f.Index, f.Request)
	if f.First < 0 {
		return fmt.Sprintf("%s: not scored (%s)", name, f.Refused)
	}
	how := fmt.Sprintf("gaps up to %.1f nats", f.Gap)
	if f.Gap == 0 {
		how = "no probability told"
	}
	return fmt.Sprintf("%s: %d of %d positions, from %d on, %s", name, f.Positions, f.Asked, f.First, how)
}

func requestName(index, request int) string {
	if request == 0 {
		return fmt.Sprintf("request %d", index)
	}
	return fmt.Sprintf("session %d, request %d", index, request)
}

// Name is what people call the request whose answer it is.
func (e Example) Name() string { return requestName(e.Index, e.Request) }

// An Example is a wrong answer. Texts may be private, so that there are none unless they are asked for.
type Example struct {
	Index   int `json:"index"`             // of its request in the level, or of its session
	Request int `json:"request,omitempty"` // which of that session's requests, from 1; 0: of no session

	Answer string `json:"answer"` // its beginning
	First  int    `json:"first"`  // the first wrong position
}

// An Outcome is what an audit of one level came to.
type Outcome struct {
	Verdict Verdict `json:"verdict"`          // what it came to
	Reason  string  `json:"reason,omitempty"` // why it is not checkable
	Method  Method  `json:"method,omitempty"` // "": none was possible

	Level   Tally `json:"level"`   // the level's own answers
	Healthy Tally `json:"healthy"` // given at one in flight
	Control Tally `json:"control"` // under another's prompt, where wrong is right

	// Share is that of wrong answers in the level, with its 95 % interval; nil where none was audited. Smallest is the
	// smallest share that so many answers show with a probability of 0.8.
	Share    *stats.Interval `json:"share,omitempty"`
	Smallest float64         `json:"smallest,omitempty"`

	Faults   []Fault   `json:"faults,omitempty"`   // of the first 32 wrong answers
	Examples []Example `json:"examples,omitempty"` // two, on request

	Kept    int           `json:"kept"`               // answers of the level that were kept
	TooLong int           `json:"too_long,omitempty"` // that were not, because they were longer than what is kept
	Empty   int           `json:"empty,omitempty"`    // of those kept, with nothing in them that could be checked
	Took    time.Duration `json:"took_ns,omitempty"`

	// Known are the answers to questions whose answers are known, which were asked beside the level's requests; nil: none
	// were.
	Known *Known `json:"known,omitempty"`
}

const mostFaults = 32

// Evidence is what an audit has to go by.
type Evidence struct {
	Method  Method
	Level   []Score
	Healthy Tally
	Odd     *Score // one of these that is wrong; nil: none is, or it is not known
	Control []Score
}

// Judge is the outcome by the rule of the package.
func (e *Evidence) Judge() *Outcome {
	o := &Outcome{Method: e.Method, Healthy: e.Healthy}
	for i := range e.Level {
		s := &e.Level[i]
		o.Level.Add(s)
		if s.Wrong() && len(o.Faults) < mostFaults {
			o.Faults = append(o.Faults, s.fault())
		}
	}
	for i := range e.Control {
		o.Control.Add(&e.Control[i])
	}
	if n := o.Level.Answers; n > 0 {
		if v, err := stats.ProportionInterval(o.Level.Wrong, n, 0.95, "answer"); err == nil {
			o.Share = &v
		}
		o.Smallest = Smallest(n)
	}
	found := ""
	if o.Level.Answers > 0 {
		found = fmt.Sprintf("; in the level %d of %d are wrong", o.Level.Wrong, o.Level.Answers)
	}
	switch l, h, c := o.Level, o.Healthy, o.Control; {
	case c.Answers < ControlAnswers:
		o.not("only %d of %d answers could be rescored under another's prompt", c.Answers, ControlAnswers)
	case float64(c.Wrong) < ControlShare*float64(c.Answers):
		o.not("of %d answers rescored under another's prompt only %d were caught, and %.0f are wanted: the prompt matters "+
			"too little to this model, as to one with random weights, for a check to mean anything%s",
			c.Answers, c.Wrong, ControlShare*float64(c.Answers), found)
	case h.Answers < HealthyAnswers:
		o.not("only %d of %d answers could be had at one in flight", h.Answers, HealthyAnswers)
	case h.Wrong > 0:
		example := ""
		if e.Odd != nil {
			example = fmt.Sprintf(" (%v)", e.Odd.fault())
		}
		o.not("%d of %d answers at one in flight are wrong already%s, so that what is wrong in the level is not known to be "+
			"of the load%s", h.Wrong, h.Answers, example, found)
	case l.Answers == 0:
		o.not("no answer of the level was checked")
	case l.Wrong >= Limit(l.Answers):
		o.Verdict = Spoiled
	default:
		o.Verdict = Passed
	}
	return o
}

// Impossible is the outcome of an audit that could not be made.
func Impossible(format string, args ...any) *Outcome {
	o := &Outcome{}
	o.not(format, args...)
	return o
}

func (o *Outcome) not(format string, args ...any) {
	o.Verdict, o.Reason = NotCheckable, fmt.Sprintf(format, args...)
}

// String is the outcome in a sentence or two, for people.
func (o *Outcome) String() string {
	var s strings.Builder
	switch {
	case o.Verdict == NotCheckable:
		fmt.Fprintf(&s, "not checkable: %s", o.Reason)
	case o.Method == KnownAnswers:
		fmt.Fprintf(&s, "%s by known answers alone, which are not the level's own", o.Verdict)
	default:
		fmt.Fprintf(&s, "%s: %d of %d answers are wrong", o.Verdict, o.Level.Wrong, o.Level.Answers)
		if o.Share != nil {
			fmt.Fprintf(&s, " (95 %% interval %.2g to %.2g %%)", 100*o.Share.Low, 100*o.Share.High)
		}
		fmt.Fprintf(&s, "; %.2g %% of wrong ones would have shown with a probability of 0.8", 100*o.Smallest)
		fmt.Fprintf(&s, "; %d of %d at one in flight, %d of %d caught under another's prompt",
			o.Healthy.Wrong, o.Healthy.Answers, o.Control.Wrong, o.Control.Answers)
	}
	if share, ok := o.Level.Agreement(); ok {
		fmt.Fprintf(&s, "; top-1 agreement %.4f", share)
	}
	switch o.Method {
	case SingleTokens:
		s.WriteString("; by single tokens at 8 positions, which is weaker: what is wrong between them is not seen")
	case Prefilled:
		s.WriteString("; by prefill details, which is weaker: of the tokens that are less probable than 1/e the 8 least " +
			"probable were compared with the best")
	}
	if k := o.Known; k != nil {
		fmt.Fprintf(&s, "; %v", k)
	}
	if o.TooLong > 0 {
		fmt.Fprintf(&s, "; %d answers were too long to be kept", o.TooLong)
	}
	if o.Empty > 0 {
		fmt.Fprintf(&s, "; %d answers were empty, and are not among these", o.Empty)
	}
	return s.String()
}

// NotCaught says what an audit does not see, for reports.
const NotCaught = "an audit does not catch an always-wrong server, a damage that leaves the tokens likely (a swapped KV " +
	"block in 1 of 7), a text that is not that of its token ids, an answer that is cut, a quantisation path (see top-1 " +
	"agreement), or fewer wrong answers than are stated"
