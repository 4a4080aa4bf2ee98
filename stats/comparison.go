package stats

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Comparison says how two configurations are to be compared. It is to be fixed before the results are seen.
type Comparison struct {
	// Margin is the largest relative difference that does not matter, above 0: 0.03 for 3 %. A ratio is within the
	// margin between 1/(1 + Margin) and 1 + Margin.
	Margin float64
	// Confidence of the statement that there is a difference, between ½ and 1; 0 is 0.95. Equivalence is tested with
	// the same error rate, which is the interval at 2·Confidence − 1: 90 % for 95 %.
	Confidence float64
	// LowerIsBetter says that less is better, as for latencies. It is false for throughput.
	LowerIsBetter bool
	// Paired says that a[i] and b[i] belong together (one block, one day), so that what they share is not noise.
	Paired bool
	// BFirst says of each pair whether b was measured before a, for Paired. Pairs of which a always came first show
	// what time does as well as what b does: under a drift of 2 % between the two, 30 to 98 % of such verdicts are
	// false. nil: not known, which is a warning.
	BFirst []bool
	// Unit is what each value is one of, such as "run with restart", see [Interval].
	Unit string
}

// Compare says whether b is faster than a, slower, equivalent within the margin, or not yet decided and then how many
// runs would decide. a and b hold one figure of each run of a configuration, such as its throughput or its median TTFT;
// "faster" is better in the direction of c. Neither slice is changed.
//
// It tests ln(b/a), by [WelchLogs] or, if c.Paired, by [PairedLogs], since the variation of both throughputs and
// latencies is proportional; the ratio is that of geometric means. In this order:
//
//  1. The 90 % interval of the ratio is inside the margin: equivalent, also Detected if the 95 % interval excludes 1.
//  2. The 95 % interval excludes 1: faster or slower.
//  3. Otherwise undecided. Verdict.RunsToDecide is then the answer of [Comparison.RunsToDecide] for the pooled standard
//     deviation of the logarithms (or that of the logarithms of the ratios of pairs). It never depends on the
//     difference that was observed: a plan that does finds what it looks for.
//
// Error rates at a confidence of 95 %, on lognormal runs with a coefficient of variation of 12 % and less: a false
// "faster" where there is no difference 1.8, 2.2 and 2.5 % at n = 3, 5 and 10, and as often a false "slower" (up to 3.0
// % where one SD is four times the other, and 2.5 % for pairs that take turns); a false "equivalent" at a difference as
// large as the margin 4.0, 4.8 and 5.0 % (up to 5.4 %). They are the same where the two sides differ in size, 3 against
// 5, 10 or 20, because the degrees of freedom are then bounded by those of the smaller. They hold for one look: to add
// runs until it is decided is many looks, and runs to decide are to be measured afresh.
//
// They are not the same where one side alone is skewed on a logarithmic scale. If its logarithms are exponential, up to
// 4.1 % are false in one direction and 7 % of the equivalences, and if it also varies four times as much up to 12 and
// 17 %. Such samples do not always look it. What is claimed of sides that look unlike, in spread, skew or number, has
// the warning UnlikeSides; at most 4.8 % were falsely called different without it. [CompareMedians] is for figures that
// are skewed, [CompareFamily] for several levels at once. Overlap of two intervals is no test: at n = 5 it misses three
// in four of the differences that Welch's test detects.
//
// Pairs all in one order are undecided, with the warning OrderConfounded. Where one order has two pairs or more above
// the other, its effect is taken out, which costs a degree of freedom.
//
// One run on a side is undecided, since nothing is known about the spread. So are runs without any spread, which says
// only that the resolution of the measurement is too coarse (two runs each of 100 and 101, rounded to whole numbers,
// arise from one configuration as well). Both carry their warning, and neither says how many runs would decide.
//
// A margin that is not above 0, or a confidence outside (½, 1), is ErrOutOfRange; a value that is not above 0, or
// subnormal, is ErrOutOfRange with its index, NaN or an infinity ErrNotFinite, an empty side ErrEmpty, and unequal
// lengths of pairs, or of BFirst, ErrLengthMismatch.
func Compare(a, b []float64, c Comparison) (Verdict, error) {
	v, t, err := c.compare(a, b)
	if err != nil {
		return Verdict{}, err
	}
	alpha, err := c.alpha()
	if err != nil {
		return Verdict{}, err
	}
	v.judge(t.Difference, alpha)
	if err := v.conclude(c, t, 1); err != nil {
		return Verdict{}, err
	}
	return v, nil
}

// compare computes the p values of a verdict, and the test that the rest of it rests on.
func (c Comparison) compare(a, b []float64) (Verdict, TTest, error) {
	if _, err := c.alpha(); err != nil {
		return Verdict{}, TTest{}, err
	}
	t, err := c.test(a, b)
	if err != nil {
		return Verdict{}, TTest{}, err
	}
	equivalence, err := t.TOST(math.Log1p(c.Margin))
	if err != nil {
		return Verdict{}, TTest{}, err
	}
	v := Verdict{
		Margin: c.Margin, LowerIsBetter: c.LowerIsBetter, Paired: c.Paired, RunsA: len(a), RunsB: len(b),
		P: t.P, EquivalenceP: equivalence.P(), AdjustedP: t.P, AdjustedEquivalenceP: equivalence.P(),
	}
	return v, t, nil
}

