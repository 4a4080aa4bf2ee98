//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

// The server and the bare loop are this program started again, which here is the test.
func TestMain(m *testing.M) {
	if isChild, err := beChild(); isChild {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func named(t *testing.T, name string) client {
	t.Helper()
	all := clients()
	i := slices.IndexFunc(all, func(c client) bool { return c.Name == name || c.Flag == name })
	if i < 0 {
		t.Fatalf("no client %q", name)
	}
	return all[i]
}

func scene(t *testing.T, name string) scenario {
	t.Helper()
	all := scenarios()
	i := slices.IndexFunc(all, func(s scenario) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no scenario %q", name)
	}
	return all[i]
}

// Ours and the bare loop against the server, as the user runs it: what was asked for is what the server counted.
func TestCompare(t *testing.T) {
	file := filepath.Join(t.TempDir(), "runs.json")
	var stdout, stderr bytes.Buffer
	err := compare(t.Context(), []string{"-rounds", "2", "-requests", "120", "-json", file,
		"-scenarios", "chunks,ttft-100,limitless-40,whole"}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var runs []run
	if err := json.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, r := range runs {
		order = append(order, fmt.Sprintf("%d %s %s", r.Round, r.Scenario, r.Client))
		s := scene(t, r.Scenario)
		want := 120
		if r.Scenario == startName {
			want = 1
		}
		if r.Failed != "" || r.Server.Served != want || r.Server.Tokens != int64(want*s.Tokens) ||
			r.Server.Input != int64(want*inputTokens) ||
			r.Server.Cancelled != 0 || r.Server.Rejected != 0 {
			t.Errorf("%+v", r)
		}
		if r.Wall < r.Server.Span || r.CPU <= 0 || r.PeakRSS < 1<<20 || r.Server.InFlightPeak > s.Concurrency {
			t.Errorf("%+v", r)
		}
		if r.Server.Span < s.service() || r.Server.TTFT < s.Pace.FirstToken {
			t.Errorf("the server was faster than its pace: %+v", r)
		}
		if s.Whole == (r.TTFT > 0) || r.TTFT > 0 && r.TTFT < float64(s.Pace.FirstToken)/1e6 {
			t.Errorf("the client says %v ms to the first token: %+v", r.TTFT, r)
		}
	}
	var want []string
	for _, round := range []string{"1", "2"} {
		for _, s := range []string{"start", "chunks", "ttft-100", "limitless-40", "whole"} {
			for _, c := range []string{oursName, bareName} {
				want = append(want, round+" "+s+" "+c)
			}
		}
	}
	if !slices.Equal(order, want) {
		t.Errorf("runs are %q, want %q", order, want)
	}
	for _, part := range []string{"| " + oursName + " | 120 |", "| " + bareName + " | 120 |",
		"left out, not given (-rust)", "not given (-wrk)"} {
		if !strings.Contains(stdout.String(), part) {
			t.Errorf("the table has no %q:\n%s", part, &stdout)
		}
	}
}

func TestCompareRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "0"}, {"-requests", "-1"}, {"-target", "0s"}, {"-deadline", "0s"}, {"-scenarios", "none"},
		{"extra"},
		{"-hey", "/no/such/program"}, {"-rust", "true"}, {"-rust", "true", "-tokenizer", "/no/such/directory"},
	} {
		if err := compare(t.Context(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

// A client that fails or hangs has a cell that says so, and the others are run all the same.
func TestFailures(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	peer := func(name, path string) client {
		return client{Name: name, Flag: name, Path: path, Stream: []string{"{url}"}, TTFT: numberAt("ttft"),
			RequestRate: 1, ChunkRate: 1}
	}
	all := []client{
		peer("broken", script("broken", "echo 'no | such option' >&2; exit 3")),
		peer("hanging", script("hanging", "sleep 600 & sleep 600")),
		peer("idle", script("idle", `echo '{"ttft": 1}'`)),
	}
	c := comparison{Clients: all, Scenarios: []scenario{scene(t, "start")}, Rounds: 1, Target: time.Second,
		Deadline: time.Second, Dir: dir, Progress: io.Discard}
	runs := results(c.run(t.Context()))
	var table bytes.Buffer
	runs.write(&table, c.Scenarios[0], all)
	for i, want := range []string{
		"failed: exit status 3: no such option",
		"failed: not done in time: the deadline of 1s",
		"failed: the server answered no request",
	} {
		if !strings.Contains(runs[i].Failed, strings.TrimPrefix(want, "failed: ")) ||
			!strings.Contains(table.String(), want) {
			t.Errorf("%s: %q, want %q in\n%s", all[i].Name, runs[i].Failed, want, &table)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "run*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%q is left, %v", left, err)
	}
}

func TestTemplates(t *testing.T) {
	o := order{URL: "http://127.0.0.1:4321", Tokenizer: "/t", Dir: "/d", Requests: 300, Target: 6 * time.Second}
	for _, c := range clients() {
		for _, s := range scenarios() {
			o.Scenario = s
			templates, ok := c.arguments(s)
			if !ok {
				continue
			}
			for name, text := range c.Files {
				if _, err := o.fill([]string{text}); err != nil {
					t.Errorf("%s: %s: %v", c.Name, name, err)
				}
			}
			args, err := o.fill(templates)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			if c.Name == bareName {
				continue
			}
			line := strings.Join(args, " ")
			if !strings.Contains(line, "http://127.0.0.1:4321") || !strings.Contains(line, fmt.Sprint(s.Concurrency)) {
				t.Errorf("%s is not told where, or how many at once: %s", c.Name, line)
			}
			if !c.Timed && !strings.Contains(line, "300") {
				t.Errorf("%s is not told how many requests: %s", c.Name, line)
			}
		}
	}
	o.Scenario = scene(t, "whole")
	got, err := o.fill(strings.Fields("{host} {port} {model} {concurrency}/{requests} {seconds}s {input}→{output} " +
		"{stream} {tokenizer} {dir}/x"))
	if want := strings.Fields("127.0.0.1 4321 echo 100/300 6s 64→1 false /t /d/x"); err != nil ||
		!slices.Equal(got, want) {
		t.Errorf("filled in: %q, %v, want %q", got, err, want)
	}
	if _, err := o.fill([]string{"{nonsense}"}); err == nil {
		t.Error("a placeholder without a meaning is no error")
	}
}

func TestRequests(t *testing.T) {
	for _, test := range []struct {
		scenario         string
		requests, chunks float64
		want             int
	}{
		{"start", 1000, 1000, 1},
		{"memory-10000", 100, 100, 10000},
		{"requests", 1000, 1e6, 6000},        // 6 s × 1,000
		{"requests", 1010, 1e6, 6100},        // in equal shares
		{"chunks", 1000, 100_000, 1200},      // 6 s × 100,000 ÷ 500
		{"chunks", 1000, 10_000, 200},        // two each, and no fewer
		{"ttft-1", 1000, 1e6, 120},           // 6 s ÷ 50 ms
		{"limitless-40", 1e6, 1e6, 40 * 104}, // 6 s ÷ 58 ms
	} {
		c := client{RequestRate: test.requests, ChunkRate: test.chunks}
		if got := scene(t, test.scenario).requests(c, 6*time.Second); got != test.want {
			t.Errorf("%s, %v requests/s, %v chunks/s: %d requests, want %d", test.scenario, test.requests,
				test.chunks, got, test.want)
		}
	}
}

func TestTTFTReaders(t *testing.T) {
	for name, document := range map[string]string{
		oursName:   `{"figures":[{"name":"e2e_mean","value":1},{"name":"ttft_mean","value":51.5}]}`,
		bareName:   `{"ttft_ms":51.5}`,
		"vllm":     `{"mean_ttft_ms":51.5,"ttfts":[1]}`,
		"rust":     `{"mean_ttft_ms":51.5}`,
		"aiperf":   `{"time_to_first_token":{"unit":"ms","avg":51.5}}`,
		"guidellm": `{"benchmarks":[{"metrics":{"time_to_first_token_ms":{"successful":{"mean":51.5},"errored":{"mean":0}}}}]}`,
	} {
		c := named(t, name)
		if got, err := c.TTFT([]byte(document)); err != nil || got != 51.5 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		for _, bad := range []string{``, `{}`, `[]`, `{"benchmarks":[]}`, `{"benchmarks":{"0":null}}`,
			`{"mean_ttft_ms":"51.5"}`, `{"ttft_ms":null}`} {
			if got, err := c.TTFT([]byte(bad)); err == nil {
				t.Errorf("%s reads %v from %s", name, got, bad)
			}
		}
	}
}

// What the table makes of runs, by hand.
func TestTable(t *testing.T) {
	s, start := scene(t, "chunks"), scene(t, "start")
	all := []client{named(t, oursName), named(t, bareName), named(t, "rust"), named(t, "hey")}
	all[0].Path, all[1].Path, all[2].Path = "a", "b", "c" // hey is not given
	ran := func(c client, requests int, cpu, span time.Duration) run {
		return run{Scenario: s.Name, Client: c.Name, Requests: 100, CPU: cpu,
			Server: tally{Served: requests, Tokens: int64(requests) * 500, Span: span}}
	}
	const second = time.Second
	runs := results{
		{Scenario: start.Name, Client: all[0].Name, CPU: second},
		{Scenario: start.Name, Client: all[1].Name, CPU: 2 * second},
		ran(all[0], 100, 2*second, second),   // 50,000 chunks/s at 1 s ÷ 50,000
		ran(all[0], 100, 3*second, 2*second), // 25,000 at 40 µs
		ran(all[0], 100, 4*second, 5*second), // 10,000 at 60 µs
		ran(all[1], 100, 7*second, 4*second), // 12,500 at 100 µs
		ran(all[1], 99, 2*second, 99*second), // 500 at 0
		{Scenario: s.Name, Client: all[2].Name, Requests: 100, Failed: "no such option"},
	}
	var got bytes.Buffer
	runs.write(&got, s, all)
	want := `
### Streamed, 500 tokens, at once, 100 in flight

| client | requests | chunks/s | ours ÷ it | CPU µs/chunk | ours ÷ it | |
|---|---|---|---|---|---|---|
| servegauge loadtest | 100 | 25,000 (10,000 to 50,000) |  | 40.00 (20.00 to 60.00) |  |  |
| bare net/http loop | 100 | 6,500 (500 to 12,500) | 3.85 | 50.00 (0.00 to 100.00) | 0.8 | served 99 of 100 |
| vllm-bench (Rust) | 100 | – | – | – | – | failed: no such option |
| hey | – | – | – | – | – | not given (-hey) |
`
	if got.String() != want {
		t.Errorf("got%s\nwant%s", &got, want)
	}
}

// The figures of one run, by hand.
func TestFigures(t *testing.T) {
	r := run{Requests: 1000, TTFT: 55, PeakRSS: 43e6, Wall: 3 * time.Second, CPU: 2 * time.Second, Server: tally{
		Served: 990, Tokens: 990, Span: 2 * time.Second, TTFT: 52 * time.Millisecond, InFlightMean: 31.5,
		InFlightPeak: 40}}
	for _, test := range []struct {
		scenario string
		figure   figure
		want     float64
		text     string
	}{
		{"start", wallTime, 3, "3.00"},
		{"start", cpuTime, 2, "2.00"},
		{"requests", requestRate, 495, "495"},
		{"ttft-100", overServer, 3, "3.00"},
		{"ttft-100", overTruth, 5, "5.00"},
		{"limitless-40", ofTruth, 495 * 0.058 / 40, "0.718"},
		{"limitless-40", meanInFlight, 31.5, "31.5"},
		{"memory-1000", peakMemory, 43, "43"},
		{"memory-1000", peakInFlight, 40, "40"},
		{"memory-1000", dropped, 10, "10"},
	} {
		s := scene(t, test.scenario)
		if !slices.ContainsFunc(s.Figures, func(f figure) bool { return f.Name == test.figure.Name }) {
			t.Errorf("%s has no %s", s.Name, test.figure.Name)
		}
		got, ok := test.figure.Of(s, r, 0)
		if !ok || math.Abs(got-test.want) > 1e-9 || test.figure.format(got) != test.text {
			t.Errorf("%s: %v (%s), want %v (%s)", test.figure.Name, got, test.figure.format(got), test.want, test.text)
		}
		if got, ok := test.figure.Of(s, run{}, 0); ok && (math.IsNaN(got) || math.IsInf(got, 0)) {
			t.Errorf("%s of nothing is %v", test.figure.Name, got)
		}
	}
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", -1000: "−1,000", -100: "−100",
		1234567: "1,234,567"} {
		if got := (figure{}).format(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

// The server's own count, against a client that is known.
func TestCounter(t *testing.T) {
	const pause = 20 * time.Millisecond
	c := &counter{echo: &loadgentest.Echo{FirstToken: pause, Gap: pause}}
	server := httptest.NewServer(c)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			response, err := http.Post(server.URL+"/v1/completions", "application/json",
				strings.NewReader(completion(3, true)))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			_, _ = io.Copy(io.Discard, response.Body)
		})
	}
	all.Wait()
	if response, err := http.Get(server.URL + "/v1/models"); err != nil { // is no request for tokens
		t.Error(err)
	} else {
		response.Body.Close()
	}
	server.Close() // waits for the handlers
	got, err := c.tally()
	if err != nil {
		t.Fatal(err)
	}
	if got.Served != 8 || got.Tokens != 24 || got.Input != 8*inputTokens || got.InFlightPeak < 1 ||
		got.InFlightPeak > 8 ||
		got.Span < 3*pause || got.TTFT < pause || got.TTFT > got.Span || got.InFlightMean <= 0 || got.InFlightMean > 8 {
		t.Errorf("%+v", got)
	}
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"a | b\n\tc":         "a b c",
		"\x1b[31mred\x1b[0m": "31mred 0m",
		"<b>é":               "b",
		"0123456789abc":      "0123456789 ...",
	} {
		if got := printable(text, 10); got != want {
			t.Errorf("%q is printed as %q, want %q", text, got, want)
		}
	}
	if got, want := versionIn("WARNING: no GPU\nvllm 0.32.0+cpu\n\n"), "vllm 0.32.0+cpu"; got != want {
		t.Errorf("version is %q, want %q", got, want)
	}
}
