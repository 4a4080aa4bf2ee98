package report

import (
	"io"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/protocol"
)

// AuditText writes what the audit of one level came to: its verdict, where the wrong answers are wrong, and what such a
// check does not see. nil: there was none, and nothing is written.
func AuditText(w io.Writer, o *audit.Outcome) error {
	if o == nil {
		return nil
	}
	out := &printer{w: w}
	out.f("\nAnswers, checked after the level in %v: %s\n", o.Took.Round(1e8), plain(o.String()))
	auditDetails(out, o)
	if o.Verdict != audit.NotCheckable {
		out.f("  %s\n", audit.NotCaught)
	}
	return out.err
}

// auditDetails are the wrong answers, and examples of them.
func auditDetails(out *printer, o *audit.Outcome) {
	for _, f := range o.Faults {
		out.f("  wrong: %s\n", plain(f.String()))
	}
	if more := o.Level.Wrong - len(o.Faults); more > 0 {
		out.f("  and %d more\n", more)
	}
	for _, e := range o.Examples {
		out.f("  %s, from token %d on: %q\n", e.Name(), e.First, plain(e.Answer))
	}
}

// audits says for each level what the audits of its runs came to.
func audits(out *printer, a *protocol.Analysis) {
	any := false
	for i := range a.Points {
		p := &a.Points[i]
		for _, r := range p.Audits {
			if !any {
				out.f("\nAnswers, checked after each level on the quiet server:\n")
				any = true
			}
			out.f("  at %s, %s: %s\n", levelOf(p), number.Sprintf("run %d", r.Run), plain(r.Outcome.String()))
			auditDetails(&printer{w: furtherIn{out}}, &r.Outcome)
		}
	}
	if any {
		out.f("  %s\n", audit.NotCaught)
	}
}

// furtherIn writes lines further in.
type furtherIn struct{ w io.Writer }

func (i furtherIn) Write(b []byte) (int, error) {
	if _, err := io.WriteString(i.w, "  "); err != nil {
		return 0, err
	}
	return i.w.Write(b)
}
