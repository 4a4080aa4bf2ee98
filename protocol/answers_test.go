package protocol_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// answered is a level of n healthy answers: of 16 tokens, each its own, but for 18 % that another prompt got too.
func answered(run, concurrency, n int) protocol.Measurement {
	m := protocol.Measurement{Step: protocol.Step{Run: run, Spec: workload.Spec{Input: 8, Output: 16},
		Level: loadgen.Level{Concurrency: concurrency, Requests: n}}}
	r := &m.Result
	r.Level = m.Step.Level
	r.Accounting = loadgen.Accounting{Issued: n, Completed: n}
	r.Tokens.Output = 16 * n
	r.FinishReasons = map[string]int{"length": n}
	r.Texts = loadgen.Texts{Texts: n, SquaredOutput: float64(256 * n)}
	for of := 1; of <= n; of *= 2 {
		r.Texts.Repeats = append(r.Texts.Repeats, loadgen.Share{Count: 18 * of / 100, Of: of})
	}
	return m
}

// Each damage is found beside the lowest level of the same run, whichever was measured first, and what a healthy server
// differs in is not.
func TestAnswersBesideTheLowestLevel(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(r *loadgen.Result)
		low     func(r *loadgen.Result)
		want    string // "": nothing is said
		message string
	}{
		{"alike", func(r *loadgen.Result) {}, nil, "", ""},
		{"empty", func(r *loadgen.Result) { r.Answers.NoContent = 80 }, nil, protocol.WarnAnswersDamaged,
			"80 of 640 (12.5 %) of the answers have nothing in them, and 0 of 160 (0.0 %) at concurrency 1"},
		{"empty anyway", func(r *loadgen.Result) { r.Answers.NoContent = 40 },
			func(r *loadgen.Result) { r.Answers.NoContent = 10 }, "", ""},
		{"few are empty", func(r *loadgen.Result) { r.Answers.NoContent = 6 }, nil, "", ""},
		{"fewer than before", func(r *loadgen.Result) {}, func(r *loadgen.Result) { r.Texts.Replaced = 160 }, "", ""},
		{"of one token", func(r *loadgen.Result) { r.Texts.OneToken, r.Texts.Short = 64, 64 }, nil,
			protocol.WarnAnswersDamaged, "of one token"},
		{"cut", func(r *loadgen.Result) { r.Texts.Short = 64 }, nil, protocol.WarnAnswersDamaged,
			"shorter than was asked for"},
		{"broken text", func(r *loadgen.Result) { r.Texts.Replaced = 64 }, nil, protocol.WarnAnswersDamaged, "U+FFFD"},
		{"another's answers", func(r *loadgen.Result) { r.Texts.Repeats[7].Count = 64 }, nil,
			protocol.WarnAnswersDamaged,
			"64 of 128 (50.0 %) of the answers are what another prompt was answered, and 23 of 128"},
		{"more repeats among more answers", func(r *loadgen.Result) { r.Texts.Repeats[9].Count = 400 }, nil, "", ""},
		{"other ends", func(r *loadgen.Result) { r.FinishReasons = map[string]int{"length": 500, "stop": 140} }, nil,
			protocol.WarnAnswersDiffer, `140 of 640 (21.9 %) of the answers ended by "stop"`},
		{"other lengths", func(r *loadgen.Result) { r.Tokens.Output, r.Texts.SquaredOutput = 20*640, 640*404 }, nil,
			protocol.WarnAnswersDiffer, "20.0 tokens on average, and 16.0"},
		{"lengths that vary", func(r *loadgen.Result) {
			r.Tokens.Output, r.Texts.SquaredOutput = 17*640,
				640*(17*17+100)
		}, nil, "", ""},
	} {
		for _, descending := range []bool{false, true} {
			low, high := answered(1, 1, 160), answered(1, 48, 640)
			c.change(&high.Result)
			if c.low != nil {
				c.low(&low.Result)
			}
			e := &protocol.Experiment{Measurements: []protocol.Measurement{low, high}, Complete: true}
			if descending {
				slices.Reverse(e.Measurements)
			}
			a := protocol.Analyze(e)
			said := ""
			for _, p := range a.Points {
				for _, w := range p.Warnings {
					if w.Code != protocol.WarnAnswersDamaged && w.Code != protocol.WarnAnswersDiffer {
						continue
					}
					if p.Concurrency != 48 {
						t.Errorf("%s: said of %d in flight: %v", c.name, p.Concurrency, w)
					}
					if said == "" || strings.Contains(w.Message, c.message) {
						said = w.Code + " " + w.Message
					}
					if spoils := w.SpoilsFigure(loadgen.TotalThroughput); spoils != (w.Code == protocol.WarnAnswersDamaged) {
						t.Errorf("%s: %v spoils: %v", c.name, w, spoils)
					}
				}
			}
			if c.want == "" && said != "" || !strings.HasPrefix(said, c.want) || !strings.Contains(said, c.message) {
				t.Errorf("%s: said %q, want %s %q", c.name, said, c.want, c.message)
			}
		}
	}
}

// Levels of another run, or that asked for something else, are no measure; nor is a level without answers.
func TestAnswersAreOfOneRun(t *testing.T) {
	bad := func(m protocol.Measurement) protocol.Measurement {
		m.Result.Answers.NoContent = m.Result.Accounting.Completed / 2
		return m
	}
	other, none := answered(1, 1, 160), answered(1, 1, 0)
	other.Step.Output = 32
	for name, low := range map[string]protocol.Measurement{"another run": answered(2, 1, 160), "another shape": other,
		"no answers": none} {
		e := &protocol.Experiment{Measurements: []protocol.Measurement{low, bad(answered(1, 48, 640))}, Complete: true}
		if codes := protocol.Analyze(e).Codes(); slices.Contains(codes, protocol.WarnAnswersDamaged) {
			t.Errorf("%s: %v", name, codes)
		}
	}
}
