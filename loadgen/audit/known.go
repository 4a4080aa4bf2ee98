package audit

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"

	"github.com/servegauge/servegauge/stats"
)

// A Question is a prompt whose answer is known: the way to check a server that tells neither token ids nor
// probabilities. Its answers are not the level's own, and what they show is of them alone.
type Question struct {
	Prompt string         // a text
	Accept *regexp.Regexp // what is found in each right answer
	Tokens int            // most that it takes to answer
}

// Right reports whether an answer is one that is accepted.
func (q *Question) Right(answer string) bool { return q.Accept.MatchString(answer) }

const (
	usualTokens    = 32
	mostTokens     = 1 << 12
	mostQuestions  = 10_000
	longestLine    = 64 << 10
	fewestKnown    = 20 // known answers by which a level that cannot be scored is judged
	knownConfident = 0.95
)

// A QuestionError says which line of a file of questions cannot be used.
type QuestionError struct {
	Line int // from 1
	Err  error
}

func (e *QuestionError) Error() string { return fmt.Sprintf("questions line %d: %v", e.Line, e.Err) }
func (e *QuestionError) Unwrap() error { return e.Err }

// ReadQuestions reads questions, a JSON object a line; accept is a regular expression (RE2), max_tokens 32 where it is
// not given:
//
//	{"prompt":"What is the capital of France? Answer in one word.","accept":"(?i)paris","max_tokens":8}
//
// The error is a [*QuestionError]. A file has at most 10,000 questions, of 64 KiB each.
func ReadQuestions(r io.Reader) ([]Question, error) {
	in := bufio.NewScanner(r)
	in.Buffer(nil, longestLine)
	var all []Question
	n := 0
	for in.Scan() {
		n++
		if len(in.Bytes()) == 0 {
			continue
		}
		var line struct {
			Prompt string
			Accept string
			Tokens *int `json:"max_tokens"`
		}
		err := json.Unmarshal(in.Bytes(), &line)
		q := Question{Prompt: line.Prompt, Tokens: usualTokens}
		if line.Tokens != nil {
			q.Tokens = *line.Tokens
		}
		switch {
		case err != nil:
			err = fmt.Errorf("want a JSON object with prompt and accept: %w", err)
		case line.Prompt == "":
			err = fmt.Errorf("there is no prompt")
		case line.Accept == "":
			err = fmt.Errorf("there is no accept, a regular expression of what a right answer holds")
		case q.Tokens < 1 || q.Tokens > mostTokens:
			err = fmt.Errorf("max_tokens is %d: want 1 to %d", q.Tokens, mostTokens)
		case len(all) == mostQuestions:
			err = fmt.Errorf("there are more than %d questions", mostQuestions)
		default:
			if q.Accept, err = regexp.Compile(line.Accept); err == nil && q.Right("") {
				err = fmt.Errorf("accept %q is found in an empty answer, and so in any", line.Accept)
			}
		}
		if err != nil {
			return nil, &QuestionError{n, err}
		}
		all = append(all, q)
	}
	if err := in.Err(); err != nil {
		return nil, &QuestionError{n + 1, err}
	}
	if len(all) == 0 {
		return nil, &QuestionError{1, fmt.Errorf("there are no questions")}
	}
	return all, nil
}

// Known counts the answers to questions whose answers are known.
type Known struct {
	Answers int `json:"answers"`           // that came during the level
	Wrong   int `json:"wrong"`             // that were wrong then, and right when asked again alone
	Unknown int `json:"unknown,omitempty"` // that were wrong alone too: this model does not know them
	Failed  int `json:"failed,omitempty"`  // questions that got no answer

	// Control are answers held against another question, by whose pattern they should not be right.
	Control Tally `json:"control"`

	// Beside is how many requests the level had in all beside which they were asked: they are not among these.
	Beside int `json:"beside"`

	// Rate is the share of wrong ones among those that the model knows, with its 95 % interval; nil: there was none.
	Rate *stats.Interval `json:"rate,omitempty"`
}

// usable is how many of the answers say something.
func (k *Known) usable() int { return k.Answers - k.Unknown }

// String is for people.
func (k *Known) String() string {
	s := fmt.Sprintf("known answers, counted apart: %d of %d wrong", k.Wrong, k.usable())
	if k.Rate != nil {
		s += fmt.Sprintf(" (95 %% interval %.2g to %.2g %%)", 100*k.Rate.Low, 100*k.Rate.High)
	}
	if k.Unknown > 0 {
		s += fmt.Sprintf(", %d that the model does not know", k.Unknown)
	}
	if k.Failed > 0 {
		s += fmt.Sprintf(", %d without an answer", k.Failed)
	}
	return s + fmt.Sprintf(", asked beside %d requests of the level", k.Beside)
}

// Consider takes known answers into an outcome. As many wrong ones as spoil a level do so, whatever the level's own
// answers say; and where these could not be checked, the known ones decide, if there are 20 at least.
func (o *Outcome) Consider(k *Known) {
	o.Known = k
	if n := k.usable(); n > 0 {
		if v, err := stats.ProportionInterval(k.Wrong, n, knownConfident, "answer"); err == nil {
			k.Rate = &v
		}
	}
	means := k.Control.Answers > 0 && float64(k.Control.Wrong) >= ControlShare*float64(k.Control.Answers)
	switch {
	case !means:
		if o.Verdict == NotCheckable {
			o.Reason += "; nor by known answers: their patterns accept those to other questions as well"
		}
	case k.Wrong >= Limit(k.usable()):
		o.Verdict = Spoiled
		if o.Reason != "" {
			o.Reason, o.Method = "", KnownAnswers
		}
	case o.Verdict == NotCheckable && o.Method == "" && k.usable() >= fewestKnown:
		o.Verdict, o.Reason, o.Method = Passed, "", KnownAnswers
	case o.Verdict == NotCheckable && o.Method == "":
		o.Reason += fmt.Sprintf("; nor by known answers: %d are too few, it takes %d", k.usable(), fewestKnown)
	}
}
