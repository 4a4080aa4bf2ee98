package report

import (
	"bytes"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// A plan whose answers have no tokens says nothing of output tokens, nor does what failed of it.
func TestNoOutputTokensOfEmbeddings(t *testing.T) {
	plan := protocol.MultiRun()
	for endpoint, generates := range map[string]bool{"embeddings": false, "rerank": false, "chat": true, "": true} {
		sent := &workload.Description{Endpoint: endpoint}
		var text bytes.Buffer
		if err := PlanText(&text, plan, nil, sent); err != nil {
			t.Fatal(err)
		}
		if err := StepText(&text, plan.Steps()[0], sent); err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{" out\n", "output"} {
			if strings.Contains(text.String(), said) != generates {
				t.Errorf("%q: %q is said or not:\n%s", endpoint, said, &text)
			}
		}
		a := &protocol.Analysis{Workload: sent, Points: []protocol.Point{{Load: protocol.Load{Input: 64, Output: 16}}}}
		if _, shape := byShape(a); strings.Contains(shape, "16") != generates {
			t.Errorf("%q: %s", endpoint, shape)
		}
		if shape := shapes(a); strings.Contains(shape, "16") != generates {
			t.Errorf("%q: %s", endpoint, shape)
		}
	}
}

// The throughput by model says of which tokens it is.
func TestThroughputByModelSaysOfWhichTokens(t *testing.T) {
	for output, want := range map[int]string{0: "input tok/s", 40: "total tok/s"} {
		r := &loadgen.Result{Groups: []*loadgen.Group{
			{By: loadgen.ByModel, Name: "a", Accounting: loadgen.Accounting{Issued: 1, Completed: 1}, Tokens: loadgen.Tokens{Input: 60, Output: output}},
		}}
		for name, value := range map[string]float64{loadgen.InputThroughput: 601, loadgen.TotalThroughput: 600 + float64(10*output)} {
			r.Figures = append(r.Figures, loadgen.Figure{Name: loadgen.GroupName(name, loadgen.ByModel, "a"), Value: value})
		}
		var text bytes.Buffer
		out := &printer{w: &text}
		writeGroups(out, r, func(f loadgen.Figure) string { return decimal(f.Value, 0) })
		value := map[int]string{0: "601", 40: "1,000"}[output]
		if !strings.Contains(text.String(), want) || !strings.Contains(text.String(), value) || strings.Count(text.String(), "tok/s") != 1 {
			t.Errorf("no %s of %s:\n%s", want, value, &text)
		}
	}
}
