package stats

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
)

// A plan is a comparison of n with n replicates, or of n pairs, before it is made.
type plan struct {
	n          int
	confidence float64
	paired     bool
}

func (p plan) check() error {
	if p.n < 2 {
		return &ValueError{Arg: "n", Value: float64(p.n), Err: ErrOutOfRange,
			Remedy: "plan at least two replicates a side"}
	}
	return checkConfidence(p.confidence)
}

func (p plan) df() float64 {
	if p.paired {
		return float64(p.n - 1)
	}
	return float64(2 * (p.n - 1))
}

// se is the standard error of the difference, in standard deviations.
func (p plan) se() float64 {
	if p.paired {
		return 1 / math.Sqrt(float64(p.n))
	}
	return math.Sqrt(2 / float64(p.n))
}

// difference is the probability of detecting a difference of effect standard deviations.
func (p plan) difference(effect float64) (float64, error) {
	t, err := studentQuantile((1-p.confidence)/2, p.df())
	if err != nil {
		return 0, err
	}
	shift := math.Abs(effect) / p.se()
	if math.IsInf(shift, 0) { // beyond any t
		return 1, nil
	}
	above, err := noncentralTail(t, p.df(), shift)
	if err != nil {
		return 0, err
	}
	if shift > 9 { // the wrong tail is under 1e-18
		return min(1, above), nil
	}
	below, err := noncentralTail(t, p.df(), -shift)
	return min(1, above+below), err
}

// equivalence is the probability of showing equivalence within ± margin where there is no difference: the mean, over
// the distribution of s, of the probability that |difference| < margin − t·s·se.
func (p plan) equivalence(margin float64) (float64, error) {
	if margin <= 0 {
		return 0, nil
	}
	df := p.df()
	t, err := studentQuantile(1-p.confidence, df)
	if err != nil {
		return 0, err
	}
	margin /= p.se()
	reach := 9 / math.Sqrt(2*df) // of s around 1, in which all but 1e-16 of its distribution lies
	low, high := max(0, 1-reach), min(1+reach, margin/t)
	if t <= 0 { // a confidence of ½ or less, at which the interval is empty
		high = 1 + reach
	}
	if high <= low {
		return 0, nil
	}
	lgamma, _ := math.Lgamma(df / 2)
	constant := math.Ln2 + df/2*math.Log(df/2) - lgamma
	inside := quad.Fixed(func(s float64) float64 {
		density := math.Exp(constant + (df-1)*math.Log(s) - df*s*s/2)
		return density * math.Erf((margin-t*s)/math.Sqrt2)
	}, low, high, 64, quad.Legendre{}, 0)
	return min(max(inside, 0), 1), nil
}

func (p plan) detectable(power float64) (float64, error) {
	if err := p.check(); err != nil {
		return 0, err
	}
	if !(power > 1-p.confidence && power < 1) {
		return 0, &ValueError{Arg: "power", Value: power, Err: ErrOutOfRange,
			Remedy: "give a probability between 1 − confidence, which chance reaches, and 1"}
	}
	low, high := 0.0, 1.0
	for {
		reached, err := p.difference(high)
		if err != nil {
			return 0, err
		}
		if reached >= power {
			break
		}
		if low, high = high, 2*high; high/p.se() > 9000 {
			return 0, &ValueError{Arg: "power", Value: power, Err: ErrOutOfRange,
				Remedy: "plan more replicates, or a lower power or confidence: no effect of sensible size is detected"}
		}
	}
	for range 200 {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			break
		}
		reached, err := p.difference(middle)
		if err != nil {
			return 0, err
		}
		if reached < power {
			low = middle
		} else {
			high = middle
		}
	}
	return low + (high-low)/2, nil
}
