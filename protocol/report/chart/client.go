package chart

import (
	"slices"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// Client returns the charts of a client validation: its throughput capacity and its latency profile.
func Client(e *protocol.Experiment, a *protocol.Analysis) []*Chart {
	var out []*Chart
	x, levels := axisOf(a), levelsOf(a)
	add := func(name, title, y string, curves []curve) {
		if len(curves) == 0 {
			return
		}
		out = append(out, &Chart{
			Name: name, Title: title, Place: report.PlaceClient, notes: barsAre, conditions: report.Conditions(e, a),
			data:   dataOf(x, curves, y),
			panels: []panel{{x: x, y: y, curves: curves, levels: levels}},
		})
	}
	add("client-throughput", "Client throughput capacity", "requests/s", slices.Concat(
		over(a, loadgen.SteadyRequestThroughput, "steady window"), over(a, loadgen.RequestThroughput, "makespan")))
	add("client-latency", "Client latency profile", "E2E latency, ms", slices.Concat(
		over(a, loadgen.QuantileName(loadgen.E2E, 50), "p50"), over(a, loadgen.QuantileName(loadgen.E2E, 95), "p95"),
		over(a, loadgen.QuantileName(loadgen.E2E, 99), "p99")))
	return out
}
