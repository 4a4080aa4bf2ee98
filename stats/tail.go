package stats

import (
	"math"
	"strconv"
	"sync"

	people "github.com/servegauge/servegauge/internal/number"
)

// tailConfidence and tailSpare are MLPerf's: with 99 % the bound holds, and one sample at least lies above it.
const (
	tailConfidence = 0.99
	tailSpare      = 1
)

// TailCertificate is an upper bound for a percentile that assumes nothing of the distribution, by [CertifyTail]: with
// the stated confidence no more than 1 − P of what is measured lies above Bound.
type TailCertificate struct {
	P          float64 // the fraction, 0.99 for the 99th percentile
	Confidence float64 // one-sided
	// Bound is one of the samples, in their unit; undefined if there are too few.
	Bound float64
	// N is how many samples there are, Over how many of them may lie above a bound, which at Bound they do, and Needed
	// from how many on there is a bound.
	N, Over, Needed int
	// Warnings: FewSamples for N < Needed, UnitUnnamed never: the samples are taken to be independent.
	Warnings []Warning
}

// TailFloor returns from how many samples on the p-quantile has the bound of [CertifyTail]: MLPerf's floors, 64 for
// p90, 130 for p95, 662 for p99 and 6636 for p99.9. For p under ½ it is the floor of the lower bound, and for p not
// strictly between 0 and 1, extremes that no number of samples bounds, 0. See [QuantileFloor] for other confidences.
func TailFloor(p float64) int {
	if n, known := tailFloors[p]; known {
		return n()
	}
	return tailFloor(p)
}

// tailFloors are those of the percentiles that most figures are: each takes a millisecond, and a report asks for
// hundreds.
var tailFloors = map[float64]func() int{}

func init() {
	for _, p := range []float64{0.5, 0.9, 0.95, 0.99, 0.999} {
		tailFloors[p] = sync.OnceValue(func() int { return tailFloor(p) })
	}
}

func tailFloor(p float64) int {
	n, err := QuantileFloor(p, tailConfidence, tailSpare)
	if err != nil {
		return 0
	}
	return n
}

// TailWarnings returns the warning FewSamples if a percentile from n samples is below its floor, see [TailFloor], and
// nil otherwise. It marks the figure and does not spoil it: the p99 of 100 requests is what it is, the second largest
// of them or thereabouts, and not the time that 99 % of the requests take at most.
func TailWarnings(n int, p float64) []Warning {
	floor := TailFloor(p)
	if n >= floor {
		return nil
	}
	return []Warning{{FewSamples, people.Sprintf("%d samples are too few for a p%s: it takes %d to bound it",
		n, strconv.FormatFloat(100*p, 'g', 10, 64), floor)}}
}

// CertifyTail returns the upper bound for the p-quantile of the population that x is a sample of, by MLPerf's rule of
// early stopping: with 99 % confidence, the smallest sample above which so few lie that they show it, and one at least
// (see [QuantileFloor], spare = Over). That is the figure to quote for a limit on a tail, "p99 under 500 ms with 99 %
// confidence", where the percentile itself is over as often as under the truth. x may be in any order and is not
// changed.
//
// It holds for independent samples. Requests that are answered in waves are not, and it then holds less often.
//
// Too few samples, N < Needed, leave Bound undefined with the warning FewSamples. No samples is ErrEmpty, NaN or an
// infinity ErrNotFinite with its index, p not from ½ to 1, or beyond what any int of samples reaches, ErrOutOfRange.
func CertifyTail(x []float64, p float64) (TailCertificate, error) {
	sorted, err := NewSorted(x)
	if err != nil {
		return TailCertificate{}, err
	}
	c, err := certificate(len(x), p)
	if err != nil || c.N < c.Needed {
		return c, err
	}
	// The most that may lie over: P(Binomial(n, 1 − p) ≤ over) ≤ 1 − confidence.
	low, high := tailSpare, c.N
	for low+1 < high {
		if middle := low + (high-low)/2; atMost(middle, c.N, 1-p) <= (1-c.Confidence)*(1+1e-12) {
			low = middle
		} else {
			high = middle
		}
	}
	c.Over = low
	c.Bound = sorted[c.N-1-c.Over]
	return c, nil
}

func certificate(n int, p float64) (TailCertificate, error) {
	if !(p >= 0.5 && p < 1) {
		return TailCertificate{}, &ValueError{Arg: "p", Value: p, Err: ErrOutOfRange,
			Remedy: "give a fraction from 0.5 to 1, that excluded: the 99th percentile is 0.99"}
	}
	needed, err := QuantileFloor(p, tailConfidence, tailSpare)
	return TailCertificate{
		P: p, Confidence: tailConfidence, Bound: math.NaN(), N: n, Needed: needed, Warnings: TailWarnings(n, p),
	}, err
}

// Below reports whether the certificate shows the percentile to be below x. It is false where there are too few
// samples.
func (c TailCertificate) Below(x float64) bool { return c.N >= c.Needed && c.Needed > 0 && c.Bound < x }

// String returns the certificate in one line, such as "p99 ≤ 480 at 99 % (1000 samples, 3 over)" or "p99: too few
// samples, 100 of the 662 that it takes".
func (c TailCertificate) String() string {
	name := "p" + strconv.FormatFloat(100*c.P, 'g', 10, 64)
	if math.IsNaN(c.Bound) || c.Needed == 0 {
		return people.Sprintf("%s: too few samples, %d of the %d that it takes", name, c.N, c.Needed)
	}
	return people.Sprintf("%s ≤ %s at %.4g %% (%d samples, %d over)", name, formatNumber(c.Bound, 6), 100*c.Confidence,
		c.N, c.Over)
}

type tailCertificateJSON struct {
	P          float64   `json:"p"`
	Confidence float64   `json:"confidence"`
	Bound      number    `json:"bound"`
	N          int       `json:"n"`
	Over       int       `json:"over"`
	Needed     int       `json:"needed"`
	Warnings   []Warning `json:"warnings,omitempty"`
}

// MarshalJSON writes the certificate with null for a bound that is undefined.
func (c TailCertificate) MarshalJSON() ([]byte, error) {
	if c.Needed == 0 { // the zero TailCertificate
		c.Bound = math.NaN()
	}
	return marshal(tailCertificateJSON{c.P, c.Confidence, number(c.Bound), c.N, c.Over, c.Needed, c.Warnings})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (c *TailCertificate) UnmarshalJSON(b []byte) error {
	j := tailCertificateJSON{Bound: undefined}
	if err := unmarshal(b, &j); err != nil {
		return err
	}
	*c = TailCertificate{j.P, j.Confidence, float64(j.Bound), j.N, j.Over, j.Needed, j.Warnings}
	return nil
}
