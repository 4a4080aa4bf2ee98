package envinfo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/servegauge/servegauge/internal/number"
)

// NewTable is a table that writes to w.
func newTable(w io.Writer) *table { return &table{w: tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// flush writes what is left, and returns the first error of all.
func (t *table) flush() error {
	if t.err != nil {
		return t.err
	}
	return t.w.Flush()
}

// table writes rows and keeps the first error.
type table struct {
	w   *tabwriter.Writer
	err error
}

// line writes a line outside of the columns.
func (t *table) line(s string) { t.cells(s) }

func (t *table) cells(columns ...string) {
	for i := range columns {
		columns[i] = strings.ReplaceAll(columns[i], "\t", " ") // a tab would shift the columns
	}
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	}
}

func (t *table) head(title string) { t.cells(title, "Specification", "Scope", "Source") }

func (t *table) row(name string, c cell) { t.cells(name, c.text, string(c.scope), c.source) }

// cell is a value as it is printed.
type cell struct {
	text   string
	scope  Scope
	source string // or the reason
}

// show is the cell of v, written by format.
func show[T Scalar](v Value[T], format func(T) string) cell {
	x, ok := v.Get()
	if !ok {
		return cell{"unknown", v.Scope(), v.Reason()}
	}
	return cell{format(x), v.Scope(), v.Source()}
}

func plain[T Scalar](x T) string { return fmt.Sprint(x) }

// quantity formats a number with at most so many decimals, thousands, and its unit.
func quantity[T int64 | float64](unit string, decimals int) func(T) string {
	return func(x T) string { return strings.TrimSpace(number.Short(float64(x), decimals) + " " + unit) }
}

// size formats bytes, both rounded and exact.
func size[T int64 | Limit](x T) string {
	if l := Limit(x); l.Unlimited() {
		return l.String()
	}
	return number.Short(float64(x)/(1<<30), 1) + " GiB (" + number.Short(float64(x), 0) + " B)"
}

// bandwidth keeps one decimal, as data sheets do: 6.0 TB/s, and 3.277 TB/s.
func bandwidth(x float64) string {
	s := number.Short(x, 3)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s + " TB/s"
}

// terabytes is GB, and TB where they are whole ones (of 1,024 GB, as memory is sold).
func terabytes(gb int64) string {
	s := number.Short(float64(gb), 0) + " GB"
	if gb > 0 && gb%1024 == 0 {
		return number.Short(float64(gb/1024), 0) + " TB (" + s + ")"
	}
	return s
}

// pair writes two values as one cell. With the second unknown it is left out; with the first unknown so is the pair.
func pair(a, b cell, format string) cell {
	if a.text == "unknown" || b.text == "unknown" {
		return a
	}
	a.text = fmt.Sprintf(format, a.text, b.text)
	if b.source != a.source {
		a.source = joinReasons(a.source, b.source)
	}
	return a
}

// mixed is the cell of several kinds, with how many there are of each.
func mixed(kinds []cell, counts []int) cell {
	out := kinds[0]
	var text, source []string
	for i, k := range kinds {
		text = append(text, fmt.Sprintf("%dx %s", counts[i], k.text))
		source = append(source, k.source)
	}
	out.text, out.source = strings.Join(text, ", "), strings.Join(source, "; ")
	return out
}

// orElse is a cell, or another where that is unknown.
func orElse(a, b cell) cell {
	if a.text == "unknown" {
		return b
	}
	return a
}

func gigabytes(gb int64) string { return number.Short(float64(gb), 0) + " GB" }

// gibibytes are what memory is, and what a description means by GB; saying GB would give the reader two numbers to choose from.
func gibibytes(b int64) string { return number.Short(float64(b)/(1<<30), 1) + " GiB" }

// alike groups cards by what of says of them: how many have what, in the order of the cards.
func alike[T any](cards []T, of func(T) cell) (kinds []cell, counts []int) {
	for _, card := range cards {
		c := of(card)
		i := slices.IndexFunc(kinds, func(k cell) bool { return k.text == c.text })
		if i < 0 {
			i = len(kinds)
			kinds, counts = append(kinds, c), append(counts, 0)
		}
		counts[i]++
	}
	return kinds, counts
}

// perCard is one cell for all cards: what they have in common, or how many have what. There must be one at least.
func perCard[T any](cards []T, of func(T) cell) cell {
	kinds, counts := alike(cards, of)
	if len(kinds) == 1 {
		return kinds[0]
	}
	return mixed(kinds, counts)
}

// list is a row for each value, and one that says so where there is none.
func list(t *table, name string, values []Value[string]) {
	if len(values) == 0 {
		t.cells(name, "none", "", "")
	}
	for i, v := range values {
		row := name
		if len(values) > 1 {
			row = fmt.Sprintf("%s %d", name, i+1)
		}
		t.row(row, show(v, plain))
	}
}

// settings is a row for each.
func settings(t *table, all []Setting) {
	for _, s := range all {
		t.row(s.Name, show(s.Value, plain))
	}
}
