//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A bareLoop is the least that a client on net/http can do: it reads lines and looks for the first that is data, and
// decodes nothing. What it manages is the most that can be asked of one that does more.
type bareLoop struct {
	URL         string
	Concurrency int
	Requests    int
	Tokens      int
	Stream      bool
}

// run sends the requests and writes the mean TTFT in ms, as JSON.
func (b bareLoop) run(out io.Writer) error {
	transport := &http.Transport{MaxIdleConnsPerHost: b.Concurrency, DisableCompression: true}
	client := &http.Client{Transport: transport}
	body := completion(b.Tokens, b.Stream)
	b.connect(client)

	var issued, wait atomic.Int64
	var workers sync.WaitGroup
	failed := make([]error, b.Concurrency)
	for w := range b.Concurrency {
		workers.Go(func() {
			reader := bufio.NewReaderSize(nil, 4096)
			for issued.Add(1) <= int64(b.Requests) {
				took, err := b.request(client, reader, body)
				if err != nil {
					failed[w] = err
					return
				}
				wait.Add(int64(took))
			}
		})
	}
	workers.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(map[string]float64{"ttft_ms": float64(wait.Load()) / float64(b.Requests) / 1e6})
}

// connect opens the connections, so that no request has to dial. It is no more than an attempt: a request dials
// where it failed.
func (b bareLoop) connect(client *http.Client) {
	var all sync.WaitGroup
	opened := make(chan struct{})
	var open sync.WaitGroup
	open.Add(b.Concurrency)
	for range b.Concurrency {
		all.Go(func() {
			response, err := client.Get(b.URL + "/health")
			open.Done()
			if err != nil {
				return
			}
			<-opened // hold the connection until every one has its own
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		})
	}
	open.Wait()
	close(opened)
	all.Wait()
}

// request sends one request, reads its answer to the end and returns the time to the first line of data.
func (b bareLoop) request(client *http.Client, reader *bufio.Reader, body string) (time.Duration, error) {
	begin := time.Now()
	response, err := client.Post(b.URL+"/v1/completions", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %s", response.Status)
	}
	var took time.Duration
	reader.Reset(response.Body)
	for {
		line, err := reader.ReadSlice('\n')
		if took == 0 && (!b.Stream || bytes.HasPrefix(line, []byte("data:"))) {
			took = time.Since(begin)
		}
		if err == io.EOF {
			return took, nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return 0, err
		}
	}
}

// completion is the body of a request with a prompt of token ids.
func completion(tokens int, stream bool) string {
	return fmt.Sprintf(`{"model":%q,"prompt":[1000%s],"max_tokens":%d,"ignore_eos":true,"stream":%v}`,
		model, strings.Repeat(",1000", inputTokens-1), tokens, stream)
}
