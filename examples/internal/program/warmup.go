package program

import (
	"fmt"
	"strconv"

	"github.com/servegauge/servegauge/protocol"
)

// A Warmup is a flag of what each run begins with: a number of requests that are discarded, or "steady".
type Warmup struct {
	requests int
	steady   bool
}

func (w *Warmup) String() string {
	if w.steady {
		return "steady"
	}
	return strconv.Itoa(w.requests)
}

// Set reads "10" or "steady".
func (w *Warmup) Set(s string) error {
	if s == "steady" {
		*w = Warmup{steady: true}
		return nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("%q: want a number of requests, or steady", s)
	}
	*w = Warmup{requests: n}
	return nil
}

// change has a plan warm so.
func (w *Warmup) change(p *protocol.Plan) {
	p.Warmup, p.WarmUntilSteady = w.requests, 0
	if w.steady {
		p.WarmUntilSteady = protocol.SteadyBound
	}
}
