package compare

import (
	"fmt"
	"math"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// judge fills in the verdicts. The error rate of the whole is shared out between the shares of requests, each of which
// has its part of it, and all other figures, which are one family: what is false of either adds up to no more than the
// whole.
func (r *Result) judge() error {
	alpha := 1 - r.Confidence
	var a, b [][]float64
	var tested []*Figure
	for i := range r.Figures {
		f := &r.Figures[i]
		if isShare(f.Name) {
			f.Alone = compareShares(f.counts[0], f.counts[1], r.Margin, alpha, r.Unit)
			f.Verdict = compareShares(f.counts[0], f.counts[1], r.Margin, alpha/float64(len(r.Figures)), r.Unit)
			continue
		}
		alone, err := stats.Compare(f.A, f.B, stats.Comparison{
			Margin: r.Margin, Confidence: r.Confidence, LowerIsBetter: f.Better == loadgen.LowerIsBetter, Unit: r.Unit})
		if err != nil {
			return fmt.Errorf("%s at %v: %w", f.Name, f.Load, err)
		}
		f.Alone = alone
		tested = append(tested, f)
		a, b = append(a, f.A), append(b, f.B)
	}
	if len(tested) == 0 {
		return nil
	}
	family, err := stats.CompareFamily(a, b, stats.Comparison{
		Margin: r.Margin, Confidence: 1 - alpha*float64(len(tested))/float64(len(r.Figures)), Unit: r.Unit})
	if err != nil {
		return err
	}
	for i, f := range tested {
		f.Verdict = family.Verdicts[i]
		if f.Better == loadgen.LowerIsBetter { // a family has one direction, which only the kind follows from
			f.Verdict.LowerIsBetter = true
			switch f.Verdict.Kind {
			case stats.Faster:
				f.Verdict.Kind = stats.Slower
			case stats.Slower:
				f.Verdict.Kind = stats.Faster
			}
		}
	}
	return nil
}

// isShare reports whether a figure is a share of the requests issued.
func isShare(name string) bool {
	return name == loadgen.SuccessRate || name == loadgen.Attainment ||
		strings.HasPrefix(name, loadgen.AttainmentName(""))
}

// counts are those behind an estimate of a share.
func counts(e protocol.Estimate) (out []stats.Count) {
	if !isShare(e.Name) {
		return nil
	}
	for i, n := range e.Samples {
		out = append(out, stats.Count{Met: int(math.Round(e.Values[i] * float64(n) / 100)), Issued: n})
	}
	return out
}

// counted reports whether the counts behind a share are known.
func counted(e protocol.Estimate) bool {
	if len(e.Samples) != len(e.Values) {
		return false
	}
	for i, n := range e.Samples {
		if n < 1 || !(e.Values[i] >= 0 && e.Values[i] <= 100) {
			return false
		}
	}
	return true
}

func allMet(counts []stats.Count) bool {
	all := sum(counts)
	return all.Issued > 0 && all.Met == all.Issued
}

func sum(counts []stats.Count) (total stats.Count) {
	for _, c := range counts {
		total.Met += c.Met
		total.Issued += c.Issued
	}
	return total
}

// compareShares is the rule of [stats.Compare] for shares of requests. The bounds of the ratio are those of the two
// shares, each at the square root of the confidence, as in [stats.CompareQuantiles]: both are right as often as that
// says, and then so is the ratio. Runs that all have 100 % can so be shown to be equivalent, by how many requests
// there were; the logarithms of such shares have no spread, and decide nothing.
func compareShares(a, b []stats.Count, margin, alpha float64, unit string) stats.Verdict {
	nan := math.NaN()
	v := stats.Verdict{
		P: nan, EquivalenceP: nan, AdjustedP: nan, AdjustedEquivalenceP: nan,
		RunsA: len(a), RunsB: len(b), Margin: margin,
	}
	var err error
	if v.Ratio, err = ratioOfShares(a, b, 1-alpha, unit); err == nil {
		v.EquivalenceRatio, err = ratioOfShares(a, b, 1-2*alpha, unit)
	}
	if err != nil {
		v.Reason = err.Error()
		return v
	}
	above, below := v.Ratio.Above(1), v.Ratio.Below(1)
	v.Detected = above || below
	switch {
	case v.EquivalenceRatio.Above(1/(1+margin)) && v.EquivalenceRatio.Below(1+margin):
		v.Kind, v.Reason = stats.Equivalent, "the whole interval of the ratio of the shares is inside the margin"
	case above:
		v.Kind, v.Reason = stats.Faster, "the interval of the ratio of the shares excludes 1"
	case below:
		v.Kind, v.Reason = stats.Slower, "the interval of the ratio of the shares excludes 1"
	case !v.Ratio.Defined():
		v.Reason = "one of a side says nothing about how they vary"
	default:
		v.Reason = "the interval of the ratio of the shares includes 1, and is not inside the margin"
	}
	return v
}

func ratioOfShares(a, b []stats.Count, confidence float64, unit string) (stats.Interval, error) {
	va, err := stats.ShareInterval(a, math.Sqrt(confidence), unit)
	if err != nil {
		return stats.Interval{}, err
	}
	vb, err := stats.ShareInterval(b, math.Sqrt(confidence), unit)
	if err != nil {
		return stats.Interval{}, err
	}
	v := stats.Interval{
		Estimate: vb.Estimate / va.Estimate, Low: math.NaN(), High: math.NaN(),
		Method: "ratio of two shares, by " + va.Method,
		N:      va.N + vb.N, DF: math.NaN(), Confidence: confidence, Unit: unit, Assumptions: va.Assumptions,
	}
	if va.Estimate == 0 {
		v.Estimate = math.NaN()
	}
	if va.Defined() && vb.Defined() && va.Low > 0 {
		v.Low, v.High = vb.Low/va.High, vb.High/va.Low
	}
	return v, nil
}
