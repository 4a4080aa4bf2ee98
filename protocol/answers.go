package protocol

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// Codes of the warnings that the answers of a level look other than those of the lowest level of the same run.
const (
	// More of them are empty, cut short, of one token, broken text, or what another prompt was answered, by more than a
	// hundredth of all and more than chance does (Fisher's exact test, 1 in 100,000). It spoils all figures: they are
	// those of other work.
	WarnAnswersDamaged = "answers-damaged"
	// They end for other reasons, or after other numbers of tokens. It spoils nothing: the figures count what came.
	WarnAnswersDiffer = "answers-differ"
)

const (
	answersP    = 1e-5 // of each comparison with the lowest level
	answersSize = 0.01 // of all answers, or of their mean length: less does not matter
)

// damages are the ways in which an answer is none, and how many of a level's have it.
var damages = []struct {
	what string
	of   func(r, lowest *loadgen.Result) loadgen.Share
}{
	{"have nothing in them", func(r, _ *loadgen.Result) loadgen.Share {
		return loadgen.Share{Count: r.Answers.NoContent, Of: r.Accounting.Completed}
	}},
	{"are of one token, where more were asked for", func(r, _ *loadgen.Result) loadgen.Share {
		return loadgen.Share{Count: r.Texts.OneToken, Of: counted(r)}
	}},
	{"are shorter than was asked for", func(r, _ *loadgen.Result) loadgen.Share {
		return loadgen.Share{Count: r.Texts.Short, Of: counted(r)}
	}},
	{"have characters in them that stand for broken ones (U+FFFD)", func(r, _ *loadgen.Result) loadgen.Share {
		return loadgen.Share{Count: r.Texts.Replaced, Of: r.Texts.Texts}
	}},
	{"are what another prompt was answered", func(r, lowest *loadgen.Result) loadgen.Share {
		if n := min(len(r.Texts.Repeats), len(lowest.Texts.Repeats)); n > 0 {
			return r.Texts.Repeats[n-1]
		}
		return loadgen.Share{}
	}},
}

// counted is how many requests of a level had their tokens counted.
func counted(r *loadgen.Result) int { return r.Accounting.Completed - r.Tokens.Uncounted }

// lookAtAnswers holds the answers of each level against those of the lowest one of its run that asked for as much, and
// adds what it finds to the level's warnings. The results are not changed: each gets warnings of its own.
func lookAtAnswers(measured []Measurement) {
	type kind struct {
		arm           string
		run           int
		input, output int
		open          bool
	}
	lowest := map[kind]*Measurement{}
	of := func(m *Measurement) kind {
		s := m.Step
		return kind{s.Arm, s.Run, s.Input, s.Output, s.Level.Arrivals.Process != ""}
	}
	less := func(a, b *Measurement) bool {
		return cmp.Or(cmp.Compare(a.Step.Level.Arrivals.Rate, b.Step.Level.Arrivals.Rate),
			cmp.Compare(a.Step.Level.Concurrency, b.Step.Level.Concurrency)) < 0
	}
	for i := range measured {
		m := &measured[i]
		if low := lowest[of(m)]; m.Result.Accounting.Completed > 0 && (low == nil || less(m, low)) {
			lowest[of(m)] = m
		}
	}
	for i := range measured {
		m := &measured[i]
		if low := lowest[of(m)]; low != nil && less(low, m) {
			m.Result.Warnings = slices.Concat(m.Result.Warnings, answersBeside(&m.Result, &low.Result, loadOf(low.Step)))
		}
	}
}

// answersBeside says in what the answers of a level are other than those of the lowest one.
func answersBeside(r, lowest *loadgen.Result, at Load) []loadgen.Warning {
	var out []loadgen.Warning
	for _, d := range damages {
		a, b := d.of(r, lowest), d.of(lowest, r)
		if p, more := moreThan(a, b); more {
			out = append(out, loadgen.Warning{Code: WarnAnswersDamaged, Spoils: []string{loadgen.All}, Message: number.Sprintf(
				"%s of the answers %s, and %s at %v, the lowest level of the run (p = %.1g): the server does other work under this load",
				shareText(a), d.what, shareText(b), at, p)})
		}
	}
	ended := func(r *loadgen.Result, reason string) loadgen.Share {
		s := loadgen.Share{Count: r.FinishReasons[reason]}
		for _, n := range r.FinishReasons {
			s.Of += n
		}
		return s
	}
	reasons := maps.Clone(r.FinishReasons)
	if reasons == nil {
		reasons = map[string]int{}
	}
	maps.Copy(reasons, lowest.FinishReasons)
	for _, reason := range slices.Sorted(maps.Keys(reasons)) {
		a, b := ended(r, reason), ended(lowest, reason)
		if p, more := moreThan(a, b); more { // where one has fewer of it, it has more of another
			out = append(out, loadgen.Warning{Code: WarnAnswersDiffer, Message: number.Sprintf(
				"%s of the answers ended by %q, and %s at %v, the lowest level of the run (p = %.1g)", shareText(a), reason, shareText(b), at, p)})
		}
	}
	a, b := lengthOf(r), lengthOf(lowest)
	if a.n > 1 && b.n > 1 && math.Abs(a.mean-b.mean) > answersSize*b.mean &&
		math.Abs(a.mean-b.mean) > lengthSigmas*math.Sqrt(a.variance/float64(a.n)+b.variance/float64(b.n)) {
		out = append(out, loadgen.Warning{Code: WarnAnswersDiffer, Message: number.Sprintf(
			"answers have %.1f tokens on average, and %.1f at %v, the lowest level of the run", a.mean, b.mean, at)})
	}
	return out
}

// moreThan reports whether a share is greater than another, by more than matters and more than chance does.
func moreThan(a, b loadgen.Share) (p float64, more bool) {
	if a.Of == 0 || b.Of == 0 || fraction(a)-fraction(b) <= answersSize {
		return 1, false
	}
	p, err := stats.FisherGreater(a.Count, a.Of, b.Count, b.Of)
	return p, err == nil && p < answersP
}

func fraction(s loadgen.Share) float64 { return float64(s.Count) / float64(s.Of) }

func shareText(s loadgen.Share) string {
	return number.Sprintf("%d of %d (%.1f %%)", s.Count, s.Of, 100*fraction(s))
}

// lengthSigmas is 1 in 100,000 of a normal distribution, both sides together, and half as much again, because few
// lengths are not normal.
const lengthSigmas = 1.5 * 4.42

// A length is what is known of how long answers are.
type length struct {
	n              int
	mean, variance float64
}

func lengthOf(r *loadgen.Result) length {
	l := length{n: counted(r)}
	if l.n < 2 || r.Texts.SquaredOutput == 0 { // a journal of before
		return length{}
	}
	n := float64(l.n)
	l.mean = float64(r.Tokens.Output) / n
	l.variance = max(0, (r.Texts.SquaredOutput-n*l.mean*l.mean)/(n-1))
	return l
}
