package examples_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/protocol"
)

// running are the processes of a program.
func running(program string) (pids []int) {
	found, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range found {
		if target, err := os.Readlink(link); err == nil && target == program {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(link)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// serverProgram is what stands in for vLLM, which does not mind that its parent ends, by a name that no other test has.
func serverProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "vllm")
	if err := os.Link(filepath.Join(binaries, "vllm"), program); err != nil {
		t.Fatal(err)
	}
	return program
}

func modestly(t *testing.T, server, port string) (out string, args []string) {
	out = filepath.Join(t.TempDir(), "out")
	return out, []string{"-url", "http://127.0.0.1:" + port, "-server", server, "-server-grace", "5s", "-out", out,
		"-plan", "quick", "-runs", "2", "-levels", "2,4", "-requests", "10x", "-warmup", "2", "-cooldown", "0s",
		"-input", "16", "-output", "4"}
}

// The program is killed at random moments. What it leaves is found, named and ended by the next one, and nothing is
// left after one that was not killed.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	for kind, server := range leaving {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			program, port, in := serverProgram(t), freeport.Get(t), ownCache(t)
			server := fmt.Sprintf(server, program, port)
			for i := range kills(t) {
				out, args := modestly(t, server, port)
				cmd := in.command(context.Background(), "multirun", args...)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if i == 0 { // once surely while a server runs
					await(t, filepath.Join(out, protocol.JournalFile), `"start":`)
				} else {
					time.Sleep(time.Duration(rand.Int64N(int64(time.Second))))
				}
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				if i == 0 && len(running(program)) == 0 {
					t.Error("a killed run left no server, so that nothing is shown")
				}
			}
			out, args := modestly(t, server, port)
			p := in.run(t, "multirun", args...)
			if p.code != 0 {
				t.Fatalf("exit code %d\n%s", p.code, p.stderr)
			}
			if pids := running(program); len(pids) != 0 {
				t.Errorf("processes %v are left", pids)
			}
			e, err := protocol.ReadExperiment(out)
			if err != nil || !e.Complete || len(e.Starts) != 2 || len(e.Stops) != 2 {
				t.Errorf("%v", err)
			}
		})
	}
}

// leaving are servers, of a program at a port, that do not go when who started them is killed.
var leaving = map[string]string{
	"process": "process:%s serve some/model --port %s",
	"command": "cmd:;%s serve some/model --port %s & wait",
}

// Where the server does not mind that the program is killed, what is left is found and named by the next one that takes
// the experiment up again: its levels are those of one that was left alone, and nothing is left at its end.
func TestKilledAtAnyMomentAndResumedWithWhatIsLeft(t *testing.T) {
	t.Parallel()
	n := max(1, kills(t)/2) // of each kind
	for kind, server := range leaving {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			program, port := serverProgram(t), freeport.Get(t)
			flags := []string{"-url", "http://127.0.0.1:" + port, "-server", fmt.Sprintf(server, program, port),
				"-server-grace", "5s"}
			named := 0
			for _, e := range killedAndResumed(t, n, ownCache(t), flags) {
				for _, s := range e.Starts {
					for _, w := range s.Warnings {
						if w.Code == "left-over" && strings.Contains(w.Message, "by a run (process ") &&
							strings.Contains(w.Message, "still ran") {
							named++
						}
					}
				}
			}
			if named == 0 {
				t.Errorf("killed %d times, and nothing that was left was named", n)
			}
			if pids := running(program); len(pids) != 0 {
				t.Errorf("processes %v are left", pids)
			}
			t.Logf("killed %d times, %d times a server was left, named and ended", n, named)
		})
	}
}

// A connection that drops, which hangs up and takes away who reads, drains, saves and stops the server.
func TestHangup(t *testing.T) {
	t.Parallel()
	program := serverProgram(t)
	port := freeport.Get(t)
	out, args := modestly(t, "cmd:;"+program+" serve some/model --port "+port, port)
	cmd := command(t.Context(), "multirun", append(args, "-requests", "100000x")...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	await(t, filepath.Join(out, protocol.JournalFile), `"measurement":`)
	_ = read.Close()
	_ = cmd.Process.Signal(syscall.SIGHUP)
	_ = cmd.Wait()
	e, err := protocol.ReadExperiment(out)
	if err != nil {
		t.Fatal(err)
	}
	// The signal may come before the level after the warmup has begun.
	n := len(e.Measurements)
	cut := n == 1 || n == 2 && e.Measurements[1].Result.CutShort
	code, why := cmd.ProcessState.ExitCode(), protocol.ErrStopped.Error()
	if code != 1 || len(e.Stops) != 1 || !cut || !strings.Contains(e.Error, why) {
		t.Errorf("%v, %d stops, %d measurements: %s", cmd.ProcessState, len(e.Stops), n, e.Error)
	}
	if pids := running(program); len(pids) != 0 {
		t.Errorf("processes %v are left", pids)
	}
}
