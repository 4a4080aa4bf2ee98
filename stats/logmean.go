package stats

import "math"

// LogMeanInterval returns the two-sided interval for the geometric mean of the population that x is a sample of: the
// interval of [MeanInterval] on ln x, and the exponentials of its bounds. It is for ratios and for skewed quantities
// such as latencies, which cannot be negative and vary by a factor rather than by an amount. Estimate, Low and High are
// in the unit of x. unit names what each x is, see [Interval].
//
// The geometric mean is below the arithmetic one, by 0.7 % for a lognormal population whose logarithms have an SD of
// 0.12, and is the median of such a population: do not put this interval around an arithmetic mean. At a nominal 95 %
// it covers 95.0 % for lognormal x, at any n.
//
// One sample gives its value and an undefined interval, and so do identical samples, and samples so near each other
// that the bounds round to one number, with the warning ResolutionLimited; coarse samples are treated as by
// MeanInterval. A bound beyond the largest float64 is +Inf, one below the smallest is 0. No samples is ErrEmpty, NaN or
// an infinity ErrNotFinite with its index. ErrOutOfRange with its index is a sample that is not positive, or subnormal,
// which has lost digits that its logarithm would need; and so is a confidence not strictly between 0 and 1.
func LogMeanInterval(x []float64, confidence float64, unit string) (Interval, error) {
	if err := checkConfidence(confidence); err != nil {
		return Interval{}, err
	}
	logs, err := logarithms("x", x)
	if err != nil {
		return Interval{}, err
	}
	over(x[0], x, logs) // so that no digit is lost where all are near each other
	v, err := MeanInterval(logs, confidence, unit)
	if err != nil {
		return Interval{}, err
	}
	back := func(log float64) float64 {
		if math.Abs(log) < 1 {
			return x[0] * math.Exp(log)
		}
		return math.Exp(log + math.Log(x[0])) // neither factor overflows alone
	}
	lo, hi, _, _ := moments(x)
	// Between the samples, as a mean is: the exponential of a logarithm may be off by a few last bits, and at the
	// largest float64 overflow.
	v.Estimate = min(max(back(v.Estimate), lo), hi)
	if v.Defined() {
		v.Low, v.High = min(back(v.Low), v.Estimate), max(back(v.High), v.Estimate)
		v.needWidth()
	}
	v.Method = "Student's t on logarithms"
	v.Assumptions = assumptions("the mean of their logarithms is approximately normal")
	return v, nil
}

// logarithms checks x and returns its natural logarithms.
func logarithms(arg string, x []float64) ([]float64, error) {
	if err := checkSample(arg, x); err != nil {
		return nil, err
	}
	logs := make([]float64, len(x))
	for i, v := range x {
		if err := checkLoggable(arg, v, i); err != nil {
			return nil, err
		}
		logs[i] = math.Log(v)
	}
	return logs, nil
}

// checkLoggable refuses what has no logarithm worth its digits: a subnormal number has fewer than a float64 has, down
// to one, and the spread of such logarithms is that of rounding.
func checkLoggable(arg string, v float64, index ...int) error {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return &ValueError{Arg: arg, Index: index, Value: v, Err: ErrNotFinite,
			Remedy: "find out why it was not measured; dropping it would bias the rest"}
	case v <= 0:
		return &ValueError{Arg: arg, Index: index, Value: v, Err: ErrOutOfRange,
			Remedy: "a sample must be positive to have a logarithm; a run that measured 0 has failed, " +
				"else use a method without logarithms"}
	case v < 0x1p-1022:
		return &ValueError{Arg: arg, Index: index, Value: v, Err: ErrOutOfRange,
			Remedy: "so near to 0 a float64 has lost digits; give it in a smaller unit"}
	}
	return nil
}
