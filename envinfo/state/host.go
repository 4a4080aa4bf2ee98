package state

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

func (c *capture) hostState(h *HostState) {
	h.Load1, h.Load5, h.Load15 = c.load()
	h.CPUClockMin, h.CPUClockMean, h.CPUClockMax = c.cpuClocks()
	const name = "proc/meminfo"
	b, err := c.File(name, source.SmallFile)
	memory := func(key string) fact.Value[int64] {
		if err != nil {
			return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
		}
		n, err := parseMeminfo(b, key)
		if err != nil {
			return fact.Unknown[int64]("B", fact.ScopeHost, source.Abs(name)+": "+err.Error())
		}
		return fact.Known(n, "B", fact.ScopeHost, source.Abs(name)+": "+key)
	}
	h.MemoryFree, h.MemoryAvailable = memory("MemFree"), memory("MemAvailable")
}

// parseMeminfo returns the bytes of key in proc/meminfo, which may be 0.
func parseMeminfo(b []byte, key string) (int64, error) {
	for _, line := range source.Lines(b) {
		rest, ok := strings.CutPrefix(line, key+":")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) == 2 && f[1] == "kB" {
			if kb, err := strconv.ParseInt(f[0], 10, 64); err == nil && kb >= 0 && kb <= math.MaxInt64/1024 {
				return kb * 1024, nil
			}
		}
		return 0, fmt.Errorf("%s is %q, want a number of kB", key, fact.Clip(rest))
	}
	return 0, errors.New("no " + key)
}

func (c *capture) load() (one, five, fifteen fact.Value[float64]) {
	const name = "proc/loadavg"
	b, err := c.File(name, source.SmallFile)
	var means []float64
	if err == nil {
		if means, err = source.ParseNumbers(b, 3); err != nil {
			err = fmt.Errorf("%s: %w", source.Abs(name), err)
		}
	}
	if err != nil {
		v := fact.Unknown[float64]("", fact.ScopeHost, err.Error())
		return v, v, v
	}
	return fact.Known(
			means[0],
			"",
			fact.ScopeHost,
			source.Abs(name),
		), fact.Known(means[1], "", fact.ScopeHost, source.Abs(name)), fact.Known(means[2], "", fact.ScopeHost,
			source.Abs(name))
}

// cpuClocks are from proc/cpuinfo, one file, and not from cpufreq, which has one for each of several hundred threads.
func (c *capture) cpuClocks() (low, mean, high fact.Value[float64]) {
	const name = "proc/cpuinfo"
	b, err := c.File(name, source.LargeFile)
	var clocks []float64
	if err == nil {
		clocks = parseCPUClocks(b)
		if len(clocks) == 0 {
			err = errors.New(source.Abs(name) + ": no cpu MHz")
		}
	}
	if err != nil {
		unknown := fact.Unknown[float64]("MHz", fact.ScopeHost, err.Error())
		return unknown, unknown, unknown
	}
	sum := 0.0
	for _, x := range clocks {
		sum += x
	}
	of := fmt.Sprintf(" of %d in %s: cpu MHz", len(clocks), source.Abs(name))
	known := func(x float64, what string) fact.Value[float64] { return fact.Known(x, "MHz", fact.ScopeHost, what+of) }
	return known(slices.Min(clocks),
		"least"), known(math.Round(sum/float64(len(clocks))*1e3)/1e3, "mean"), known(slices.Max(clocks), "most")
}

func parseCPUClocks(b []byte) []float64 {
	var out []float64
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "cpu MHz" {
			continue
		}
		if x, err := strconv.ParseFloat(strings.TrimSpace(value), 64); err == nil && x > 0 && x < 1e6 {
			out = append(out, x)
		}
	}
	return out
}
