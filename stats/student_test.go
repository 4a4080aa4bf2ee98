package stats

import (
	"encoding/csv"
	"errors"
	"math"
	"os"
	"strconv"
	"testing"

	"gonum.org/v1/gonum/mathext"
)

// 60-digit values from testdata/vectors.py.
func TestStudentQuantileVectors(t *testing.T) {
	f, err := os.Open("testdata/student_t.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 301 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows[1:] {
		var v [3]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(row[i], 64); err != nil {
				t.Fatal(err)
			}
		}
		df, tail, want := v[0], v[1], v[2]
		got, err := studentQuantile(tail, df)
		if err != nil || !near(got, want, 2e-13) {
			t.Errorf("tail %v, df %v: %.17g, %v; want %.17g", tail, df, got, err, want)
		}
	}
}

func TestStudentQuantileKnownAnswers(t *testing.T) {
	for _, c := range []struct{ tail, df, want float64 }{
		{1e-10, 1, 3183098861.8379066},                       // R
		{1e-10, 1e6, 6.3614068488767426},                     // R
		{0.025, 4, 2.7764451051977987},                       // R
		{0.025, math.Inf(1), -mathext.NormalQuantile(0.025)}, // the normal distribution
		{0.025, 1e18, -mathext.NormalQuantile(0.025)},        // and what is as good as that
		{1 - 0x1p-40, 2, -math.Sqrt(0x1p39 - 2 + 0x1p-41)},   // closed form for df = 2, lower tail
		{0x1p-40, 2, math.Sqrt(0x1p39 - 2 + 0x1p-41)},        // and upper
		{0.05, 1, 1 / math.Tan(0.05*math.Pi)},                // closed form for df = 1
		{1e-60, 1, 1e60 / math.Pi},                           // and far out
	} {
		got, err := studentQuantile(c.tail, c.df)
		if err != nil || !near(got, c.want, 1e-12) {
			t.Errorf("tail %v, df %v: %.17g, %v; want %.17g", c.tail, c.df, got, err, c.want)
		}
	}
	if got, err := studentQuantile(0.5, 3); err != nil || got != 0 {
		t.Errorf("median: %v, %v", got, err)
	}
}

// Over the whole plane: no panic, no NaN, right sign, and further out for a smaller tail or fewer degrees of freedom.
// This is where inverting the incomplete beta function breaks down.
func TestStudentQuantileIsMonotone(t *testing.T) {
	dfs := []float64{0.5, 0.9999999, 1, 2, 4.4, 13, 77, 256, 300, 503, 999, 2000, 7777, 1e5, 1e6, 1e9, 1e15, 1e300,
		math.Inf(1)}
	for i, df := range dfs {
		last := 0.0
		for exp := 1.1; exp < 1000; exp += 0.7 {
			tail := math.Exp2(-exp)
			got, err := studentQuantile(tail, df)
			if err != nil {
				if tail > 1e-60 {
					t.Errorf("tail %v, df %v: %v", tail, df, err)
				}
				break
			}
			if !(got > last) || math.IsInf(got, 0) {
				t.Errorf("tail %v, df %v: %v after %v", tail, df, got, last)
			}
			last = got
			if i > 0 {
				if heavier, err := studentQuantile(tail, dfs[i-1]); err == nil && heavier < got*(1-1e-12) {
					t.Errorf("tail %v: %v for df %v, %v for df %v", tail, heavier, dfs[i-1], got, df)
				}
			}
		}
	}
}

// The expansion of fifth order must err by a term of sixth: doubling df divides the error by 2⁶, so no coefficient can
// be far wrong. (Where the expansion is used its last terms are too small to be seen.) The values at df = 50 and 100
// are to 20 digits.
func TestStudentSeriesIsOfFifthOrder(t *testing.T) {
	for _, c := range []struct{ tail, at50, at100 float64 }{
		{1e-2, 2.4032719166741719254, 2.3642173662384821281},
		{1e-3, 3.2614090557983182, 3.1737394937387829323},
		{1e-4, 4.014047320155800598, 3.8615997909500598302},
		{1e-6, 5.3766734017404762925, 5.0488308772283457656},
	} {
		z := -mathext.NormalQuantile(c.tail)
		series50, _ := studentSeries(z, 50)
		series100, _ := studentSeries(z, 100)
		ratio := (series50 - c.at50) / (series100 - c.at100)
		if ratio < 63 || ratio > 66 {
			t.Errorf("tail %v: the error falls by a factor of %.1f, want about 64", c.tail, ratio)
		}
	}
}

func TestStudentQuantileErrors(t *testing.T) {
	for _, c := range []struct {
		tail, df float64
		arg      string
	}{
		{0, 4, "tail"}, {1, 4, "tail"}, {-0.1, 4, "tail"}, {1.5, 4, "tail"}, {math.NaN(), 4, "tail"}, {math.Inf(1), 4,
			"tail"},
		{0.025, 0, "df"}, {0.025, -3, "df"}, {0.025, math.NaN(), "df"}, {0.025, math.Inf(-1), "df"}, {0.025, 1e-300,
			"df"},
		{math.SmallestNonzeroFloat64, 1, "tail"}, // 1/tail overflows
	} {
		got, err := studentQuantile(c.tail, c.df)
		var value *ValueError
		if !errors.Is(err, ErrOutOfRange) || !errors.As(err, &value) || value.Arg != c.arg {
			t.Errorf("tail %v, df %v: %v, %v; want an error about %s", c.tail, c.df, got, err, c.arg)
		}
	}
}

func FuzzStudentQuantile(f *testing.F) {
	f.Add(0.025, 4.0)
	f.Add(1e-10, 1e6)
	f.Add(0.5, math.Inf(1))
	f.Add(math.SmallestNonzeroFloat64, 300.0)
	f.Fuzz(func(t *testing.T, tail, df float64) {
		got, err := studentQuantile(tail, df)
		if err != nil {
			return
		}
		if math.IsNaN(got) || math.IsInf(got, 0) || (tail < 0.5) != (got > 0) || (tail == 0.5) != (got == 0) {
			t.Errorf("tail %v, df %v: %v", tail, df, got)
		}
	})
}
