package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/protocol"
)

// fleetOf are the names of the generators that a result was merged of.
func fleetOf(r *loadgen.Result) (names []string) {
	for _, p := range r.Parts {
		names = append(names, p.Generator.Name)
	}
	return names
}

// Four child processes are one client: each request once, the requests in flight held, and a text that tells of the
// worst of them.
func TestFleetOfChildren(t *testing.T) {
	t.Parallel()
	p := run(t, "loadtest", "-fleet", "4", "-concurrency", "14", "-requests", "420", "-warmup", "14", "-json")
	var r loadgen.Result
	if err := json.Unmarshal([]byte(p.stdout), &r); err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	if r.Generators != 4 || r.Accounting.Completed != 420 || r.Warmup.Completed != 14 || r.InFlight.Peak != 14 ||
		r.Steady == nil || !slices.Equal(fleetOf(&r), []string{"worker-0", "worker-1", "worker-2", "worker-3"}) {
		t.Errorf("%d generators %v, %+v, %+v", r.Generators, fleetOf(&r), r.Accounting, r.InFlight)
	}
	// Text is as long as asked for: each worker has found out what makes it so.
	p = run(t, "loadtest", "-fleet", "2", "-endpoint", "chat", "-input", "50", "-concurrency", "4", "-requests", "40",
		"-json")
	r = loadgen.Result{}
	if err := json.Unmarshal([]byte(p.stdout), &r); err != nil || r.Tokens.Input != 40*50 {
		t.Errorf("%v: %+v\n%s", err, r.Tokens, p.stderr)
	}
	p = run(t, "loadtest", "-fleet", "2", "-rate", "100", "-requests", "100")
	if p.code != 0 || !p.says("the worst of 2 generators is worker-") ||
		!strings.Contains(p.stderr, "poisson arrivals at 100 requests/s on 2 workers") {
		t.Errorf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
}

// An experiment of a fleet, killed in the middle of a level, is taken up again; its workers go with it.
func TestFleetKilledAndResumed(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	cmd := command(context.Background(), "multirun", "-fleet", "2", "-levels", "1,6", "-requests", "30x", "-runs",
		"2", "-input", "16",
		"-output", "4", "-cooldown", "0s", "-save-requests", "-out", out)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(out, protocol.JournalFile), `"measurement":`) // of the warmup
	time.Sleep(200 * time.Millisecond)
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	p := run(t, "multirun", "-client-check", "-fleet", "2", "-save-requests", "-resume", out)
	if p.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", p.code, &stderr, p.stderr)
	}
	e, err := protocol.ReadExperiment(out)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]int{}
	for _, m := range e.Measurements {
		if m.Step.Discard {
			continue
		}
		levels[fmt.Sprint(m.Step.Run, " at ", m.Step.Level.Concurrency)]++
		if m.Sent == nil || len(m.Models) == 0 || m.Result.Generators != min(2, m.Step.Level.Concurrency) {
			t.Errorf("%v: %d generators, sent %v", m.Step, m.Result.Generators, m.Sent)
		}
	}
	for _, want := range []string{"1 at 1", "1 at 6", "2 at 1", "2 at 6"} {
		if levels[want] != 1 {
			t.Errorf("run %s was measured %d times", want, levels[want])
		}
	}
	requests := 0
	file, err := os.Open(filepath.Join(out, protocol.RequestsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := protocol.ReadRequests(file, func(q protocol.Request) error {
		if !q.Discard && q.Run == 2 && q.Seq == e.Measurements[len(e.Measurements)-1].Step.Seq {
			requests++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	// The client was measured, which is the two together; each knows what it sustains.
	if n := len(e.Clients); n != 1 || e.Clients[0].Requests <= 0 || e.Clients[0].Generators != 2 {
		t.Errorf("%+v", e.Clients)
	}
	last := e.Measurements[len(e.Measurements)-1].Result
	for _, part := range last.Parts {
		if _, known := part.Headroom(); !known || part.Generator.SustainedChunks <= 0 {
			t.Errorf("%+v", part.Generator)
		}
	}
	if want := last.Accounting.Issued + last.Warmup.Issued; requests != want {
		t.Errorf("%d single requests of the last level are kept, want %d", requests, want)
	}
}

// natsHere is a NATS server of this test's, at a port of this machine.
func natsHere(t *testing.T) (url string) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true,
		StoreDir: t.TempDir(), NoSigs: true, NoLog: true, Authorization: "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return "nats://" + s.Addr().(*net.TCPAddr).String()
}

// start starts a program that goes on until the test ends, and gives what it has said so far.
func (w with) start(t *testing.T, name string, args ...string) *output {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := w.command(ctx, name, args...)
	var said output
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
			if code := cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("%s, interrupted: exit code %d\n%s", name, code, &said)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s does not end", name)
		}
		cancel()
	})
	return &said
}

