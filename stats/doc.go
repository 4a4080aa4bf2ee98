// Package stats turns repeated measurements into statements about what was measured, each with how sure it is.
//
//   - [Summarize]: mean, standard deviation and coefficient of variation of one sample
//   - [MeanInterval]: the [Interval] for a mean
//   - [Quantile] and [Sorted]: quantiles by type 7
//   - [Knee]: between which of the tested loads throughput saturates, and what to measure next
//   - [RefineKnee]: the same, narrowed by further runs at loads in between
//   - [CapacityBelow] and [CapacityAbove]: up to which of the tested loads an objective is met
//   - [FitUSL] and [FitShape]: which simple curve describes throughput over load, as a description only
//   - [StudentQuantile]: the t quantile underneath
//
// It knows nothing of requests, clocks or servers: samples are float64s in whatever unit the caller has, and every function
// says which of its results are in that unit.
//
// # Contract
//
// Functions do not change their arguments, keep no state, use no random numbers, and may be called concurrently.
//
// What the data do not determine is undefined, and undefined is NaN: the spread of one sample, the bounds of an interval
// from one run. NaN fails every comparison and cannot be mistaken for 0. In JSON it is null, and null reads back as NaN;
// an infinite value, where one is meaningful, is the string "Infinity" or "-Infinity". Nothing else is ever NaN.
//
// What cannot be used is an error. A NaN or an infinity among the samples is refused with its index and never dropped. Such
// errors are [*ValueError] or [*LengthError] for errors.As, and wrap one of the Err variables for errors.Is.
//
// What can be computed but not trusted as it stands carries a [Warning]. Warnings are data in the result.
//
// [Summarize] and [Quantile] give the same bits on amd64 and arm64. What is built on [StudentQuantile] or on logarithms agrees
// to within rounding, because the logarithm and the exponential of the Go runtime do.
//
// # Sources
//
//   - Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37
//   - Fisher & Cornish (1960), The percentile points of distributions having known cumulants, Technometrics 2
//   - Guenther (1981), Sample size formulas for normal theory t tests, The American Statistician 35
//   - Gunther (2007), Guerrilla Capacity Planning, Springer
//   - Hurvich & Tsai (1989), Regression and time series model selection in small samples, Biometrika 76
//   - Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50
//   - Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters, SIAM Journal 11
//   - Neumaier (1974), Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54
//   - Student (1908), The probable error of a mean, Biometrika 6
package stats
