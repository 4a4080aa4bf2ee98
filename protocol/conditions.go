package protocol

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// byCondition groups measurements of the same load, in the order in which the loads were first measured. A load that
// a run measures twice makes two groups: the run is the replicate, and has one value.
func byCondition(measured []Measurement) [][]Measurement {
	type key struct {
		arm, level         string
		input, output, nth int
	}
	type inRun struct {
		key
		run int
	}
	conditions := conditions{}
	var order []key
	groups := map[key][]Measurement{}
	seen := map[inRun]int{}
	for _, m := range measured {
		s := m.Step
		k := key{arm: s.Arm, level: conditions.of(s.Level), input: s.Input, output: s.Output}
		in := inRun{k, s.Run}
		k.nth = seen[in]
		seen[in]++
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], m)
	}
	var out [][]Measurement
	for _, k := range order {
		out = append(out, groups[k])
	}
	return out
}

// conditions are the hashes of the traces that levels have, which many may share.
type conditions map[sharedTrace]string

// A sharedTrace is a trace by where it lies.
type sharedTrace struct {
	first *time.Duration
	n     int
}

// of names everything in a level that makes it a condition of its own: all but its seed, which may differ from run to
// run, and a trace as its hash.
func (c conditions) of(l loadgen.Level) string {
	a := &l.Arrivals
	if trace := a.Trace; len(trace) > 0 {
		key := sharedTrace{&trace[0], len(trace)}
		if c[key] == "" {
			c[key] = loadgen.HashTrace(trace)
		}
		a.Trace, a.TraceSHA256 = nil, c[key]
	}
	l.Seed = 0
	text, err := json.Marshal(l)
	if err != nil { // a number that JSON has not, from a result that was made by hand
		return fmt.Sprintf("%+v", l)
	}
	return string(text)
}

// warnConditions names the points of one concurrency that differ in what a table of concurrencies does not show.
func (a *Analysis) warnConditions() {
	type load struct {
		Load
		requests, sessions int
	}
	type details struct {
		warmup  int
		timeout time.Duration
		trace   string
	}
	var order []load
	found := map[load][]details{}
	for _, p := range a.Points {
		l, d := load{p.Load, p.Requests, p.Sessions}, details{p.Warmup, p.Timeout, p.Trace}
		if found[l] == nil {
			order = append(order, l)
		}
		if !slices.Contains(found[l], d) {
			found[l] = append(found[l], d)
		}
	}
	for _, l := range order {
		if len(found[l]) < 2 {
			continue
		}
		var each []string
		for _, d := range found[l] {
			each = append(each, fmt.Sprintf("warmup %d, timeout %v%s", d.warmup, d.timeout, traceName(d.trace)))
		}
		a.warn(WarnConditions, "%v was measured under %d conditions, which are no repeats of each other: %s", l.Load, len(each), strings.Join(each, "; "))
	}
}

func traceName(sha256 string) string {
	if sha256 == "" {
		return ""
	}
	return fmt.Sprintf(", trace %.12s…", sha256)
}
