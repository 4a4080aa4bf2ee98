package loadgen

import (
	"slices"
	"time"
)

// PossibleFigures are the figures that a level of l can have, by name, unit and direction, in the order in which a
// [Result] has them; own are the metrics beside the built-in ones. They have no values: what there is of them depends
// on what the server answers. It is for saying before a level is measured that a name is none of them.
func PossibleFigures(l Level, own ...Metric) []Figure {
	// A result that has everything, read by what reads all results: a list of its own could leave a figure out.
	r := Result{
		Level: l, Makespan: time.Second, Steady: &Window{To: time.Second, Completions: 1},
		Accounting:    Accounting{Issued: 1, Completed: 1},
		InFlight:      InFlight{Occupied: 1},
		Tokens:        Tokens{Cached: CachedTokens{Input: 1}, Draft: DraftTokens{Accepted: 1}, Chunking: Chunking{Chunks: 1}},
		Distributions: map[string]*Distribution{},
	}
	if l.open() {
		r.Open, r.Steady = &OpenLoop{Offered: 1, Achieved: 1}, nil
	}
	if l.Unit != "" {
		r.Sessions = &SessionCounts{Accounting: r.Accounting}
	}
	if len(l.Objectives) > 0 {
		r.Goodput = &Goodput{Objectives: make([]int, len(l.Objectives))}
	}
	for _, metrics := range [][]Metric{l.metrics(), pooled, own} {
		for _, m := range metrics {
			r.Distributions[m.Name] = &Distribution{samples: []float64{1}}
		}
	}
	figures := r.figures(own)
	r.Tokens.Input = 1 // and none that came out, as of embeddings
	for _, f := range r.figures(own) {
		if !slices.ContainsFunc(figures, func(g Figure) bool { return g.Name == f.Name }) {
			figures = append(figures, f)
		}
	}
	for i := range figures {
		figures[i].Value, figures[i].N, figures[i].Method = 0, 0, ""
	}
	return figures
}
