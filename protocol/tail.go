package protocol

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// WarnFewSamples is the code of the warning that percentiles are of fewer samples than it takes to bound them, in one
// run at least. It marks them, and spoils nothing: the p99 of 100 requests is what it is, the second largest of them
// or thereabouts, and not a time that 99 % of the requests take at most.
const WarnFewSamples = stats.FewSamples

// tooFew is how many samples the percentile that a figure is would take, where it has fewer; 0 where it has enough,
// or is none.
func tooFew(f loadgen.Figure) int {
	_, p, ok := loadgen.QuantileOf(f.Name)
	if !ok || stats.TailWarnings(f.N, p/100) == nil {
		return 0
	}
	return stats.TailFloor(p / 100)
}

// fewSamples names the percentiles of a run that are of too few samples, by what they would take.
func fewSamples(all []loadgen.Figure) (loadgen.Warning, bool) {
	type percentile struct {
		takes int
		p     float64
	}
	found := map[percentile][]loadgen.Figure{}
	for _, f := range all {
		if takes := tooFew(f); takes > 0 {
			_, p, _ := loadgen.QuantileOf(f.Name)
			found[percentile{takes, p}] = append(found[percentile{takes, p}], f)
		}
	}
	if len(found) == 0 {
		return loadgen.Warning{}, false
	}
	var parts []string
	for _, k := range slices.SortedFunc(maps.Keys(found), func(a, b percentile) int { return b.takes - a.takes }) {
		least, most := found[k][0].N, 0
		for _, f := range found[k] {
			least, most = min(least, f.N), max(most, f.N)
		}
		have := fmt.Sprint(least)
		if most > least {
			have = number.Sprintf("%d to %d", least, most)
		}
		parts = append(parts, number.Sprintf("it takes %d to bound a p%g, and %s", k.takes, k.p, figures(len(found[k]), have)))
	}
	return loadgen.Warning{Code: WarnFewSamples, Message: "percentiles are of too few samples: " + strings.Join(parts, "; ")}, true
}

func figures(n int, have string) string {
	if n == 1 {
		return "one figure has " + have
	}
	return number.Sprintf("%d figures have %s", n, have)
}
