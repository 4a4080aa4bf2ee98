//go:build linux && (amd64 || arm64)

package openai_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

const stalledURL = "SERVEGAUGE_TEST_STALLED_URL"

// This program is also the client that its own test stops.
func TestMain(m *testing.M) {
	if url := os.Getenv(stalledURL); url != "" {
		if err := beStalled(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// cameAt is a chunk, with its times in Unix nanoseconds.
type cameAt struct {
	Sent, Since, At int64
	Shared, Kernel  bool
}

// beStalled sends requests and writes when their chunks came.
func beStalled(url string) error {
	config := openai.Config{URL: url, Model: "m", Workload: workload.RandomTokens{Input: 7, Output: 100}}
	if strings.HasPrefix(url, "https:") {
		config.TLS = &tls.Config{InsecureSkipVerify: true} // the server is the test
	}
	target, err := openai.New(config)
	if err != nil {
		return err
	}
	defer target.Close()
	var all []cameAt
	g := loadgen.Generator{Target: target, Observers: []loadgen.Observer{{Record: func(r *loadgen.Record,
		err *loadgen.Error) {
		// The wall clock goes with the monotonic one for as long as this takes.
		start := time.Now().Add(-r.Now())
		for c := range r.Chunks() {
			all = append(all, cameAt{c.Sent, start.Add(c.Since).UnixNano(), start.Add(c.At()).UnixNano(), c.Shared,
				c.Arrived != 0})
		}
	}}}}
	result, err := g.Measure(context.Background(), loadgen.Level{Concurrency: 4, Requests: 16})
	if err == nil && result.Accounting.Completed != 16 {
		err = fmt.Errorf("%+v: %v", result.Accounting, result.Errors)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

// A client that is stopped from outside for 40 of every 200 ms, as a hypervisor does, reads several chunks at a time,
// and has one stamp for all of them. The interval that it keeps for each holds the truth, which the stamp is far from;
// and those that have none are right.
func TestIntervalsOfAStoppedClient(t *testing.T) {
	const gap = 5 * time.Millisecond
	h := &loadgentest.Echo{FirstToken: gap, Gap: gap}
	for name, serve := range map[string]func(http.Handler) *httptest.Server{"http": httptest.NewServer,
		"https": httptest.NewTLSServer} {
		t.Run(name, func(t *testing.T) {
			server := serve(h)
			defer server.Close()
			intervalsOfAStoppedClient(t, server.URL, gap)
		})
	}
}

func intervalsOfAStoppedClient(t *testing.T, url string, gap time.Duration) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	client := exec.CommandContext(t.Context(), program)
	client.Env = append(os.Environ(), stalledURL+"="+url)
	var out, complaint bytes.Buffer
	client.Stdout, client.Stderr = &out, &complaint
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Wait() }()
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-time.After(160 * time.Millisecond):
			_ = client.Process.Signal(syscall.SIGSTOP)
			time.Sleep(40 * time.Millisecond)
			_ = client.Process.Signal(syscall.SIGCONT)
		}
	}
	var all []cameAt
	if err == nil {
		err = json.Unmarshal(out.Bytes(), &all)
	}
	if err != nil || len(all) != 1600 {
		t.Fatalf("%d chunks, %v: %s", len(all), err, &complaint)
	}
	var shared, covered, far, exact, right int
	for _, c := range all {
		slack := int64(gap / 5) // the server's own, between its stamp and its write
		switch {
		case !c.Kernel: // the first of all
		case c.Shared:
			shared++
			if c.Since-slack <= c.Sent && c.Sent <= c.At+slack {
				covered++
			}
			if c.At-c.Sent > int64(gap) {
				far++
			}
		default:
			exact++
			if -slack <= c.At-c.Sent && c.At-c.Sent <= 2*slack {
				right++
			}
		}
	}
	t.Logf("%d chunks shared a read: the truth is in the interval of %d, and over a gap from the stamp of %d; of %d "+
		"others %d are right",
		shared, covered, far, exact, right)
	if far < shared/4 || shared < 100 {
		t.Errorf("%d chunks shared a read, %d of them far from their stamp: the client was not stopped", shared, far)
	}
	if float64(covered) < 0.97*float64(shared) || float64(right) < 0.95*float64(exact) {
		t.Errorf("%d of %d intervals hold the truth, and %d of %d others are right", covered, shared, right, exact)
	}
}
