package stats

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sampleA is a throughput, in tokens/s, of five runs.
var sampleA = []float64{6808, 6512, 7011, 6390, 6955}

// near reports whether got is within the relative error tol of a want that is not 0. NaN is near nothing.
func near(got, want, tol float64) bool { return math.Abs(got-want) <= tol*math.Abs(want) }

// digits is the log relative error of NIST's comparisons: how many significant digits agree, 15 at most.
func digits(got, want float64) float64 {
	if got == want {
		return 15
	}
	return min(15, -math.Log10(math.Abs(got-want)/math.Abs(want)))
}

func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// readColumn reads one number a line, without the lines that begin with #.
func readColumn(t *testing.T, name string) []float64 {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var x []float64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		v, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			t.Fatal(err)
		}
		x = append(x, v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return x
}

// roundTrip checks that v survives JSON, NaN and infinities included, and returns the JSON.
func roundTrip[T any](t *testing.T, v T) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var back T
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatalf("%v in %s", err, b)
	}
	if diff := cmp.Diff(v, back, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("changed by a round trip through JSON:\n%s\n%s", diff, b)
	}
	return string(b)
}

// samples reads the bytes of a fuzz input as float64s, which reaches every NaN, infinity and subnormal.
func samples(b []byte) []float64 {
	var x []float64
	for ; len(b) >= 8; b = b[8:] {
		x = append(x, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return x
}

// seed is the inverse of samples.
func seed(x ...float64) []byte {
	var b []byte
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// hostile are samples on which careless sums overflow, underflow, cancel or leave the range.
var hostile = [][]float64{
	{},
	{0},
	{math.Copysign(0, -1), 0},
	{0.1, 0.1, 0.1},
	{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64},
	{math.MaxFloat64, -math.MaxFloat64},
	{math.SmallestNonzeroFloat64, 0},
	{math.SmallestNonzeroFloat64, math.MaxFloat64, -1},
	{1e-200, 2e-200, 3e-200},
	{1.022552324686e-312, 6.8303527355e-313},
	{1e16, 1, -1e16},
	{math.NaN()},
	{1, math.Inf(1)},
	{3, 1, 2, 2, math.NaN()},
}

// warned lists the codes of warnings.
func warned(ws []Warning) []string {
	var codes []string
	for _, w := range ws {
		codes = append(codes, w.Code)
	}
	return codes
}

// finite reports whether x holds neither NaN nor an infinity.
func finite(x []float64) bool {
	for _, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}