// Workers of their own present themselves over a NATS server, are seen, take a dataset and load the server that they
// may.
func TestFleetOverNATS(t *testing.T) {
	t.Parallel()
	in := with{"NATS_TOKEN=hunter2"}
	nats, dir := natsHere(t), t.TempDir()
	prompts := filepath.Join(dir, "prompts.jsonl")
	if err := os.WriteFile(prompts, []byte(strings.Repeat(`{"prompt_token_ids": [1001, 1002, 1003]}`+"\n", 50)),
		0o600); err != nil {
		t.Fatal(err)
	}
	to := simulatedServer(t)
	access := []string{"-fleet-token-env", "NATS_TOKEN"}
	var workers []*output
	for i, datasets := range []string{dir, t.TempDir()} {
		workers = append(workers, in.start(t, "fleet", append([]string{"worker", "-nats", nats, "-name",
			fmt.Sprint("w", i), "-allow", to,
			"-client-check", fmt.Sprint(8 * i), "-datasets", datasets}, access...)...))
	}
	load := append([]string{"-fleet", nats, "-workers", "2", "-url", to, "-concurrency", "4", "-requests", "60",
		"-dataset", prompts,
		"-output", "4", "-json"}, access...)
	p := in.run(t, "loadtest", load...)
	var r loadgen.Result
	if err := json.Unmarshal([]byte(p.stdout), &r); err != nil {
		t.Fatalf("%v\n%s", err, p.stderr)
	}
	if r.Accounting.Completed != 60 || r.Generators != 2 || r.Tokens.Input != 180 {
		t.Errorf("%d generators, %+v, %+v", r.Generators, r.Accounting, r.Tokens)
	}
	if a, b := r.Parts[0].Generator, r.Parts[1].Generator; a.Sustained != 0 || b.Sustained <= 0 ||
		b.SustainedChunks <= 0 {
		t.Errorf("they sustain %v and %v", a, b)
	}
	for i, where := range []string{"from this worker's disk", "from the fleet's store"} {
		if said := workers[i].String(); !strings.Contains(said, "file prompts.jsonl, "+where) {
			t.Errorf("worker %d: %s", i, said)
		}
	}
	p = in.run(t, "fleet", append([]string{"status", "-nats", nats, "-for", "1500ms", "-json"}, access...)...)
	var s fleet.Status
	if err := json.Unmarshal([]byte(p.stdout), &s); err != nil || len(s.Workers) != 2 || s.Workers[1].Name != "w1" ||
		s.Workers[1].State != "idle" {
		t.Errorf("%v: %s %s", err, p.stdout, p.stderr)
	}
	p = in.run(t, "loadtest", append([]string{"-fleet", nats, "-workers", "2", "-concurrency", "2"}, access...)...)
	if line := p.errorLine(t); p.code != 1 || !strings.Contains(line, "worker w") || !strings.Contains(line, "allows") {
		t.Errorf("exit code %d: %s", p.code, line)
	}
	if p := run(t, "fleet", "status", "-nats", nats); p.code != 1 || !strings.Contains(p.errorLine(t), "uthoriz") {
		t.Errorf("without a token: exit code %d, %s", p.code, p.stderr)
	}
}

// simulatedServer is a server of its own, at a port of this machine.
func simulatedServer(t *testing.T) (url string) {
	t.Helper()
	address := freeport.Address(t)
	with(nil).start(t, "simserver", "-address", address)
	eventually(t, "the server answers", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return "http://" + address
}

func TestFleetWrongUse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		say  []string
	}{
		{"loadtest", []string{"-fleet", "0"}, []string{"-fleet 0", "from 1"}},
		{"loadtest", []string{"-fleet", "four"}, []string{`-fleet "four"`, "a number"}},
		{"loadtest", []string{"-workers", "3"}, []string{"-workers 3", "-fleet URL"}},
		{"loadtest", []string{"-fleet", "2", "-workers", "3"}, []string{"want one of them"}},
		{"multirun", []string{"-fleet", "tls://example.org"}, []string{"-workers N"}},
		{"multirun", []string{"-fleet", "nats://example.org", "-workers", "2"}, []string{"tls://"}},
		{"loadtest", []string{"-fleet", "2", "-audit", "300"}, []string{"-audit 300 with -fleet"}},
		{"slo", []string{"-audit", "20", "-fleet", "2", "-dry-run"}, []string{"-audit 20 with -fleet"}},
		{"multirun", []string{"-fleet", "2", "-body", `{"api_key": "hunter2"}`},
			[]string{"-body with -fleet", "-header"}},
		{"loadtest", []string{"-fleet", "nats://127.0.0.1", "-workers", "2", "-fleet-token-env", "UNSET"},
			[]string{"UNSET", "not set"}},
		{"fleet", []string{"worker", "-nats", "nats://127.0.0.1"}, []string{"-allow"}},
		{"fleet", []string{"worker", "-allow", "http://a"}, []string{"-nats"}},
		{"fleet", []string{"worker", "-nats", "nats://127.0.0.1", "-allow", "http://a", "-datasets", "/nowhere"},
			[]string{"-datasets", "/nowhere"}},
		{"fleet", []string{"worker", "-nats", "nats://127.0.0.1", "-allow", "vllm:8000"},
			[]string{"vllm:8000", "http://"}},
		{"fleet", []string{"worker", "-nats", "nats://127.0.0.1", "-allow", "http://a", "-fleet-name", "a b"},
			[]string{"a b", "letters"}},
		{"fleet", []string{"status"}, []string{"-nats"}},
		{"fleet", []string{"manifest", "-workers", "2", "-allow", "http://a"}, []string{"-server-label"}},
	} {
		t.Run(c.name+" "+strings.Join(c.args, " "), func(t *testing.T) {
			t.Parallel()
			failsWith(t, 2, c.say, c.name, c.args...)
		})
	}
	if p := run(t, "fleet", "wroker"); p.code != 2 || !strings.Contains(p.errorLine(t), `"wroker"`) {
		t.Errorf("fleet wroker: exit code %d: %s", p.code, p.stderr)
	}
	if p := run(t, "fleet"); p.code != 2 || !strings.Contains(p.stderr, "fleet worker") {
		t.Errorf("exit code %d: %s", p.code, p.stderr)
	}
}
