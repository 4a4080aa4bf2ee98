package examples_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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

// serverProgram builds what stands in for vLLM, which does not mind that its parent ends.
func serverProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "vllm")
	build := exec.Command("go", "build", "-o", program, "../protocol/server/testdata/vllm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

func modestly(t *testing.T, server, port string) (out string, args []string) {
	out = filepath.Join(t.TempDir(), "out")
	return out, []string{"-url", "http://127.0.0.1:" + port, "-server", server, "-server-grace", "5s", "-out", out,
		"-plan", "quick", "-runs", "2", "-levels", "2,4", "-requests", "10x", "-warmup", "2", "-cooldown", "0s", "-input", "16", "-output", "4"}
}

// The program is killed at random moments. What it leaves is found, named and ended by the next one, and nothing is
// left after one that was not killed.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	program := serverProgram(t)
	port := freePort(t)
	for _, server := range []string{
		"process:" + program + " serve some/model --port " + port,
		"cmd:;" + program + " serve some/model --port " + port + " & wait",
	} {
		left := 0
		for range 5 {
			_, args := modestly(t, server, port)
			cmd := command(context.Background(), "multirun", args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.Int64N(int64(time.Second))))
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			left += len(running(program))
		}
		out, args := modestly(t, server, port)
		p := run(t, "multirun", args...)
		if p.code != 0 {
			t.Fatalf("%s: exit code %d\n%s", server, p.code, p.stderr)
		}
		if left == 0 {
			t.Errorf("%s: none of the killed runs left a server, so that nothing was shown", server)
		}
		if pids := running(program); len(pids) != 0 {
			t.Errorf("%s: processes %v are left", server, pids)
		}
		e, err := protocol.ReadExperiment(out)
		if err != nil || !e.Complete || len(e.Starts) != 2 || len(e.Stops) != 2 {
			t.Errorf("%s: %v", server, err)
		}
	}
}

// Where the server does not mind that the program is killed, what is left is found and named by the next one that takes
// the experiment up again: its levels are those of one that was left alone, and nothing is left at its end.
func TestKilledAtAnyMomentAndResumedWithWhatIsLeft(t *testing.T) {
	t.Parallel()
	program := serverProgram(t)
	n := max(1, kills(t)/2) // of each kind
	for _, server := range []string{
		"process:" + program + " serve some/model --port %s",
		"cmd:;" + program + " serve some/model --port %s & wait",
	} {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		port := freePort(t)
		flags := []string{"-url", "http://127.0.0.1:" + port, "-server", fmt.Sprintf(server, port), "-server-grace", "5s", "-client-check=false"}
		named := 0
		for _, e := range killedAndResumed(t, n, flags) {
			for _, s := range e.Starts {
				for _, w := range s.Warnings {
					if w.Code == "left-over" && strings.Contains(w.Message, "by a run (process ") && strings.Contains(w.Message, "still ran") {
						named++
					}
				}
			}
		}
		if named == 0 {
			t.Errorf("%s: killed %d times, and nothing that was left was named", server, n)
		}
		if pids := running(program); len(pids) != 0 {
			t.Errorf("%s: processes %v are left", server, pids)
		}
		t.Logf("%s: killed %d times, %d times a server was left, named and ended", server, n, named)
	}
}

// A connection that drops, which hangs up and takes away who reads, drains, saves and stops the server.
func TestHangup(t *testing.T) {
	t.Parallel()
	program := serverProgram(t)
	port := freePort(t)
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
	for range 3000 {
		text, _ := os.ReadFile(filepath.Join(out, protocol.JournalFile))
		if strings.Contains(string(text), `"measurement":`) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
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

// freePort is a port at which nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}
