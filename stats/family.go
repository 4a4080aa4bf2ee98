package stats

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Family is the outcome of a comparison at several levels.
type Family struct {
	// Verdicts holds one for each level, in order, all together with the error rate of one.
	Verdicts []Verdict `json:"verdicts"`
	// AllEquivalent says that all levels are equivalent within the margin. It may be true where not every Verdict is
	// Equivalent: that all are is one statement, which needs no correction.
	AllEquivalent bool `json:"all_equivalent"`
}

// CompareFamily is [Compare] for several levels at once: a[j] and b[j] hold the runs at level j. Seven separate
// comparisons make a false claim up to seven times as often as one. Here the p values for a difference and those for
// equivalence are adjusted together before the rule of Compare is applied to them, by [Holm]'s method with Shaffer's
// correction (1986): of "no difference" and "a difference of the margin or more" one at most is true of a level, so
// that a p is multiplied by how many levels are not yet decided in both, and not by how many p values are left. The
// probability of any false claim at any level (a difference where there is none, its wrong direction apart, or
// equivalence at the margin or beyond) is then 1 − confidence at most as far as each test keeps to its own, Detected
// beside Equivalent included.
//
// The intervals in the verdicts are those of each level by itself. RunsToDecide is for a test at an error rate divided
// by the number of levels, which the method begins with: it does not count on the other levels being decided.
//
// A level that cannot be tested, such as one with a single run, counts as one and is undecided. Errors are those of
// Compare, with the level as the first index; no level is ErrEmpty, and a and b of unequal length ErrLengthMismatch.
func CompareFamily(a, b [][]float64, c Comparison) (Family, error) {
	// Holm's method for each of the two kinds of p alone was rejected: they err apart, and over seven levels came to
	// 5.0 % in simulated experiments, and to 7.7 % with what was detected beside equivalence.
	f, err := c.family(a, b)
	if err != nil {
		return Family{}, err
	}
	for j := range f.Verdicts {
		if err := f.Verdicts[j].conclude(c, f.tests[j], len(a)); err != nil {
			return Family{}, fmt.Errorf("level %d: %w", j, err)
		}
	}
	return f.Family, nil
}

// judgedFamily is a Family whose verdicts lack words and plans, with the tests underneath.
type judgedFamily struct {
	Family
	tests []TTest
}

func (c Comparison) family(a, b [][]float64) (judgedFamily, error) {
	alpha, err := c.alpha()
	if err != nil {
		return judgedFamily{}, err
	}
	if len(a) == 0 {
		return judgedFamily{}, &LengthError{Arg: "a", Err: ErrEmpty, Remedy: "give at least one level"}
	}
	if len(a) != len(b) {
		return judgedFamily{}, &LengthError{Arg: "b", Len: len(b), Err: ErrLengthMismatch,
			Remedy: "give the runs of b at the same levels as those of a"}
	}
	f := judgedFamily{Family{Verdicts: make([]Verdict, len(a)), AllEquivalent: true}, make([]TTest, len(a))}
	difference, equivalence := make([]float64, len(a)), make([]float64, len(a))
	for j := range a {
		v, t, err := c.compare(a[j], b[j])
		if err != nil {
			return judgedFamily{}, atLevel(j, err)
		}
		f.Verdicts[j], f.tests[j] = v, t
		difference[j], equivalence[j] = v.P, v.EquivalenceP
		if math.IsNaN(v.P) {
			difference[j], equivalence[j] = 1, 1
		}
		f.AllEquivalent = f.AllEquivalent && v.EquivalenceP <= alpha
	}
	adjustTogether(difference, equivalence)
	for j := range f.Verdicts {
		v := &f.Verdicts[j]
		if !math.IsNaN(v.P) {
			v.AdjustedP, v.AdjustedEquivalenceP = difference[j], equivalence[j]
		}
		v.judge(f.tests[j].Difference, alpha)
	}
	return f, nil
}

// adjustTogether adjusts the two p values of each level in place.
func adjustTogether(difference, equivalence []float64) {
	type entry struct {
		p     *float64
		level int
	}
	var order []entry
	for j := range difference {
		order = append(order, entry{&difference[j], j}, entry{&equivalence[j], j})
	}
	slices.SortStableFunc(order, func(a, b entry) int { return cmp.Compare(*a.p, *b.p) })
	decided, open := make([]int, len(difference)), len(difference)
	last := 0.0
	for _, e := range order {
		last = max(last, min(1, float64(open)**e.p))
		*e.p = last
		if decided[e.level]++; decided[e.level] == 2 {
			open--
		}
	}
}

// atLevel puts the level before the index that an error of one comparison names.
func atLevel(j int, err error) error {
	switch e := err.(type) {
	case *ValueError:
		if e.Arg == "a" || e.Arg == "b" {
			e.Index = append([]int{j}, e.Index...)
			return e
		}
	case *LengthError:
		if e.Arg == "a" || e.Arg == "b" {
			e.Index = append([]int{j}, e.Index...)
			return e
		}
	}
	return fmt.Errorf("level %d: %w", j, err)
}
