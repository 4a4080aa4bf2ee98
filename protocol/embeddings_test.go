package protocol_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/server"
)

// The throughput of embeddings is that of input tokens: in the knee, the tables and on the page. There is nothing of
// output.
func TestEmbeddings(t *testing.T) {
	t.Parallel()
	var steps protocol.Steps
	for run := 1; run <= 2; run++ {
		for i, c := range []int{1, 4} {
			steps = append(steps, protocol.Step{Run: run, Seq: len(steps), Restart: i == 0,
				Spec:  workload.Spec{Input: 50, Output: 9, Seed: uint64(len(steps))},
				Level: loadgen.Level{Concurrency: c, Requests: 60}})
		}
	}
	runner := &protocol.Runner{
		Server: server.Handler(func(int) http.Handler { return &loadgentest.Simulated{PrefillRate: 50_000} }),
		Client: &openai.Client{Config: openai.Config{Endpoint: openai.Embeddings}},
	}
	e, err := runner.Run(t.Context(), steps)
	if err != nil {
		t.Fatal(err)
	}
	a := protocol.Analyze(e)
	if a.KneeOf != loadgen.SteadyInputThroughput || a.Generates() {
		t.Errorf("the knee is of %q", a.KneeOf)
	}
	for i := range a.Points {
		in, _ := a.Points[i].Figure(loadgen.SteadyInputThroughput)
		total, _ := a.Points[i].Figure(loadgen.SteadyTotalThroughput)
		if in.Name == "" || len(in.Values) != 2 || in.Values[0] != total.Values[0] || in.Values[0] <= 0 {
			t.Errorf("%v: %v, and in all %v", a.Points[i].Load, in, total)
		}
	}
	var text, page bytes.Buffer
	if err := report.Text(&text, a); err != nil {
		t.Fatal(err)
	}
	if err := report.HTML(&page, report.Subject{Experiment: e, Analysis: a}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"50 tokens in;", "throughput is input tokens", "input tok/s", "steady tok/s"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, &text)
		}
	}
	for _, want := range []string{"Input throughput in the steady window",
		"highest steady throughput of input tokens"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q on the page", want)
		}
	}
	for _, not := range []string{"Output throughput", "Total throughput in the steady window"} {
		if strings.Contains(page.String(), not) {
			t.Errorf("%q on the page", not)
		}
	}
}
