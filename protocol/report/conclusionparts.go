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
		Head: []string{levelTitle(s.Analysis), "Run", "Verdict", "Wrong", "Checked", "95 % from", "to",
			"Share that would have shown", "Wrong at one in flight", "Caught under another’s prompt", "Top-1 agreement",
			"In words"}}
	var faults []string
	for i := range s.Points {
		p := &s.Points[i]
		for _, r := range p.Audits {
			o := &r.Outcome
			row := []Cell{s.levelCell(p), whole(r.Run), textCell(string(o.Verdict)), whole(o.Level.Wrong), whole(o.Level.Answers)}
			percent := func(share float64) Cell { return numberCell(share, number.Sprintf("%.2g %%", 100*share)) }
			if o.Share != nil {
				row = append(row, percent(o.Share.Low), percent(o.Share.High), percent(o.Smallest))
			} else {
				row = append(row, textCell("–"), textCell("–"), textCell("–"))
			}
			row = append(row, textCell(number.Sprintf("%d of %d", o.Healthy.Wrong, o.Healthy.Answers)),
				textCell(number.Sprintf("%d of %d", o.Control.Wrong, o.Control.Answers)))
			if share, known := o.Level.Agreement(); known {
				row = append(row, numberCell(share, number.Sprintf("%.4f", share)))
			} else {
				row = append(row, textCell("–"))
			}
			t.Rows = append(t.Rows, append(row, textCell(plain(o.String()))))
			for _, e := range o.Examples {
				faults = append(faults, number.Sprintf("At %s, run %d: %s, wrong from token %d on: %q", levelOf(p), r.Run, e.Name(),
					e.First, plain(e.Answer)))
			}
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
