package openai_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Prompts of exactly 1,000 tokens with answers of exactly 50, 4 at a time; and the server's own counts as proof.
func Example() {
	server := httptest.NewServer(&loadgentest.Echo{}) // in earnest, http://host:8000
	defer server.Close()

	target, err := openai.New(openai.Config{
		URL:      server.URL,
		Model:    "echo",
		Workload: workload.RandomTokens{Seed: 1, Input: 1000, Output: 50},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()

	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 4, Requests: 40, Warmup: 4}, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d of %d completed, %d failed\n", result.Accounting.Completed, result.Accounting.Issued,
		result.Accounting.Failed)
	fmt.Println(result.Tokens.Input, "tokens in,", result.Tokens.Output, "out,", result.Tokens.Mismatch,
		"answers not as asked")
	for _, name := range []string{loadgen.QuantileName(loadgen.TTFT, 99), loadgen.MeanName(loadgen.ITL)} {
		figure, ok := result.Figure(name)
		fmt.Println(name, "in", figure.Unit, "from", figure.N, "samples", ok && figure.Value >= 0)
	}
	// Output:
	// 40 of 40 completed, 0 failed
	// 40000 tokens in, 2000 out, 0 answers not as asked
	// ttft_p99 in ms from 40 samples true
	// itl_mean in ms from 1960 samples true
}
