package loadgen

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// What the requests of a [Group] have in common.
const (
	ByTurn  = "turn"  // [Record.Turn]
	ByModel = "model" // [Record.Model]: adapters
)

// OtherGroup is the name of the group of all that there is no other for: of turns beyond the 32nd, of models beyond
// the 64th.
const OtherGroup = "other"

const (
	mostTurns  = 32
	mostModels = 64
)

// A Group is the measured requests of a level that have something in common. Some of its figures are among the level's,
// under names that say so: see [GroupName].
type Group struct {
	By   string `json:"by"`   // [ByTurn], [ByModel]
	Name string `json:"name"` // "1", the model's; [OtherGroup]

	Accounting Accounting `json:"accounting"` // Issued is the sum of the others
	Tokens     Tokens     `json:"tokens"`

	// Distributions are the samples of TTFT, TPOT and E2E.
	Distributions map[string]*Distribution `json:"distributions,omitempty"`
}

// GroupName is the name of a figure of one group: GroupName("ttft_p50", ByTurn, "2") is "ttft_p50{turn=2}".
func GroupName(figure, by, name string) string { return figure + "{" + by + "=" + name + "}" }

// GroupOf is what a figure's name says of its group: "ttft_p50", "turn", "2" of "ttft_p50{turn=2}". false: it is of
// the whole level.
func GroupOf(figure string) (of, by, name string, ok bool) {
	of, rest, ok := strings.Cut(figure, "{")
	if !ok || !strings.HasSuffix(rest, "}") {
		return figure, "", "", false
	}
	by, name, ok = strings.Cut(strings.TrimSuffix(rest, "}"), "=")
	return of, by, name, ok
}

func (g *Group) label() string { return GroupName("", g.By, g.Name) }

// groups are those that a level has had so far.
type groups struct {
	all    []*Group
	turns  [mostTurns + 2]*Group // by their turn; the last is that of all others
	models map[string]*Group
}

// add counts a request in the groups that it is of.
func (s *groups) add(r *Record, failure *Error) {
	if r.Warmup || r.Turn == 0 && r.Model == "" {
		return
	}
	if r.Turn > 0 {
		at, name := min(r.Turn, mostTurns+1), strconv.Itoa(r.Turn)
		if at > mostTurns {
			name = OtherGroup
		}
		if s.turns[at] == nil {
			s.turns[at] = s.open(ByTurn, name)
		}
		s.turns[at].add(r, failure)
	}
	if r.Model != "" {
		g := s.models[r.Model]
		if g == nil {
			g = s.openModel(r.Model)
		}
		g.add(r, failure)
	}
}

func (s *groups) open(by, name string) *Group {
	g := &Group{By: by, Name: name, Distributions: map[string]*Distribution{}}
	s.all = append(s.all, g)
	slices.SortStableFunc(s.all, compareGroups)
	return g
}

// compareGroups puts turns in their order, and models in that of their names.
func compareGroups(a, b *Group) int {
	rank := func(g *Group) int {
		n, err := strconv.Atoi(g.Name)
		if err != nil || g.By != ByTurn {
			return mostTurns + 1
		}
		return n
	}
	return cmp.Or(-strings.Compare(a.By, b.By), rank(a)-rank(b), strings.Compare(a.Name, b.Name))
}

func (s *groups) openModel(name string) *Group {
	if s.models == nil {
		s.models = map[string]*Group{}
	}
	if len(s.models) >= mostModels {
		name = OtherGroup
	}
	if s.models[name] == nil {
		s.models[name] = s.open(ByModel, name)
	}
	return s.models[name]
}

func (g *Group) add(r *Record, failure *Error) {
	g.Accounting.Issued++
	switch {
	case failure == nil:
		g.Accounting.Completed++
	case failure.Class == ClassCancelled:
		g.Accounting.Cancelled++
		return
	default:
		g.Accounting.Failed++
		return
	}
	g.Tokens.add(r)
	for _, m := range perRequest {
		if m.Name != TTFT && m.Name != TPOT && m.Name != E2E {
			continue
		}
		if x, ok := m.Of(r); ok {
			if g.Distributions[m.Name] == nil {
				g.Distributions[m.Name] = new(Distribution)
			}
			g.Distributions[m.Name].Add(x)
		}
	}
}

// groupFigures are those of the groups: the share of the input that was cached, means and percentiles of TTFT, TPOT and
// E2E, and, by model, the throughputs over the whole makespan.
func (r *Result) groupFigures(add func(name, unit string, better Direction, value float64, n int)) {
	span := r.Makespan.Seconds()
	for _, g := range r.Groups {
		put := func(name, unit string, better Direction, value float64, n int) {
			add(name+g.label(), unit, better, value, n)
		}
		if n := g.Accounting.Completed; g.By == ByModel && span > 0 {
			put(RequestThroughput, "req/s", HigherIsBetter, float64(n)/span, n)
			if counted := n - g.Tokens.Uncounted; counted > 0 {
				if g.Tokens.readsOnly() {
					put(InputThroughput, "tok/s", HigherIsBetter, float64(g.Tokens.Input)/span, counted)
				} else {
					put(OutputThroughput, "tok/s", HigherIsBetter, float64(g.Tokens.Output)/span, counted)
				}
				put(TotalThroughput, "tok/s", HigherIsBetter, float64(g.Tokens.Input+g.Tokens.Output)/span, counted)
			}
		}
		if c := g.Tokens.Cached; c.Input > 0 {
			put(CachedShare, "%", Neither, 100*float64(c.Cached)/float64(c.Input), c.Requests)
		}
		for _, m := range perRequest {
			d := g.Distributions[m.Name]
			if d == nil {
				continue
			}
			if mean, ok := d.Mean(); ok {
				put(MeanName(m.Name), m.Unit, m.Better, mean, d.Len())
			}
			for _, p := range []float64{50, 99} {
				if q, ok := d.Quantile(p); ok {
					put(QuantileName(m.Name, p), m.Unit, m.Better, q, d.Len())
				}
			}
		}
	}
}

// mergeGroups adds the groups of all parts up.
func mergeGroups(parts []*Result) []*Group {
	var s groups
	for _, part := range parts {
		for _, g := range part.Groups {
			i := slices.IndexFunc(s.all, func(o *Group) bool { return o.By == g.By && o.Name == g.Name })
			to := (*Group)(nil)
			if i >= 0 {
				to = s.all[i]
			} else {
				to = s.open(g.By, g.Name)
			}
			to.Accounting.Add(g.Accounting)
			to.Tokens.Add(g.Tokens)
			for name, d := range g.Distributions {
				if to.Distributions[name] == nil {
					to.Distributions[name] = new(Distribution)
				}
				to.Distributions[name].Merge(d)
			}
		}
	}
	return s.all
}
