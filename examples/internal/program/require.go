package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Require is the flag of the limits that a measurement must keep: ttft_p99<500ms,attainment>=99%.
type Require struct {
	text   string
	limits []protocol.Limit
}

// Register registers the flag.
func (r *Require) Register(flags *flag.FlagSet) {
	flags.Var(r, "require", "`limits` with commas between them, such as 'ttft_p99<500ms,attainment>=99%' or "+
		"'output_tokens_per_s@16>2k', where @16 is for one concurrency (@20/s for a rate) and without it a limit "+
		"is for "+
		"each; exit code 0 where the whole 95 % interval of each is within its limit, 1 where one is outside, else 3: "+
		"undecided")
}

func (r *Require) String() string { return r.text }

// Set reads the limits. What there can be of figures is not known yet.
func (r *Require) Set(s string) (err error) {
	r.text = s
	r.limits, err = protocol.ParseLimits(s)
	return err
}

// Check refuses what the levels cannot have: a figure that none is, and a load that none is of. probed says that
// there may be figures of probes beside those of the instrument.
func (r *Require) Check(steps []protocol.Step, probed bool) error {
	if r.text == "" {
		return nil
	}
	var known []loadgen.Figure
	var there protocol.Analysis
	for _, s := range steps {
		known = append(known, loadgen.PossibleFigures(s.Level)...)
		there.Points = append(there.Points, protocol.Point{Load: s.Load()})
	}
	for _, l := range r.limits {
		if probed && ofProbes(l.Figure) {
			known = append(known, loadgen.Figure{Name: l.Figure, Unit: l.Unit})
		}
	}
	if _, err := protocol.ParseLimits(r.text, known...); err != nil {
		hint := ""
		if e, ok := errors.AsType[*protocol.LimitError](err); ok && strings.HasPrefix(e.Found, loadgen.Attainment) {
			hint = "; -goodput says what is to be attained"
		}
		return Usagef("-require: %w%s", err, hint)
	}
	for _, l := range r.limits {
		if l.Backwards() {
			fmt.Fprintf(os.Stderr, "warning: -require %v bounds the figure on its good side: the worse the "+
				"server, the surer it "+
				"holds\n", l)
		}
		_, err := there.Point(l.At)
		if e, ok := errors.AsType[*protocol.PointError](err); ok && len(e.Found) == 0 {
			return Usagef("-require: %v: %w", l, err)
		}
	}
	return nil
}

// ofProbes reports whether a figure has a name as those of the probes have: which of them there are depends on what the
// server and the host tell.
func ofProbes(name string) bool {
	for _, prefix := range []string{"server_", "gpu_", protocol.Energy} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// An UndecidedError is that nothing was shown, neither that limits hold nor that they do not: exit code 3.
type UndecidedError struct{ What string }

func (e *UndecidedError) Error() string { return e.What }

// Verdict writes what an analysis says of the limits, and is an error unless all of them hold.
func (r *Require) Verdict(w io.Writer, a *protocol.Analysis) error {
	if len(r.limits) == 0 {
		return nil
	}
	judged := a.Judge(r.limits...)
	if _, err := fmt.Fprintln(w, "\nRequired"); err != nil {
		return err
	}
	if err := protocol.WriteJudgements(w, judged); err != nil {
		return err
	}
	var broken, undecided []string
	for _, j := range judged {
		name := j.Limit.String()
		if j.Load != nil {
			name += " at " + j.Load.String()
		}
		switch j.Decision {
		case protocol.Broken:
			broken = append(broken, name)
		case protocol.Undecided:
			undecided = append(undecided, name)
		}
	}
	switch {
	case len(broken) > 0:
		return fmt.Errorf("-require: broken: %s", strings.Join(broken, ", "))
	case len(undecided) > 0:
		return &UndecidedError{"-require: undecided: " + strings.Join(undecided, ", ")}
	}
	return nil
}
