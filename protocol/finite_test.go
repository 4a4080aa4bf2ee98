package protocol

import (
	"context"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// dividing is a probe that divides by zero.
type dividing struct{}

func (dividing) Watch(_ context.Context, i *Instance, s Step) (func() (Reading, error), error) {
	return func() (Reading, error) {
		return Reading{
			Name: "dividing",
			Figures: []loadgen.Figure{
				{Name: "share", Value: math.NaN()}, {Name: "whole", Value: 1}, {Name: "ratio", Value: math.Inf(1)},
			},
			Series: []Series{
				{Name: "power", At: []time.Duration{1, 2, 3}, Value: []float64{1, math.Inf(-1), 3}, Gaps: 1},
				{Name: "uneven", At: []time.Duration{1}, Value: []float64{math.NaN(), 2}},
			},
		}, nil
	}, nil
}

// What is no number costs neither the level nor what else its probe saw, and is said.
func TestProbeThatDividesByZero(t *testing.T) {
	runner := newRunner(t, &fakeServer{t: t})
	runner.Probes = []Probe{dividing{}}
	plan := small()
	plan.Cooldown = 0
	if _, err := runner.Run(context.Background(), plan); err != nil {
		t.Fatal(err)
	}
	e, err := ReadExperiment(runner.Dir)
	if err != nil || !e.Complete {
		t.Fatal(err)
	}
	for _, m := range e.Measurements {
		r := m.Readings[0]
		if len(r.Figures) != 1 || r.Figures[0].Name != "whole" {
			t.Errorf("figures %+v", r.Figures)
		}
		s := r.Series[0]
		if !slices.Equal(s.At, []time.Duration{1, 3}) || !slices.Equal(s.Value, []float64{1, 3}) || s.Gaps != 2 {
			t.Errorf("series %+v", s)
		}
		if s := r.Series[1]; !reflect.DeepEqual(s.Value, []float64{2}) {
			t.Errorf("series %+v", s)
		}
		i := slices.IndexFunc(m.Result.Warnings, func(w loadgen.Warning) bool { return w.Code == WarnNotNumbers })
		if i < 0 || !strings.Contains(m.Result.Warnings[i].Message,
			"share, ratio, 1 samples of power, 1 samples of uneven") {
			t.Errorf("warnings %+v", m.Result.Warnings)
		}
	}
	if err := Analyze(e).Save(runner.Dir); err != nil {
		t.Error(err)
	}
}
