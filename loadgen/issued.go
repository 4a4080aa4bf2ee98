package loadgen

import (
	"math"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
)

// IssuedName is the name of the figure of a metric's p-th percentile over all requests issued: IssuedName("ttft", 99)
// is "ttft_p99_issued". A request that failed or was cancelled is later in it than any that completed. Where it is
// one of those, the percentile is not known, and there is no figure. [TTFT], [TPOT], [E2E] and [Response] have it.
func IssuedName(metric string, p float64) string { return QuantileName(metric, p) + "_issued" }

var issuedMetrics = []string{TTFT, TPOT, E2E, Response}

// lost is how many requests have no value of a metric because they did not get that far.
func (r *Result) lost(metric string) int {
	n := r.Accounting.Failed + r.Accounting.Cancelled
	if metric == TTFT {
		n += r.Answers.NoContent
	}
	return n
}

// issuedQuantile is the p-th percentile, of type 7, of the samples and as many more as were lost, all of them later.
func (d *Distribution) issuedQuantile(p float64, lost int) (float64, bool) {
	n := d.Len()
	rank := p / 100 * float64(n+lost-1)
	if n == 0 || math.Ceil(rank) > float64(n-1) {
		return 0, false
	}
	if n == 1 {
		return d.Quantile(0)
	}
	return d.Quantile(min(100*rank/float64(n-1), 100))
}

const (
	censoredLimit = 0.1 // of a percentile of those that completed; from there on that of all issued is another
	censoredFloor = 0.1 // ms
)

// censoredWarning says where a percentile of the completed requests is not that of all issued. It spoils those that
// are not known here, because in other runs of the level they may be: their mean would be that of the good runs.
func (r *Result) censoredWarning(warn func(code string, spoils []string, format string, args ...any)) {
	var parted, spoils []string
	for _, metric := range issuedMetrics {
		d, lost := r.Distributions[metric], r.lost(metric)
		if d == nil || lost == 0 {
			continue
		}
		for _, p := range r.Level.percentiles() {
			q, ok := d.Quantile(p)
			if !ok {
				continue
			}
			switch all, known := d.issuedQuantile(p, lost); {
			case !known:
				spoils = append(spoils, IssuedName(metric, p))
				parted = append(parted, number.Sprintf("%s is %.4g ms, and beyond any that completed", QuantileName(metric, p), q))
			case math.Abs(all-q) > max(censoredLimit*q, censoredFloor):
				parted = append(parted, number.Sprintf("%s is %.4g ms, and %.4g ms", QuantileName(metric, p), q, all))
			}
		}
	}
	if len(parted) > 0 {
		warn(WarnCensored, spoils,
			"%d of %d requests issued did not complete, and are later than any that did: of those that "+
				"completed, and of all, %s; a limit on latency holds for the latter (the figures that end in _issued)",
			r.Accounting.Issued-r.Accounting.Completed, r.Accounting.Issued, strings.Join(parted, "; "))
	}
}
