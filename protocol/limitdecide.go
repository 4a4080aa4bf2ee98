package protocol

import (
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// Validate returns what is wrong with a limit, a [*loadgen.InvalidError], or nil.
func (l Limit) Validate() error { return l.validate() }

// Decide says whether a figure in a unit, whose interval is v, keeps the limit: an interval of any confidence, where
// [Analysis.Judge] goes by 95 %. An error says that the units do not go together.
func (l Limit) Decide(v stats.Interval, unit string) (Decision, error) {
	low, high, err := l.bounds(unit)
	if err != nil {
		return Undecided, err
	}
	return l.decide(v, low, high), nil
}

// Backwards reports whether a limit bounds a figure on its good side alone, as ttft_p99>500ms does: the slower a
// server, the surer it holds. Of figures that only some levels have nothing is known.
func (l Limit) Backwards() bool {
	f, _ := new(limitParser).figure(0, l.Figure)
	switch f.Better {
	case loadgen.LowerIsBetter:
		return l.Max == 0
	case loadgen.HigherIsBetter:
		return l.Min == 0
	}
	return false
}
