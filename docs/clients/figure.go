//go:build unix

package main

import (
	"time"

	"github.com/servegauge/servegauge/internal/number"
)

// A figure is one column of a scenario's table: what it makes of a run, or that this run has none.
type figure struct {
	Name   string
	Digits int  // after the decimal point
	Ratio  bool // whether ours divided by each says something
	Of     func(s scenario, r run, start time.Duration) (float64, bool)
}

var (
	wallTime = figure{"wall s", 2, true, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return r.Wall.Seconds(), true
	}}
	cpuTime = figure{"CPU s", 2, true, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return r.CPU.Seconds(), true
	}}
	peakMemory = figure{"peak MB", 0, true, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return float64(r.PeakRSS) / 1e6, true
	}}
	requestRate = figure{"requests/s", 0, true, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return r.Server.requestRate()
	}}
	chunkRate = figure{"chunks/s", 0, true, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return float64(r.Server.Tokens) / r.Server.Span.Seconds(), r.Server.Span > 0
	}}
	// Without what the client needs to start: a Python client spends seconds on imports, however much it then does.
	chunkCPU = figure{"CPU µs/chunk", 2, true, func(_ scenario, r run, start time.Duration) (float64, bool) {
		if r.Server.Tokens == 0 || start == 0 {
			return 0, false
		}
		return max(0, r.CPU-start).Seconds() * 1e6 / float64(r.Server.Tokens), true
	}}
	overServer = figure{"TTFT − server's, ms", 2, true, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return r.TTFT - float64(r.Server.TTFT)/1e6, r.TTFT > 0
	}}
	overTruth = figure{"TTFT − truth, ms", 2, true, func(s scenario, r run, _ time.Duration) (float64, bool) {
		return r.TTFT - float64(s.Pace.FirstToken)/1e6, r.TTFT > 0
	}}
	ofTruth = figure{"requests/s ÷ truth", 3, true, func(s scenario, r run, _ time.Duration) (float64, bool) {
		rate, ok := r.Server.requestRate()
		return rate * s.service().Seconds() / float64(s.Concurrency), ok && s.service() > 0
	}}
	meanInFlight = figure{"mean in flight", 1, false, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return r.Server.InFlightMean, true
	}}
	peakInFlight = figure{"peak in flight", 0, false, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return float64(r.Server.InFlightPeak), true
	}}
	dropped = figure{"dropped", 0, false, func(_ scenario, r run, _ time.Duration) (float64, bool) {
		return float64(r.Requests - r.Server.Served), r.Requests > 0
	}}
)

func (f figure) format(v float64) string { return number.Fixed(v, f.Digits) }
