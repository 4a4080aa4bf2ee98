//go:build unix

package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/protocol"
)

// proof is what no other instance has.
func proof(t *testing.T, i *protocol.Instance) string {
	t.Helper()
	id, err := i.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id.Proof
}

func awaitAnswer(t *testing.T, url string) {
	t.Helper()
	eventually(t, "somebody answers at "+url, func() bool { return look(context.Background(), url) == present })
}

func TestProcess(t *testing.T) {
	ctx := context.Background()
	server := Process{Argv: []string{os.Args[0]}, Env: asServer("plain"), Grace: 10 * time.Second}
	ids := map[string]bool{}
	for range 2 {
		i, err := server.Start(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pid := pidAt(t, i.URL)
		if !strings.Contains(proof(t, i), fmt.Sprint(pid)) {
			t.Errorf("the instance %q is not the process %d", proof(t, i), pid)
		}
		ids[proof(t, i)] = true
		select {
		case <-i.Exited:
			t.Error("it is said to have ended")
		default:
		}
		if _, err := i.Stop(ctx); err != nil {
			t.Error(err)
		}
		if alive(pid) {
			t.Errorf("process %d survived its Stop", pid)
		}
		<-i.Exited
	}
	if len(ids) != 2 {
		t.Errorf("two starts have the identities %v", ids)
	}
}

func TestProcessThatIgnoresTheRequestToStop(t *testing.T) {
	i, err := Process{Argv: []string{os.Args[0]}, Env: asServer("stubborn"),
		Grace: 50 * time.Millisecond}.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	pid := pidAt(t, i.URL)
	if _, err := i.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if alive(pid) {
		t.Errorf("process %d survived its Stop", pid)
	}
}

func TestProcessThatDoesNotStart(t *testing.T) {
	short, cancel := context.WithTimeoutCause(context.Background(), 200*time.Millisecond, errors.New("too long"))
	defer cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		server Process
		say    []string
	}{
		{"no command", context.Background(), Process{}, []string{"no command"}},
		{"no such command", context.Background(), Process{Argv: []string{"/no/such/server"}},
			[]string{"/no/such/server"}},
		{"it fails", context.Background(), Process{Argv: []string{os.Args[0]}, Env: asServer("fails")},
			[]string{"exit status 3", "cannot allocate memory"}},
		{"it says nothing", short, Process{Argv: []string{os.Args[0]}, Env: asServer("silent"), Grace: time.Second},
			[]string{"too long"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, err := c.server.Start(c.ctx)
			var server *protocol.ServerError
			if !errors.As(err, &server) || server.Phase != "start" || i != nil {
				t.Fatalf("%v %v, want a ServerError of the start", i, err)
			}
			for _, say := range c.say {
				if !strings.Contains(err.Error(), say) {
					t.Errorf("error %q does not say %q", err, say)
				}
			}
		})
	}
}

// shellServer is a start command for the test server: in the foreground, or left in the background with its process id
// in a file, as a container runtime would leave it.
func shellServer(address, pidFile string) string {
	serve := fmt.Sprintf("PROTOCOL_TEST_SERVER=detached@%s exec %s", address, os.Args[0])
	if pidFile == "" {
		return serve
	}
	return fmt.Sprintf("(%s) & echo $! > %s", serve, pidFile)
}

func TestCommands(t *testing.T) {
	ctx := context.Background()
	for _, foreground := range []bool{true, false} {
		t.Run(fmt.Sprintf("foreground %v", foreground), func(t *testing.T) {
			address := freeport.Address(t)
			pidFile := filepath.Join(t.TempDir(), "pid")
			server := Commands{URL: "http://" + address, Grace: 10 * time.Second}
			if foreground {
				server.StartCommand = "echo $$ > " + pidFile + "; " + shellServer(address, "")
			} else {
				server.StartCommand = shellServer(address, pidFile)
			}
			server.StopCommand = "kill $(cat " + pidFile + ")"
			ids := map[string]bool{}
			for range 2 {
				i, err := server.Start(ctx)
				if err != nil {
					t.Fatal(err)
				}
				awaitAnswer(t, i.URL)
				pid := pidAt(t, i.URL)
				ids[proof(t, i)] = true
				if _, err := i.Stop(ctx); err != nil {
					t.Error(err)
				}
				if look(ctx, i.URL) == present || survives(pid) {
					t.Errorf("process %d survived its Stop", pid)
				}
				select {
				case <-i.Exited:
					if !foreground {
						t.Error("a start command that did its work is said to have failed")
					}
				default:
				}
			}
			if len(ids) != 2 {
				t.Errorf("two starts have the identities %v", ids)
			}
		})
	}
}

