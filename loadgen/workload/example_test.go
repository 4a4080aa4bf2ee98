package workload_test

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
