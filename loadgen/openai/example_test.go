package openai_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"

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
	fmt.Printf("%d of %d completed, %d failed\n", result.Accounting.Completed, result.Accounting.Issued, result.Accounting.Failed)
	fmt.Println(result.Tokens.Input, "tokens in,", result.Tokens.Output, "out,", result.Tokens.Mismatch, "answers not as asked")
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

// Prompts from a file of JSON lines: texts, chats and whole requests, in the order of the file.
func ExampleReadDataset() {
	file := strings.NewReader(`{"prompt": "Why is the sky blue?", "max_tokens": 20}
{"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}]}
{"body": {"messages": [{"role": "user", "content": "Why?"}], "max_tokens": 8, "chat_template_kwargs": {"thinking": false}}}
`) // in earnest, from os.Open
	prompts, err := workload.ReadDataset(file, workload.DatasetLimits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	prompts.Output = 50 // for the line that does not say

	server := httptest.NewServer(&loadgentest.Echo{})
	defer server.Close()
	target, err := openai.New(openai.Config{URL: server.URL, Model: "echo", Endpoint: openai.Chat, Workload: prompts})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 1, Requests: prompts.Len()}, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d completed, %d tokens out\n", result.Accounting.Completed, result.Tokens.Output)

	_, err = workload.ReadDataset(strings.NewReader(`{"question": "Why?"}`), workload.DatasetLimits{})
	fmt.Println(err)
	// Output:
	// 3 completed, 78 tokens out
	// dataset line 1: want one of prompt, prompt_token_ids, messages, conversations, body
}

// Prompts of 500 to 1,500 tokens, of which the first 400 come from one of 2 prefixes, for a server with a prefix cache.
func ExampleRandomTokens() {
	w := workload.RandomTokens{Seed: 1, Input: 500, InputMax: 1500, Output: 50, Prefix: 400, Prefixes: 2}
	var prompts [3]workload.Prompt
	for i := range prompts {
		if err := w.Prompt(i, &prompts[i]); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(slices.Equal(prompts[0].Tokens[:400], prompts[1].Tokens[:400]), slices.Equal(prompts[0].Tokens[:400], prompts[2].Tokens[:400]))
	// Output: false true
}
