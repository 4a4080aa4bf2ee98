package loadgentest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

// The error of a client's clock is known: each chunk says when it was sent.
func ExampleEcho() {
	server := httptest.NewServer(&loadgentest.Echo{})
	defer server.Close()

	resp, err := http.Post(server.URL+"/v1/completions", "application/json",
		strings.NewReader(`{"prompt": [1, 2, 3], "max_tokens": 4, "stream": true}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var chunk struct {
			Choices []struct{ Text string }
			Stamp   loadgentest.Stamp `json:"servegauge"`
		}
		if err := json.Unmarshal([]byte(data), &chunk); err != nil {
			fmt.Println(data)
			break
		}
		fmt.Printf("%q, sent after it was asked for: %v\n",
			chunk.Choices[0].Text, chunk.Stamp.Sent >= chunk.Stamp.Received)
	}
	// Output:
	// " token", sent after it was asked for: true
	// " token", sent after it was asked for: true
	// " token", sent after it was asked for: true
	// " token", sent after it was asked for: true
	// [DONE]
}

// A server with room for 16 sequences, and what a perfect client would measure
// against it.
func ExampleSimulated() {
	sim := &loadgentest.Simulated{MaxSequences: 16, PrefillRate: 10_000, DecodeRate: 100}
	server := httptest.NewServer(sim)
	defer server.Close()

	resp, err := http.Post(server.URL+"/v1/chat/completions", "application/json",
		strings.NewReader(`{"messages": [{"role": "user", "content": "how long will it take?"}], "max_tokens": 2}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	resp.Body.Close()
	fmt.Println(resp.Status, sim.Counts().Served)

	truth := sim.Truth(1000, 91)
	fmt.Println("TTFT", truth.TTFT, "ITL", truth.ITL, "E2E", truth.Service)
	for _, c := range []int{1, 8, 16, 32} {
		fmt.Printf("concurrency %2d: %7.1f tokens/s, %v in the queue\n", c, truth.TotalThroughput(c), truth.Wait(c))
	}
	// Output:
	// 200 OK 1
	// TTFT 100ms ITL 10ms E2E 1s
	// concurrency  1:  1091.0 tokens/s, 0s in the queue
	// concurrency  8:  8728.0 tokens/s, 0s in the queue
	// concurrency 16: 17456.0 tokens/s, 0s in the queue
	// concurrency 32: 17456.0 tokens/s, 1s in the queue
}

// What a client makes of a server that fails is compared with what went wrong.
func ExampleFaults() {
	faults := &loadgentest.Faults{Handler: &loadgentest.Echo{}, Order: []loadgentest.Fault{
		{Kind: loadgentest.FaultStatus, Status: 429, RetryAfter: time.Second, Requests: []int{0}},
		{Kind: loadgentest.FaultTruncate, After: 2, Requests: []int{1, 2}},
	}}
	server := httptest.NewServer(faults)
	defer server.Close()

	for range 4 {
		resp, err := http.Post(server.URL+"/v1/completions", "application/json",
			strings.NewReader(`{"prompt": [1, 2, 3], "max_tokens": 4, "stream": true}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Printf("%d %q, %d tokens, done: %v\n", resp.StatusCode, resp.Header.Get("Retry-After"),
			strings.Count(string(text), " token"), strings.Contains(string(text), "[DONE]"))
	}
	fmt.Println(faults.Counts())
	// Output:
	// 429 "1", 0 tokens, done: false
	// 200 "", 2 tokens, done: false
	// 200 "", 2 tokens, done: false
	// 200 "", 4 tokens, done: true
	// {4 [1 2]}
}

// A batch has no formula for what it attains, but it has a truth.
func ExampleSimulated_Truth_batch() {
	server := &loadgentest.Simulated{MaxSequences: 8, PrefillRate: 10000, DecodeRate: 100,
		StepPerSequence: time.Millisecond, TokenBudget: 64}
	truth := server.Truth(200, 50)
	for _, clients := range []int{1, 4, 8, 16} {
		fmt.Printf("%2d clients: %.2f requests/s\n", clients, truth.RequestThroughput(clients))
	}
	// Output:
	//  1 clients: 1.82 requests/s
	//  4 clients: 5.14 requests/s
	//  8 clients: 7.48 requests/s
	// 16 clients: 7.54 requests/s
}
