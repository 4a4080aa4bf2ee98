package design

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A Grid measures several shapes of requests at all levels: input × output × load. In each run, all shapes are measured
// on one start of the server, in an order that is drawn for each run.
type Grid struct {
	// Plan is what a run is; its Input and Output have no part in it, and are the first shape's. It retries nothing.
	Plan   protocol.Plan `json:"plan"`
	Shapes []Shape       `json:"shapes"`
}

// A Shape is what each request is of, in tokens. As text it is "2048x128".
type Shape struct {
	Input, Output int
}

func (s Shape) String() string { return fmt.Sprintf("%dx%d", s.Input, s.Output) }

// MarshalText writes "2048x128".
func (s Shape) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads "2048x128".
func (s *Shape) UnmarshalText(text []byte) error {
	in, out, ok := strings.Cut(string(text), "x")
	input, errIn := strconv.Atoi(in)
	output, errOut := strconv.Atoi(out)
	if !ok || errIn != nil || errOut != nil || input < 1 || output < 1 {
		return invalid("shape", strconv.Quote(string(text)), "input and output tokens, such as 2048x128")
	}
	*s = Shape{input, output}
	return nil
}

// Next implements [protocol.Design].
func (d Grid) Next(done []protocol.Measurement) (protocol.Step, error) {
	return nextWithin(d.Plan.Budget, d, done)
}

func (d Grid) next(done []protocol.Measurement) (protocol.Step, error) {
	run, in := 1, 0 // steps of the run that goes on
	for _, m := range done {
		if m.Step.Run != run {
			run, in = m.Step.Run, 0
		}
		in++
	}
	steps, err := d.run(run)
	if err == nil && in >= len(steps) {
		run, in = run+1, 0
		steps, err = d.run(run)
	}
	if err != nil {
		return protocol.Step{}, err
	}
	return steps[in], nil
}

// run are the steps of a run, or [io.EOF].
func (d Grid) run(run int) ([]protocol.Step, error) {
	if run > d.Plan.Runs {
		return nil, io.EOF
	}
	var out []protocol.Step
	order := rand.New(rand.NewPCG(d.Plan.Seed, 1<<59+uint64(run))).Perm(len(d.Shapes))
	for place, k := range order {
		plan := d.plan(d.Shapes[k])
		plan.Seed = rand.NewPCG(plan.Seed, 1<<58+uint64(k)).Uint64() >> 11
		var own []protocol.Measurement
		for {
			step, err := plan.Next(own)
			if err == io.EOF || err == nil && step.Run > run {
				break
			}
			if err != nil {
				return nil, err
			}
			own = append(own, protocol.Measurement{Step: step})
			if step.Run < run || place > 0 && step.Discard {
				continue // of a run before, or what leads in a run that is led in already
			}
			step.Seq = len(out)
			if place > 0 {
				step.Restart, step.Cooldown = false, 0
			}
			out = append(out, step)
		}
	}
	return out, nil
}

// plan is that of a shape.
func (d Grid) plan(s Shape) protocol.Plan {
	plan := d.Plan
	if plan.Budget > 0 {
		per := plan
		per.Runs *= len(d.Shapes)
		plan.LevelBudget = levelBudget(per)
	}
	plan.Budget = 0
	plan.Input, plan.Output = s.Input, s.Output
	return plan
}

// Shortened says what the budget left no time for; "" where that is nothing.
func (d Grid) Shortened(done []protocol.Measurement) string { return leftOut(d.Plan.Budget, d, done) }

// Check implements [protocol.Planned].
func (d Grid) Check() ([]loadgen.Warning, error) {
	if n := len(d.Shapes); n == 0 || n > 1000 {
		return nil, invalid("shapes", d.Shapes, "from 1 to 1,000, such as 128x128")
	}
	if d.Plan.Retry.Times > 0 {
		return nil, invalid("retries of a level", d.Plan.Retry.Times, "none in a grid")
	}
	if d.Plan.Prime {
		return nil, invalid("priming", d.Plan.Prime, "none in a grid")
	}
	for i, s := range d.Shapes {
		if slices.Contains(d.Shapes[:i], s) {
			return nil, invalid("shapes", s, "each shape once; more runs repeat it")
		}
		if _, err := d.plan(s).Check(); err != nil {
			return nil, fmt.Errorf("shape %v: %w", s, err)
		}
	}
	return d.plan(d.Shapes[0]).Check()
}

// Outline implements [protocol.Planned].
func (d Grid) Outline() protocol.Outline {
	o := protocol.Outline{Kind: "grid", Plan: d.Plan}
	var shapes []string
	for _, s := range d.Shapes {
		shapes = append(shapes, s.String())
	}
	if len(d.Shapes) > 0 {
		o.Plan = d.plan(d.Shapes[0])
	}
	o.Lines = []string{"shapes: " + strings.Join(shapes, ", ") +
		", all in each run, in an order that is drawn; the totals are of the first"}
	return o
}

// Estimate implements [protocol.Planned].
func (d Grid) Estimate(tokensPerSecond float64) (all time.Duration) {
	for i, s := range d.Shapes {
		plan := d.plan(s)
		if i > 0 {
			plan.Cooldown, plan.Warmup, plan.WarmUntilSteady = 0, 0, 0
		}
		all += plan.Estimate(tokensPerSecond)
	}
	return all
}

// Heaviest is the first step of the greatest load, of the shape with the most tokens.
func (d Grid) Heaviest() (protocol.Step, error) {
	most := slices.MaxFunc(d.Shapes, func(a, b Shape) int { return a.Input + a.Output - b.Input - b.Output })
	return d.plan(most).Heaviest()
}

type gridJSON Grid

// MarshalJSON writes the design with the name of its kind.
func (d Grid) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		kind
		gridJSON
	}{kind{"grid"}, gridJSON(d)})
}
