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
	fmt.Println(slices.Equal(prompts[0].Tokens[:400], prompts[1].Tokens[:400]),
		slices.Equal(prompts[0].Tokens[:400], prompts[2].Tokens[:400]))
	// Output: false true
}

// Twenty users hold chats of three turns with a server that caches prefixes: each turn holds its answers so far.
func ExampleTalks() {
	talks := workload.Talks{
		Seed:   1,
		System: 100, // words that all share
		Turns:  workload.Fixed(3),
		Input:  workload.Fixed(20),
		Output: workload.Fixed(12),
		Think:  workload.Fixed(0.01), // seconds
	}
	server := httptest.NewServer(&loadgentest.Simulated{MaxSequences: 8, DecodeRate: 1e4, KVBlocks: 10_000,
		PrefixCache: true})
	defer server.Close()
	target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Conversations: talks})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	level := loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 4, Sessions: 20}
	result, err := loadgen.Measure(context.Background(), level, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Sessions)
	for _, turn := range []string{"2", "3"} {
		cached, _ := result.Figure(loadgen.GroupName(loadgen.CachedShare, loadgen.ByTurn, turn))
		fmt.Printf("turn %s: %.0f %% of the input was cached\n", turn, cached.Value)
	}
	// Output:
	// 20 sessions begun, 20 completed, 0 failed, 0 cancelled; 0 discarded before
	// turn 2: 84 % of the input was cached
	// turn 3: 87 % of the input was cached
}

// A trace, twice as fast, in an open loop.
func ExampleReadTrace() {
	file := strings.NewReader(`{"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [1, 2, 3]}
{"timestamp": 100, "input_length": 1300, "output_length": 6, "hash_ids": [1, 2, 4]}
`) // in earnest, from os.Open
	trace, err := workload.ReadTrace(file, workload.Mooncake, workload.DatasetLimits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err = trace.Faster(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Workload: trace})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Arrivals: trace.Arrivals()}, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(trace.Arrivals().Trace, result.Tokens.Input, result.Tokens.Output)
	// Output: [0s 50ms] 2400 11
}

// Prompts that share a system prompt, and half of them one of two blocks of tools: what a prefix cache can find.
func ExampleTree() {
	levels, err := workload.ParseTree("512x1,256x2")
	if err != nil {
		fmt.Println(err)
		return
	}
	lengths, err := workload.ParseDistribution("lognormal:200,0.5@10-1000")
	if err != nil {
		fmt.Println(err)
		return
	}
	tree := workload.Tree{Seed: 1, Levels: levels, Own: lengths, Output: workload.Fixed(32)}
	shared, input := tree.Shared(100, 16) // of 100 prompts, in blocks of 16 tokens
	fmt.Printf("%d of %d tokens\n", shared, input)
	// Output: 75776 of 98791 tokens
}

// Two images of 224 by 224 pixels before the text of each chat, encoded before the level begins.
func ExampleWithMedia() {
	images, err := workload.MakeImages(1, 20, 224, 224, "jpeg")
	if err != nil {
		fmt.Println(err)
		return
	}
	chats := workload.WithMedia{Text: workload.RandomWords{Seed: 1, Input: 30, Output: 8}, Media: images, Each: 2}
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Endpoint: openai.Chat,
		Workload: chats})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	result, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 2, Requests: 10}, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, _ := result.Figure("media_tokens_mean")
	fmt.Printf("%d completed, %.0f tokens of images in each, %d tokens in\n", result.Accounting.Completed,
		tokens.Value, result.Tokens.Input)
	// Output: 10 completed, 128 tokens of images in each, 1580 tokens in
}

// An agent that plans, has two tools run side by side, and asks what both come to.
func ExampleReadTalks() {
	file := strings.NewReader(`{"requests": [{"id": "plan", "messages": [{"role": "user", "content": "Plan it."}], "max_tokens": 8},` +
		`{"id": "a", "continues": "plan", "messages": [{"role": "tool", "content": "one"}], "pause_ms": 5, "max_tokens": 3},` +
		`{"id": "b", "continues": "plan", "messages": [{"role": "tool", "content": "two"}], "pause_ms": 9, "max_tokens": 3},` +
		`{"id": "sum", "continues": "plan", "answers": ["a", "b"], "messages": [{"role": "user", "content": "So?"}], "max_tokens": 4}]}`)
	agents, err := workload.ReadTalks(file, workload.DatasetLimits{}) // in earnest, from os.Open; a session a line
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Conversations: agents})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer target.Close()
	level := loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 2, Sessions: 6}
	result, err := loadgen.Measure(context.Background(), level, target)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Sessions)
	fmt.Println(result.Accounting.Completed, "requests,", result.Tokens.Output, "tokens out")
	// Output:
	// 6 sessions begun, 6 completed, 0 failed, 0 cancelled; 0 discarded before
	// 24 requests, 108 tokens out
}
