package stats

import (
	"fmt"
	"math"
	"testing"
)

// intervalVectors is testdata/intervals.json, which testdata/intervals.py makes with scipy.
type intervalVectors struct {
	Samples []struct {
		X          []float64
		Confidence float64
		LogMean    [3]float64 `json:"log_mean"`
		SD         [3]float64
		LogSD      [3]float64 `json:"log_sd"`
	}
	Ranks []struct {
		N             int
		P, Confidence float64
		Low, High     int // 0: none
		Coverage      float64
	}
	Proportions []struct {
		Successes, Trials int
		Confidence        float64
		ClopperPearson    [2]float64 `json:"clopper_pearson"`
	}
}

func readIntervals(t *testing.T) intervalVectors {
	t.Helper()
	var v intervalVectors
	readJSON(t, "testdata/intervals.json", &v)
	if len(v.Samples) != 21 || len(v.Ranks) != 198 || len(v.Proportions) != 36 {
		t.Fatalf("%d samples, %d ranks, %d proportions", len(v.Samples), len(v.Ranks), len(v.Proportions))
	}
	return v
}

func TestIntervalsScipy(t *testing.T) {
	vectors := readIntervals(t)
	same := func(name string, v Interval, err error, want [3]float64) {
		t.Helper()
		if err != nil || !near(v.Estimate, want[0], 1e-14) || !near(v.Low, want[1], 1e-12) || !near(v.High, want[2],
			1e-12) {
			t.Errorf("%s: %.17g [%.17g, %.17g], %v; want %.17g", name, v.Estimate, v.Low, v.High, err, want)
		}
	}
	for _, c := range vectors.Samples {
		name := fmt.Sprintf("n = %d, %v", len(c.X), c.Confidence)
		v, err := LogMeanInterval(c.X, c.Confidence, "run")
		same(name+", log mean", v, err, c.LogMean)
		v, err = SDInterval(c.X, c.Confidence, "run")
		same(name+", SD", v, err, c.SD)
		v, err = LogSDInterval(c.X, c.Confidence, "run")
		same(name+", log SD", v, err, c.LogSD)
	}
	for _, c := range vectors.Proportions {
		name := fmt.Sprintf("%d of %d, %v", c.Successes, c.Trials, c.Confidence)
		share := float64(c.Successes) / float64(c.Trials)
		v, err := ProportionInterval(c.Successes, c.Trials, c.Confidence, "request")
		same(name+", Clopper-Pearson", v, err, [3]float64{share, c.ClopperPearson[0], c.ClopperPearson[1]})
	}
	for _, c := range vectors.Ranks {
		x := make([]float64, c.N) // the value of each order statistic is its rank
		for i := range x {
			x[i] = float64(i + 1)
		}
		v, err := QuantileInterval(x, c.P, c.Confidence, "request")
		low, high := float64(c.Low), float64(c.High)
		switch {
		case c.Low == 0 && c.High == 0:
			low, high = math.NaN(), math.NaN()
		case c.Low == 0:
			low = math.Inf(-1)
		case c.High == 0:
			high = math.Inf(1)
		}
		if err != nil || !same64(v.Low, low) || !same64(v.High, high) || math.Abs(v.Coverage-c.Coverage) > 1e-13 {
			t.Errorf("%+v: [%v, %v] %.17g, %v", c, v.Low, v.High, v.Coverage, err)
		}
		if bounded := c.Low > 0 && c.High > 0; bounded != (len(v.Warnings) == 0) {
			t.Errorf("%+v: %v", c, v.Warnings)
		}
	}
}

// same64 is equality with NaN equal to itself.
func same64(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }
