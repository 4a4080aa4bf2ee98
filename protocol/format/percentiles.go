package format

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// percentilesOf takes the percentiles out of the members of a summary, by the names that tools have for them: "p99",
// "p99.9", "p99p9" (llm-d), "median", "50%" (evalscope). Others, such as "max", are none.
func percentilesOf(all map[string]num) []percentile {
	var out []percentile
	for name, value := range all {
		if p, ok := percentileNamed(name); ok {
			out = append(out, percentile{p, value})
		}
	}
	slices.SortFunc(out, func(a, b percentile) int { return cmp.Compare(a.p, b.p) })
	return out
}

func percentileNamed(name string) (float64, bool) {
	if name == "median" {
		return 50, true
	}
	digits, isP := strings.CutPrefix(name, "p")
	if !isP {
		if digits, isP = strings.CutSuffix(name, "%"); !isP {
			return 0, false
		}
	}
	p, err := strconv.ParseFloat(strings.Replace(digits, "p", ".", 1), 64)
	return p, err == nil && p > 0 && p < 100
}
