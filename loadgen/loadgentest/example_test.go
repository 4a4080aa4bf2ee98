package loadgentest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

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
