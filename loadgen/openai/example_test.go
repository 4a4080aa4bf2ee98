package openai_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
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

// A level's answers are checked after it, by what the server itself says of them. The server here is one that corrupts
// a tenth of its answers when more than two are in flight: its throughput does not show that.
func ExampleTarget_Audit() {
	server := httptest.NewServer(&loadgentest.Corrupting{
		Handler: &loadgentest.Greedy{Model: "m", Step: time.Millisecond}, Rate: 0.1, InFlight: 2,
	})
	defer server.Close()
	target, err := openai.New(openai.Config{
		URL: server.URL, Model: "m", Workload: workload.RandomTokens{Seed: 1, Input: 16, Output: 8},
		Audit: &openai.Audit{Answers: 100, Seed: 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer target.Close()

	ctx := context.Background()
	result, err := loadgen.Measure(ctx, loadgen.Level{Concurrency: 16, Requests: 100}, target)
	if err != nil {
		log.Fatal(err)
	}
	outcome := target.Audit(ctx, audit.Tally{}) // no sample at one in flight is known: it is taken first
	fmt.Println(result.Accounting.Completed, "completed;", outcome.Verdict)
	fmt.Println(outcome.Healthy.Wrong, "of", outcome.Healthy.Answers, "wrong at one in flight,",
		outcome.Control.Answers, "are tried under another's prompt, and most are caught:",
		2*outcome.Control.Wrong > outcome.Control.Answers)
	// Output:
	// 100 completed; spoiled
	// 0 of 40 wrong at one in flight, 20 are tried under another's prompt, and most are caught: true
}

// Embeddings: each request has 200 tokens in and nothing out, so that the input's rate is the throughput.
func ExampleEndpoint() {
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	target, err := openai.New(openai.Config{
		URL: server.URL, Model: "simulated", Endpoint: openai.Embeddings, // or Rerank, or Responses
		Workload: workload.RandomTokens{Seed: 1, Input: 200, Output: 1}, // an embedding has none
	})
	if err != nil {
		log.Fatal(err)
	}
	defer target.Close()
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 20}, target)
	if err != nil {
		log.Fatal(err)
	}
	throughput, ok := result.Figure(loadgen.InputThroughput)
	fmt.Println(result.Tokens.Input, "tokens in,", result.Tokens.Output, "out; there is a rate in", throughput.Unit, ok)
	// Output: 4000 tokens in, 0 out; there is a rate in tok/s true
}
