package stats

import "math"

// FisherGreater is the one-sided exact test of Fisher (1934) of two shares: the probability of so many of all
// successes, or more, falling to the first sample, of those that there are in both together, if one share holds for
// both. It is small where the first share is greater.
//
// A sample without trials shows nothing: P is 1. Fewer trials or successes than none, and more successes than trials,
// are ErrOutOfRange.
func FisherGreater(successes, trials, otherSuccesses, otherTrials int) (p float64, err error) {
	for _, c := range []struct {
		arg      string
		k, of, n int
	}{{"successes", successes, trials, trials}, {"other successes", otherSuccesses, otherTrials, otherTrials}} {
		if c.n < 0 || c.k < 0 || c.k > c.of {
			return 0, &ValueError{Arg: c.arg, Value: float64(c.k), Err: ErrOutOfRange,
				Remedy: "give a count from 0 to that of the trials"}
		}
	}
	all, trialsOfAll := successes+otherSuccesses, trials+otherTrials
	if successes == 0 || all == 0 {
		return 1, nil
	}
	// P(X = k) is hypergeometric. The terms are summed away from the mode, where they fall, each by its ratio to the
	// first: summed up to the mode they overflow where the first is nothing.
	at := func(k int) float64 {
		return math.Exp(logChoose(trials, k) + logChoose(otherTrials, all-k) - logChoose(trialsOfAll, all))
	}
	upwards := func(k int) float64 { // P(k + 1)/P(k)
		return float64(trials-k) * float64(all-k) / (float64(k+1) * float64(otherTrials-all+k+1))
	}
	sum, term := 0.0, 1.0
	if float64(successes) > float64(trials)*float64(all)/float64(trialsOfAll) {
		for k := successes; k <= min(trials, all) && term > 0; k++ {
			sum += term
			term *= upwards(k)
		}
		return min(1, at(successes)*sum), nil
	}
	least := max(0, all-otherTrials)
	if successes <= least {
		return 1, nil
	}
	for k := successes - 1; term > 0; k-- {
		if sum += term; k == least {
			break
		}
		term /= upwards(k - 1)
	}
	return min(max(1-at(successes-1)*sum, 0), 1), nil
}

// logChoose is log (n over k).
func logChoose(n, k int) float64 {
	lg := func(x int) float64 {
		v, _ := math.Lgamma(float64(x) + 1)
		return v
	}
	return lg(n) - lg(k) - lg(n-k)
}
