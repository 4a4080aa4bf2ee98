package audit

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// GapLimit is the largest gap of an answer that is not wrong, in nats: the server finds the best token e times as
	// probable as the one that it gave. Ties of a healthy server across batch sizes are far below.
	GapLimit = 1.0

	Usual = 300 // answers kept of a level
	Most  = 640 // answers that can be

	HealthyAnswers = 40  // given at one in flight, for the healthy sample
	ControlAnswers = 20  // rescored under another's prompt
	ControlShare   = 0.8 // of these must be caught
)

// Limit is how many wrong answers of n spoil a level: 2 of up to 300, 3 of more. n is at most [Most].
func Limit(n int) int {
	if n <= Usual {
		return 2
	}
	return 3
}

// Power is the probability that a level is spoiled in which each answer is wrong, and found so, with probability rate,
// of n audited: P(X ≥ Limit(n)), X binomial. At a healthy rate it is that of a false alarm. 0 for no answers.
func Power(n int, rate float64) float64 {
	if n < Limit(n) || rate <= 0 {
		return 0
	}
	if rate >= 1 {
		return 1
	}
	return distuv.Binomial{N: float64(n), P: rate}.Survival(float64(Limit(n) - 1))
}

// ShownPower is the power by which [Smallest] is stated.
const ShownPower = 0.8

// Smallest is the smallest share of wrong answers that n audited ones show with a probability of [ShownPower]; 1 where
// not even all would.
func Smallest(n int) float64 {
	low, high := 0.0, 1.0
	for range 60 { // to the last bit that matters
		if mid := (low + high) / 2; Power(n, mid) < ShownPower {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// wrong reports whether a gap is one of a wrong answer.
func wrong(gap float64) bool { return !(gap <= GapLimit) } // NaN too

// A Score is what a server says of one answer.
type Score struct {
	Index   int // of its request in the level, or of its session
	Request int // which of that session's requests it is of, from 1; 0: of no session

	// Gaps are the gaps of the positions that were asked for, in nats, NaN where the server told none for the token
	// that was given. At says which positions of the answer they are, from 0; nil: all, from the first on.
	Gaps []float64
	At   []int

	// Tops is at how many of the positions the given token was the most probable one.
	Tops int

	// Refused is why the server would not score the answer, which counts as wrong; "": it did.
	Refused string
}

// Wrong reports whether the answer is wrong. One without any position that could be looked at is not.
func (s *Score) Wrong() bool {
	for _, gap := range s.Gaps {
		if wrong(gap) {
			return true
		}
	}
	return s.Refused != ""
}

// position is which of the answer's the i-th gap is of.
func (s *Score) position(i int) int {
	if s.At == nil {
		return i
	}
	return s.At[i]
}

// fault says where a wrong answer is wrong.
func (s *Score) fault() Fault {
	f := Fault{Index: s.Index, Request: s.Request, Refused: s.Refused, First: -1}
	for i, gap := range s.Gaps {
		if !wrong(gap) {
			continue
		}
		if f.Positions++; f.First < 0 {
			f.First = s.position(i)
		}
		if math.IsNaN(gap) {
			f.Missing++
		} else {
			f.Gap = max(f.Gap, min(gap, math.MaxFloat32)) // JSON has no infinity
		}
	}
	f.Asked = len(s.Gaps)
	return f
}