// judge sets Kind and Detected by the rule, from the adjusted p values. NaN is no evidence for anything.
func (v *Verdict) judge(difference, alpha float64) {
	v.Detected = v.AdjustedP <= alpha
	switch {
	case v.AdjustedEquivalenceP <= alpha:
		v.Kind = Equivalent
	case v.Detected && (difference > 0) != v.LowerIsBetter:
		v.Kind = Faster
	case v.Detected:
		v.Kind = Slower
	}
}

// conclude fills in the words and the plan of a verdict that was judged as one of a family.
func (v *Verdict) conclude(c Comparison, t TTest, family int) error {
	alpha, err := c.alpha()
	if err != nil {
		return err
	}
	if v.Ratio, err = t.ratio(1-alpha, c.Unit); err != nil {
		return err
	}
	if v.EquivalenceRatio, err = t.ratio(1-2*alpha, c.Unit); err != nil {
		return err
	}
	v.Warnings = nil
	for _, w := range v.Ratio.Warnings {
		if v.Kind != Undecided || w.Code != UnlikeSides { // of what is not claimed, no warning
			v.Warnings = append(v.Warnings, w)
		}
	}
	difference, equivalence := v.evidence(v.Ratio)+" excludes 1",
		v.evidence(v.EquivalenceRatio)+" is inside "+v.margin()
	if family > 1 {
		difference = fmt.Sprintf("p = %.3g against no difference, corrected for %d comparisons", v.AdjustedP, family)
		equivalence = fmt.Sprintf("p = %.3g against a difference of the margin or more, corrected for %d comparisons",
			v.AdjustedEquivalenceP, family)
	}
	switch {
	case v.Kind == Equivalent && v.Detected:
		v.Reason = equivalence + "; a difference was detected (" + difference + "), and it is too small to matter"
		return nil
	case v.Kind == Equivalent:
		v.Reason = equivalence
		return nil
	case v.Kind != Undecided:
		v.Reason = difference
		return nil
	case v.RunsA == 1 || v.RunsB == 1:
		v.Reason = "one of a side says nothing about how they vary"
		return nil
	case hasWarning(v.Warnings, OrderConfounded):
		v.Reason = "all pairs were measured in one order, and what that does cannot be told from what b does"
		return nil
	case !v.Ratio.Defined():
		v.Reason = "there is no spread, so that nothing says how far the difference may be off"
		return nil
	case family > 1:
		v.Reason = fmt.Sprintf("neither %s; nor %s: %.4g or less would decide", difference, equivalence, alpha)
	default:
		v.Reason = v.evidence(v.Ratio) + " includes 1, and " + v.evidence(v.EquivalenceRatio) + " is not inside " +
			v.margin()
	}
	v.RunsToDecide, err = c.runsToDecide(t.SD, alpha/float64(family))
	switch {
	case errors.Is(err, errTooManyRuns):
		v.Reason += fmt.Sprintf("; more than %d would be needed to decide", mostRuns)
	case err != nil:
		return err
	case v.RunsToDecide <= min(v.RunsA, v.RunsB):
		v.Reason += "; so many runs decide 4 times in 5 if the truth is no difference or one of the margin, so that " +
			"it may well lie between"
	}
	if v.RunsToDecide == 0 {
		return nil
	}
	return v.warnOfFewRuns(t)
}

// evidence puts an interval of the ratio in words, with the digits that tell it from 1 and from the margin.
func (v *Verdict) evidence(r Interval) string {
	of := "ratio"
	if strings.Contains(r.Method, "t on logarithms") {
		of = "ratio of geometric means"
	}
	return fmt.Sprintf("the %.4g %% interval of the %s, %s,", 100*r.Confidence, of, v.bounds(r))
}

func (v *Verdict) bounds(r Interval) string { return r.bounds(1, 1+v.Margin, 1/(1+v.Margin)) }

func (v *Verdict) margin() string {
	return fmt.Sprintf("the margin, %.5g to %.5g", 1/(1+v.Margin), 1+v.Margin)
}

// warnOfFewRuns says how far a spread from few runs may be off, on which a plan for more rests.
func (v *Verdict) warnOfFewRuns(t TTest) error {
	if min(v.RunsA, v.RunsB) >= fewRuns {
		return nil
	}
	df := float64(v.RunsA - 1)
	if !v.Paired {
		df += float64(v.RunsB - 1)
	}
	upper, err := chiSquareQuantile(0.025, true, df)
	if err != nil {
		return err
	}
	lower, err := chiSquareQuantile(0.025, false, df)
	if err != nil {
		return err
	}
	v.Warnings = append(v.Warnings, Warning{FewRuns, fmt.Sprintf(
		"%d and %d know the spread to between %.2g and %.2g times what they show, and how many would decide to the "+
			"squares of that", v.RunsA, v.RunsB, math.Sqrt(df/upper), math.Sqrt(df/lower))})
	return nil
}

