// Compare says in what the servers of two experiments differ: by how much, and how sure that is. Its exit code is 0
// where none of the figures is worse, 1 where one is, 3 where that is undecided, and 2 where the two cannot be
// compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/compare"
	"github.com/servegauge/servegauge/protocol/format"
)

func main() {
	program.MainWith(`compare A B: in what the servers of two experiments, or of folders of several,
differ; A is the baseline

  compare before after
  compare -margin 3% -figures ttft_p50,steady_total_tokens_per_s before after`, setup)
}

func setup(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	c := &comparison{margin: compare.DefaultMargin, flags: flags}
	flags.Var(&c.margin, "margin", "largest relative `difference` that does not matter, such as 2%")
	flags.Func("figures", "`names` of the figures to compare, with commas between them; none: "+
		strings.Join(compare.DefaultFigures(),
			", ")+", of those that both have, and no percentile of too few requests", func(s string) error {
		c.figures = nil
		for name := range strings.SplitSeq(s, ",") {
			if name = strings.TrimSpace(name); name == "" {
				return fmt.Errorf("want names with commas between them, such as ttft_p50,e2e_p50")
			}
			c.figures = append(c.figures, name)
		}
		return nil
	})
	flags.BoolVar(&c.anyway, "anyway", false, "compare although hardware or load differ; what differs is listed")
	flags.BoolVar(&c.json, "json", false, "print the result as JSON")
	return c.run
}

type comparison struct {
	flags   *flag.FlagSet
	margin  percent
	figures []string
	anyway  bool
	json    bool
}

func (c *comparison) run(context.Context, <-chan struct{}) error {
	if c.flags.NArg() != 2 {
		return program.Usagef("number of arguments %d: want two, the baseline and what is compared with it: "+
			"folders that "+
			"-out wrote, or folders of such", c.flags.NArg())
	}
	a, err := side(c.flags.Arg(0))
	if err != nil {
		return &program.UsageError{Err: err}
	}
	b, err := side(c.flags.Arg(1))
	if err != nil {
		return &program.UsageError{Err: err}
	}
	result, err := compare.Compare(a, b, compare.Options{Margin: float64(c.margin), Figures: c.figures,
		Anyway: c.anyway})
	if err != nil {
		if different, ok := errors.AsType[*compare.IncomparableError](err); ok && c.anyway {
			return program.Usagef("%w; there is no load that both have, with -anyway too", different)
		} else if ok {
			return program.Usagef("%w; -anyway compares them all the same where they have a load in common", different)
		}
		if unknown, ok := errors.AsType[*protocol.FigureError](err); ok {
			return program.Usagef("-figures: %w", unknown)
		}
		return err
	}
	if c.json {
		err = program.WriteJSON(os.Stdout, result)
	} else {
		err = compare.Text(os.Stdout, result)
	}
	switch {
	case err != nil:
		return err
	case result.Outcome == compare.Regression:
		return errors.New(outcome(result))
	case result.Outcome == compare.Undecided:
		return &program.UndecidedError{What: outcome(result)}
	}
	return nil
}

// outcome is a result in a few words: the whole of it is the last line of what was printed.
func outcome(r *compare.Result) string {
	worse, open := r.Regressed()
	if r.Outcome == compare.Regression {
		return fmt.Sprintf("B is worse in %d of %d figures", len(worse), len(r.Figures))
	}
	return fmt.Sprintf("undecided in %d of %d figures", len(open), len(r.Figures))
}

// percent is a flag of a relative difference: "2%", or "0.02".
type percent float64

func (p *percent) String() string { return strconv.FormatFloat(100*float64(*p), 'g', -1, 64) + "%" }

func (p *percent) Set(s string) error {
	text, inPercent := strings.CutSuffix(strings.TrimSpace(s), "%")
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if inPercent {
		x /= 100
	}
	if err != nil || !(x > 0 && x < 1) {
		return &loadgen.InvalidError{Field: "margin", Value: s,
			Want: "a difference between 0 and 100%, such as 2% or 0.02"}
	}
	*p = percent(x)
	return nil
}

// side reads what one side measured: ours, or what another tool has written.
func side(path string) (*compare.Side, error) {
	s, err := compare.Read(path)
	if err == nil {
		return s, nil
	}
	e, others := format.Open(path)
	switch {
	case others == nil:
		return compare.Of(path, e), nil
	// what is said of ours names it
	case errors.As(others, new(*format.UnknownError)), errors.Is(others, fs.ErrNotExist):
		return nil, err
	}
	return nil, errors.Join(err, others)
}
