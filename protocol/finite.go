package protocol

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// WarnNotNumbers says that figures or samples of a level were left out, because they are no numbers: JSON has none
// for them.
const WarnNotNumbers = "not-numbers"

// finite leaves out what cannot be journalled of what others measured: probes, and [Runner.Measure]. A division by
// zero in one of them must not cost the level.
func (m *Measurement) finite() {
	var left []string
	figures := func(all []loadgen.Figure) []loadgen.Figure {
		if !slices.ContainsFunc(all, func(f loadgen.Figure) bool { return !finite(f.Value) }) {
			return all
		}
		var kept []loadgen.Figure
		for _, f := range all {
			if finite(f.Value) {
				kept = append(kept, f)
			} else {
				left = append(left, f.Name)
			}
		}
		return kept
	}
	m.Result.Figures = figures(m.Result.Figures)
	for i := range m.Readings {
		r := &m.Readings[i]
		r.Figures = figures(r.Figures)
		r.Series = slices.Clone(r.Series)
		for j := range r.Series {
			if gaps := r.Series[j].finite(); gaps > 0 {
				left = append(left, fmt.Sprintf("%d samples of %s", gaps, r.Series[j].label()))
			}
		}
	}
	if len(left) > 0 {
		m.Result.Warnings = append(slices.Clip(m.Result.Warnings), loadgen.Warning{Code: WarnNotNumbers,
			Message: "left out, for they are no numbers: " + strings.Join(left, ", ")})
	}
}

// finite makes gaps of the samples that are no numbers, and returns how many there were. A series with more of the
// one than of the other of times and values is left as it is, but for values that are no numbers.
func (s *Series) finite() (gaps int) {
	if !slices.ContainsFunc(s.Value, func(v float64) bool { return !finite(v) }) {
		return 0
	}
	at, value := s.At, s.Value
	paired := len(at) == len(value)
	if s.Value = nil; paired {
		s.At = nil
	}
	for i, v := range value {
		if !finite(v) {
			gaps++
			continue
		}
		if s.Value = append(s.Value, v); paired {
			s.At = append(s.At, at[i])
		}
	}
	s.Gaps += gaps
	return gaps
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
