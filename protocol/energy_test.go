package protocol

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// measuredWithPower is a level of 4 s, from 1 s after its start on, in which two devices took 100 + 50·t W and 200 W.
func measuredWithPower() *Measurement {
	m := &Measurement{}
	m.Result = loadgen.Result{
		Start: time.Unix(1001, 0), FirstSent: time.Second, Makespan: 4 * time.Second,
		Accounting: loadgen.Accounting{Issued: 10, Completed: 8, Failed: 2},
		Tokens:     loadgen.Tokens{Input: 1000, Output: 400},
	}
	one, two := power(20), power(20)
	two.Of = "card 1"
	whole := power(20)
	whole.Of = "" // the sum of all is none of them
	for i := range two.Value {
		two.Value[i] = 200
	}
	m.Readings = []Reading{{Name: "gpus", Series: []Series{one, two, whole, {Name: "gpu_busy", Of: "card 0"}}}}
	return m
}

// Joules are the areas under the devices' power over the makespan, and those of a request and a token what each had
// of it.
func TestEnergy(t *testing.T) {
	m := measuredWithPower()
	r, ok := m.energy()
	// From 2 s to 6 s of the series: ∫ 100 + 50t = 400 + 25·(36 − 4) = 1,200, and 800.
	want := map[string]float64{Energy: 2000, EnergyPerRequest: 250, EnergyPerToken: 5}
	if !ok || len(r.Figures) != len(want) || len(r.Warnings) > 0 {
		t.Fatalf("%+v", r)
	}
	for _, f := range r.Figures {
		if math.Abs(f.Value-want[f.Name]) > 1e-9 || f.Unit != "J" || f.N != 2 {
			t.Errorf("%+v, want %v", f, want[f.Name])
		}
	}

	// Samples that are missing for one card leave no energy of all, with the reason.
	m = measuredWithPower()
	s := &m.Readings[0].Series[1]
	s.At, s.Value = append(s.At[:3:3], s.At[8:]...), append(s.Value[:3:3], s.Value[8:]...)
	if r, ok = m.energy(); !ok || len(r.Figures) > 0 || len(r.Warnings) != 1 ||
		r.Warnings[0].Code != WarnEnergyUnknown {
		t.Errorf("%+v", r)
	}
	// So does a card whose power could never be read, while other things of it could.
	m = measuredWithPower()
	busy := power(20)
	busy.Name, busy.Of = "gpu_busy", "card 2"
	m.Readings[0].Series = append(m.Readings[0].Series, busy)
	if r, ok = m.energy(); !ok || len(r.Figures) > 0 || len(r.Warnings) != 1 ||
		!strings.Contains(r.Warnings[0].Message, "card 2") {
		t.Errorf("%+v", r)
	}
	// Tokens that were not counted leave out what goes by them; a level without power has none.
	m = measuredWithPower()
	m.Result.Tokens.Uncounted = 1
	if r, _ = m.energy(); len(r.Figures) != 2 {
		t.Errorf("%+v", r)
	}
	if _, ok = (&Measurement{}).energy(); ok {
		t.Error("no power has an energy")
	}
}
