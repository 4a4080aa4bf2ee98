package stats

import "math"

// ExactTest is the result of a test that goes through all arrangements of the data that were equally likely if nothing
// differs. P cannot be below 2/Arrangements: however large a difference is, three against three give 0.10 by ranks, and
// five against five 0.0079.
type ExactTest struct {
	Method string `json:"method"`
	// arrangements at least as far from the centre as what was seen, itself included
	Extreme      uint64  `json:"extreme"`
	Arrangements uint64  `json:"arrangements"` // all
	P            float64 `json:"p"`            // two-sided: Extreme/Arrangements
}

// The largest samples that the exact tests take. Beyond them the t tests are near enough to exact.
const (
	// MannWhitneyMax is the largest n_a + n_b of [MannWhitney], whose counts are exact in a float64 up to there.
	MannWhitneyMax = 50
	// SignFlipMax is the largest n of [SignFlip], a million arrangements.
	SignFlipMax = 20
)

// MannWhitney tests by ranks whether values of a tend to be larger or smaller than those of b, exactly and two-sided:
// the distance of a's sum of ranks from its expectation, among all ways to choose which of the values are a's. Ties
// have midranks (the mean of the ranks that they share), and the arrangements are those of the midranks seen.
//
// One sample on a side works, and cannot come near a small P. All values equal have P = 1. An empty side is ErrEmpty,
// NaN or an infinity ErrNotFinite with its index, n_a + n_b above [MannWhitneyMax] ErrOutOfRange.
func MannWhitney(a, b []float64) (ExactTest, error) {
	if err := checkSample("a", a); err != nil {
		return ExactTest{}, err
	}
	if err := checkSample("b", b); err != nil {
		return ExactTest{}, err
	}
	n := len(a) + len(b)
	if n > MannWhitneyMax {
		return ExactTest{}, &LengthError{Arg: "a and b together", Len: n, Err: ErrOutOfRange,
			Remedy: "at most 50 can be arranged exactly; use Welch or WelchLogs, which so many samples suffice for"}
	}
	all := append(append(make([]float64, 0, n), a...), b...)
	ranks := make([]int, n) // twice the midranks, which makes them whole: n(n + 1) in all
	for i, v := range all {
		for _, w := range all {
			switch {
			case w < v:
				ranks[i] += 2
			case w == v:
				ranks[i]++
			}
		}
		ranks[i]++
	}
	// ways[k][s]: how many choices of k values have ranks that sum to s.
	ways := make([][]uint64, len(a)+1)
	for k := range ways {
		ways[k] = make([]uint64, n*(n+1)+1)
	}
	ways[0][0] = 1
	for i, r := range ranks {
		for k := min(i+1, len(a)); k > 0; k-- {
			for s := n * (n + 1); s >= r; s-- {
				ways[k][s] += ways[k-1][s-r]
			}
		}
	}
	seen, centre := 0, len(a)*(n+1)
	for _, r := range ranks[:len(a)] {
		seen += r
	}
	t := ExactTest{Method: "Mann–Whitney, exact, midranks"}
	for s, count := range ways[len(a)] {
		t.Arrangements += count
		if distance(s, centre) >= distance(seen, centre) {
			t.Extreme += count
		}
	}
	t.P = float64(t.Extreme) / float64(t.Arrangements)
	return t, nil
}

func distance(i, j int) int { return max(i-j, j-i) }

// SignFlip tests whether d, such as the differences of pairs, is symmetric about 0, exactly and two-sided: |Σd| among
// its values under all 2ⁿ choices of signs (Fisher 1935). Zeros stay in. Sums are taken for equal when they differ by
// less than 1e-12 of Σ|d|, so that rounding does not decide between ties; then the arrangement counts as extreme.
//
// P cannot be below 2/2ⁿ: 0.25 at n = 3, 0.0625 at n = 5. No differences are ErrEmpty, more than [SignFlipMax]
// ErrOutOfRange, NaN or an infinity ErrNotFinite with its index.
func SignFlip(d []float64) (ExactTest, error) {
	if err := checkSample("d", d); err != nil {
		return ExactTest{}, err
	}
	if len(d) > SignFlipMax {
		return ExactTest{}, &LengthError{Arg: "d", Len: len(d), Err: ErrOutOfRange,
			Remedy: "at most 20 can be flipped exactly; use PairedT or PairedLogs, which so many pairs suffice for"}
	}
	_, exp := math.Frexp(largestOf(d))
	scale := math.Ldexp(1, -min(max(exp, -1000), 1000)) // a power of two, so that no sum overflows
	scaled := make([]float64, len(d))
	var sum, total float64
	for i, v := range d {
		scaled[i] = float64(v * scale)
		sum += scaled[i]
		total += math.Abs(scaled[i])
	}
	least := math.Abs(sum) - 1e-12*total
	var extreme uint64
	var flip func(i int, s float64)
	flip = func(i int, s float64) {
		if i == len(scaled) {
			if math.Abs(s) >= least {
				extreme++
			}
			return
		}
		flip(i+1, s+scaled[i])
		flip(i+1, s-scaled[i])
	}
	flip(1, scaled[0]) // flipping all signs changes no |Σd|
	t := ExactTest{Method: "sign flips, exact", Extreme: 2 * extreme, Arrangements: 1 << len(d)}
	t.P = float64(t.Extreme) / float64(t.Arrangements)
	return t, nil
}

// largestOf returns the largest absolute value.
func largestOf(x []float64) float64 {
	largest := 0.0
	for _, v := range x {
		largest = max(largest, math.Abs(v))
	}
	return largest
}
