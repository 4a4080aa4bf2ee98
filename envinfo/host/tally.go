package host

import (
	"fmt"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// tally is what many files say, once: the text that they share, or each text with how many say it, the most frequent
// first.
type tally struct {
	texts  []string
	counts []int
	of     int
	failed int
	reason string // of the first that failed
	source string // the first that was read
}

const maxKinds = 16 // different texts that are told apart; more than that is no summary

func (t *tally) add(v fact.Value[string]) {
	t.of++
	text, ok := v.Get()
	if !ok {
		if t.failed++; t.failed == 1 {
			t.reason = v.Reason()
		}
		return
	}
	if t.source == "" {
		t.source = v.Source()
	}
	i := slices.Index(t.texts, text)
	if i < 0 {
		if len(t.texts) == maxKinds {
			text, i = "others", maxKinds
		}
		if i = slices.Index(t.texts, text); i < 0 {
			i = len(t.texts)
			t.texts, t.counts = append(t.texts, text), append(t.counts, 0)
		}
	}
	t.counts[i]++
}

// value is the sum of it; none says why there is nothing.
func (t *tally) value(none string) fact.Value[string] {
	switch {
	case t.of == 0:
		return fact.Unknown[string]("", fact.ScopeHost, none)
	case len(t.texts) == 0:
		return fact.Unknown[string]("", fact.ScopeHost, t.reason)
	}
	source := t.source
	if t.of > 1 {
		source += fmt.Sprintf(" and %d others", t.of-1)
	}
	if len(t.texts) == 1 && t.failed == 0 {
		return fact.Known(t.texts[0], "", fact.ScopeHost, source)
	}
	order := make([]int, len(t.texts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return t.counts[b] - t.counts[a] })
	var parts []string
	for _, i := range order {
		parts = append(parts, fmt.Sprintf("%dx %s", t.counts[i], t.texts[i]))
	}
	if t.failed > 0 {
		parts = append(parts, fmt.Sprintf("%dx unknown", t.failed))
		source += "; " + t.reason
	}
	return fact.Known(strings.Join(parts, ", "), "", fact.ScopeHost, source)
}
