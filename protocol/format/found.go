package format

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// A found is one result in a tool's file: one level of one run, before it is known which others are of the same load.
type found struct {
	checker
	tool   string // that measured: "vLLM bench serve"
	time   time.Time
	run    num // as the tool, or the file's name, counts them; unknown: nothing says
	models []string
	of     []setting // what tells the result from others, beside its load
	level  loadgen.Level

	askedInput, askedOutput num // tokens a request; unknown: the file does not say
	input, output           num // tokens, of all completed requests
	asked                   num // requests that were to be sent
	issued                  num // requests that were sent; unknown: completed and failed ones
	completed, failed       num
	cutOff                  num // requests that the end of the level cut off
	seconds                 num // that the tool's rates divide by
	inFlight                num // mean, as the tool says
	wasCut                  bool

	figures  []loadgen.Figure
	warnings []loadgen.Warning
}

// A setting is something that results may differ in, beside their load: then they are no repeats of each other.
type setting struct{ name, value string }

func (f *found) is(name, value string) {
	if value != "" {
		f.of = append(f.of, setting{name, value})
	}
}

// model notes the model that was asked, which also tells results apart.
func (f *found) model(name string) {
	if name != "" {
		f.models = append(f.models, name)
		f.is("model", name)
	}
}

func (f *found) warn(code string, spoils []string, format string, args ...any) {
	for i, w := range f.warnings { // of a file of ours, which has been judged before
		if w.Code == code {
			f.warnings[i].Spoils = append(slices.Clip(w.Spoils), spoils...)
			return
		}
	}
	f.warnings = append(f.warnings, loadgen.Warning{Code: code, Spoils: spoils, Message: number.Sprintf(format, args...)})
}

func (f *found) figure(name, unit string, better loadgen.Direction, value, n num) {
	if value.known {
		f.figures = append(f.figures, loadgen.Figure{Name: name, Unit: unit, Better: better, Value: value.v,
			N: int(n.v)})
	}
}

func (f *found) value(name string) num {
	for _, g := range f.figures {
		if g.Name == name {
			return known(g.Value)
		}
	}
	return num{}
}

// throughputs takes over the three rates as the tool printed them. All that failed has none: tools write 0.
func (f *found) throughputs(requests, output, total num) {
	if f.completed.known && f.completed.v == 0 {
		return
	}
	n := f.completed
	f.figure(loadgen.RequestThroughput, "req/s", loadgen.HigherIsBetter, f.rate("request throughput",
		requests.positive()), n)
	f.figure(loadgen.OutputThroughput, "tok/s", loadgen.HigherIsBetter, f.rate("output throughput", output.positive()),
		n)
	f.figure(loadgen.TotalThroughput, "tok/s", loadgen.HigherIsBetter, f.rate("total throughput", total.positive()), n)
}

// sum is how many tokens the completed requests had, of which the file has the mean.
func (f *found) sum(key string, mean num) num {
	n := f.within(key, mean.times(f.completed), maxCount, "a mean of no more than 10¹² tokens together")
	return num{math.Round(n.v), n.known}
}

// A percentile is one of a latency.
type percentile struct {
	p     float64
	value num
}

// latency takes over a metric's mean and percentiles, which are in a unit of so many milliseconds. A mean of 0 says
// that no request had the metric, as where nothing was streamed: that is no figure.
func (f *found) latency(metric string, unit float64, mean num, percentiles []percentile) {
	if mean.known && mean.v == 0 || f.completed.known && f.completed.v == 0 {
		return
	}
	n := f.completed
	if metric == loadgen.ITL {
		n = f.output.minus(f.completed).positive()
	}
	key := metric + " mean"
	f.figure(loadgen.MeanName(metric), "ms", loadgen.LowerIsBetter, f.milliseconds(key, mean.finite(), unit), n)
	last := percentile{}
	for _, q := range percentiles {
		name := loadgen.QuantileName(metric, q.p)
		value := f.milliseconds(name, q.value.finite(), unit)
		if !value.known || q.p <= 0 || q.p >= 100 || f.value(name).known {
			continue
		}
		if last.value.known && q.p > last.p && value.v < last.value.v*(1-1e-9)-1e-9 {
			f.fail(name, number.Sprintf("%g ms", value.v), number.Sprintf("no less than the p%g of %g ms", last.p,
				last.value.v))
		}
		last = percentile{q.p, value}
		f.figure(name, "ms", loadgen.LowerIsBetter, value, n)
	}
}

// load sets what was asked for: a closed loop of so many, or an open loop with a rate, of a process, and perhaps with a
// bound. Where neither is told, all requests were sent at once.
func (f *found) load(concurrency, rate num, process loadgen.Process, burstiness num) {
	concurrency, rate = concurrency.finite().positive(), rate.finite().positive()
	c := f.within("concurrency", f.count("concurrency", concurrency), loadgen.MaxConcurrency,
		"a number from 1 to 100,000")
	f.level.Concurrency = int(c.v)
	switch {
	case rate.known:
		r := f.within("request rate", rate, loadgen.MaxRate, "a rate up to 10⁶ requests/s")
		f.level.Arrivals = loadgen.Arrivals{Process: process, Rate: r.v}
		if process == loadgen.GammaArrivals {
			f.level.Arrivals.Burstiness = f.within("burstiness", burstiness, loadgen.MaxBurstiness,
				"a number up to 10⁶").v
		}
	case !c.known:
		all := f.asked.or(f.issued).or(f.completed)
		f.level.Concurrency = int(min(all.v, loadgen.MaxConcurrency))
		f.warn(WarnBurst, nil, "neither a concurrency nor a rate was asked for: all %.0f requests were sent at once",
			all.v)
	}
}

// requests sets by what the level was to end.
func (f *found) requests(asked, seconds num) {
	f.asked = f.within("requests", f.count("requests", asked.positive()), loadgen.MaxRequests, "a number up to 10⁸")
	f.level.Requests = int(f.asked.v)
	s := f.within("duration", seconds.finite().positive(), maxSeconds, "a time up to 10⁹ seconds")
	f.level.Duration = time.Duration(s.v * float64(time.Second))
}

// burstProcess is the process of arrivals with gamma gaps of a shape: vLLM's and SGLang's burstiness.
func burstProcess(burstiness num) (loadgen.Process, num) {
	switch {
	case !burstiness.known || burstiness.v == 1:
		return loadgen.PoissonArrivals, num{}
	case math.IsInf(burstiness.v, 1):
		return loadgen.ConstantArrivals, num{}
	}
	return loadgen.GammaArrivals, burstiness
}

// when reads a time as tools write it. Those without a zone are taken as UTC, which is right for their order.
func when(text string) time.Time {
	for _, layout := range []string{
		time.RFC3339Nano, "20060102-150405", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05", "20060102_150405",
	} {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// epoch reads seconds since 1970.
func epoch(seconds num) time.Time {
	if !seconds.known || !(seconds.v > 0 && seconds.v < 1e11) {
		return time.Time{}
	}
	return time.UnixMicro(int64(seconds.v * 1e6)).UTC()
}
