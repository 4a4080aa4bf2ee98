package design

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// The arms of an [Ablation], in [protocol.Runner.Arms].
const (
	ArmA = "a" // what it is compared with
	ArmB = "b" // what is changed
)

// An Ablation compares two servers, a and b, in paired blocks: in each block both are started anew and measured, one
// after the other, at all levels. Which comes first is drawn, b in half of the blocks, so that neither time nor what the
// one leaves to the other looks like a difference. The two may take turns on one host, or be two servers that run at once,
// which are left as they are; requests go to one of them at a time.
type Ablation struct {
	// Plan is what a run of an arm is. Its Runs are the blocks: 3 at least; half of them even is best. Where the server is
	// restarted both arms of a block get the same prompts, and otherwise each its own, lest one fills a cache for the other.
	Plan protocol.Plan `json:"plan"`

	// Margin is the largest relative difference that does not matter, such as 0.03. It is fixed before anything is seen.
	Margin float64 `json:"margin"`

	// Figures are what is compared, at each level. All claims together, over levels and figures, have an error rate of 5 %,
	// so that each figure more costs power. None: the steady total throughput.
	Figures []string `json:"figures,omitempty"`
}

// Next implements [protocol.Design].
func (d Ablation) Next(done []protocol.Measurement) (protocol.Step, error) {
	return nextWithin(d.Plan.Budget, d, done)
}

func (d Ablation) next(done []protocol.Measurement) (protocol.Step, error) {
	byArm := map[string][]protocol.Measurement{}
	for _, m := range done {
		byArm[m.Step.Arm] = append(byArm[m.Step.Arm], m)
	}
	var next protocol.Step
	for _, arm := range []string{ArmA, ArmB} {
		step, err := d.arm(arm).Next(byArm[arm])
		if errors.Is(err, io.EOF) {
			continue
		}
		if err != nil {
			return step, err
		}
		step.Arm = arm
		if next.Arm == "" || step.Run < next.Run || step.Run == next.Run && d.order(step.Run)[0] == arm {
			next = step
		}
	}
	if next.Arm == "" {
		return next, io.EOF
	}
	if next.Restart && len(done) > 0 {
		next.Cooldown = d.Plan.Cooldown
	}
	return next, nil
}

// arm is the plan of an arm.
func (d Ablation) arm(arm string) protocol.Plan {
	p := d.Plan
	p.LevelBudget = d.levelBudget()
	p.Budget = 0
	if arm == ArmB && !p.Restart {
		p.Seed = rand.NewPCG(p.Seed, 1<<61).Uint64() >> 11
	}
	return p
}

func (d Ablation) levelBudget() time.Duration {
	p := d.Plan
	if p.LevelBudget > 0 || p.Budget == 0 {
		return p.LevelBudget
	}
	left := p.Budget - time.Duration(2*p.Runs-1)*p.Cooldown
	return max(time.Duration(0.7*float64(left)/float64(2*p.Runs*max(len(p.Levels), 1))), time.Second)
}

// order is that of the arms in a block, from 1: drawn by the plan's seed, two blocks at a time, of which b is first in
// one.
func (d Ablation) order(block int) []string {
	pair := rand.New(rand.NewPCG(d.Plan.Seed, 1<<60+uint64((block-1)/2)))
	if first := pair.IntN(2) == 0; first == (block%2 == 1) {
		return []string{ArmB, ArmA}
	}
	return []string{ArmA, ArmB}
}

// Conclude implements [protocol.Concluder]: for each figure and level the ratio of b to a, with what could have been
// detected.
func (d Ablation) Conclude(done []protocol.Measurement) []protocol.Finding {
	a := protocol.Analyze(&protocol.Experiment{Measurements: done, Complete: true})
	figures := d.figures()
	var out []protocol.Finding
	for _, name := range figures {
		out = append(out, d.compare(a, name, 1-(1-protocol.Confidence)/float64(len(figures)))...)
	}
	return out
}

func (d Ablation) figures() []string {
	if len(d.Figures) == 0 {
		return []string{protocol.KneeFigure}
	}
	return d.Figures
}

