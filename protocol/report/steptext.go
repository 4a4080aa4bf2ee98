package report

import (
	"io"
	"strings"

	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// StepText writes what one level will do, as [PlanText] does of a whole design.
func StepText(w io.Writer, s protocol.Step, sent *workload.Description) error {
	out, l := &printer{w: w}, s.Level
	out.f("One level: %s\n", s.Load())
	if s.Spec.Input > 0 {
		sentText(out, s.Spec.Input, s.Spec.Output, sent)
	}
	var until []string
	if l.Requests > 0 {
		until = append(until, decimal(float64(l.Requests), 0)+" "+plural(l.Requests, "request"))
	}
	if l.Sessions > 0 {
		until = append(until, decimal(float64(l.Sessions), 0)+" "+plural(l.Sessions, "session"))
	}
	if l.Duration > 0 {
		until = append(until, l.Duration.String())
	}
	if len(until) > 0 {
		out.f("  until        %s\n", strings.Join(until, " or "))
	}
	if l.Warmup > 0 {
		out.f("  warmup       %d, discarded\n", l.Warmup)
	}
	if l.RampUp > 0 {
		out.f("  ramp-up      %v\n", l.RampUp)
	}
	if l.Retries > 0 {
		out.f("  retries      up to %d of a request\n", l.Retries)
	}
	out.f("  timeout      %s a request\n", duration(l.Timeout))
	out.f("  seed         %d\n", l.Seed)
	return out.err
}
