package audit_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen/audit"
)

// tail is P(X ≥ k) of a binomial, summed term by term: another way than the package's.
func tail(n, k int, p float64) float64 {
	sum := 0.0
	for i := range k {
		choose := 1.0
		for j := range i {
			choose *= float64(n-j) / float64(j+1)
		}
		sum += choose * math.Pow(p, float64(i)) * math.Pow(1-p, float64(n-i))
	}
	return 1 - sum
}

// The figures by which the rule is stated: power 0.80 at 300 and 0.95 at 640 for 1 % wrong, and at most 4.4e-4 false
// alarms at a healthy rate of 1e-4.
func TestPower(t *testing.T) {
	for _, c := range []struct {
		n           int
		rate        float64
		least, most float64
	}{
		{300, 0.01, 0.80, 0.81},
		{640, 0.01, 0.95, 0.96},
		{300, 0.02, 0.98, 0.985},
		{300, 0.05, 0.9999, 1},
		{300, 1e-4, 4.3e-4, 4.4e-4},
		{640, 1e-4, 3.9e-5, 4.2e-5},
		{301, 1e-4, 4.3e-6, 4.5e-6},
		{300, 1e-3, 0.036, 0.037}, // what a healthy rate beyond the stated one costs
		{300, 0, 0, 0}, {1, 1, 0, 0}, {2, 1, 1, 1}, {0, 1, 0, 0},
	} {
		got := audit.Power(c.n, c.rate)
		if got < c.least || got > c.most {
			t.Errorf("Power(%d, %v) = %v, want %v to %v", c.n, c.rate, got, c.least, c.most)
		}
		if c.n >= 2 && c.rate > 0 {
			if want := tail(c.n, audit.Limit(c.n), c.rate); math.Abs(got-want) > 1e-9 {
				t.Errorf("Power(%d, %v) = %v, summed %v", c.n, c.rate, got, want)
			}
		}
	}
	for n := 1; n <= audit.Most; n++ { // no size is worse than what is stated
		if p := audit.Power(n, 1e-4); p > 4.4e-4 {
			t.Errorf("at a healthy rate of 1e-4, %d answers give %v false alarms", n, p)
		}
	}
	// What the two samples that guard it cost a healthy server, and let through.
	if p := 1 - math.Pow(1-1e-4, audit.HealthyAnswers); p > 0.0041 {
		t.Errorf("a healthy rate of 1e-4 fails the healthy sample with %v", p)
	}
}

func TestSmallest(t *testing.T) {
	for _, c := range []struct {
		n    int
		want float64
	}{{300, 0.00995}, {640, 0.00667}, {40, 0.0731}, {2, 0.894}, {1, 1}, {0, 1}} {
		if got := audit.Smallest(c.n); math.Abs(got-c.want) > 0.005*c.want {
			t.Errorf("Smallest(%d) = %v, want %v", c.n, got, c.want)
		}
	}
}

// scores are n answers of which the first k are wrong.
func scores(n, k int) []audit.Score {
	all := make([]audit.Score, n)
	for i := range all {
		all[i] = audit.Score{Index: i, Gaps: []float64{0, 0.3, 0}, Tops: 2}
		if i < k {
			all[i].Gaps[1] = 4
		}
	}
	return all
}

func TestJudge(t *testing.T) {
	healthy := audit.Tally{Answers: audit.HealthyAnswers}
	for _, c := range []struct {
		name            string
		n, wrong        int
		healthy         audit.Tally
		control, caught int
		want            audit.Verdict
		reason          string
	}{
		{"nothing is wrong", 300, 0, healthy, 20, 20, audit.Passed, ""},
		{"one of 300", 300, 1, healthy, 20, 16, audit.Passed, ""},
		{"two of 300", 300, 2, healthy, 20, 16, audit.Spoiled, ""},
		{"two of 301", 301, 2, healthy, 20, 20, audit.Passed, ""},
		{"three of 640", 640, 3, healthy, 20, 20, audit.Spoiled, ""},
		{"two of 10", 10, 2, healthy, 20, 20, audit.Spoiled, ""},
		{"the prompt does not matter", 300, 0, healthy, 20, 15, audit.NotCheckable, "only 15 were caught"},
		{"as with random weights", 300, 0, healthy, 20, 0, audit.NotCheckable, "random weights"},
		{"wrong alone", 300, 9, audit.Tally{Answers: 40, Wrong: 1}, 20, 20, audit.NotCheckable, "9 of 300"},
		{"few alone", 300, 0, audit.Tally{Answers: 39}, 20, 20, audit.NotCheckable, "39 of 40"},
		{"few rescored", 300, 0, healthy, 19, 19, audit.NotCheckable, "19 of 20"},
		{"none", 0, 0, healthy, 20, 20, audit.NotCheckable, "no answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := audit.Evidence{Method: audit.Scored, Level: scores(c.n, c.wrong), Healthy: c.healthy,
				Control: scores(c.control, c.caught)}
			o := e.Judge()
			if o.Verdict != c.want || !strings.Contains(o.Reason, c.reason) || o.Level.Wrong != c.wrong {
				t.Errorf("%s, %q, %d wrong", o.Verdict, o.Reason, o.Level.Wrong)
			}
			if !strings.HasPrefix(o.String(), string(c.want)) {
				t.Errorf("said as %q", o)
			}
			if len(o.Faults) != min(c.wrong, 32) {
				t.Errorf("%d faults", len(o.Faults))
			}
			if _, err := json.Marshal(o); err != nil {
				t.Error(err)
			}
		})
	}
}

// What makes an answer wrong, at the edge.
func TestWrong(t *testing.T) {
	for _, c := range []struct {
		score audit.Score
		want  bool
		said  string
	}{
		{audit.Score{Gaps: []float64{0, 1, 0.99}}, false, ""},
		{audit.Score{Gaps: []float64{0, 1.01}}, true, "1 of 2 positions, from 1 on, gaps up to 1.0 nats"},
		{audit.Score{Gaps: []float64{0, math.NaN()}}, true, "no probability told"},
		{audit.Score{Gaps: []float64{0, math.Inf(1)}}, true, "from 1 on"},
		{audit.Score{Gaps: []float64{0, 3}, At: []int{4, 60}}, true, "from 60 on"},
		{audit.Score{Refused: "400"}, true, "not scored (400)"},
		{audit.Score{}, false, ""},
	} {
		if got := c.score.Wrong(); got != c.want {
			t.Errorf("%+v: %v", c.score, got)
		}
		if !c.want {
			continue
		}
		e := audit.Evidence{Level: []audit.Score{c.score}}
		o := e.Judge()
		if len(o.Faults) != 1 || !strings.Contains(o.Faults[0].String(), c.said) {
			t.Errorf("%+v: %v", c.score, o.Faults)
		}
		if _, err := json.Marshal(o); err != nil {
			t.Error(err)
		}
	}
}

func TestAgreement(t *testing.T) {
	o := (&audit.Evidence{Level: scores(3, 0)}).Judge()
	if share, ok := o.Level.Agreement(); !ok || math.Abs(share-2./3) > 1e-12 {
		t.Errorf("%v %v", share, ok)
	}
}