// fewRuns is where the spread begins to be known to within a factor of two.
const fewRuns = 5

// RunsToDecide returns the smallest number of runs of each configuration (or of pairs) with which [Compare] decides
// with a probability of 80 % both where there is no difference (equivalent) and where there is one as large as the
// margin (a difference), if single runs vary as sd says: the standard deviation of their natural logarithms (√ln(1 +
// CoV²) for a coefficient of variation CoV, which is nearly CoV), or, if c.Paired, that of the logarithms of ratios of
// pairs. At 5 % and 95 % confidence it is 3, 4, 13 and 104 runs for a CoV of 1, 2, 4 and 12 %; at 3 % it is 4, 9, 33
// and 281.
//
// It takes sd for the truth. An sd from three runs on each side may be a third of the truth or nearly twice it, and the
// number goes with its square. A true difference between none and the margin may remain undecided with any number.
//
// An sd that is negative, NaN or infinite, one that would need more than a million runs, and what is wrong with c, are
// ErrOutOfRange or ErrNotFinite.
func (c Comparison) RunsToDecide(sd float64) (int, error) {
	alpha, err := c.alpha()
	if err != nil {
		return 0, err
	}
	return c.runsToDecide(sd, alpha)
}

const (
	mostRuns    = 1_000_000
	decidePower = 0.8
)

var errTooManyRuns = fmt.Errorf("%w: needs more than %d runs", ErrOutOfRange, mostRuns)

// DetectableRatio returns the minimum detectable effect of n runs of each configuration (or n pairs), if single runs
// vary as sd says, see [Comparison.RunsToDecide]: the ratio above 1 that is found to be a difference 4 times in 5.
// Smaller ones will more likely than that be missed, and no detection does not mean no difference. At a CoV of 4 % and
// 95 % confidence it is 1.13, 1.084 and 1.054 for n = 3, 5 and 10.
//
// An n under 2, an sd that is not finite or under 0, and what is wrong with c are ErrOutOfRange or ErrNotFinite.
func (c Comparison) DetectableRatio(n int, sd float64) (float64, error) {
	alpha, err := c.alpha()
	if err != nil {
		return 0, err
	}
	if err := checkSD(sd); err != nil {
		return 0, err
	}
	effect, err := plan{n: n, confidence: 1 - alpha, paired: c.Paired}.detectable(decidePower)
	return math.Exp(effect * sd), err
}

func checkSD(sd float64) error {
	if math.IsNaN(sd) || math.IsInf(sd, 0) {
		return &ValueError{Arg: "sd", Value: sd, Err: ErrNotFinite, Remedy: "give the SD of the logarithms of runs"}
	}
	if sd < 0 {
		return &ValueError{Arg: "sd", Value: sd, Err: ErrOutOfRange, Remedy: "give the SD of the logarithms of runs"}
	}
	return nil
}

func (c Comparison) runsToDecide(sd, alpha float64) (int, error) {
	if err := checkSD(sd); err != nil {
		return 0, err
	}
	margin := math.Log1p(c.Margin) / sd
	if math.IsInf(margin, 1) { // no noise, or none beside the margin
		return 2, nil
	}
	decides := func(n int) (bool, error) {
		p := plan{n: n, confidence: 1 - alpha, paired: c.Paired}
		detects, err := p.difference(margin)
		if err != nil || detects < decidePower {
			return false, err
		}
		shows, err := p.equivalence(margin)
		return shows >= decidePower, err
	}
	low, high := 1, 2 // low does not decide, since it cannot
	for {
		ok, err := decides(high)
		if err != nil {
			return 0, err
		}
		if ok {
			break
		}
		if high == mostRuns {
			return 0, &ValueError{Arg: "sd", Value: sd, Err: errTooManyRuns,
				Remedy: "choose a wider margin, or a steadier measure"}
		}
		low, high = high, min(2*high, mostRuns)
	}
	for high-low > 1 {
		middle := (low + high) / 2
		ok, err := decides(middle)
		if err != nil {
			return 0, err
		}
		if ok {
			high = middle
		} else {
			low = middle
		}
	}
	return high, nil
}

// alpha returns the error rate that c allows, and what is wrong with c.
func (c Comparison) alpha() (float64, error) {
	if !(c.Margin > 0) || math.IsInf(c.Margin, 1) {
		return 0, marginError("c.Margin", c.Margin)
	}
	if c.Confidence == 0 {
		return 0.05, nil
	}
	if !(c.Confidence > 0.5 && c.Confidence < 1) {
		return 0, &ValueError{Arg: "c.Confidence", Value: c.Confidence, Err: ErrOutOfRange,
			Remedy: "give a probability between 1/2 and 1, both excluded, such as 0.95, or 0 for that"}
	}
	return 1 - c.Confidence, nil
}
