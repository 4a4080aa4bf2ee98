package protocol

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// rated is a plan over rates.
func rated(rates ...float64) Plan {
	return Plan{Name: "rates", Runs: 3, Restart: true, Warmup: 4, Input: 8, Output: 4, Rates: rates,
		Prompts: Prompts{PerConcurrency: 10}, Handover: true, Seed: 7}
}

func TestPlanOverRates(t *testing.T) {
	p := rated(2, 0.5, 40)
	p.Order, p.MaxInFlight = Ascending, 64
	seeds := map[uint64]bool{}
	var got []float64
	for _, s := range steps(t, p) {
		if s.Discard {
			if s.Level.Arrivals.Process != "" || s.Level.Requests != 4 {
				t.Errorf("%+v", s.Level)
			}
			continue
		}
		l := s.Level
		got = append(got, l.Arrivals.Rate)
		if l.Arrivals.Process != loadgen.PoissonArrivals || l.Concurrency != 64 || seeds[l.Seed] ||
			l.Requests != int(10*l.Arrivals.Rate) || l.Warmup != max(l.Requests/10, 1) || l.Validate() != nil {
			t.Errorf("%+v", l)
		}
		seeds[l.Seed] = true
	}
	if len(got) != 9 || got[0] != 0.5 || got[1] != 2 || got[2] != 40 {
		t.Errorf("rates %v", got)
	}
	if heaviest, err := p.Heaviest(); err != nil || heaviest.Level.Arrivals.Rate != 40 {
		t.Errorf("%+v, %v", heaviest, err)
	}
	// Ten seconds of arrivals, and a second that leads each in, whatever the server can.
	p.Rates, p.Warmup = []float64{4, 40}, 0
	if got, want := p.Estimate(1e12), 3*2*11*time.Second; got != want {
		t.Errorf("it takes %v, want %v", got, want)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadPlan(strings.NewReader(string(text)))
	if err != nil || strings.Contains(string(text), `"levels"`) {
		t.Fatalf("%v: %s", err, text)
	}
	if same, _ := json.Marshal(again); string(same) != string(text) {
		t.Errorf("%s, and then %s", text, same)
	}
}

func TestPlanOverRatesRefuses(t *testing.T) {
	both, negative, twice, own, trace, none := rated(1), rated(-1), rated(1, 1), rated(1), rated(1), rated()
	both.Levels = []int{4}
	own.Arrivals.Rate = 5
	trace.Arrivals.Process = loadgen.TraceArrivals
	of := small()
	of.Arrivals.Process = loadgen.ConstantArrivals
	bound := small()
	bound.MaxInFlight = 8
	for _, c := range []struct {
		p    Plan
		want string
	}{
		{both, "either rates or levels"}, {negative, "-1"}, {twice, "each rate once"}, {own, "without a rate"},
		{trace, "without a rate"}, {none, "1 to 1,000"}, {of, "rates with them"}, {bound, "rates with it"},
	} {
		if _, err := c.p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q: %v", c.want, err)
		}
	}
}

// Below what a server can, an open loop gets what it offers, and beyond it no more: that is its knee.
func TestKneeOverRates(t *testing.T) {
	p := rated(5, 10, 20, 40)
	e := &Experiment{Complete: true}
	for {
		s, err := p.Next(e.Measurements)
		if err != nil {
			break
		}
		m := Measurement{Step: s, Instance: string(rune('0' + s.Run))}
		noise := 1 + 0.002*float64((s.Run*7+s.Seq*5)%4)
		m.Result.Figures = []loadgen.Figure{{Name: loadgen.TotalThroughput,
			Value:  12 * min(s.Level.Arrivals.Rate, 18) * noise,
			Better: loadgen.HigherIsBetter, N: s.Level.Requests}}
		e.Measurements = append(e.Measurements, m)
	}
	a := Analyze(e)
	if len(a.Points) != 4 || a.Knee.String() != "(10, 20]" {
		t.Errorf("%d points, knee %v: %s", len(a.Points), a.Knee, a.Knee.Reason)
	}
}
