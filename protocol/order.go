package protocol

import (
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/servegauge/servegauge/loadgen"
)

// An Order is the order of a plan's levels within each run. What a level does to the server that the next one finds
// (its caches, its heat, its uptime) is in no level's favour where the order changes from run to run.
type Order string

// The orders that there are.
const (
	AsGiven    Order = ""           // as they stand in the plan
	Ascending  Order = "ascending"  // the least first: the page's
	Descending Order = "descending" // the greatest first
	Shuffled   Order = "shuffled"   // another at random for each run, by the plan's seed
	Latin      Order = "latin"      // a Latin square: over as many runs as levels each level is in each position once

)

var orders = []Order{AsGiven, Ascending, Descending, Shuffled, Latin}

// Orders are the names of the orders, but for the one that has none.
func Orders() []Order { return slices.Clone(orders[1:]) }

// UnmarshalText reads the name of an order.
func (o *Order) UnmarshalText(text []byte) error {
	if !slices.Contains(orders, Order(text)) {
		return &loadgen.InvalidError{Field: "order", Value: strconv.Quote(string(text)),
			Want: "ascending, descending, shuffled or latin; none: as given"}
	}
	*o = Order(text)
	return nil
}

// MarshalText writes the name of an order.
func (o Order) MarshalText() ([]byte, error) { return []byte(o), nil }

// ordered are the loads in the order of a run, from 0.
func (p Plan) ordered(run int) []loadgen.Level {
	levels := p.loads()
	n := len(levels)
	switch p.Order {
	case Ascending:
		slices.SortFunc(levels, byLoad)
	case Descending:
		slices.SortFunc(levels, byLoad)
		slices.Reverse(levels)
	case Shuffled:
		// Beside the seeds of the prompts, which are those of the plan's seed and the step's number.
		random := rand.New(rand.NewPCG(p.Seed, 1<<63+uint64(run)))
		random.Shuffle(n, func(i, j int) { levels[i], levels[j] = levels[j], levels[i] })
	case Latin:
		given := slices.Clone(levels)
		for i, k := range latinRow(n, run) {
			levels[i] = given[k]
		}
	}
	return levels
}

// latinRow is row r of a square of n in which each number is in each row and each column once, and which is balanced
// for what one level leaves to the next (Williams, Australian Journal of Scientific Research A 2, 1949): with n even
// each number comes right after each other one once in n rows; with n odd twice in 2n, of which the second n are the
// first reversed.
func latinRow(n, r int) []int {
	row := make([]int, n)
	for i := range row {
		// 0, 1, n − 1, 2, n − 2, …
		step := (i + 1) / 2
		if i%2 == 0 {
			step = (n - i/2) % n
		}
		row[i] = (step + r) % n
	}
	if n%2 == 1 && r/n%2 == 1 {
		slices.Reverse(row)
	}
	return row
}