// pairedRuns are a figure's values in the blocks that both arms have, at one load.
type pairedRuns struct {
	load   protocol.Load // of a
	a, b   []float64
	bFirst []bool
	lower  bool   // is better
	why    string // there is nothing to compare; "": there is
}

// compare are the findings about one figure, at all levels, as a family.
func (d Ablation) compare(a *protocol.Analysis, figure string, confidence float64) []protocol.Finding {
	var all []pairedRuns
	for i := range a.Points {
		if p := &a.Points[i]; p.Arm == ArmA {
			all = append(all, d.pairs(a, p, figure))
		}
	}
	c := stats.Comparison{Margin: d.Margin, Confidence: confidence, Paired: true, Unit: "block"}
	// All levels are measured in the same blocks, but a level may have been cut short in one.
	var sideA, sideB [][]float64
	var orders [][]bool
	for _, p := range all {
		if p.why == "" {
			c.LowerIsBetter = p.lower
			sideA, sideB, orders = append(sideA, p.a), append(sideB, p.b), append(orders, p.bFirst)
		}
	}
	verdicts, err := compareBlocks(sideA, sideB, orders, c)
	var out []protocol.Finding
	for _, p := range all {
		f := protocol.Finding{Name: number.Sprintf("b against a, %s at %v", figure, shortLoad(p.load)), Answer: "not compared", Reason: p.why}
		switch {
		case p.why != "":
		case err != nil:
			f.Reason = err.Error()
		default:
			v := verdicts[0]
			verdicts = verdicts[1:]
			f.Answer = v.String()
			f.Reason = v.Reason + "; " + detectable(p, v, c, len(sideA))
			f.Detail, _ = json.Marshal(v)
			for _, w := range v.Warnings {
				f.Warnings = append(f.Warnings, loadgen.Warning{Code: w.Code, Message: w.Text})
			}
		}
		if a.Unit == protocol.UnitWithinServer {
			f.Warnings = append(f.Warnings, loadgen.Warning{Code: protocol.WarnWithinServer, Message: "nothing shows that the blocks " +
				"had servers of their own each: the difference is one of these two servers as they were started, and of no other start"})
		}
		out = append(out, f)
	}
	return out
}

