package report

import (
	"io"
	"strings"
)

// Markdown writes the page of one experiment, or of several side by side, as Markdown with tables. Charts are named by
// the files that [Chart] has beside it: NAME.svg. What came from outside is escaped, so that it is neither markup nor
// HTML.
//
// The error is that of w.
func Markdown(w io.Writer, subjects ...Subject) error {
	out := &printer{w: w}
	d := newDocument(subjects)
	out.f("# %s\n\n", md(d.Title))
	for _, line := range d.Subtitle {
		out.f("- %s\n", md(line))
	}
	for _, of := range d.Answers {
		if of.Name != "" {
			out.f("\n## %s, in short\n", md(of.Name))
		}
		for _, a := range of.Answers {
			out.f("\n**%s** %s", md(a.Question), md(a.Headline))
			if a.Verdict != neutral {
				out.f(" (%s)", a.Verdict)
			}
			out.f(".")
			for _, detail := range a.Details {
				out.f(" %s", md(detail))
			}
			out.f("\n")
		}
	}
	if d.Lead != nil {
		markdownBlock(out, block{Chart: d.Lead})
	}
	for _, s := range d.Sections {
		out.f("\n## %s\n", md(s.Title))
		for _, b := range s.Blocks {
			markdownBlock(out, b)
		}
	}
	return out.err
}

func markdownBlock(out *printer, b block) {
	switch {
	case b.Heading != nil:
		out.f("\n### %s\n", md(b.Heading.Text))
	case b.Text != "":
		out.f("\n%s\n", md(b.Text))
	case len(b.List) > 0:
		out.f("\n")
		for _, line := range b.List {
			out.f("- %s\n", md(line))
		}
	case b.Code != "":
		out.f("\n")
		for line := range strings.Lines(b.Code) { // indented, so that no fence in it can end it
			out.f("    %s\n", strings.TrimRight(printable(line), "\n"))
		}
	case b.Table != nil:
		markdownTable(out, b.Table)
	case b.Chart != nil:
		out.f("\n![%s](%s.svg)\n", md(b.Chart.Title), b.Chart.Name)
	case b.Details != nil:
		out.f("\n%s:\n", md(b.Details.Summary))
		for _, inner := range b.Details.Blocks {
			markdownBlock(out, inner)
		}
	}
}

func markdownTable(out *printer, t *Table) {
	if t.Caption != "" {
		out.f("\n%s:\n", md(t.Caption))
	}
	out.f("\n|")
	for _, h := range t.Head {
		out.f(" %s |", md(h))
	}
	out.f("\n|")
	for i := range t.Head {
		if numeric(t, i) {
			out.f("---:|")
		} else {
			out.f("---|")
		}
	}
	out.f("\n")
	for _, row := range t.Rows {
		out.f("|")
		for _, c := range row {
			mark := ""
			switch {
			case c.Bad:
				mark = "!"
			case c.Flag != "":
				mark = "?"
			}
			out.f(" %s%s |", md(c.Text), mark)
		}
		out.f("\n")
	}
}

// numeric is whether a column holds a number.
func numeric(t *Table, column int) bool {
	for _, row := range t.Rows {
		if column < len(row) && row[column].Is {
			return true
		}
	}
	return false
}

// markup is what means something in Markdown, or in the HTML that it may hold. A dash, a dot or a # mean something at
// the beginning of a line only, where md's texts never stand without something before them but in a paragraph.
var markup = strings.NewReplacer("\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "<",
	"&lt;", ">", "&gt;",
	"|", "\\|", "~", "\\~", "&", "&amp;", "!", "\\!", "$", "\\$", "://", ":&#47;&#47;", "www.", "www&#46;", "@",
	"&#64;")

// md is a text as Markdown that shows it, and does nothing else.
func md(s string) string {
	s = markup.Replace(strings.TrimSpace(strings.ReplaceAll(printable(s), "\n", " ")))
	if s != "" && strings.ContainsRune("#+-=0123456789", rune(s[0])) {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i < len(s) && (i == 0 || s[i] == '.' && i+1 < len(s) && s[i+1] == ' ' || s[i] == ')') {
			s = s[:i] + "\\" + s[i:] // a heading or a list it is not
		}
	}
	return s
}
