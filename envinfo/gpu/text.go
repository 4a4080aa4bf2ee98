package gpu

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// LinkTable writes links between devices as a matrix of kinds, with their weights or numbers, where any is known.
func LinkTable(t *table.Table, title string, all []Link) {
	var rows []int
	links := map[[2]int]string{}
	for _, l := range all {
		if !slices.Contains(rows, l.From) {
			rows = append(rows, l.From)
		}
		if kind, ok := l.Type.Get(); ok {
			if weight, ok := l.Weight.Get(); ok {
				kind += fmt.Sprintf(" %d", weight)
			}
			if count, ok := l.Count.Get(); ok {
				kind += fmt.Sprintf(" x%d", count)
			} else if via, ok := l.Via.Get(); ok {
				kind += " " + via
			}
			links[[2]int{l.From, l.To}] = kind
		}
	}
	head, body, known := []string{title}, [][]string{}, false
	for _, from := range rows {
		head = append(head, strconv.Itoa(from))
		row := []string{strconv.Itoa(from)}
		for _, to := range rows {
			kind, ok := links[[2]int{from, to}]
			known = known || ok
			if !ok {
				kind = "-"
			}
			row = append(row, kind)
		}
		body = append(body, row)
	}
	if !known {
		return
	}
	t.Line("")
	t.Cells(head...)
	for _, row := range body {
		t.Cells(row...)
	}
}
