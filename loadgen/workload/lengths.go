package workload

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// A Distribution says how lengths, numbers of turns or times of thought vary: from prompt to prompt, independently, by
// the workload's seed. The zero Distribution is always 0. It is a small value, which nothing changes.
type Distribution struct {
	kind     string
	a, b     float64
	low      float64 // of what is drawn; what is outside is put to the bound
	high     float64 // 0: none but MaxTokens
	weights  []float64
	values   []float64 // of a file, ascending
	name     string    // of the file
	sum      string    // its SHA-256
	bounded  bool
	original string
}

// Kinds of distributions, by which they are written.
const (
	fixedKind     = "fixed"
	uniformKind   = "uniform"
	normalKind    = "normal"
	logNormalKind = "lognormal"
	exponential   = "exponential"
	zipfKind      = "zipf"
	fileKind      = "file"
)

// Fixed is always n.
func Fixed(n float64) Distribution { return Distribution{kind: fixedKind, a: n, low: n} }

// ParseDistribution reads a distribution as people write it:
//
//	512                       always
//	64-512                    uniform, both included
//	normal:512,100            mean and standard deviation
//	lognormal:300,0.8         median, and the standard deviation of the logarithm
//	exponential:20            mean
//	zipf:1.2,4096             k with odds 1/k^1.2, from 1 to 4096
//	normal:512,100@1-2048     what is drawn outside of 1 to 2048 is put to its bound
//
// The error is a [*loadgen.InvalidError] that shows the text.
func ParseDistribution(text string) (Distribution, error) {
	bad := func(want string) (Distribution, error) {
		return Distribution{}, &loadgen.InvalidError{Field: "distribution", Value: strconv.Quote(text), Want: want}
	}
	const forms = "a number, LOW-HIGH, normal:MEAN,SD, lognormal:MEDIAN,SIGMA, exponential:MEAN or zipf:S,MOST, and " +
		"@LOW-HIGH after any of the last four"
	body, bounds, bounded := strings.Cut(text, "@")
	d := Distribution{original: text, bounded: bounded}
	kind, args, named := strings.Cut(body, ":")
	if !named {
		low, high, ranged := strings.Cut(body, "-")
		var ok [2]bool
		if d.low, ok[0] = positive(low); !ranged {
			high = low
		}
		d.high, ok[1] = positive(high)
		switch {
		case !ok[0] || !ok[1] || bounded:
			return bad(forms)
		case d.high < d.low:
			return bad("the lower number first")
		case d.high == d.low:
			return Fixed(d.low), nil
		}
		d.kind = uniformKind
		return d, nil
	}
	first, second, two := strings.Cut(args, ",")
	var okA, okB bool
	d.kind = kind
	d.a, okA = positive(first)
	if two {
		d.b, okB = positive(second)
	}
	switch kind {
	case exponential:
		okB = !two
	case zipfKind:
		okB = okB && d.b >= 1 && d.b == math.Trunc(d.b) && d.b <= 1<<20
		okA = okA && d.a <= 100
	case normalKind:
	case logNormalKind:
		okA, okB = okA && d.a > 0, okB && d.b <= 10
	default:
		return bad(forms)
	}
	if !okA || !okB {
		return bad(forms)
	}
	if bounded {
		low, high, ranged := strings.Cut(bounds, "-")
		if d.low, okA = positive(low); ranged {
			d.high, okB = positive(high)
		}
		if !ranged || !okA || !okB || d.high < d.low || d.high == 0 {
			return bad("@LOW-HIGH, the lower number first")
		}
	}
	if kind == zipfKind {
		d.zipf()
	}
	return d, nil
}

// zipf adds the odds up.
func (d *Distribution) zipf() {
	sum := 0.0
	for k := 1.0; k <= d.b; k++ {
		sum += math.Pow(k, -d.a)
		d.weights = append(d.weights, sum)
	}
}

func positive(text string) (float64, bool) {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return x, err == nil && x >= 0 && x <= MaxTokens
}

