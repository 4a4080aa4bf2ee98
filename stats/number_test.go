package stats

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// No number of this package is ever a string in JSON, whatever it is, and each comes back as it was.
func TestInfiniteNumbersInJSON(t *testing.T) {
	inf := math.Inf(1)
	for name, text := range map[string]string{
		"interval":  roundTrip(t, Interval{Estimate: 1, Low: -inf, High: inf, DF: inf, Confidence: 0.95}),
		"knee test": roundTrip(t, KneeTest{Level: 8, Below: -inf, Reaches: inf}),
		"knee": roundTrip(t, KneeResult{Kind: KneeAbove, Low: 4, High: math.NaN(), DF: inf,
			Tests: []KneeTest{{8, math.NaN(), inf}}}),
		"refinement step": roundTrip(t, KneeStep{Level: 8, T: -inf, N: 3, DF: 2, Low: 4, High: math.NaN()}),
		"repetition plan": roundTrip(t, RepetitionPlan{Optimal: []float64{inf, 3, math.NaN()}, HalfWidth: inf}),
		"USL":             roundTrip(t, USL{Peak: inf, RSS: 1}),
	} {
		if strings.Contains(text, "Infinity") || !strings.Contains(text, `"unbounded":{`) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if text := roundTrip(t, RepetitionPlan{Optimal: []float64{inf, 3}}); !strings.Contains(text,
		`"unbounded":{"optimal.0":"above"}`) {
		t.Error(text)
	}
}

// What was written as a string before is still read; what says nothing that can be is an error.
func TestReadInfiniteNumbers(t *testing.T) {
	for _, c := range []struct {
		text      string
		low, high float64
	}{
		{`{"estimate":1,"low":"-Infinity","high":"Infinity"}`, math.Inf(-1), math.Inf(1)},
		{`{"estimate":1,"low":null,"high":2,"unbounded":{"low":"below"}}`, math.Inf(-1), 2},
		{`{"estimate":1,"low":null,"high":2,"unbounded":null}`, math.NaN(), 2},
	} {
		var v Interval
		if err := json.Unmarshal([]byte(c.text), &v); err != nil || !same(v.Low, c.low) || !same(v.High, c.high) {
			t.Errorf("%s: %v to %v, %v", c.text, v.Low, v.High, err)
		}
	}
	for _, bad := range []string{
		`{"low":null,"unbounded":{"low":"sideways"}}`, `{"low":null,"unbounded":{"lo":"below"}}`,
		`{"unbounded":{"method":"above"}}`,
		`{"low":"NaN"}`, `{"unbounded":["low"]}`,
	} {
		var v Interval
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s: %+v", bad, v)
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
