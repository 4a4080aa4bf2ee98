package loadgen

import (
	"math"
	"slices"
)

// figures lists every figure that the level has: throughputs, requests in flight, then the metrics in the order in
// which they are declared. A figure that cannot be had is not there; none is ever 0 for want of data.
// own are the metrics beside the built-in ones.
func (r *Result) figures(own []Metric) []Figure {
	var out []Figure
	add := func(name, unit string, better Direction, value float64, n int) {
		if math.IsInf(value, 0) || math.IsNaN(value) { // such as the mean of a user's own numbers that overflow
			return
		}
		out = append(out, Figure{Name: name, Unit: unit, Better: better, Value: value, N: n})
	}
	counted := r.Accounting.Completed - r.Tokens.Uncounted
	reads := r.Tokens.readsOnly()
	if span := r.Makespan.Seconds(); span > 0 {
		n := r.Accounting.Completed
		add(RequestThroughput, "req/s", HigherIsBetter, float64(n)/span, n)
		if counted > 0 {
			if reads {
				add(InputThroughput, "tok/s", HigherIsBetter, float64(r.Tokens.Input)/span, counted)
			} else {
				add(OutputThroughput, "tok/s", HigherIsBetter, float64(r.Tokens.Output)/span, counted)
			}
			add(TotalThroughput, "tok/s", HigherIsBetter, float64(r.Tokens.Input+r.Tokens.Output)/span, counted)
		}
	}
	if w := r.Steady; w != nil && w.Completions > 0 {
		span := w.Length().Seconds()
		add(SteadyRequestThroughput, "req/s", HigherIsBetter, float64(w.Completions)/span, w.Completions)
		if counted > 0 {
			if reads {
				add(SteadyInputThroughput, "tok/s", HigherIsBetter, w.Input/span, w.Completions)
			} else {
				add(SteadyOutputThroughput, "tok/s", HigherIsBetter, w.Output/span, w.Completions)
			}
			add(SteadyTotalThroughput, "tok/s", HigherIsBetter, (w.Input+w.Output)/span, w.Completions)
		}
	}
	r.sessionFigures(add)
	if r.Accounting.Issued > 0 {
		add(MeanInFlight, "requests", Neither, r.InFlight.Mean, r.Accounting.Issued)
		add(PeakInFlight, "requests", Neither, float64(r.InFlight.Peak), r.Accounting.Issued)
		if r.InFlight.Occupied > 0 {
			add(MeanOccupied, "requests", Neither, r.InFlight.Occupied, r.Accounting.Issued)
		}
		if o := r.Open; o != nil && o.Offered > 0 && o.Achieved > 0 {
			offered, achieved, unit := OfferedRate, AchievedRate, "req/s"
			if r.Sessions != nil {
				offered, achieved, unit = OfferedSessions, AchievedSessions, "sessions/s"
			}
			add(offered, unit, Neither, o.Offered, r.arrivals())
			add(achieved, unit, Neither, o.Achieved, r.arrivals())
		}
		add(SuccessRate, "%", HigherIsBetter, 100*float64(r.Accounting.Completed)/float64(r.Accounting.Issued),
			r.Accounting.Issued)
	}
	if c := r.Tokens.Cached; c.Input > 0 {
		add(CachedShare, "%", Neither, 100*float64(c.Cached)/float64(c.Input), c.Requests)
	}
	if d := r.Tokens.Draft; d.Accepted+d.Rejected > 0 {
		add(DraftAcceptance, "%", HigherIsBetter, 100*float64(d.Accepted)/float64(d.Accepted+d.Rejected), d.Requests)
	}
	if c := r.Tokens.Chunking; c.Chunks > 0 {
		add(TokensPerChunk, "tok", Neither, float64(c.Tokens)/float64(c.Chunks), c.Chunks)
	}
	if g := r.Goodput; g != nil && r.Accounting.Issued > 0 {
		n := r.Accounting.Issued
		if span := r.Makespan.Seconds(); span > 0 {
			add(GoodputThroughput, "req/s", HigherIsBetter, float64(g.Met)/span, n)
		}
		add(Attainment, "%", HigherIsBetter, 100*float64(g.Met)/float64(n), n)
		for i, o := range r.Level.Objectives {
			add(AttainmentName(o.Metric), "%", HigherIsBetter, 100*float64(g.Objectives[i])/float64(n), n)
		}
	}
	for _, m := range slices.Concat(r.Level.metrics(), pooled, perSession, perMedia, own) {
		d := r.Distributions[m.Name]
		if d == nil {
			continue
		}
		if mean, ok := d.Mean(); ok {
			add(MeanName(m.Name), m.Unit, m.Better, mean, d.Len())
		}
		for _, p := range r.Level.percentiles() {
			if q, ok := d.Quantile(p); ok {
				add(QuantileName(m.Name, p), m.Unit, m.Better, q, d.Len())
				if !d.Exact() {
					out[len(out)-1].Method = MethodHDR
				}
			}
		}
		if !slices.Contains(issuedMetrics, m.Name) {
			continue
		}
		for _, p := range r.Level.percentiles() {
			if q, ok := d.issuedQuantile(p, r.lost(m.Name)); ok {
				add(IssuedName(m.Name, p), m.Unit, m.Better, q, d.Len()+r.lost(m.Name))
				if !d.Exact() {
					out[len(out)-1].Method = MethodHDR
				}
			}
		}
	}
	r.groupFigures(add)
	return out
}

// readsOnly reports whether tokens went in and none came out, as of embeddings: those that went in are the throughput
// then.
func (t Tokens) readsOnly() bool { return t.Output == 0 && t.Input > 0 }