// ReadDistribution reads an empirical distribution, a number a line, of which each is as likely as another. Empty lines
// and what follows a # are left out. The error is a [*DatasetError] with the line.
func ReadDistribution(r io.Reader, name string) (Distribution, error) {
	d := Distribution{kind: fileKind, name: name}
	sum := sha256.New()
	in := bufio.NewScanner(io.TeeReader(r, sum))
	for n := 1; in.Scan(); n++ {
		text, _, _ := strings.Cut(in.Text(), "#")
		if strings.TrimSpace(text) == "" {
			continue
		}
		x, ok := positive(text)
		if !ok || len(d.values) == 10_000_000 {
			return Distribution{}, &DatasetError{n, fmt.Errorf("want a number from 0 to 10,000,000 a line, not %.40q",
				in.Text())}
		}
		d.values = append(d.values, x)
	}
	if err := in.Err(); err != nil {
		return Distribution{}, &DatasetError{0, err}
	}
	if len(d.values) == 0 {
		return Distribution{}, &DatasetError{0, fmt.Errorf("it has no numbers")}
	}
	slices.Sort(d.values)
	d.sum = hex.EncodeToString(sum.Sum(nil))
	return d, nil
}

// String is the distribution as [ParseDistribution] reads it, or "file:NAME".
func (d Distribution) String() string {
	switch d.kind {
	case "":
		return "0"
	case fixedKind:
		return strconv.FormatFloat(d.a, 'g', -1, 64)
	case fileKind:
		return "file:" + d.name
	}
	return d.original
}

// files are the file that it was read from, if it was.
func (d Distribution) files() []File {
	if d.kind != fileKind {
		return nil
	}
	return []File{{Name: d.name, SHA256: d.sum, Prompts: len(d.values)}}
}

// Counts returns a [*loadgen.InvalidError] for a distribution that cannot be one of turns or of tokens, of which there
// is one at least: whose least is below 1, where it has one, or whose mean. What one without a least draws below 1 counts
// as 1. The zero Distribution is none, and nil is returned.
func (d Distribution) Counts() error {
	var least float64
	switch {
	case d.IsZero(), d.kind == zipfKind && !d.bounded: // from 1 up
		return nil
	case d.bounded:
		least = d.high
	case d.kind == uniformKind:
		least = d.low
	case d.kind == fileKind:
		least = d.values[0]
	default:
		least = d.Mean()
	}
	if !(least >= 1) {
		return &loadgen.InvalidError{Field: "distribution", Value: d, Want: "numbers from 1 up: there is one at least"}
	}
	return nil
}

// IsZero reports whether it is the zero Distribution.
func (d Distribution) IsZero() bool { return d.kind == "" }

// Draw draws a number. The sources of workloads are seeded by the number of the prompt.
func (d Distribution) Draw(from rand.Source) float64 {
	x := 0.0
	switch d.kind {
	case "":
		return 0
	case fixedKind:
		return d.a
	case uniformKind: // of whole numbers all are as likely, the ends included
		return d.low + math.Floor(unit(from)*(d.high-d.low+1))
	case fileKind:
		return d.values[int(unit(from)*float64(len(d.values)))]
	case zipfKind:
		at, _ := slices.BinarySearch(d.weights, unit(from)*d.weights[len(d.weights)-1])
		x = float64(at + 1)
	case normalKind:
		x = d.a + d.b*normal(from)
	case logNormalKind:
		x = d.a * math.Exp(d.b*normal(from))
	case exponential:
		x = -d.a * math.Log1p(-unit(from))
	}
	x = max(x, 0)
	if d.bounded {
		x = min(max(x, d.low), d.high)
	}
	return min(x, MaxTokens)
}

// tokens draws a number of tokens, from 1 up.
func (d Distribution) tokens(from rand.Source) int { return max(1, int(math.Round(d.Draw(from)))) }

// Mean is that of the distribution, without its bounds; NaN where it is not known without them.
func (d Distribution) Mean() float64 {
	switch d.kind {
	case "":
		return 0
	case fixedKind, normalKind, exponential:
		return d.a
	case uniformKind:
		return (d.low + d.high) / 2
	case logNormalKind:
		return d.a * math.Exp(d.b*d.b/2)
	case fileKind:
		sum := 0.0
		for _, x := range d.values {
			sum += x
		}
		return sum / float64(len(d.values))
	case zipfKind:
		sum := 0.0
		for k := 1.0; k <= d.b; k++ {
			sum += math.Pow(k, 1-d.a)
		}
		return sum / d.weights[len(d.weights)-1]
	}
	return math.NaN()
}

// unit is a number from 0 to 1, without 1.
func unit(from rand.Source) float64 { return float64(from.Uint64()>>11) / (1 << 53) }

// normal is a number of mean 0 and variance 1, by Box and Muller, from two of the source: a prompt's numbers then do not
// depend on how many of them another method rejects.
func normal(from rand.Source) float64 {
	r := math.Sqrt(-2 * math.Log1p(-unit(from)))
	return r * math.Cos(2*math.Pi*unit(from))
}