// A server that the user has running already is stopped before the first start.
func TestCommandsReplaceWhatRuns(t *testing.T) {
	ctx := context.Background()
	address := freeport.Address(t)
	before, err := Process{Argv: []string{os.Args[0]}, Env: asServer("plain@" + address)}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	old := pidAt(t, before.URL)
	server := Commands{
		URL: "http://" + address, Grace: 10 * time.Second,
		StopCommand: fmt.Sprintf("kill %d", old), StartCommand: shellServer(address, ""),
	}
	i, err := server.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	awaitAnswer(t, i.URL)
	if now := pidAt(t, i.URL); now == old {
		t.Error("the old server answers")
	}
	// Its stop command names the old process, and so fails; what was started in the foreground ends all the same.
	if _, err := i.Stop(ctx); err == nil {
		t.Error("a stop command that failed is no error")
	}
	if look(ctx, i.URL) == present {
		t.Error("it still answers")
	}
	_, _ = before.Stop(ctx)
}

func TestCommandsThatFail(t *testing.T) {
	ctx := context.Background()
	address := freeport.Address(t)
	url := "http://" + address

	i, err := Commands{URL: url, StopCommand: "true", StartCommand: "echo out of memory; exit 7"}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	<-i.Exited
	if !strings.Contains(i.Log(), "out of memory") {
		t.Errorf("log %q", i.Log())
	}
	if _, err := i.Stop(ctx); err != nil {
		t.Errorf("nothing runs, and stopping it fails: %v", err)
	}

	running, err := Process{Argv: []string{os.Args[0]}, Env: asServer("plain@" + address)}.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Stop(ctx)
	for _, c := range []struct{ stop, say string }{
		{"echo no such container >&2; exit 1", "no such container"},
		{"echo no such container >&2; exit 1", "exit status 1"},
		{"true", "still accepts connections"},
		{"sleep 60", "did not return"},
	} {
		_, err := Commands{URL: url, StopCommand: c.stop, StartCommand: "true",
			Grace: 300 * time.Millisecond}.Start(ctx)
		var server *protocol.ServerError
		if !errors.As(err, &server) || server.Phase != "stop" || !strings.Contains(err.Error(), c.say) {
			t.Errorf("stop command %q: %v, want a ServerError of the stop that says %q", c.stop, err, c.say)
		}
	}
}

func TestNoneProvesNothing(t *testing.T) {
	i, err := None("http://127.0.0.1:8000").Start(context.Background())
	if err != nil || i.URL != "http://127.0.0.1:8000" || proof(t, i) != "" {
		t.Errorf("%+v %v", i, err)
	}
}

// A server that was left to somebody else is stopped also when it does not answer yet: it would answer later, unasked.
func TestCommandsStopWhatIsStillLoading(t *testing.T) {
	ctx := context.Background()
	address := freeport.Address(t)
	pidFile := filepath.Join(t.TempDir(), "pid")
	server := Commands{
		URL: "http://" + address, Grace: 5 * time.Second,
		StopCommand:  "kill $(cat " + pidFile + ")",
		StartCommand: "setsid sh -c 'sleep 60' > /dev/null 2>&1 & echo $! > " + pidFile,
	}
	i, err := server.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	eventually(t, "it has written its number", func() bool { text, _ = os.ReadFile(pidFile); return len(text) > 1 })
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.Stop(ctx); err != nil {
		t.Error(err)
	}
	if survives(pid) {
		t.Errorf("process %d, which was still loading, survived its Stop", pid)
	}
}

