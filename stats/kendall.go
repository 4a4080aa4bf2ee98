package stats

import (
	"fmt"
	"math"
	"slices"
)

const (
	kendallMin   = 5  // below it the smallest possible p is .083, or .333
	kendallExact = 20 // up to here the permutations are counted; 20! is still near what a float64 holds exactly
)

// KendallTrend is the result of the [MannKendall] test.
type KendallTrend struct {
	S int `json:"s"` // pairs that rise less pairs that fall; above 0 is up
	// Variance is that of S without a trend, given the ties.
	Variance float64 `json:"variance"`
	// Z is (S ∓ 1)/√Variance towards 0, nearly standard normal for many samples. 0 if S is 0.
	Z float64 `json:"z"`
	// P is the two-sided p-value, the probability of an |S| at least as large without a trend.
	P float64 `json:"p"`
	// Exact says that P counts all orders of the samples, and is not the normal approximation by Z.
	Exact    bool      `json:"exact"`
	N        int       `json:"n"`
	Warnings []Warning `json:"warnings,omitempty"`
}

// MannKendall tests whether x, in the order of time, has a monotonic trend (Mann 1945; Kendall 1938). It looks at the
// signs of the differences of all pairs alone, so it has no unit and outliers do not move it.
//
// Up to 20 samples P is exact, ties included: the share of all orders of these samples whose |S| is as large. Beyond,
// it is the normal approximation with continuity correction, and the variance
// (n(n − 1)(2n + 5) − Σ t(t − 1)(2t + 5))/18 with t the sizes of the groups of ties.
//
// Fewer than 5 samples is ErrTooFew, because the smallest P that n = 3 and 4 can give is .333 and .083; at n = 5 it is
// .0167. No samples is ErrEmpty, NaN or an infinity ErrNotFinite with its index. Identical samples have S = 0 and P =
// 1, with the warning ResolutionLimited. The time is proportional to n².
func MannKendall(x []float64) (KendallTrend, error) {
	if err := checkSample("x", x); err != nil {
		return KendallTrend{}, err
	}
	if len(x) < kendallMin {
		return KendallTrend{}, &LengthError{Arg: "x", Len: len(x), Err: ErrTooFew,
			Remedy: fmt.Sprintf("give at least %d: fewer cannot show a trend whatever they are", kendallMin)}
	}
	k := KendallTrend{N: len(x), P: 1}
	for i, a := range x {
		for _, b := range x[i+1:] {
			switch {
			case b > a:
				k.S++
			case b < a:
				k.S--
			}
		}
	}
	ties := tieSizes(x)
	n := float64(len(x))
	k.Variance = n * (n - 1) * (2*n + 5)
	for _, size := range ties {
		t := float64(size)
		k.Variance -= t * (t - 1) * (2*t + 5)
	}
	k.Variance /= 18
	switch {
	case k.S > 0:
		k.Z = float64(k.S-1) / math.Sqrt(k.Variance)
	case k.S < 0:
		k.Z = float64(k.S+1) / math.Sqrt(k.Variance)
	}
	switch k.Exact = len(x) <= kendallExact; {
	case len(ties) == 1:
		k.Warnings = []Warning{resolutionLimited()}
	case k.Exact:
		k.P = kendallP(k.S, ties)
	default:
		k.P = math.Erfc(math.Abs(k.Z) / math.Sqrt2)
	}
	return k, nil
}

// tieSizes returns how often each distinct value of x occurs.
func tieSizes(x []float64) []int {
	s := slices.Clone(x)
	slices.Sort(s)
	sizes := []int{0}
	for i, v := range s {
		if i > 0 && v != s[i-1] {
			sizes = append(sizes, 0)
		}
		sizes[len(sizes)-1]++
	}
	return sizes
}

// kendallP is the share of all distinct orders with at least this |S|. An order has S = pairs − 2·inversions, pairs
// being those of different values, and orders by inversions are counted by the Gaussian multinomial coefficient of the
// tie sizes: a product of binomial ones, one for each group put among those before it.
func kendallP(s int, ties []int) float64 {
	orders := []float64{1} // by inversions
	placed := 0
	for _, size := range ties {
		orders = multiply(orders, gaussianBinomial(placed, size))
		placed += size
	}
	pairs := len(orders) - 1
	var all, extreme float64
	for inversions, count := range orders {
		all += count
		if value := pairs - 2*inversions; max(value, -value) >= max(s, -s) {
			extreme += count
		}
	}
	return extreme / all
}

// gaussianBinomial counts the ways to put b equal values among a others, by how many of the others each passes:
// partitions into at most a parts of at most b. Either no part is b, or one is and a − 1 are left.
func gaussianBinomial(a, b int) []float64 {
	ways := make([][]float64, a+1) // ways[i] is for i parts
	for i := range ways {
		ways[i] = []float64{1}
	}
	for largest := 1; largest <= b; largest++ {
		for parts := 1; parts <= a; parts++ {
			next := make([]float64, parts*largest+1)
			copy(next, ways[parts])
			for sum, count := range ways[parts-1] {
				next[sum+largest] += count
			}
			ways[parts] = next
		}
	}
	return ways[a]
}

// multiply returns the product of two polynomials.
func multiply(p, q []float64) []float64 {
	product := make([]float64, len(p)+len(q)-1)
	for i, a := range p {
		for j, b := range q {
			product[i+j] += float64(a * b)
		}
	}
	return product
}
