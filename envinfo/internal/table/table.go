// Package table writes values as tables for people: what, how much, of which scope, from where.
package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/internal/number"
)

// New is a table that writes to w.
func New(w io.Writer) *Table { return &Table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// Flush writes what is left, and returns the first error of all.
func (t *Table) Flush() error {
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

// NewApart is a table of what there is: rows that are unknown are kept until [Table.Unknown], and a heading above
// nothing but these is not written.
func NewApart(w io.Writer) *Table {
	t := New(w)
	t.apart = true
	return t
}

// Table writes rows and keeps the first error.
type Table struct {
	w   *tabwriter.Writer
	err error

	apart   bool
	waiting []string   // blank lines and the heading that are written with the row that follows
	title   string     // of the heading
	unknown [][]string // the rows that were kept
}

// Unknown writes the rows that were kept, each with its reason, under a heading.
func (t *Table) Unknown(title string) {
	t.apart, t.waiting = false, nil
	if len(t.unknown) == 0 {
		return
	}
	t.Cells("")
	t.Cells(title, "Of", "Scope", "Reason")
	for _, row := range t.unknown {
		t.Cells(row...)
	}
}

// Line writes a line outside of the columns.
func (t *Table) Line(s string) {
	if t.apart && s == "" {
		t.waiting = []string{""} // a heading that still waits had no rows
		return
	}
	t.Cells(s)
}

// Cells writes a row of cells.
func (t *Table) Cells(columns ...string) {
	for _, line := range t.waiting {
		if t.err == nil {
			_, t.err = fmt.Fprintln(t.w, line)
		}
	}
	t.waiting = nil
	for i := range columns {
		columns[i] = strings.ReplaceAll(columns[i], "\t", " ") // a tab would shift the columns
	}
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	}
}

// Head begins a table.
func (t *Table) Head(title string) {
	columns := []string{title, "Specification", "Scope", "Source"}
	if t.apart {
		t.title = title
		t.waiting = append(t.waiting, strings.Join(columns, "\t"))
		return
	}
	t.Cells(columns...)
}

// Row writes a value under a name.
func (t *Table) Row(name string, c Cell) {
	if t.apart && c.Text == "unknown" {
		t.unknown = append(t.unknown, []string{name, t.title, string(c.Scope), c.Source})
		return
	}
	t.Cells(name, c.Text, string(c.Scope), c.Source)
}

// Cell is a value as it is printed.
type Cell struct {
	Text   string
	Scope  fact.Scope
	Source string // or the reason
}

// Show is the cell of v, written by format.
func Show[T fact.Scalar](v fact.Value[T], format func(T) string) Cell {
	x, ok := v.Get()
	if !ok {
		return Cell{"unknown", v.Scope(), v.Reason()}
	}
	return Cell{format(x), v.Scope(), v.Source()}
}

// Plain is x as fmt writes it.
func Plain[T fact.Scalar](x T) string { return fmt.Sprint(x) }

// Quantity formats a number with at most so many decimals, thousands, and its unit.
func Quantity[T int64 | float64](unit string, decimals int) func(T) string {
	return func(x T) string { return strings.TrimSpace(number.Short(float64(x), decimals) + " " + unit) }
}

// Size formats bytes, both rounded and exact.
func Size[T int64 | fact.Limit](x T) string {
	if l := fact.Limit(x); l.Unlimited() {
		return l.String()
	}
	return number.Short(float64(x)/(1<<30), 1) + " GiB (" + number.Short(float64(x), 0) + " B)"
}

// Bandwidth keeps one decimal, as data sheets do: 6.0 TB/s, and 3.277 TB/s.
func Bandwidth(x float64) string {
	s := number.Short(x, 3)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s + " TB/s"
}

// Terabytes is GB, and TB where they are whole ones (of 1,024 GB, as memory is sold).
func Terabytes(gb int64) string {
	s := number.Short(float64(gb), 0) + " GB"
	if gb > 0 && gb%1024 == 0 {
		return number.Short(float64(gb/1024), 0) + " TB (" + s + ")"
	}
	return s
}

// Pair writes two values as one cell. With the second unknown it is left out; with the first unknown so is the pair.
func Pair(a, b Cell, format string) Cell {
	if a.Text == "unknown" || b.Text == "unknown" {
		return a
	}
	a.Text = fmt.Sprintf(format, a.Text, b.Text)
	if b.Source != a.Source {
		a.Source = fact.JoinReasons(a.Source, b.Source)
	}
	return a
}

// Mixed is the cell of several kinds, with how many there are of each.
func Mixed(kinds []Cell, counts []int) Cell {
	out := kinds[0]
	var text, source []string
	for i, k := range kinds {
		text = append(text, fmt.Sprintf("%dx %s", counts[i], k.Text))
		source = append(source, k.Source)
	}
	out.Text, out.Source = strings.Join(text, ", "), strings.Join(source, "; ")
	return out
}

// OrElse is a cell, or another where that is unknown.
func OrElse(a, b Cell) Cell {
	if a.Text == "unknown" {
		return b
	}
	return a
}

// Gigabytes is a size as it is printed on a card.
func Gigabytes(gb int64) string { return number.Short(float64(gb), 0) + " GB" }

// Gibibytes are what memory is, and what a description means by GB; saying GB would give the reader two numbers to
// choose from.
func Gibibytes(b int64) string { return number.Short(float64(b)/(1<<30), 1) + " GiB" }

// Alike groups cards by what of says of them: how many have what, in the order of the cards.
func Alike[T any](cards []T, of func(T) Cell) (kinds []Cell, counts []int) {
	for _, card := range cards {
		c := of(card)
		i := slices.IndexFunc(kinds, func(k Cell) bool { return k.Text == c.Text })
		if i < 0 {
			i = len(kinds)
			kinds, counts = append(kinds, c), append(counts, 0)
		}
		counts[i]++
	}
	return kinds, counts
}

// PerCard is one cell for all cards: what they have in common, or how many have what. There must be one at least.
func PerCard[T any](cards []T, of func(T) Cell) Cell {
	kinds, counts := Alike(cards, of)
	if len(kinds) == 1 {
		return kinds[0]
	}
	return Mixed(kinds, counts)
}

// List is a row for each value, and one that says so where there is none.
func List(t *Table, name string, values []fact.Value[string]) {
	if len(values) == 0 {
		t.Cells(name, "none", "", "")
	}
	for i, v := range values {
		row := name
		if len(values) > 1 {
			row = fmt.Sprintf("%s %d", name, i+1)
		}
		t.Row(row, Show(v, Plain))
	}
}

// Settings is a row for each.
func Settings(t *Table, all []fact.Setting) {
	for _, s := range all {
		t.Row(s.Name, Show(s.Value, Plain))
	}
}
