package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/protocol"
)

// childWorkers are the processes that pid has started as workers.
func childWorkers(pid int) (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, name := range found {
		environment, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(environment, []byte("SERVEGAUGE_FLEET_WORKER=")) {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(name), "stat"))
		_, after, ok := strings.Cut(string(stat), ") ") // 4711 (multirun) S 4710 …
		if fields := strings.Fields(after); err == nil && ok && len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, child)
		}
	}
	return pids
}

// A level to which a worker was lost is kept, spoiled, and measured again because the plan says so: by a worker that
// has come in the place of the one that went. Without such a word of the plan it stays as it is.
func TestFleetWorkerKilledInALevel(t *testing.T) {
	t.Parallel()
	for _, retry := range []string{"", "1:" + fleet.WarnWorkerLost} {
		t.Run(retry, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			var asked atomic.Int64
			sim := &loadgentest.Simulated{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPost {
					asked.Add(1)
				}
				sim.ServeHTTP(w, r)
			}))
			defer server.Close()
			args := []string{"-url", server.URL, "-fleet", "2", "-runs", "1", "-levels", "4", "-requests", "60x",
				"-input", "16", "-output", "16", "-warmup", "0",
				"-cooldown", "0s", "-out", out}
			if retry != "" {
				args = append(args, "-retry", retry)
			}
			cmd := command(context.Background(), "multirun", args...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() { _ = cmd.Wait(); close(done) }()
			var workers []int
			for len(workers) < 2 || asked.Load() < 40 { // of the 240 of the level
				select {
				case <-done:
					t.Fatalf("it ended: %s", &stderr)
				case <-time.After(time.Millisecond):
				}
				if len(workers) < 2 {
					workers = childWorkers(cmd.Process.Pid)
				}
			}
			_ = syscall.Kill(workers[0], syscall.SIGKILL)
			select {
			case <-done:
			case <-time.After(2 * time.Minute):
				_ = cmd.Process.Kill()
				t.Fatal("it hangs")
			}
			e, err := protocol.ReadExperiment(out)
			if err != nil {
				t.Fatal(err)
			}
			want, code := 1, 1
			if retry != "" {
				want, code = 2, 0
			}
			if len(e.Measurements) != want || cmd.ProcessState.ExitCode() != code {
				t.Fatalf("%d measurements, exit code %d\n%s", len(e.Measurements), cmd.ProcessState.ExitCode(), &stderr)
			}
			first, last := e.Measurements[0].Result, e.Measurements[want-1].Result
			if !slices.ContainsFunc(first.Warnings,
				func(w loadgen.Warning) bool { return w.Code == fleet.WarnWorkerLost }) || first.Valid() {
				t.Errorf("%v", first.Warnings)
			}
			if retry != "" && (!last.Valid() || last.Accounting.Completed != 240 || last.Generators != 2) {
				t.Errorf("%+v, %v", last.Accounting, last.Warnings)
			}
			if left := childWorkers(cmd.Process.Pid); len(left) > 0 {
				t.Errorf("workers are left: %v", left)
			}
		})
	}
}

// Whoever ends a service or a session sends the signal to the workers too: the coordinator drains the level all the same,
// and they end with it.
func TestFleetIsEndedAsAGroup(t *testing.T) {
	cmd := command(context.Background(), "loadtest", "-fleet", "2", "-concurrency", "4", "-duration", "5m", "-output", "4", "-json")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	said := ""
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		said += lines.Text() + "\n"
		if strings.Contains(lines.Text(), "on 2 workers") {
			time.AfterFunc(1500*time.Millisecond, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) })
		}
	}
	_ = cmd.Wait()
	var r loadgen.Result
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if !r.CutShort || r.Accounting.Completed == 0 || r.Accounting.Cancelled > 0 || r.Generators != 2 ||
		slices.ContainsFunc(r.Parts, func(p loadgen.Part) bool { return p.Generator.Lost }) {
		t.Errorf("%+v, %v\n%s", r.Accounting, r.Warnings, said)
	}
	if left := childWorkers(cmd.Process.Pid); len(left) > 0 {
		t.Errorf("workers are left: %v", left)
	}
}
