package program

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
)

// plansOwn are the flags that say what a plan says, which an experiment that is taken up again has already.
var plansOwn = []string{"plan", "levels", "requests", "warmup", "prime", "cooldown", "order", "budget",
	"level-budget",
	"retry", "goodput",
	"percentiles", "input", "output", "seed", "timeout", "out"}

// resumed is the plan of the experiment that is taken up again.
func (x *experiment) resumed() (protocol.Planned, error) {
	for _, name := range slices.Concat(plansOwn, designFlags, armsOwn, openFlags, []string{"limit"}) {
		if given(x.flags, name) {
			return nil, Usagef("-%s with -resume: want one of them; %s has its plan", name, x.resume)
		}
	}
	before, err := readDesign(filepath.Join(x.resume, protocol.PlanFile))
	if errors.Is(err, fs.ErrNotExist) { // killed before it was written; the journal begins with it
		if e, journalErr := protocol.ReadExperiment(x.resume); journalErr == nil {
			before, err = design.Read(bytes.NewReader(e.Design))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Usagef("-resume %s: want the -out directory of an experiment: %v", x.resume, err)
	} else if err != nil {
		return nil, err
	}
	if own, its := x.program(), programOf(before); own != its {
		return nil, Usagef("-resume %s: want an experiment of %s; this one is gone on with by %s", x.resume, own, its)
	}
	if before, err = x.sends(before); err != nil {
		return nil, err
	}
	base := before.Outline().Plan
	x.out = x.resume
	x.load.Input, x.load.Output, x.load.Seed, x.load.Timeout = base.Input, base.Output, base.Seed, base.Timeout
	if x.runs.n == 0 {
		return before, nil
	}
	runs := x.runs.n
	if x.runs.more {
		runs += base.Runs
	}
	switch d := before.(type) {
	case protocol.Plan:
		d.Runs = runs
		return d, nil
	case design.Ablation:
		d.Plan.Runs = runs
		return d, nil
	}
	return nil, Usagef("-%s %v with -resume: want a plan there; %s is of a design that says itself how many runs it takes",
		x.runs.name, &x.runs, x.resume)
}

// sends is a design that is taken up again, as what the flags say is sent has it; or why that is not what it sends.
func (x *experiment) sends(before protocol.Planned) (protocol.Planned, error) {
	switch d := before.(type) {
	case protocol.Plan:
		err := x.load.resumes(&d, x.resume)
		return d, err
	case design.Ablation:
		err := x.load.resumes(&d.Plan, x.resume)
		return d, err
	case design.UntilPrecise:
		err := x.load.resumes(&d.Plan, x.resume)
		return d, err
	}
	plan := before.Outline().Plan // of designs that replay no trace
	return before, x.load.resumes(&plan, x.resume)
}

// program is the one that this is, as programOf calls it.
func (x *experiment) program() string {
	switch {
	case x.arms != nil:
		return "ablation"
	case x.search != nil:
		return "slo"
	}
	return "multirun or finesweep"
}

// programOf is what carries out a design: another program has neither its servers nor its question.
func programOf(d protocol.Planned) string {
	switch d.(type) {
	case design.Ablation:
		return "ablation"
	case design.SLO:
		return "slo"
	}
	return "multirun or finesweep"
}

func readDesign(name string) (protocol.Planned, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, &UsageError{err}
	}
	defer file.Close()
	d, err := design.Read(file)
	if err != nil {
		return nil, Usagef("%s: %v", name, err)
	}
	return d, nil
}

// A runCount is a flag of a number of runs, or of how many more.
type runCount struct {
	name string // of what is counted
	n    int
	more bool
}

func (c *runCount) String() string {
	if c.more {
		return "+" + strconv.Itoa(c.n)
	}
	return strconv.Itoa(c.n)
}

func (c *runCount) Set(s string) error {
	digits, more := strings.CutPrefix(s, "+")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 {
		return fmt.Errorf("%q: want a number of runs from 1 up, or +N for so many more", s)
	}
	c.n, c.more = n, more
	return nil
}
