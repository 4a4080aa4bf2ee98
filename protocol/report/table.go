package report

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/servegauge/servegauge/internal/number"
)

// A printer keeps the first error of its writer. What a terminal would act on, and not show, becomes U+FFFD: models,
// labels and errors are others' texts.
type printer struct {
	w     io.Writer
	width int // of a line, in columns: longer ones go on below, indented. 0: as long as they are
	err   error

	line strings.Builder // that is not at its end yet, where there is a width
}

func (p *printer) Write(b []byte) (int, error) {
	text := strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, string(b))
	if p.width == 0 {
		p.put(text)
		return len(b), p.err
	}
	for line := range strings.Lines(text) {
		whole := strings.HasSuffix(line, "\n")
		p.line.WriteString(strings.TrimSuffix(line, "\n"))
		if whole {
			p.put(wrap(p.line.String(), p.width) + "\n")
			p.line.Reset()
		}
	}
	return len(b), p.err
}

func (p *printer) put(text string) {
	if p.err == nil {
		_, p.err = io.WriteString(p.w, text)
	}
}

func (p *printer) f(format string, args ...any) { _, _ = number.Fprintf(p, format, args...) }

// wrap breaks a line between words, and goes on with two blanks more than it began with. A word that is too long for a
// line is broken too.
func wrap(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	more := indent + "  "
	var out strings.Builder
	at := indent
	length := utf8.RuneCountInString(at)
	first := true
	for word := range strings.SplitSeq(line[len(indent):], " ") {
		n := utf8.RuneCountInString(word)
		if !first && length+1+n > width {
			out.WriteString(strings.TrimRight(at, " ") + "\n")
			at, length, first = more, utf8.RuneCountInString(more), true
		}
		if !first {
			at += " "
			length++
		}
		for length+n > width {
			runes := []rune(word)
			room := width - length
			out.WriteString(at + string(runes[:room]) + "\n")
			word = string(runes[room:])
			at, length = more, utf8.RuneCountInString(more)
			n -= room
		}
		at += word
		length += n
		first = false
	}
	return out.String() + at
}

// A table is columns aligned to the right, without the blanks at the end of a line that alignment leaves. Cells end in
// tabs; what follows the last tab of a line stands at its end as it is.
type table struct {
	to   *printer
	text bytes.Buffer
}

func newTable(to *printer) *table { return &table{to: to} }

func (t *table) f(format string, args ...any) { number.Fprintf(&t.text, format, args...) }

const (
	tableGap  = 2  // blanks between columns
	nameWidth = 38 // of a level's name in a table that goes on below, at most
)

func (t *table) flush() {
	var rows [][]string
	for line := range strings.Lines(t.text.String()) {
		rows = append(rows, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	text := aligned(rows)
	if t.to.width == 0 || widest(text) <= t.to.width {
		t.to.f("%s", text)
		return
	}
	for i, part := range parts(rows, t.to.width) {
		if i > 0 {
			t.to.f("\n")
		}
		t.to.f("%s", aligned(part))
	}
	// What stood at the ends of the lines.
	said := false
	for _, row := range rows[min(1, len(rows)):] {
		if end := strings.TrimSpace(row[len(row)-1]); end != "" && len(row) > 1 {
			if !said {
				t.to.f("\n%s, by %s:\n", strings.TrimSpace(rows[0][len(rows[0])-1]), rows[0][0])
				said = true
			}
			t.to.f("  %s: %s\n", row[0], end)
		}
	}
}

// parts are tables of some of the columns each, all with the first, that are no wider than that where columns are not.
func parts(rows [][]string, width int) (out [][][]string) {
	columns := len(rows[0]) - 1
	widths := make([]int, columns)
	for _, row := range rows {
		for c := range min(columns, len(row)) {
			if c == 0 {
				row[c] = shortened(row[c])
			}
			widths[c] = max(widths[c], utf8.RuneCountInString(row[c])+tableGap)
		}
	}
	for c := 1; c < columns; {
		have := []int{0}
		sum := widths[0]
		for c < columns {
			end, more := c+1, widths[c]
			for end < columns && slices.Contains([]string{"SD", "CoV", "client"}, rows[0][end]) { // of the one before
				more += widths[end]
				end++
			}
			if len(have) > 1 && sum+more > width {
				break
			}
			for ; c < end; c++ {
				have = append(have, c)
			}
			sum += more
		}
		var part [][]string
		for _, row := range rows {
			var cells []string
			for _, c := range have {
				if c < len(row)-1 {
					cells = append(cells, row[c])
				}
			}
			part = append(part, append(cells, ""))
		}
		out = append(out, part)
	}
	return out
}

// shortened keeps both ends of a name that is too long for a table: names of arms differ in either.
func shortened(name string) string {
	if runes := []rune(name); len(runes) > nameWidth {
		return string(runes[:nameWidth/2]) + "…" + string(runes[len(runes)-nameWidth/2+1:])
	}
	return name
}

func aligned(rows [][]string) string {
	var text bytes.Buffer
	tabs := tabwriter.NewWriter(&text, 0, 0, tableGap, ' ', tabwriter.AlignRight)
	for _, row := range rows {
		fmt.Fprintln(tabs, strings.Join(row, "\t"))
	}
	tabs.Flush()
	var out strings.Builder
	for line := range strings.Lines(text.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

func widest(text string) int {
	most := 0
	for line := range strings.Lines(text) {
		most = max(most, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")))
	}
	return most
}
