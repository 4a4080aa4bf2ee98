package report

import (
	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen/audit"
)

// findingsPart is what the design concludes beyond the points' figures.
func findingsPart(out *section, s *subject) {
	if len(s.Findings) == 0 {
		return
	}
	t := Table{ID: s.prefix + "findings-table", Caption: "What the design was there to find out",
		Head: []string{"Of", "Finding", "Why"}}
	for _, f := range s.Findings {
		reason := plain(f.Reason)
		for _, w := range f.Warnings {
			reason += "; " + plain(w.String())
		}
		t.Rows = append(t.Rows, texts([]string{plain(f.Name), plain(f.Answer), reason}))
	}
	out.table(t)
}

// answersPart is what became of the answers that were checked after their levels.
func answersPart(out *section, s *subject) {
	t := Table{ID: s.prefix + "answers-table", Caption: "Answers, checked after each level on the quiet server",
		Head: []string{levelHead(s.Analysis), "Run", "Verdict"}}
	var faults []string
	for i := range s.Points {
		p := &s.Points[i]
		for _, r := range p.Audits {
			t.Rows = append(t.Rows, []Cell{s.levelCell(p), whole(r.Run), textCell(plain(r.Outcome.String()))})
			for _, f := range r.Outcome.Faults {
				faults = append(faults, number.Sprintf("At %s, run %d: %s", levelOf(p), r.Run, plain(f.String())))
			}
		}
	}
	if len(t.Rows) == 0 {
		return
	}
	out.table(t)
	if len(faults) > 0 {
		out.add(block{Details: &details{"The wrong answers", []block{{List: faults}}}})
	}
	out.text(plain(audit.NotCaught))
}
