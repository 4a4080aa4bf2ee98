//go:build unix

package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/stats"
)

// A spread is a figure over the rounds: the median and what it lies between. The zero spread has no value.
type spread struct {
	Median, Low, High float64
	N                 int
}

func spreadOf(values []float64) spread {
	median, err := stats.Quantile(values, 0.5)
	if err != nil {
		return spread{}
	}
	return spread{Median: median, Low: slices.Min(values), High: slices.Max(values), N: len(values)}
}

func (s spread) text(f figure) string {
	switch {
	case s.N == 0:
		return "–"
	case s.N == 1:
		return f.format(s.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", f.format(s.Median), f.format(s.Low), f.format(s.High))
}

// ratio is ours divided by the other, where that says something.
func ratio(ours, other spread) string {
	if ours.N == 0 || other.N == 0 || ours.Median <= 0 || other.Median <= 0 {
		return "–"
	}
	v := ours.Median / other.Median
	if v >= 100 {
		return figure{}.format(v)
	}
	return fmt.Sprintf("%.3g", v)
}

// A results is all runs, and the questions that a table asks of them.
type results []run

// of are the runs of a client in a scenario.
func (r results) of(s scenario, c client) results {
	return slices.DeleteFunc(slices.Clone(r), func(one run) bool {
		return one.Scenario != s.Name ||
			one.Client != c.Name
	})
}

// spread is a figure over all runs of a client in a scenario that have it.
func (r results) spread(f figure, s scenario, c client) spread {
	start := r.startCPU(c)
	var values []float64
	for _, one := range r.of(s, c) {
		if one.Failed != "" {
			continue
		}
		if v, ok := f.Of(s, one, start); ok {
			values = append(values, v)
		}
	}
	return spreadOf(values)
}

// startCPU is the CPU time that a client needs for one request; 0 where that is not known.
func (r results) startCPU(c client) time.Duration {
	var values []float64
	for _, one := range r {
		if one.Client == c.Name && one.Scenario == startName && one.Failed == "" {
			values = append(values, float64(one.CPU))
		}
	}
	return time.Duration(spreadOf(values).Median)
}

// remark is what has to be said of the runs of a client in a scenario: what failed, and what the server counted that
// was not asked for.
func (r results) remark(s scenario, c client) string {
	var remarks []string
	runs := r.of(s, c)
	add := func(remark string) {
		if !slices.Contains(remarks, remark) {
			remarks = append(remarks, remark)
		}
	}
	failed := 0
	for _, one := range runs {
		switch t := one.Server; {
		case one.Failed != "":
			failed++
			add("failed: " + one.Failed)
		case one.Requests > 0 && t.Served != one.Requests:
			add(fmt.Sprintf("served %d of %d", t.Served, one.Requests))
		}
		if t := one.Server; one.Failed == "" && t.Served > 0 && t.Cancelled == 0 &&
			t.Tokens != int64(t.Served*s.Tokens) {
			add(fmt.Sprintf("%.1f tokens a request instead of %d", float64(t.Tokens)/float64(t.Served), s.Tokens))
		}
	}
	if failed > 0 && failed < len(runs) {
		add(fmt.Sprintf("%d of %d runs failed", failed, len(runs)))
	}
	return strings.Join(remarks, "; ")
}

// asked is how many requests a client was asked for, or served where it was not.
func (r results) asked(s scenario, c client) string {
	runs := r.of(s, c)
	if len(runs) == 0 {
		return "–"
	}
	if runs[0].Requests > 0 {
		return figure{}.format(float64(runs[0].Requests))
	}
	return figure{}.format(float64(runs[0].Server.Served)) + " in its time"
}

// write writes a scenario's table. A client that was not run has a row that says so.
func (r results) write(w io.Writer, s scenario, all []client) {
	fmt.Fprintf(w, "\n### %s\n\n| client | requests |", s.Title)
	rule := "|---|---|"
	for _, f := range s.Figures {
		fmt.Fprintf(w, " %s |", f.Name)
		rule += "---|"
		if f.Ratio {
			fmt.Fprint(w, " ours ÷ it |")
			rule += "---|"
		}
	}
	fmt.Fprintf(w, " |\n%s---|\n", rule)
	for _, c := range all {
		if _, ok := c.arguments(s); !ok {
			continue
		}
		remark := r.remark(s, c)
		if c.Path == "" {
			remark = fmt.Sprintf("not given (-%s)", c.Flag)
		}
		fmt.Fprintf(w, "| %s | %s |", c.Name, r.asked(s, c))
		for _, f := range s.Figures {
			its := r.spread(f, s, c)
			fmt.Fprintf(w, " %s |", its.text(f))
			if f.Ratio {
				text := ratio(r.spread(f, s, all[0]), its)
				if c.Name == all[0].Name {
					text = ""
				}
				fmt.Fprintf(w, " %s |", text)
			}
		}
		fmt.Fprintf(w, " %s |\n", remark)
	}
}

var versionNumber = regexp.MustCompile(`\d+\.\d+[0-9A-Za-z.+-]*`)

// versionIn is the last line that looks like a version: what precedes it may be warnings.
func versionIn(text string) string {
	found := ""
	for line := range strings.Lines(text) {
		if versionNumber.MatchString(line) {
			found = printable(line, 80)
		}
	}
	return found
}
