package protocol

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// concurrencies are those of a plan's steps, a row for each run.
func concurrencies(t *testing.T, p Plan) [][]int {
	t.Helper()
	var done []Measurement
	rows := make([][]int, p.Runs)
	for {
		s, err := p.Next(done)
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		if !s.Discard {
			rows[s.Run-1] = append(rows[s.Run-1], s.Level.Concurrency)
		}
		done = append(done, Measurement{Step: s})
	}
}

func TestOrder(t *testing.T) {
	p := Plan{Runs: 3, Input: 1, Output: 1, Levels: []int{4, 16, 1, 8}, Prompts: Prompts{Count: 100}, Seed: 7,
		Warmup: 2}
	for order, want := range map[Order]string{
		AsGiven:    "[[4 16 1 8] [4 16 1 8] [4 16 1 8]]",
		Ascending:  "[[1 4 8 16] [1 4 8 16] [1 4 8 16]]",
		Descending: "[[16 8 4 1] [16 8 4 1] [16 8 4 1]]",
	} {
		p.Order = order
		if got := fmt.Sprint(concurrencies(t, p)); got != want {
			t.Errorf("%s: %s, want %s", order, got, want)
		}
	}
	p.Order = Shuffled
	rows := concurrencies(t, p)
	if again := concurrencies(t, p); fmt.Sprint(rows) != fmt.Sprint(again) {
		t.Errorf("the same plan has two orders: %v, %v", rows, again)
	}
	if slices.Equal(rows[0], rows[1]) && slices.Equal(rows[1], rows[2]) {
		t.Errorf("all runs alike: %v", rows)
	}
	p.Seed++
	if other := concurrencies(t, p); fmt.Sprint(rows) == fmt.Sprint(other) {
		t.Errorf("another seed has the same order: %v", rows)
	}
	for _, row := range rows {
		slices.Sort(row)
		if fmt.Sprint(row) != "[1 4 8 16]" {
			t.Errorf("%v", row)
		}
	}
	p.Order = "random"
	var invalid *loadgen.InvalidError
	if _, err := p.Check(); !errors.As(err, &invalid) || invalid.Field != "order" {
		t.Error(err)
	}
}

// In as many runs as levels each is in each position once; and each follows each other equally often, in twice as
// many runs where the number is odd.
func TestLatinSquare(t *testing.T) {
	for n := 1; n <= 12; n++ {
		runs := n
		if n%2 == 1 {
			runs = 2 * n
		}
		after := map[[2]int]int{}
		for first := 0; first < runs; first += n {
			for column := range n {
				seen := map[int]bool{}
				for r := first; r < first+n; r++ {
					seen[latinRow(n, r)[column]] = true
				}
				if len(seen) != n {
					t.Errorf("%d levels: %d of them in position %d", n, len(seen), column)
				}
			}
		}
		for r := range runs {
			row := latinRow(n, r)
			for i := 1; i < n; i++ {
				after[[2]int{row[i-1], row[i]}]++
			}
		}
		for pair, times := range after {
			if want := runs / n; times != want {
				t.Errorf("%d levels: %v %d times, want %d", n, pair, times, want)
			}
		}
		if len(after) != n*(n-1) {
			t.Errorf("%d levels: %d pairs", n, len(after))
		}
	}
}
