package protocol

import (
	"fmt"
	"io"

	"github.com/servegauge/servegauge/internal/strictjson"
)

// mostPlan bounds, in bytes, a plan that is read.
const mostPlan = 1 << 20

// ReadPlan reads a plan as a run writes it ([PlanFile]) or a person does, in JSON:
//
//	{"name": "mine", "runs": 5, "restart": true, "input_tokens": 2048, "output_tokens": 512, "levels": [1, 8], "prompts": "10x"}
//
// What is left out is zero. A member that a plan does not have, and whatever else is wrong with the text, is an error
// with line and column; what no plan can be is a [*loadgen.InvalidError], as of [Plan.Check].
func ReadPlan(r io.Reader) (Plan, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostPlan+1))
	if err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	if len(text) > mostPlan {
		return Plan{}, fmt.Errorf("plan: it is longer than %d MiB", mostPlan>>20)
	}
	var p Plan
	if err := strictjson.Unmarshal(text, &p); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	if err := p.validate(); err != nil {
		return Plan{}, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}
