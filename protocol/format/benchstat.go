package format

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Benchstat is benchstat.txt, in the format of Go's benchmarks: `benchstat before/benchstat.txt after/benchstat.txt`
// compares two experiments, with a line for each level of each run. Values that must not be used are left out; a
// comment says which and why.
var Benchstat = Format{Name: "benchstat", Write: writeBenchstat}

// benchstatUnits are the figures that are compared, by their units there: each figure needs a unit of its own. Those in
// ns are scaled by benchstat as times are.
var benchstatUnits = []struct {
	figure, unit string
	factor       float64
	better       string
}{
	{loadgen.SteadyTotalThroughput, "steady-total-tok/s", 1, "higher"},
	{loadgen.SteadyOutputThroughput, "steady-output-tok/s", 1, "higher"},
	{loadgen.SteadyInputThroughput, "steady-input-tok/s", 1, "higher"},
	{loadgen.InputThroughput, "input-tok/s", 1, "higher"},
	{loadgen.TotalThroughput, "total-tok/s", 1, "higher"},
	{loadgen.OutputThroughput, "output-tok/s", 1, "higher"},
	{loadgen.RequestThroughput, "req/s", 1, "higher"},
	{loadgen.GoodputThroughput, "good-req/s", 1, "higher"},
	{loadgen.QuantileName(loadgen.TTFT, 50), "ttft-p50-ns", 1e6, "lower"},
	{loadgen.QuantileName(loadgen.TTFT, 99), "ttft-p99-ns", 1e6, "lower"},
	{loadgen.QuantileName(loadgen.TPOT, 50), "tpot-p50-ns", 1e6, "lower"},
	{loadgen.QuantileName(loadgen.TPOT, 99), "tpot-p99-ns", 1e6, "lower"},
	{loadgen.QuantileName(loadgen.E2E, 50), "e2e-p50-ns", 1e6, "lower"},
	{loadgen.QuantileName(loadgen.E2E, 99), "e2e-p99-ns", 1e6, "lower"},
}

func writeBenchstat(create func(string) (io.WriteCloser, error), e *protocol.Experiment, a *protocol.Analysis) error {
	return writeFile(create, "benchstat.txt", func(w io.Writer) error {
		out := bufio.NewWriter(w)
		line := func(key, value string) {
			if value != "" {
				fmt.Fprintf(out, "%s: %s\n", key, oneLine(value))
			}
		}
		line("tool", a.Tool)
		line("model", strings.Join(a.Models, ","))
		line("replicate", a.Unit)
		for _, u := range benchstatUnits {
			fmt.Fprintf(out, "Unit %s better=%s\n", u.unit, u.better)
		}
		for _, m := range kept(e) {
			name := benchstatName(m)
			warnings, measured := warningsOf(m), figuresOf(m)
			var values, left strings.Builder
			for _, u := range benchstatUnits {
				for _, f := range measured {
					if f.Name != u.figure {
						continue
					}
					if codes := spoilers(warnings, f.Name); codes != nil {
						fmt.Fprintf(&left, "# left out of %s in run %d: %s (%s)\n", name, m.Step.Run, f.Name,
							strings.Join(codes, ", "))
						continue
					}
					fmt.Fprintf(&values, " %s %s", machine(f.Value*u.factor), u.unit)
				}
			}
			out.WriteString(left.String())
			if values.Len() > 0 {
				fmt.Fprintf(out, "%s 1%s\n", name, values.String())
			}
		}
		return out.Flush()
	})
}

// benchstatName has what tells one level from another as NAME=VALUE, which benchstat can group by. It ends in a number
// without a dash before it: that would be the number of processors.
func benchstatName(m protocol.Measurement) string {
	s, name := m.Step, "BenchmarkServe"
	if s.Arm != "" {
		name += "/arm=" + strings.ReplaceAll(plainName(s.Arm), "/", "_")
	}
	if a := s.Level.Arrivals; a.Process != "" {
		name += fmt.Sprintf("/%s=%g", a.Process, a.Rate)
	}
	if s.Level.Concurrency > 0 {
		name += fmt.Sprintf("/conc=%d", s.Level.Concurrency)
	}
	return name + fmt.Sprintf("/in=%d/out=%d", s.Input, s.Output)
}

// oneLine keeps a value of others' from beginning a line of its own.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) }), " ")
}
