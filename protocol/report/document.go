package report

import (
	"math"
	"strings"
	"unicode"

	"github.com/servegauge/servegauge/protocol"
)

// A Subject is one experiment of a page. A page has one, or several side by side: models, or before and after.
type Subject struct {
	// Name tells it from the others; "": the name of its plan, or its model where there are several.
	Name string

	Experiment *protocol.Experiment // what was measured
	Analysis   *protocol.Analysis   // what it shows; nil: it is derived

	Charts []Chart // drawn by package chart, or by the caller; none: the page has tables alone
}

// A Chart is a picture that was drawn for a page, once for each way in which it can be looked at.
type Chart struct {
	Name  string // of its anchor and its files: "throughput"
	Title string
	Place Place

	Drawings []Drawing
	Data     Table // what is drawn, for who cannot see it or wants to draw it anew
}

// A Place is the section of the page that a chart belongs to.
type Place string

// The places of charts.
const (
	PlaceClient  Place = "client"
	PlaceResults Place = "results"
	PlaceLatency Place = "latency"
	PlaceSpread  Place = "variance"
	PlaceServer  Place = "server"
	PlaceCompare Place = "side-by-side"
)

// A Drawing is one form of a chart. Of those that differ in Scale or Basis the reader chooses one; the narrow one is
// what a phone shows.
type Drawing struct {
	// SVG is the picture, an svg element. It goes into the page as it is: who draws it has escaped what came from
	// outside.
	SVG string

	Scale  string // of the load: "log", "linear"; "": it has but one
	Basis  string // "total", "gpu"; "": it has but one
	Narrow bool
}

// A document is a page before it is HTML or Markdown: both write the same one.
type document struct {
	Title    string
	Subtitle []string
	Answers  []answersOf
	Lead     *Chart // that a reader sees first; nil: none
	Sections []section

	Scales, Bases bool // the charts have a choice of them
}

// answersOf are those of one subject, which has a name where there are several.
type answersOf struct {
	Name    string
	Answers []answer
}

// An answer is one of the four that the first screen gives.
type answer struct {
	Question, Headline string
	Verdict            verdict
	Details            []string
	Wide               bool // it has a row of its own
}

// A verdict says how an answer is to be taken. The page shows it as a word and not as a colour alone.
type verdict string

const (
	fine    verdict = "sound"
	careful verdict = "with care"
	bad     verdict = "not to be used"
	neutral verdict = ""
)

type section struct {
	ID, Title string
	Blocks    []block
}

// A block is one of its fields.
type block struct {
	Heading *heading
	Text    string
	List    []string
	Table   *Table
	Chart   *Chart
	Code    string
	Details *details
}

type heading struct{ ID, Text string }

// details are blocks that are folded away, where the medium can.
type details struct {
	Summary string
	Blocks  []block
}

// A Table is a table of a page. It can be copied as CSV and sorted where the medium can.
type Table struct {
	ID      string // of its anchor; "": none
	Caption string
	Head    []string
	Rows    [][]Cell
}

// A Cell is a value of a table as people read it.
type Cell struct {
	Text string

	// Number is what it is sorted by, and what its CSV has; NaN, or where Text is not a number: the text itself.
	Number float64
	Is     bool // it is a number

	Flag string // why it must not be used, or only with care; "": it may
	Bad  bool   // the flag forbids its use
	Link string // an anchor of this page, without "#"
}

// clean leaves of every text what can be printed: what came from outside may hold what a terminal obeys, or what turns
// the order of letters around.
func (d *document) clean() {
	d.Title = printable(d.Title)
	cleanAll(d.Subtitle)
	for i := range d.Answers {
		d.Answers[i].Name = printable(d.Answers[i].Name)
		for j := range d.Answers[i].Answers {
			a := &d.Answers[i].Answers[j]
			a.Headline = printable(a.Headline)
			cleanAll(a.Details)
		}
	}
	if d.Lead != nil {
		lead := *d.Lead
		d.Lead = &lead
		cleanBlocks([]block{{Chart: d.Lead}})
	}
	for _, s := range d.Sections {
		cleanBlocks(s.Blocks)
	}
}

func cleanAll(texts []string) {
	for i := range texts {
		texts[i] = printable(texts[i])
	}
}

func cleanBlocks(blocks []block) {
	for i := range blocks {
		b := &blocks[i]
		b.Text, b.Code = printable(b.Text), printable(b.Code)
		cleanAll(b.List)
		if b.Heading != nil {
			b.Heading.Text = printable(b.Heading.Text)
		}
		if b.Table != nil {
			b.Table.clean()
		}
		if b.Chart != nil {
			b.Chart.Title = printable(b.Chart.Title)
			b.Chart.Data.clean()
		}
		if b.Details != nil {
			b.Details.Summary = printable(b.Details.Summary)
			cleanBlocks(b.Details.Blocks)
		}
	}
}

func (t *Table) clean() {
	t.Caption = printable(t.Caption)
	cleanAll(t.Head)
	for _, row := range t.Rows {
		for i := range row {
			row[i].Text, row[i].Flag = printable(row[i].Text), printable(row[i].Flag)
		}
	}
}

// printable is a text without control characters but for line ends, and without those that turn the order around.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) && r != '\u00a0' && r != '\u202f' {
			return '\ufffd'
		}
		return r
	}, s)
}

func textCell(s string) Cell { return Cell{Text: s} }

func numberCell(x float64, shown string) Cell {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return Cell{Text: "–"}
	}
	return Cell{Text: shown, Number: x, Is: true}
}

func texts(row []string) []Cell {
	out := make([]Cell, len(row))
	for i, s := range row {
		out[i] = textCell(s)
	}
	return out
}

// add appends blocks to a section that is being written.
func (s *section) add(blocks ...block) { s.Blocks = append(s.Blocks, blocks...) }

func (s *section) text(lines ...string) {
	for _, line := range lines {
		if line != "" {
			s.add(block{Text: line})
		}
	}
}

func (s *section) table(t Table) {
	if len(t.Rows) > 0 {
		s.add(block{Table: &t})
	}
}

func (s *section) heading(id, text string) { s.add(block{Heading: &heading{id, text}}) }