// What a start command leaves behind when it fails goes with it, and has time to clean up.
func TestChildrenLeftBehind(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for name, start := range map[string]string{
		"failed": "(trap 'sleep 0.3; touch cleaned; exit' TERM; echo $$ > pid; touch up; while :; do sleep " +
			"0.05; done) & while [ ! -e up ]; do sleep 0.01; done; exit 3",
		"compound": "(trap 'sleep 0.3; touch cleaned; exit' TERM; touch up; while :; do sleep 0.05; done); true",
	} {
		t.Run(name, func(t *testing.T) {
			work := filepath.Join(dir, name)
			if err := os.Mkdir(work, 0o777); err != nil {
				t.Fatal(err)
			}
			i, err := Commands{URL: freeport.URL(t), Grace: 10 * time.Second, StopCommand: "true",
				StartCommand: "cd " + work + "; " + start}.Start(ctx)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "it is up", func() bool { return exists(filepath.Join(work, "up")) })
			if name == "failed" {
				<-i.Exited
				if err := i.Err(); err == nil || !strings.Contains(err.Error(), "exit status 3") {
					t.Errorf("how it ended: %v", err)
				}
			}
			if _, err := i.Stop(ctx); err != nil {
				t.Error(err)
			}
			if !exists(filepath.Join(work, "cleaned")) {
				t.Error("what was left behind was killed before it had cleaned up, or not ended at all")
			}
		})
	}
}

// The end of a long output is kept, and the last line of it is short enough for an error.
func TestTail(t *testing.T) {
	var out tail
	for range 10 {
		_, _ = out.Write(bytes.Repeat([]byte("x"), tailSize/2))
	}
	_, _ = out.Write([]byte("\nthe end\n\n"))
	if got := out.String(); len(got) != tailSize || !strings.HasSuffix(got, "x\nthe end\n\n") {
		t.Errorf("%d bytes are kept, ending in %q", len(got), got[len(got)-20:])
	}
	if got := lastLine(out.String()); got != "the end" {
		t.Errorf("last line %q", got)
	}
	if got := lastLine(strings.Repeat("x", 5000)); len(got) > 300 {
		t.Errorf("a last line of %d bytes", len(got))
	}
	if got := lastLine("\n \r\n"); got != "" {
		t.Errorf("last line %q of nothing", got)
	}
}

// A start command that stays in the foreground is ours to end, with a stop command that does nothing or without any;
// one that ignores the request is killed, and that is said.
func TestForegroundIsOurs(t *testing.T) {
	for _, c := range []struct{ name, stop, kind string }{
		{"no stop command", "", "detached"},
		{"one that does nothing", "true", "detached"},
		{"it ignores SIGTERM", "", "stubborn"},
		{"it ignores SIGTERM, and the stop command does nothing", "true", "stubborn"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := freeport.Address(t)
			s := Commands{
				StopCommand: c.stop, URL: "http://" + address, Grace: 300 * time.Millisecond,
				StartCommand: fmt.Sprintf("PROTOCOL_TEST_SERVER=%s@%s exec %s", c.kind, address, os.Args[0]),
			}
			proofs := map[string]bool{}
			for range 2 {
				i, err := s.Start(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				awaitAnswer(t, i.URL)
				pid := pidAt(t, i.URL)
				proofs[proof(t, i)] = true
				stop, err := i.Stop(t.Context())
				if err != nil || survives(pid) {
					t.Errorf("%v; process %d lives: %v", err, pid, alive(pid))
				}
				if killed := c.kind == "stubborn"; stop.Killed != killed || (len(stop.Warnings) == 1) != killed {
					t.Errorf("%+v", stop)
				}
			}
			if len(proofs) != 2 {
				t.Errorf("%v", proofs)
			}
		})
	}
}
