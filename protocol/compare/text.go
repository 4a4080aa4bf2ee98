package compare

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// Text writes the result for people: the conditions, a table of the figures, what was left out, and the outcome. Errors
// are those of w.
func Text(w io.Writer, r *Result) error {
	w = printable{w} // names, models and warnings are others' texts
	var failed error
	line := func(format string, args ...any) {
		if failed == nil { // the first error of a writer says all
			_, failed = fmt.Fprintf(w, format+"\n", args...)
		}
	}
	line("A  %s", r.A)
	line("B  %s", r.B)
	line("Margin %s %%; each value is one %s; verdicts hold together at %.4g %%.", number.Short(100*r.Margin, 2), r.Unit, 100*r.Confidence)
	if len(r.Figures) > 0 {
		// Two one-sided tests: a 95 % interval that is a little wider than the margin is no contradiction.
		line("Equivalent by itself is what has its %.4g %% interval, which is narrower than the one below, within the margin.", 100*(2*r.Confidence-1))
		line("")
		out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		fmt.Fprintf(out, "figure\tat\tA\tB\tunit\tB against A\t95 %%\tby itself\twith all others\t\n")
		for _, f := range r.Figures {
			fmt.Fprintf(out, "%s\t%v\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", f.Name, f.Load, figure(mean(f.A)), figure(mean(f.B)), f.Unit,
				change(f.Alone.Ratio.Estimate), bounds(f.Alone.Ratio), Word(f.Alone), Word(f.Verdict))
		}
		if err := out.Flush(); failed == nil {
			failed = err
		}
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Left out", r.leftOut()}, {"What differs", r.differs()}, {"Warnings", r.warned()}} {
		if len(part.lines) > 0 {
			line("\n%s:\n  %s", part.title, strings.Join(part.lines, "\n  "))
		}
	}
	line("\n%s", r.Conclusion())
	return failed
}

// printable writes U+FFFD in the place of what a terminal would act on, and not show.
type printable struct{ w io.Writer }

func (p printable) Write(b []byte) (int, error) {
	_, err := io.WriteString(p.w, strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) && r != '\u00a0' && r != '\u202f' {
			return '\ufffd'
		}
		return r
	}, string(b)))
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

// String names a side in a line.
func (s Summary) String() string {
	out := fmt.Sprintf("%s: runs: %d", s.Name, s.Runs)
	if s.Experiments > 1 {
		out += fmt.Sprintf(" in %d experiments", s.Experiments)
	}
	return fmt.Sprintf("%s, from %s", out, s.Time.Format("2006-01-02 15:04 MST"))
}

// Word is a verdict in a word: "better", "worse", "equivalent" or "undecided".
func Word(v stats.Verdict) string {
	switch v.Kind {
	case stats.Faster:
		return "better"
	case stats.Slower:
		return "worse"
	}
	return v.Kind.String()
}

// Regressed are the figures that are worse in B, and those of which it is open whether they are.
func (r *Result) Regressed() (worse, open []Figure) {
	for _, f := range r.Figures {
		switch {
		case f.Verdict.Kind == stats.Slower:
			worse = append(worse, f)
		case !f.noWorse():
			open = append(open, f)
		}
	}
	return worse, open
}

// Conclusion says the outcome in words, with what would decide where it is undecided.
func (r *Result) Conclusion() string {
	var worse, open []string
	regressed, undecided := r.Regressed()
	for _, f := range regressed {
		worse = append(worse, fmt.Sprintf("%s at %v (%s)", f.Name, f.Load, change(f.Alone.Ratio.Estimate)))
	}
	for _, f := range undecided {
		open = append(open, fmt.Sprintf("%s at %v", f.Name, f.Load))
	}
	switch {
	case r.Outcome == Regression:
		return "Regression: worse in B: " + strings.Join(worse, ", ")
	case r.Outcome == NoRegression:
		return fmt.Sprintf("No regression: each figure is better in B, or equivalent within %s %%.", number.Short(100*r.Margin, 2))
	case len(r.Figures) == 0:
		return "Undecided: nothing could be compared."
	}
	s := "Undecided: " + strings.Join(open, ", ") + "."
	if r.RunsToDecide > 0 {
		s += fmt.Sprintf(" If the spread is as seen, %d a side, measured afresh, decide each of them 4 times in 5, unless the truth is just below the margin.", r.RunsToDecide)
	}
	return s
}

// leftOut has a line for each load and reason, with the figures that it is of.
func (r *Result) leftOut() (lines []string) {
	type group struct {
		load   protocol.Load
		reason string
	}
	var order []group
	of := map[group][]string{}
	for _, l := range r.LeftOut {
		g := group{l.Load, l.Reason}
		if of[g] == nil {
			order = append(order, g)
		}
		of[g] = append(of[g], l.Figure)
	}
	for _, g := range order {
		name := fmt.Sprint(g.load)
		if of[g][0] != "" {
			name = fmt.Sprintf("%s at %v", strings.Join(of[g], ", "), g.load)
		}
		lines = append(lines, name+": "+g.reason)
	}
	return lines
}

func (r *Result) differs() (lines []string) {
	for _, d := range r.Differences {
		lines = append(lines, d.String())
	}
	return lines
}

// warned are the warnings of the whole, and those of verdicts, each once with the figures that it is of.
func (r *Result) warned() (lines []string) {
	for _, w := range r.Warnings {
		lines = append(lines, w.String())
	}
	var order []string
	of, messages := map[string][]string{}, map[string]string{}
	for _, f := range r.Figures {
		for _, w := range f.Verdict.Warnings {
			if of[w.Code] == nil {
				order = append(order, w.Code)
				messages[w.Code] = w.Text
			}
			of[w.Code] = append(of[w.Code], fmt.Sprintf("%s at %v", f.Name, f.Load))
		}
	}
	for _, code := range order {
		lines = append(lines, fmt.Sprintf("%s: %s: %s", code, strings.Join(of[code], ", "), messages[code]))
	}
	return lines
}

// figure writes a value with four digits, or all of its whole ones.
func figure(x float64) string {
	digits := 3
	if x != 0 && !math.IsNaN(x) && !math.IsInf(x, 0) {
		digits = max(0, 3-int(math.Floor(math.Log10(math.Abs(x)))))
	}
	return number.Fixed(x, min(digits, 6))
}

// change writes a ratio as a change: "+2.13 %".
func change(ratio float64) string {
	if math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return "–"
	}
	return number.Signed(100*(ratio-1), 2) + " %"
}

func bounds(ratio stats.Interval) string {
	if !ratio.Defined() {
		return "no interval"
	}
	return fmt.Sprintf("%s to %s", change(ratio.Low), change(ratio.High))
}
