package protocol

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// Every plan of ours is read back as it was written.
func TestReadPlan(t *testing.T) {
	budgeted := MultiRun()
	budgeted.Order, budgeted.Objectives = Latin, []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 500}}
	for _, p := range []Plan{MultiRun(), FineSweep(), ClientValidation(), MultiRun().Corrected(), budgeted} {
		text, err := json.MarshalIndent(p, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadPlan(strings.NewReader(string(text)))
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%+v, %v; want %+v", got, err, p)
		}
	}
}

func TestReadBadPlan(t *testing.T) {
	const good = `{"name": "x", "runs": 2, "input_tokens": 1, "output_tokens": 1, "levels": [1], "prompts": "10x", "seed": 1}`
	if _, err := ReadPlan(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"runs"`, "\n\"rums\"", `plan: line 2, column 1: there is no member "rums"`},
		{`"10x"`, `"x"`, `plan: line 1, column 80: prompts "x": want`},
		{`"seed": 1`, "\n\"runs\": 5", `plan: line 2, column 1: the member "runs" stands there twice`},
		{`"seed": 1`, `"level_budget_ns": 2, "budget_ns": 1`,
			"level budget 2ns: want no more than the budget for all, 1ns"},
		{`"runs": 2`, `"runs": -2`, "runs -2: want a number from 1 to 1,000"},
		{`"levels": [1]`, `"levels": [1, 1]`, "levels 1: want each level once"},
		{`"seed": 1`, `"order": "up"`, "order"},
		{`}`, ``, "the text ends too early"},
		{good, good + good, "something follows"},
		{good, strings.Repeat(" ", mostPlan+1), "longer than 1 MiB"},
	} {
		_, err := ReadPlan(strings.NewReader(strings.Replace(good, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
		var invalid *loadgen.InvalidError
		if strings.Contains(c.want, "want") && !errors.As(err, &invalid) {
			t.Errorf("%s: %s", c.new, fmt.Sprintf("%T", err))
		}
	}
}
