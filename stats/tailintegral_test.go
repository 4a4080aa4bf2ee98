package stats

import (
	"math"
	"testing"
)

// What lies above the mode and what lies below it are two different integrals, and add up to 1. This is where the rule
// for them is at its worst: a step of 1/16 instead of 1/20 fails.
func TestTailsAddUpToOne(t *testing.T) {
	below := math.Nextafter(1, 0)
	parameters := []float64{0.25, 0.3, 0.5, 0.7, 1, 1.5, 2.3, 5, 17, 100, 3000, 5e5}
	for _, a := range parameters {
		if sum := gammaPoint(1, a).tail(true) + gammaPoint(below, a).tail(false); !near(sum, 1, 4e-13) {
			t.Errorf("gamma %v: %.17g", a, sum)
		}
		for _, b := range parameters {
			if sum := betaPoint(1, a, b).tail(true) + betaPoint(below, a, b).tail(false); !near(sum, 1, 4e-13) {
				t.Errorf("beta %v, %v: %.17g", a, b, sum)
			}
		}
	}
}

// Γ(½) = √π, Γ(1) = 1, and a factorial.
func TestStirlingError(t *testing.T) {
	for _, c := range []struct{ z, logGamma float64 }{
		{0.5, math.Log(math.Pi) / 2},
		{1, 0},
		{21, math.Log(2432902008176640000)},
	} {
		want := c.logGamma - (c.z-0.5)*math.Log(c.z) + c.z - math.Log(2*math.Pi)/2
		if got := stirlingError(c.z); math.Abs(got-want) > 2e-14 {
			t.Errorf("%v: %.17g, want %.17g", c.z, got, want)
		}
	}
}
