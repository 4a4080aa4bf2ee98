package format

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// kept are the measurements that figures stand on: those that were not discarded, and of several tries the last.
func kept(e *protocol.Experiment) []protocol.Measurement {
	var out []protocol.Measurement
	for i, m := range e.Measurements {
		again := i+1 < len(e.Measurements) && e.Measurements[i+1].Step.Try > 1
		if again {
			next := e.Measurements[i+1].Step
			again = next.Run == m.Step.Run && next.Seq == m.Step.Seq && next.Arm == m.Step.Arm
		}
		if !m.Step.Discard && !again {
			out = append(out, m)
		}
	}
	return out
}

// figuresOf are a measurement's, those of the probes included.
func figuresOf(m protocol.Measurement) []loadgen.Figure {
	out := m.Result.Figures[:len(m.Result.Figures):len(m.Result.Figures)]
	for _, r := range m.Readings {
		out = append(out, r.Figures...)
	}
	return out
}

// warningsOf are a measurement's, those of the probes included.
func warningsOf(m protocol.Measurement) []loadgen.Warning {
	out := m.Result.Warnings[:len(m.Result.Warnings):len(m.Result.Warnings)]
	for _, r := range m.Readings {
		out = append(out, r.Warnings...)
	}
	return out
}

// spoilers are the codes of the warnings that forbid the use of a figure.
func spoilers(warnings []loadgen.Warning, figure string) (codes []string) {
	for _, w := range warnings {
		if w.SpoilsFigure(figure) {
			codes = append(codes, w.Code)
		}
	}
	return codes
}

// failuresKnown is false of a result that was imported from a file that does not say how many requests failed.
func failuresKnown(m protocol.Measurement) bool {
	unknown := func(w loadgen.Warning) bool { return w.Code == WarnFailuresUnknown }
	return !slices.ContainsFunc(m.Result.Warnings, unknown)
}

// modelOf names what was asked: the models of the measurement, "" where it does not say.
func modelOf(m protocol.Measurement) string { return strings.Join(m.Models, ",") }

// A namer gives each measurement a file name of its own, as vLLM names its results, with the run.
type namer map[string]int

// name is openai-infqps-concurrency8-tiny-run1-20261128-114910, without what is not known.
func (taken namer) name(m protocol.Measurement) string {
	l := m.Step.Level
	rate := "inf"
	if l.Arrivals.Process != "" {
		rate = fmt.Sprint(l.Arrivals.Rate)
	}
	name := firstOf(m.Step.Arm, "openai") + "-" + rate + "qps"
	if l.Concurrency > 0 {
		name += fmt.Sprintf("-concurrency%d", l.Concurrency)
	}
	if len(m.Models) > 0 {
		name += "-" + path.Base(m.Models[0])
	}
	name += fmt.Sprintf("-run%d", m.Step.Run)
	if !m.Time.IsZero() {
		name += "-" + m.Time.UTC().Format("20060102-150405")
	}
	name = plainName(name)
	taken[name]++
	if n := taken[name]; n > 1 {
		name += fmt.Sprintf("-%d", n)
	}
	return name
}

// plainName keeps of a text what may stand in any file's name: models and arms are named by others.
func plainName(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
			return r
		}
		return '_'
	}, text)
	text = strings.ReplaceAll(text, "..", "__")
	const most = 180 // of the 255 bytes that file systems allow
	return text[:min(len(text), most)]
}
