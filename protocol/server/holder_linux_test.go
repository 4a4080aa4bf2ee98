package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/protocol"
)

// Another server at the port is named, and never measured.
func TestPortOfAnother(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	me := fmt.Sprintf("process %d", os.Getpid())
	for name, s := range map[string]protocol.Server{
		"process": Process{Argv: []string{os.Args[0]}, Env: asServer("silent"), URL: other.URL},
		"cmd":     Commands{StartCommand: "sleep 60", URL: other.URL},
		"cmd, with stop": Commands{
			StopCommand: "true", StartCommand: "sleep 60", URL: other.URL, Grace: 100 * time.Millisecond,
		},
	} {
		if _, err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), me) {
			t.Errorf("%s: %v, want an error that names %s", name, err, me)
		}
	}
	docker(t)
	s, err := Parse("docker:run --name made image", Options{URL: other.URL, Grace: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Start(t.Context()); err == nil || !strings.Contains(err.Error(), me) {
		t.Errorf("docker: %v, want an error that names %s", err, me)
	}
	// It came after ours had been started, which does not listen.
	address := freeport.Address(t)
	late := Process{Argv: []string{os.Args[0]}, Env: asServer("silent"), URL: "http://" + address, Grace: time.Second}
	i, err := late.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Stop(context.Background())
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if _, err := i.Identity(t.Context()); err == nil || !strings.Contains(err.Error(), me) {
		t.Errorf("%v, want an error that names %s", err, me)
	}
}

// deadOwner makes the notes that lie in dir those of a program that was killed.
func deadOwner(t *testing.T) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(notesDir(), "*.json"))
	if len(files) == 0 {
		t.Fatal("nothing is noted")
	}
	for _, file := range files {
		var n note
		text, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(text, &n) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		n.OwnerStart = "another boot 1"
		if text, err = json.Marshal(n); err == nil {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// What a killed run left is found, named and ended by the next start of the same server, whatever became of the first
// process; of another server it is named only.
func TestLeftOvers(t *testing.T) {
	for _, c := range []struct {
		name, start string
		stubborn    bool
	}{
		{"in the foreground", "echo $$ > pid; exec sleep 600", false},
		{"its first process has ended", "sleep 600 & echo $! > pid", false},
		{"in a session of its own", "setsid sleep 600 > /dev/null 2>&1 & echo $! > pid", false},
		{"it ignores SIGTERM", "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			dir := t.TempDir()
			s := Commands{
				StartCommand: "cd " + dir + "; " + c.start, URL: freeport.URL(t), Grace: 300 * time.Millisecond,
			}
			first, err := s.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer first.Stop(context.Background()) // what is left of it
			var pid int
			eventually(t, "it has written its number", func() bool {
				text, _ := os.ReadFile(filepath.Join(dir, "pid"))
				_, err := fmt.Sscan(string(text), &pid)
				return err == nil
			})
			if pid == 0 || !alive(pid) {
				t.Fatalf("process %d does not run", pid)
			}
			time.Sleep(50 * time.Millisecond) // until a shell in between has ended
			if left := leftOvers(); len(left) != 0 {
				t.Errorf("%v is in use, and is taken for left over", left)
			}
			deadOwner(t)
			// Another server is not stopped for it.
			other, err := Process{Argv: []string{os.Args[0]}, Env: asServer("plain")}.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer other.Stop(context.Background())
			named := codes(other.Warnings) == WarnLeftOver && strings.Contains(other.Warnings[0].Message, "still runs")
			if !named || !alive(pid) {
				t.Errorf("%v; process %d alive: %v", other.Warnings, pid, alive(pid))
			}
			second, err := s.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer second.Stop(context.Background())
			if alive(pid) {
				t.Errorf("process %d was left over, and lives", pid)
			}
			if len(second.Warnings) == 0 || !strings.Contains(second.Warnings[0].Message, "still ran") ||
				strings.Contains(second.Warnings[0].Message, "was killed") != c.stubborn && c.stubborn {
				t.Errorf("warnings %v", second.Warnings)
			}
		})
	}
}

// A port that is taken is known before a start, unless what has it is left over from a killed run of the same server.
func TestVacant(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	address := freeport.Address(t)
	url := "http://" + address
	process := Process{Argv: []string{os.Args[0]}, Env: asServer("plain@" + address), URL: url}
	command := Commands{StartCommand: "exec serve", URL: url}
	if err := errors.Join(process.Vacant(t.Context()), command.Vacant(t.Context())); err != nil {
		t.Fatalf("nothing is there: %v", err)
	}
	i, err := process.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Stop(context.Background())
	awaitAnswer(t, url)
	probed := Commands{StartCommand: "exec serve", URL: "http://127.0.0.1:1", Probe: url}
	for _, s := range []protocol.Vacancy{process, command, probed} {
		err := s.Vacant(t.Context())
		if e, ok := errors.AsType[*protocol.ServerError](err); !ok || e.Phase != "start" ||
			!strings.Contains(err.Error(), address) {
			t.Errorf("%T: %v; want a start that fails for what answers at %s", s, err, address)
		}
	}
	stopping := command
	stopping.StopCommand = "true"
	if err := stopping.Vacant(t.Context()); err != nil {
		t.Errorf("a stop command may end what runs: %v", err)
	}
	deadOwner(t)
	if err := process.Vacant(t.Context()); err != nil {
		t.Errorf("the next start ends what is left over: %v", err)
	}
	if err := command.Vacant(t.Context()); err == nil {
		t.Error("what is left over of another server is not ended by a start")
	}
}

// A note whose child has ended, or whose process id was used again, leads to nobody's end.
func TestStaleNotes(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	innocent := exec.Command("sleep", "600")
	if err := innocent.Start(); err != nil {
		t.Fatal(err)
	}
	defer innocent.Wait()
	defer innocent.Process.Kill()
	n := newNote("key", "command")
	n.started(innocent.Process.Pid)
	n.Start = "another boot 1" // it was another process that had the id
	n.write()
	deadOwner(t)
	if err := os.WriteFile(filepath.Join(notesDir(), "garbage.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	warnings, err := endLeftOvers(t.Context(), "key", time.Second)
	if err != nil || len(warnings) != 0 || !alive(innocent.Process.Pid) {
		t.Errorf("%v %v; alive %v", warnings, err, alive(innocent.Process.Pid))
	}
	if exists(n.file) {
		t.Error("the note is still there")
	}
}

// A program that takes connections for the server is known by its name.
func TestProxied(t *testing.T) {
	proxy := filepath.Join(t.TempDir(), "docker-proxy")
	self, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(proxy, self, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	i, err := Process{Argv: []string{proxy}, Env: asServer("plain")}.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Stop(context.Background())
	p := i.Path(t.Context())
	if p.Via != "docker-proxy" || len(p.Warning()) != 1 || p.Warning()[0].Code != protocol.WarnProxied {
		t.Errorf("%+v %v", p, p.Warning())
	}
}
