package stats

import (
	"fmt"
	"math"
)

// ProportionInterval returns the two-sided interval of Clopper & Pearson (1934) for a probability of which trials show
// successes: the proportions at which so many or more, and so few or fewer, have the probability (1 − confidence)/2.
// They are quantiles of beta distributions. Estimate is successes/trials; all three are fractions. unit names what a
// trial is, see [Interval]; N is the number of trials.
//
// It covers at least what it says at every proportion, and more the nearer that is to 0 or 1 (97.5 % and up for a
// nominal 95 % there), which is where success rates are.
//
// With no successes Low is 0, with nothing else High is 1: the interval is never of zero width. No trials is ErrEmpty;
// fewer than none, successes outside 0 … trials, and a confidence not strictly between 0 and 1 are ErrOutOfRange.
func ProportionInterval(successes, trials int, confidence float64, unit string) (Interval, error) {
	// Wilson's interval was rejected: it is narrower, and for success rates near 1 covers 83.8 % where 95 % is nominal.
	v, err := proportion(successes, trials, confidence, unit)
	if err != nil {
		return Interval{}, err
	}
	v.Method = "Clopper-Pearson"
	if v.Low, v.High, err = clopperPearson(float64(successes), float64(trials), (1-confidence)/2); err != nil {
		return Interval{}, err
	}
	v.Low, v.High = min(v.Low, v.Estimate), max(v.High, v.Estimate) // past rounding, for a confidence next to 0
	return v, nil
}

func clopperPearson(k, n, tail float64) (low, high float64, err error) {
	high = 1
	if k > 0 {
		if low, err = betaQuantile(tail, false, k, n-k+1); err != nil {
			return 0, 0, err
		}
	}
	if k < n {
		if high, err = betaQuantile(tail, true, k+1, n-k); err != nil {
			return 0, 0, err
		}
	}
	return low, high, nil
}

// proportion is what the intervals for one share.
func proportion(successes, trials int, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	switch {
	case trials == 0:
		return Interval{}, &ValueError{Arg: "trials", Err: ErrEmpty, Remedy: "give at least one trial"}
	case trials < 0:
		return Interval{}, &ValueError{Arg: "trials", Value: float64(trials), Err: ErrOutOfRange,
			Remedy: "give at least one trial"}
	case successes < 0 || successes > trials:
		return Interval{}, &ValueError{Arg: "successes", Value: float64(successes), Err: ErrOutOfRange,
			Remedy: fmt.Sprintf("give a count from 0 to the %d trials", trials)}
	}
	return Interval{
		Estimate: float64(successes) / float64(trials), Low: math.NaN(), High: math.NaN(),
		N: trials, DF: math.NaN(), Confidence: confidence, Unit: unit,
		Assumptions: []string{"the trials are independent", "all trials have one probability of success"},
		Warnings:    unitWarning(nil, unit),
	}, nil
}
