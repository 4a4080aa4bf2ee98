package protocol

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// A Retry says, before anything is measured, which levels are measured again and how often: those with a warning of
// one of the Causes. All tries are in the journal; the last one counts, and the analysis names it
// ([WarnLevelRetried]). A level that is measured again until it is to somebody's liking is no measurement, which is
// why a cause is a code of a warning and never a figure. The zero Retry has none.
type Retry struct {
	Times  int      `json:"times"`  // more tries of a level, at most
	Causes []string `json:"causes"` // codes of warnings, such as "server-died"
}

// WarnLevelRetried is the code of the warning that a level was measured more than once, for a cause that the plan
// names.
const WarnLevelRetried = "level-retried"

func (r Retry) validate() error {
	switch {
	case r.Times < 0 || r.Times > 100:
		return &loadgen.InvalidError{Field: "retries of a level", Value: r.Times, Want: "a number from 0 to 100"}
	case r.Times == 0 && len(r.Causes) > 0:
		return &loadgen.InvalidError{Field: "retries of a level", Value: r.Times,
			Want: "at least 1, where causes are given: " + strings.Join(r.Causes, ", ")}
	case r.Times > 0 && len(r.Causes) == 0:
		return &loadgen.InvalidError{Field: "causes of a retry", Value: r.Causes,
			Want: "codes of warnings, such as server-died"}
	}
	for _, code := range r.Causes {
		if code == "" || strings.ContainsFunc(code, func(c rune) bool { return c != '-' && (c < 'a' || c > 'z') }) {
			return &loadgen.InvalidError{Field: "cause of a retry", Value: strconv.Quote(code),
				Want: "the code of a warning, such as server-died"}
		}
	}
	return nil
}

// cause is the code for which a measurement is to be made again, "" where it counts.
func (r Retry) cause(m Measurement) string {
	if m.Step.Try > r.Times { // 0 and 2, 3, …: of the first try, and of those after it
		return ""
	}
	for _, w := range m.warnings() {
		if slices.Contains(r.Causes, w.Code) {
			return w.Code
		}
	}
	return ""
}

// settled are the measurements that count: of each step the last try.
func settled(done []Measurement) []Measurement {
	out := make([]Measurement, 0, len(done))
	for _, m := range done {
		if n := len(out); n > 0 && m.Step.Try > 1 && sameStep(out[n-1].Step, m.Step) {
			out = out[:n-1]
		}
		out = append(out, m)
	}
	return out
}

func sameStep(a, b Step) bool { return a.Run == b.Run && a.Seq == b.Seq && a.Arm == b.Arm }

// A Try is one of several measurements of a level of a run, made because the plan said beforehand that there would be
// another one for a cause such as this one had.
type Try struct {
	Load
	Run     int              `json:"run"`    // from 1
	Try     int              `json:"try"`    // from 1
	Counts  bool             `json:"counts"` // it is the last, which is the level's
	Codes   []string         `json:"codes"`  // of its warnings, among which is the cause of the next try; none: []
	Figures []loadgen.Figure `json:"figures"`
}

// retried takes over every try of the levels that were measured more than once, those too that do not count: what was
// left out is shown beside what was not.
func (a *Analysis) retried(all []Measurement) {
	var what []string
	for i, m := range all {
		again := m.Step.Try > 1 && i > 0
		next := i+1 < len(all) && all[i+1].Step.Try > 1 && sameStep(m.Step, all[i+1].Step)
		if !again && !next {
			continue
		}
		t := Try{
			Load: loadOf(m.Step), Run: m.Step.Run, Try: max(m.Step.Try, 1), Counts: !next,
			Codes: codesOf(m.warnings()), Figures: m.Result.Figures,
		}
		if again {
			what = append(what, fmt.Sprintf("%v of run %d after %s", t.Load, t.Run,
				strings.Join(codesOf(all[i-1].warnings()), ", ")))
		}
		a.Tries = append(a.Tries, t)
	}
	if len(what) > 0 {
		a.warn(WarnLevelRetried, "measured again, as the plan had said beforehand, and the tries before do not "+
			"count: %s", strings.Join(what, "; "))
	}
}

func codesOf(warnings []loadgen.Warning) []string {
	out := []string{}
	for _, w := range warnings {
		if !slices.Contains(out, w.Code) {
			out = append(out, w.Code)
		}
	}
	return out
}
