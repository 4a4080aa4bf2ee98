package stats

import (
	"fmt"
	"math"
)

// ShareInterval returns the two-sided interval for a share of requests from the counts of several runs, whose requests
// are alike within a run: Clopper & Pearson's for as many independent requests as know the share as well, by Korn &
// Graubard (1998). That number is p(1 − p) over the variance of the share between runs, but never more than there are,
// so that runs which happen to agree prove nothing; and it counts for less, by the square of the ratio of two t
// quantiles, the fewer runs the variance comes from. Estimate, Low and High are shares of 1. How often it fails where
// the requests of a run are correlated is told at [Capacity], which judges by it.
//
// One run leaves it undefined, with the warning SingleSample: see [ProportionInterval] for the requests of that run
// alone. No runs is ErrEmpty; a run that issued nothing, a count outside 0 … Issued, and a confidence not strictly
// between 0 and 1 are ErrOutOfRange.
func ShareInterval(runs []Count, confidence float64, unit string) (Interval, error) {
	// Student's t on the shares of runs was rejected: three runs of 20 requests at a true 0.98 agree on 1 in three
	// cases of ten. Pooling the requests was, too: it takes what a restart does to all of its requests for as many
	// independent events.
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	if len(runs) == 0 {
		return Interval{}, &LengthError{Arg: "runs", Err: ErrEmpty, Remedy: "give at least one run"}
	}
	for i, c := range runs {
		if err := c.check("runs", i); err != nil {
			return Interval{}, err
		}
	}
	var met, issued int
	for _, c := range runs {
		met, issued = met+c.Met, issued+c.Issued
	}
	p, n, m := float64(met)/float64(issued), float64(issued), float64(len(runs))
	v := Interval{
		Estimate: p, Low: math.NaN(), High: math.NaN(), Method: "Clopper-Pearson on the effective number of requests",
		N: len(runs), DF: m - 1, Confidence: confidence, Unit: unit, Warnings: unitWarning(nil, unit),
		Assumptions: []string{"the runs are independent", "all runs have one probability of success on average"},
	}
	if len(runs) < 2 {
		v.Warnings = append(v.Warnings, singleSample())
		return v, nil
	}
	var squares float64
	for _, c := range runs {
		d := float64(c.Met) - p*float64(c.Issued)
		squares += d * d
	}
	effective := n
	if variance := m / (m - 1) * squares / (n * n); variance > 0 {
		effective = min(n, p*(1-p)/variance)
	}
	tail := (1 - confidence) / 2
	all, err := studentQuantile(tail, max(n-1, 1))
	if err != nil {
		return Interval{}, err
	}
	few, err := studentQuantile(tail, m-1)
	if err != nil {
		return Interval{}, err
	}
	effective *= min(1, (all/few)*(all/few))
	v.Low, v.High, err = clopperPearson(p*effective, effective, tail)
	return v, err
}

// check names the place of a count that is none.
func (c Count) check(arg string, index ...int) error {
	if c.Issued >= 1 && c.Met >= 0 && c.Met <= c.Issued {
		return nil
	}
	return &ValueError{Arg: arg, Index: index, Value: float64(c.Met), Err: ErrOutOfRange,
		Remedy: fmt.Sprintf("give a count from 0 to the %d that were issued, at least one", c.Issued)}
}
