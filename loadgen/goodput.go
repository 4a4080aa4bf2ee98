package loadgen

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// An Objective is what a request must meet to be a good one: a value of one of its metrics. The zero Objective is not
// valid.
type Objective struct {
	// Metric is a metric that each request has: one of the built-in ones, such as [TTFT], [TPOT] or [E2E], or one of
	// [Generator.Metrics]; in an open loop [Response] too, which alone has the wait of an arrival that was held back.
	// Not one that is pooled over the level, such as [ITL].
	Metric string `json:"metric"`

	// Limit is the most that the request's value may be, in the metric's unit (ms for times); where higher is better,
	// the least. Above 0.
	Limit float64 `json:"limit"`
}

func (o Objective) String() string { return o.Metric + ":" + strconv.FormatFloat(o.Limit, 'g', -1, 64) }

// A Goodput counts the completed measured requests that met the level's objectives. A request that lacks an
// objective's metric does not meet it, but for TPOT and interactivity of an answer of one token, which nobody waits
// in. Requests that failed or were cancelled meet none.
type Goodput struct {
	Met        int   `json:"met"`        // all of the objectives
	Objectives []int `json:"objectives"` // each of them, in the order of [Level.Objectives]
}

// validateObjectives returns an *InvalidError for what no metrics could mend.
func validateObjectives(objectives []Objective) error {
	for i, o := range objectives {
		switch {
		case o.Metric == "":
			return &InvalidError{"objective", strconv.Quote(o.String()), "the name of a metric, such as ttft"}
		case !(o.Limit > 0) || math.IsInf(o.Limit, 0):
			return &InvalidError{"objective", o.String(), "a limit above 0, in the metric's unit"}
		case slices.ContainsFunc(objectives[:i], func(before Objective) bool { return before.Metric == o.Metric }):
			return &InvalidError{"objective", o.String(), "each metric once"}
		}
	}
	return nil
}

// goals are a level's objectives and the requests that met them.
type goals struct {
	objectives []Objective
	metrics    []Metric // of each objective
	counts     Goodput
}

// newGoals returns nil where there is no objective, and an *InvalidError for one whose metric is not known.
func newGoals(l Level, own []Metric) (*goals, error) {
	objectives := l.Objectives
	if len(objectives) == 0 {
		return nil, nil
	}
	g := &goals{objectives: slices.Clone(objectives), counts: Goodput{Objectives: make([]int, len(objectives))}}
	var names []string
	known := slices.DeleteFunc(slices.Concat(l.metrics(), own), func(m Metric) bool { return m.Better == Neither })
	for _, m := range known {
		names = append(names, m.Name)
	}
	for _, o := range objectives {
		i := slices.Index(names, o.Metric)
		if i < 0 {
			return nil, &InvalidError{"objective", o.String(),
				"a metric that each request has: " + strings.Join(names, ", ")}
		}
		g.metrics = append(g.metrics, known[i])
	}
	return g, nil
}

// add counts a request that completed.
func (g *goals) add(r *Record) {
	if g == nil {
		return
	}
	all := true
	for i, m := range g.metrics {
		if g.meets(r, m, g.objectives[i].Limit) {
			g.counts.Objectives[i]++
		} else {
			all = false
		}
	}
	if all {
		g.counts.Met++
	}
}

func (g *goals) meets(r *Record, m Metric, limit float64) bool {
	x, ok := m.Of(r)
	switch {
	case !ok && (m.Name == TPOT || m.Name == Interactivity): // nothing to wait for: one token, or all of them at once
		return r.noneAfterFirst()
	case !ok:
		return false
	case m.Better == HigherIsBetter:
		return x >= limit
	}
	return x <= limit
}

// check returns an [*InvalidError] unless the counts can be those of the objectives and of so many completed requests.
func (g *Goodput) check(objectives []Objective, completed int) error {
	if g == nil && len(objectives) == 0 {
		return nil
	}
	fail := func() error {
		return &InvalidError{"goodput", fmt.Sprintf("%+v", g),
			fmt.Sprintf("counts of %d objectives and %d completed requests", len(objectives), completed)}
	}
	if g == nil || len(g.Objectives) != len(objectives) || g.Met < 0 {
		return fail()
	}
	for _, n := range g.Objectives {
		if n < g.Met || n > completed {
			return fail()
		}
	}
	return nil
}

// goodputOf are the names of the figures that follow from which requests met the objectives of these metrics; none
// where there is no such objective.
func (l Level) goodputOf(metrics ...string) (out []string) {
	for _, o := range l.Objectives {
		if slices.Contains(metrics, o.Metric) {
			out = append(out, GoodputThroughput, Attainment, AttainmentName(o.Metric))
		}
	}
	return out
}
