package protocol

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

func analysisOf(loads ...Load) *Analysis {
	a := &Analysis{}
	for _, l := range loads {
		a.Points = append(a.Points, Point{Load: l})
	}
	return a
}

func TestPointIsFoundByWhatItIs(t *testing.T) {
	a := analysisOf(
		Load{Input: 64, Output: 16, Concurrency: 8},
		Load{Input: 64, Output: 16, Concurrency: 16},
		Load{Input: 64, Output: 16, Rate: 20, Arrivals: loadgen.PoissonArrivals},
		Load{Input: 64, Output: 16, Rate: 40, Arrivals: loadgen.PoissonArrivals, Concurrency: 8},
		Load{Input: 64, Output: 16, Rate: 20, Arrivals: loadgen.ConstantArrivals},
		Load{Input: 512, Output: 16, Concurrency: 16},
		Load{Input: 64, Output: 16, Concurrency: 8}, // measured again
	)
	for _, c := range []struct {
		at   Load
		want int    // the point's number
		err  string // or what is wrong
	}{
		{Load{Concurrency: 8}, 0, ""}, // not the open loop that may have 8 in flight
		{Load{Rate: 40}, 3, ""},
		{Load{Rate: 40, Concurrency: 8}, 3, ""},
		{Load{Rate: 20, Arrivals: loadgen.ConstantArrivals}, 4, ""},
		{Load{Input: 512}, 5, ""},
		{Load{Concurrency: 16, Input: 64}, 1, ""},
		{Load{Concurrency: 16}, 0, "2 points are at concurrency 16: concurrency 16 (64 in, 16 out), concurrency " +
			"16 (512 in, 16 out)"},
		{Load{Rate: 20}, 0, "2 points"},
		{Load{Concurrency: 32}, 0, "no point is at concurrency 32; there are concurrency 8 (64 in, 16 out)"},
		{Load{Arm: "b", Concurrency: 8}, 0, "no point is at b: concurrency 8"},
	} {
		p, err := a.Point(c.at)
		var wrong *PointError
		switch {
		case c.err == "" && (err != nil || p != &a.Points[c.want]):
			t.Errorf("%+v: %+v, %v", c.at, p, err)
		case c.err != "" && (!errors.As(err, &wrong) || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%+v: %v, want %q", c.at, err, c.err)
		}
	}
	if p, err := analysisOf(Load{Concurrency: 3}).Point(Load{}); err != nil || p.Concurrency != 3 {
		t.Error(p, err)
	}
}

// A point's JSON is flat, as it was before a load could be an open loop's.
func TestPointJSON(t *testing.T) {
	text, err := json.Marshal(Point{Load: Load{Input: 1, Output: 2, Concurrency: 3}, Requests: 4, Condition: 3})
	if want := `{"input_tokens":1,"output_tokens":2,"concurrency":3,"requests":4,"condition":3,`; err != nil ||
		!strings.HasPrefix(string(text), want) {
		t.Errorf("%s, %v; want %s…", text, err, want)
	}
}
