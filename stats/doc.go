// Package stats turns repeated measurements into statements about what was measured, each with how sure it is.
//
//   - [Summarize]: mean, standard deviation and coefficient of variation of one sample
//   - [Accumulator]: the same of a stream, in constant memory, with merging
//   - [Lag1]: the autocorrelation of neighbours
//   - [MeanInterval] and [LogMeanInterval]: the [Interval] for a mean
//   - [SDInterval] and [LogSDInterval]: that for a spread
//   - [MedianInterval] and [QuantileInterval]: those for quantiles, by order statistics
//   - [ProportionInterval]: that for a rate of success, and [ShareInterval] over several runs
//   - [Quantile] and [Sorted]: quantiles by type 7, and by types 1 and 8
//   - [TailFloor], [TailWarnings] and [CertifyTail]: how many samples a tail needs, and its bound; [QuantileFloor] for
//     others
//   - [Compare] and [CompareFamily]: faster, slower, equivalent within a margin, or how many runs would decide
//   - [CompareMedians] and [CompareQuantiles]: the same by ranks and by order statistics, whatever the distribution
//   - [LogRatioInterval], [PairedLogRatioInterval] and [FiellerInterval]: the ratio of two means; [HedgesG]: their
//     difference in SDs
//   - [Welch], [PairedT], [WelchLogs], [PairedLogs], [TTest.TOST], [Holm], [MannWhitney], [SignFlip]: the tests
//   - [Comparison.RunsToDecide], [Comparison.DetectableRatio]: what a number of runs can show
//   - [VarianceComponents]: which level of nesting the variation comes from, and what to repeat how often
//   - [SteinRuns] and [SteinInterval]: how many runs a precision takes, and the interval that holds its confidence
//   - [Warmup]: warm until steady
//   - [MeanOfLevel]: the mean of one level with its own interval, and whether the level was steady; by [MSER5] and
//     [RampInterval]
//   - [Drift] and [MannKendall]: whether runs drifted
//   - [FlagOutliers]: what to look at, never to delete
//   - [Knee]: between which of the tested loads throughput saturates, and what to measure next
//   - [RefineKnee]: the same, narrowed by further runs at loads in between
//   - [Capacity]: up to which of the tested loads objectives are met
//   - [BestOperatingPoint]: at which of them throughput is highest under limits
//   - [FitUSL] and [FitShape]: which simple curve describes throughput over load, as a description only
//
// It knows nothing of requests, clocks or servers: samples are float64s in whatever unit the caller has, and every
// function says which of its results are in that unit.
//
// # Contract
//
// Functions do not change their arguments, keep no state, use no random numbers, and may be called concurrently.
//
// What the data do not determine is undefined, and undefined is NaN: the spread of one sample, the bounds of an
// interval from one run. NaN fails every comparison and cannot be mistaken for 0. In JSON it is null, and null reads
// back as NaN; an infinite value, where one is meaningful, is null too, and the object then has a member that says so:
// "unbounded": {"high": "above"}, or "below" for −∞. Nothing else is ever NaN.
//
// What cannot be used is an error. A NaN or an infinity among the samples is refused with its index and never dropped.
// Such errors are [*ValueError] or [*LengthError] for errors.As, and wrap one of the Err variables for errors.Is.
//
// What can be computed but not trusted as it stands carries a [Warning]. Warnings are data in the result, and their
// codes are in every one-line form of it.
//
// Nothing is decided without a spread: samples that are all the same show only that the measurement is too coarse. An
// interval is then undefined, a test passes nothing, and the warning is [ResolutionLimited]. Nor does the unit matter:
// the same samples in other units, or with an offset that all share, give the same answers.
//
// [Summarize], [Accumulator], [Lag1], [Quantile] and [MSER5] give the same bits on amd64 and arm64. What is built on a
// distribution or on logarithms agrees to within rounding, because the logarithm and the exponential of the Go runtime
// do.
//
// # Sources
//
//   - Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37
//   - Clopper & Pearson (1934), The use of confidence or fiducial limits illustrated in the case of the binomial,
//     Biometrika 26
//   - Dekker (1971), A floating-point technique for extending the available precision, Numerische Mathematik 18
//   - Fieller (1954), Some problems in interval estimation, Journal of the Royal Statistical Society B 16
//   - Fisher & Cornish (1960), The percentile points of distributions having known cumulants, Technometrics 2
//   - Fisher (1935), The Design of Experiments
//   - Goodwin (1949), The evaluation of integrals of the form ∫f(x)exp(−x²)dx, Mathematical Proceedings of the
//     Cambridge Philosophical Society 45
//   - Guenther (1981), Sample size formulas for normal theory t tests, The American Statistician 35
//   - Gunther (2007), Guerrilla Capacity Planning, Springer
//   - Hedges (1981), Distribution theory for Glass's estimator of effect size and related estimators, Journal of
//     Educational Statistics 6
//   - Hodges & Lehmann (1963), Estimates of location based on rank tests, Annals of Mathematical Statistics 34
//   - Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6
//   - Hurvich & Tsai (1989), Regression and time series model selection in small samples, Biometrika 76
//   - Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50
//   - Iglewicz & Hoaglin (1993), How to detect and handle outliers, ASQC Quality Press
//   - Kalibera & Jones (2013), Rigorous benchmarking in reasonable time, ISMM
//   - Kendall (1938), A new measure of rank correlation, Biometrika 30
//   - Korn & Graubard (1998), Confidence intervals for proportions with small expected number of positive counts
//     estimated from survey data, Survey Methodology 24
//   - Knuth (1969), The Art of Computer Programming, volume 2, section 4.2.2
//   - Mann (1945), Nonparametric tests against trend, Econometrica 13
//   - Marquardt (1963), An algorithm for least-squares estimation of nonlinear parameters, SIAM Journal 11
//   - MLPerf Inference rules, appendix on early stopping
//   - Neumaier (1974), Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen, ZAMM 54
//   - Schuirmann (1987), A comparison of the two one-sided tests procedure and the power approach, Journal of
//     Pharmacokinetics and Biopharmaceutics 15
//   - Steiger & Fouladi (1997), Noncentrality interval estimation and the evaluation of statistical models, in What If
//     There Were No Significance Tests?
//   - Shaffer (1986), Modified sequentially rejective multiple test procedures, Journal of the American Statistical
//     Association 81
//   - Stein (1945), A two-sample test for a linear hypothesis whose power is independent of the variance, Annals of
//     Mathematical Statistics 16
//   - Student (1908), The probable error of a mean, Biometrika 6
//   - Takahasi & Mori (1974), Double exponential formulas for numerical integration, Publications of RIMS 9
//   - Welch (1947), The generalization of 'Student's' problem when several different population variances are involved,
//     Biometrika 34
//   - White (1997), An effective truncation heuristic for bias reduction in simulation output, Simulation 69
package stats
