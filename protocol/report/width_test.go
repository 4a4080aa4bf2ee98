package report

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// hostile is an analysis with everything that others name, as badly as they can: long, and with what a terminal acts
// on.
func hostile() *protocol.Analysis {
	a := analysis(protocol.Prompts{PerConcurrency: 10})
	long := strings.Repeat("a-very-long-name/", 12)
	a.Tool, a.Imported, a.KneeOf = long+"\x1b]0;title\x07", "vllm", loadgen.TotalThroughput
	a.Models = []string{"\x1b[2J" + long, "\u202eevil"}
	a.URLs = []string{"http://" + long}
	a.Warnings = append(
		a.Warnings,
		loadgen.Warning{Code: "tool-definitions", Message: "\x9b31m" + long + "\r" + strings.Repeat("word ", 100)},
	)
	for i := range a.Points {
		a.Points[i].Arm = strings.Repeat("arm of many letters ", 5) + string(rune('a'+i))
		a.Points[i].Warnings = append(a.Points[i].Warnings, protocol.PointWarning{
			Warning: loadgen.Warning{
				Code:    "code-" + long,
				Message: long,
				Spoils:  []string{loadgen.All},
			}, Runs: []int{1},
		})
	}
	return a
}

func TestTextFits80Columns(t *testing.T) {
	for name, a := range map[string]*protocol.Analysis{
		"plain": analysis(protocol.Prompts{PerConcurrency: 10}), "capped": analysis(protocol.Prompts{Count: 20}),
		"hostile": hostile(),
		"nothing": protocol.Analyze(&protocol.Experiment{Error: strings.Repeat("x", 300)}),
	} {
		var out, wide bytes.Buffer
		if err := Text(&out, a); err != nil {
			t.Fatal(err)
		}
		if err := WideText(&wide, a); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s: a line of %d columns: %s", name, n, line)
			}
		}
		for _, text := range []string{out.String(), wide.String()} {
			if i := strings.IndexAny(text, "\x00\x07\x1b\r\t\u009b\u202e"); i >= 0 {
				t.Errorf("%s: %q reaches the terminal: …%q", name, text[i], text[max(0, i-20):i+10])
			}
		}
		// Nothing is lost by the width: the same words, but for heads and levels that stand again.
		for word := range strings.FieldsSeq(wide.String()) {
			if utf8.RuneCountInString(word) < 40 && !strings.Contains(out.String(), word) {
				t.Errorf("%s: %q of the wide text is missing", name, word)
			}
		}
	}
}

func TestWideText(t *testing.T) {
	var out bytes.Buffer
	if err := WideText(&out, analysis(protocol.Prompts{PerConcurrency: 10})); err != nil {
		t.Fatal(err)
	}
	golden(t, "wide.txt", out.Bytes())
}

func TestWrap(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"short", "short"},
		{"one two three four", "one two\n  three\n  four"},
		{"  one two three", "  one two\n    three"},
		{"abcdefghijklmnop", "abcdefghij\n  klmnop"},
		{"ab cdefghijklmnopqrst", "ab\n  cdefghij\n  klmnopqr\n  st"},
		{"naïve café é", "naïve café\n  é"},
	} {
		if got := wrap(c.line, 10); got != c.want {
			t.Errorf("wrap(%q): %q; want %q", c.line, got, c.want)
		}
	}
}
