package report

import (
	"bytes"
	"html"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// What is no number, or is one that is a name: dates, addresses, hashes, seeds, what can be copied into a shell.
var noNumbers = regexp.MustCompile(`\d{4}-\d{2}-\d{2}|https?://\S+|[0-9a-f]{12,}|(?i)seed[^\n]{0,40}?\d+|` + "(?s:```.*?```)|`[^`\n]*`")

// Numbers as they should not be: four digits or more without commas, a hyphen for a minus, and a programmer's exponent.
var offenders = regexp.MustCompile(`(?:^|[^\w.,])\d{4,}(?:\.\d+)?(?:$|[^\w])|(?:^|[\s(\[|:])-\d[\d.]*|\d[eE][+-]\d`)

// tags are what a browser does not show as text.
var tags = regexp.MustCompile(`(?is)<(style|script|pre|code|svg)\b.*?</(style|script|pre|code|svg)>|<[^>]*>`)

// Numbers are written in one way, wherever people read them.
func TestNumbersHaveOneStyle(t *testing.T) {
	e := experiment([]int{512, 2048}, protocol.Prompts{Count: 20_000})
	e.Starts = []protocol.Start{{Run: 1, Ready: 1234e9}, {Run: 2, Ready: 2345e9}}
	for i := range e.Measurements {
		m := &e.Measurements[i]
		m.Step.Input, m.Step.Output = 2048, 1024
		r := &m.Result
		r.Accounting = loadgen.Accounting{Issued: 20_000, Completed: 18_500, Failed: 1500}
		r.Tokens.Mismatch = 1234
		for j := range r.Figures {
			r.Figures[j].Value *= 100
			r.Figures[j].N = 18_500
		}
		r.Figures = append(r.Figures, loadgen.Figure{Name: "ttft_error_mean", Unit: "ms", Value: -1234.5, N: 18_500})
	}
	a := protocol.Analyze(e)
	for name, write := range map[string]func(io.Writer) error{
		"text":     func(w io.Writer) error { return Text(w, a) },
		"wide":     func(w io.Writer) error { return WideText(w, a) },
		"markdown": func(w io.Writer) error { return Markdown(w, Subject{Experiment: e, Analysis: a}) },
		"html":     func(w io.Writer) error { return HTML(w, Subject{Experiment: e, Analysis: a}) },
		"level":    func(w io.Writer) error { return LevelText(w, &e.Measurements[0].Result) },
		"plan":     func(w io.Writer) error { return PlanText(w, protocol.MultiRun(), nil, nil) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		if name == "html" {
			text = html.UnescapeString(tags.ReplaceAllString(text, "\n"))
		}
		text = noNumbers.ReplaceAllString(text, "")
		if !regexp.MustCompile(`\d,\d{3}`).MatchString(text) {
			t.Errorf("%s has none of the numbers that it should have", name)
		}
		for line := range strings.Lines(text) {
			if found := offenders.FindAllString(line, -1); found != nil {
				t.Errorf("%s: %q in %.150q", name, found, line)
			}
		}
	}
}

// The test finds what it looks for.
func TestNumbersThatOffend(t *testing.T) {
	for text, want := range map[string]bool{
		"in 1234 of 20,000": true, "took -2.5 %": true, "1.2e+04 tok/s": true, "12345.6": true, "[1974, 2,024]": true,
		"1,234 of 20,000": false, "−2.5 %": false, "p99-p50": false, "v1.2345": false, "2048x128": false, "run-12": false,
		"128": false, "0.12345": false,
	} {
		if got := offenders.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