// compareBlocks is [stats.CompareFamily]; one family where all levels have the same blocks, which nearly all experiments
// are.
func compareBlocks(a, b [][]float64, bFirst [][]bool, c stats.Comparison) ([]stats.Verdict, error) {
	if len(a) == 0 {
		return nil, nil
	}
	same := !slices.ContainsFunc(bFirst, func(o []bool) bool { return !slices.Equal(o, bFirst[0]) })
	if same {
		c.BFirst = bFirst[0]
		family, err := stats.CompareFamily(a, b, c)
		return family.Verdicts, err
	}
	// Bonferroni's correction needs no common blocks.
	c.Confidence = 1 - (1-c.Confidence)/float64(len(a))
	var out []stats.Verdict
	for j := range a {
		c.BFirst = bFirst[j]
		v, err := stats.Compare(a[j], b[j], c)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// pairs are the blocks of a point of arm a, with the point of b at the same load.
func (d Ablation) pairs(a *protocol.Analysis, p *protocol.Point, figure string) pairedRuns {
	out := pairedRuns{load: p.Load}
	at := p.Load
	at.Arm = ArmB
	other, err := a.Point(at)
	if err != nil {
		out.why = "b was not measured there"
		return out
	}
	ea, errA := p.Figure(figure)
	eb, errB := other.Figure(figure)
	if err := errors.Join(errA, errB); err != nil {
		out.why = strings.ReplaceAll(err.Error(), "\n", "; ")
		return out
	}
	out.lower = ea.Better == loadgen.LowerIsBetter
	for i, run := range ea.Runs {
		if j := slices.Index(eb.Runs, run); j >= 0 {
			out.a, out.b = append(out.a, ea.Values[i]), append(out.b, eb.Values[j])
			out.bFirst = append(out.bFirst, d.order(run)[0] == ArmB)
		}
	}
	if len(out.a) == 0 {
		out.why = "no block has both"
	}
	return out
}

// detectable says how small a difference the blocks would have shown, as their spread is.
func detectable(p pairedRuns, v stats.Verdict, c stats.Comparison, family int) string {
	t, err := stats.PairedLogs(p.a, p.b)
	if err != nil || !(t.SD > 0) {
		return number.Sprintf("%d blocks, whose spread says nothing about what could have been detected", len(p.a))
	}
	one := c
	one.Confidence = 1 - (1-c.Confidence)/float64(family)
	ratio, err := one.DetectableRatio(len(p.a), t.SD)
	if err != nil || math.IsNaN(ratio) || math.IsInf(ratio, 0) {
		return number.Sprintf("%d blocks are too few to say what could have been detected", len(p.a))
	}
	return number.Sprintf("%d blocks with this spread show a difference of %.2g %% four times in five", len(p.a), 100*(ratio-1))
}

// shortLoad is a load without its arm.
func shortLoad(l protocol.Load) protocol.Load {
	l.Arm = ""
	return l
}

// Shortened says what the budget left no time for; "" where that is nothing.
func (d Ablation) Shortened(done []protocol.Measurement) string {
	step, err := d.next(done)
	if err != nil {
		return ""
	}
	if why := overBudget(d.Plan.Budget, step, done); why != "" {
		return number.Sprintf("%d of %d blocks were measured: %s", step.Run-1, d.Plan.Runs, why)
	}
	return ""
}

// Extends reports whether this is the design before, in JSON, with as many blocks or more.
func (d Ablation) Extends(before json.RawMessage) bool {
	r, err := Read(strings.NewReader(string(before)))
	was, ok := r.(Ablation)
	if err != nil || !ok || d.Plan.Runs < was.Plan.Runs {
		return false
	}
	d.Plan.Runs = was.Plan.Runs
	d.Plan = d.Plan.WithoutTrace()
	x, errX := json.Marshal(d)
	y, errY := json.Marshal(was)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Check implements [protocol.Planned].
func (d Ablation) Check() ([]loadgen.Warning, error) {
	switch {
	case d.Plan.Runs < leastRuns:
		return nil, invalid("blocks", d.Plan.Runs, "at least 3; 6 and more, half of them with b first, are worth more")
	case !(d.Margin > 0) || d.Margin > 1:
		return nil, invalid("margin", d.Margin, "the largest relative difference that does not matter, such as 0.03")
	}
	for i, f := range d.Figures {
		if f == "" || slices.Contains(d.Figures[:i], f) {
			return nil, invalid("figures", d.Figures, "names of figures, each once, such as "+protocol.KneeFigure)
		}
	}
	return d.Plan.Check()
}

// Outline implements [protocol.Planned].
func (d Ablation) Outline() protocol.Outline {
	o := protocol.Outline{Kind: "ablation", Plan: d.Plan, Arms: 2}
	var order []string
	for block := range min(d.Plan.Runs, 10) {
		order = append(order, strings.Join(d.order(block+1), ""))
	}
	if d.Plan.Runs > len(order) {
		order = append(order, "…")
	}
	o.Lines = []string{
		number.Sprintf("blocks: %d, of a run of each arm, in the order %s", d.Plan.Runs, strings.Join(order, " ")),
		number.Sprintf("compared: %s, with a margin of %g %%", strings.Join(d.figures(), ", "), 100*d.Margin),
	}
	return o
}

// Estimate implements [protocol.Planned].
func (d Ablation) Estimate(tokensPerSecond float64) time.Duration {
	return 2*d.arm(ArmA).Estimate(tokensPerSecond) + d.Plan.Cooldown
}

// Heaviest is the first step of the greatest concurrency.
func (d Ablation) Heaviest() (protocol.Step, error) {
	step, err := d.arm(ArmA).Heaviest()
	step.Arm = ArmA
	return step, err
}

type ablationJSON Ablation

// MarshalJSON writes the design with the name of its kind.
func (d Ablation) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		kind
		ablationJSON
	}{kind{"ablation"}, ablationJSON(d)})
}
