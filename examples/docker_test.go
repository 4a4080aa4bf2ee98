//go:build docker && linux

package examples_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// With the build tag docker a daemon must answer. The image is built from scratch, of a program that stands in for
// vLLM.
const image = "servegauge-simulated:1"

// tool runs a command and returns what it prints.
func tool(t *testing.T, name string, args ...string) string {
	t.Helper()
	var complaint bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, &complaint)
	}
	return strings.TrimSpace(string(out))
}

// imageContext makes the folder from which the image is built.
func imageContext(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "vllm"), "../protocol/server/testdata/vllm")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	// The groups are for --group-add, as the presets have it.
	for name, text := range map[string]string{
		"group": "root:x:0:\nvideo:x:44:\nrender:x:109:\n",
		"Dockerfile": "FROM scratch\nCOPY vllm /usr/bin/vllm\nCOPY group /etc/group\nENV PATH=/usr/bin\n" +
			"ENTRYPOINT [\"vllm\", \"serve\"]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func buildImage(t *testing.T) {
	t.Helper()
	t.Setenv("DOCKER_BUILDKIT", "0") // the builder that needs no plugin
	tool(t, "docker", "build", "--quiet", "--tag", image, imageContext(t))
}

// made makes a container that runs, by the host's network, and has it removed at the end.
func made(t *testing.T, port string, flags ...string) (name string) {
	t.Helper()
	name = "servegauge-test-" + port
	args := append([]string{"run", "--detach", "--network=host", "--name", name}, flags...)
	tool(t, "docker", append(args, image, "some/model", "--port", port)...)
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", name).Run() })
	return name
}

// quickly makes a plan that takes seconds.
func quickly(t *testing.T, port string, args ...string) (out string, all []string) {
	out = filepath.Join(t.TempDir(), "out")
	return out, append([]string{"-url", "http://127.0.0.1:" + port, "-out", out, "-plan", "quick",
		"-levels", "2,4", "-requests", "5x", "-cooldown", "0s", "-input", "16", "-output", "4", "-warmup", "2",
		"-server-grace", "5s"}, args...)
}

func read(t *testing.T, out string) *protocol.Experiment {
	t.Helper()
	e, err := protocol.ReadExperiment(out)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func hasCode(warnings []loadgen.Warning, code string) bool {
	return slices.ContainsFunc(warnings, func(w loadgen.Warning) bool { return w.Code == code })
}

// Five restarts of a container by its name: five proofs, each of a start that docker knows, and the container's
// evidence.
func TestDockerRestarts(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	name := made(t, port)
	out, args := quickly(t, port, "-server", "docker:"+name, "-runs", "5")
	p := run(t, "multirun", args...)
	if p.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	e := read(t, out)
	proofs := map[string]bool{}
	for i, s := range e.Starts {
		proofs[s.Instance] = true
		if s.Identity.Container == "" || s.Path == nil || s.Path.Via != "" || s.Path.RoundTrip == 0 {
			t.Errorf("start %d: %+v, path %+v", i+1, s.Identity, s.Path)
		}
		if v, _ := s.Server.Server.Version.Get(); v != "0.14.1+simulated" {
			t.Errorf("start %d: version %v", i+1, s.Server.Server.Version)
		}
		if len(s.Server.Containers) != 1 || len(s.Server.Server.Facts) == 0 {
			t.Errorf("start %d: %d containers, facts %v", i+1, len(s.Server.Containers), s.Server.Server.Facts)
		}
	}
	if len(proofs) != 5 || len(e.Stops) != 5 || !hasCode(e.Starts[0].Warnings, server.WarnReplaced) {
		t.Errorf("%d proofs, %d stops, warnings of the first start %v", len(proofs), len(e.Stops), e.Starts[0].Warnings)
	}
	if a := protocol.Analyze(e); a.Unit != protocol.UnitRestart || a.Runs != 5 || len(a.Points) != 2 {
		t.Errorf("%s, %d runs, %d points", a.Unit, a.Runs, len(a.Points))
	}
	if code := *e.Stops[0].ExitCode; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A container that is killed in the middle of a level ends it at once; the level is kept, and is worth nothing.
func TestDockerKilledInALevel(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	name := made(t, port)
	out, args := quickly(t, port, "-server", "docker:"+name, "-runs", "3", "-warmup", "0",
		"-requests", "200000", "-output", "64")
	cmd := command(t.Context(), "multirun", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(out, protocol.JournalFile), `"start":`)
	time.Sleep(time.Second)
	tool(t, "docker", "kill", name)
	killed := time.Now()
	await(t, filepath.Join(out, protocol.JournalFile), protocol.WarnServerDied)
	if took := time.Since(killed); took > 30*time.Second {
		t.Errorf("the level went on for %v", took)
	}
	for range 6000 { // until it has been started anew for the next level
		if e := read(t, out); len(e.Starts) > 1 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	e := read(t, out)
	if len(e.Measurements) < 1 || !hasCode(e.Measurements[0].Result.Warnings, protocol.WarnServerDied) ||
		!e.Measurements[0].Result.CutShort {
		t.Fatalf("%d measurements; %v", len(e.Measurements), e.Measurements[0].Result.Warnings)
	}
	if len(e.Starts) != 2 || e.Starts[0].Instance == e.Starts[1].Instance {
		t.Errorf("%d starts", len(e.Starts))
	}
	if code := e.Stops[0].ExitCode; code == nil || *code != 137 {
		t.Errorf("exit code %v", code)
	}
	if state := tool(t, "docker", "container", "inspect", "--format", "{{.State.Status}}", name); state != "exited" {
		t.Errorf("the container is %s", state)
	}
}

// A restart that does nothing, as of a wrapper that mends the wrong container, is an error, and nothing is measured.
func TestDockerRestartThatDoesNothing(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	name := made(t, port)
	bin := t.TempDir()
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	wrapper := "#!/bin/sh\ncase $1 in stop|start|kill) exit 0;; esac\nexec " + docker + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(wrapper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	out, args := quickly(t, port, "-server", "docker:"+name, "-server-grace", "1s")
	failsWith(t, 1, []string{"server stop", name, "still runs"}, "multirun", args...)
	if e := read(t, out); len(e.Measurements) != 0 || len(e.Starts) != 0 {
		t.Errorf("%d starts, %d measurements", len(e.Starts), len(e.Measurements))
	}
}

// A health check that lies: all is well, says the server, and its first requests fail. It is waited for.
func TestDockerHealthThatLies(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	out, args := quickly(t, port, "-runs", "1", "-server",
		"docker:run --network=host -e SIM_LIES=1 -e SIM_LOADING=500ms "+image+" some/model --port "+port)
	if p := run(t, "multirun", args...); p.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	e := read(t, out)
	for _, m := range e.Measurements {
		if m.Result.Accounting.Failed != 0 {
			t.Errorf("%s: %+v", m.Step.Level.Load(), m.Result.Accounting)
		}
	}
	if ready := e.Starts[0].Ready; ready < 500*time.Millisecond {
		t.Errorf("ready after %v", ready)
	}
	if found := tool(t, "docker", "ps", "--all", "--quiet", "--filter", "label=servegauge.owner"); found != "" {
		t.Errorf("containers %s are left", found)
	}
}

// What cannot be started says why, names it and leaves nothing behind.
func TestDockerThatDoesNotStart(t *testing.T) {
	buildImage(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	go func() { _ = http.Serve(taken, http.NotFoundHandler()) }()
	_, busy, _ := net.SplitHostPort(taken.Addr().String())
	port := freeport.Get(t)
	theirs := made(t, freeport.Get(t))
	for _, c := range []struct {
		name, port, server, host string
		say                      []string
	}{
		{"no daemon", port, "docker:vllm", "unix:///no/such.sock", []string{"docker vllm", "/no/such.sock"}},
		{"no image", port, "docker:run 127.0.0.1:1/no/such:image m", "", []string{"127.0.0.1:1/no/such"}},
		{"no container", port, "docker:no-such-container", "", []string{"no-such-container"}},
		{"not ours", port, "docker:run --name " + theirs + " " + image + " m", "", []string{theirs, "not make"}},
		{"it dies at once", port, "docker:run --network=host -e SIM_FAILS=1 " + image + " m", "",
			[]string{"exit code 1", "HIP out of memory"}},
		{"a port that is taken", busy, "docker:run --network=host " + image + " m --port " + busy, "",
			[]string{fmt.Sprint("process ", os.Getpid())}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.host != "" {
				t.Setenv("DOCKER_HOST", c.host)
			}
			out, args := quickly(t, c.port, "-server", c.server, "-server-grace", "1s")
			failsWith(t, 1, c.say, "multirun", args...)
			if e := read(t, out); len(e.Measurements) != 0 {
				t.Errorf("%d measurements", len(e.Measurements))
			}
		})
	}
	if found := tool(t, "docker", "ps", "--all", "--quiet", "--filter", "label=servegauge.owner"); found != "" {
		t.Errorf("containers %s are left", found)
	}
	if state := tool(t, "docker", "container", "inspect", "--format", "{{.State.Status}}", theirs); state != "running" {
		t.Errorf("a container that was not ours is %s", state)
	}
}

// The program is killed. Its container is found by the next run of the same command, named and removed.
func TestDockerLeftOver(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	serve := []string{"-runs", "1", "-server", "docker:run --network=host " + image + " some/model --port " + port}
	out, args := quickly(t, port, append(serve, "-requests", "200000")...)
	cmd := command(context.Background(), "multirun", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(out, protocol.JournalFile), `"start":`)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	left := tool(t, "docker", "ps", "--all", "--quiet", "--filter", "label=servegauge.owner")
	out, args = quickly(t, port, serve...)
	p := run(t, "multirun", args...)
	if p.code != 0 || left == "" {
		t.Fatalf("exit code %d, left over %q\n%s", p.code, left, p.stderr)
	}
	if e := read(t, out); !hasCode(e.Starts[0].Warnings, server.WarnLeftOver) {
		t.Errorf("warnings %v", e.Starts[0].Warnings)
	}
	if found := tool(t, "docker", "ps", "--all", "--quiet", "--filter", "label=servegauge.owner"); found != "" {
		t.Errorf("containers %s are left", found)
	}
}

// A hangup drains, saves and stops the container, as an interrupt does.
func TestDockerHangup(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	out, args := quickly(t, port, "-runs", "1", "-requests", "200000",
		"-server", "docker:run --network=host "+image+" some/model --port "+port)
	cmd := command(t.Context(), "multirun", args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(out, protocol.JournalFile), `"measurement":`)
	_ = cmd.Process.Signal(syscall.SIGHUP)
	_ = cmd.Wait()
	e := read(t, out)
	// The signal may come before the level after the warmup has begun.
	n := len(e.Measurements)
	cut := n == 1 || n == 2 && e.Measurements[1].Result.CutShort
	code, why := cmd.ProcessState.ExitCode(), protocol.ErrStopped.Error()
	if code != 1 || len(e.Stops) != 1 || !cut || !strings.Contains(e.Error, why) {
		t.Errorf("%v, %d stops, %d measurements: %s", cmd.ProcessState, len(e.Stops), n, e.Error)
	}
	if found := tool(t, "docker", "ps", "--all", "--quiet", "--filter", "label=servegauge.owner"); found != "" {
		t.Errorf("containers %s are left", found)
	}
}

// A published port goes through docker-proxy, which is said; a container's own address does not.
func TestDockerProxied(t *testing.T) {
	if os.Getenv("SERVEGAUGE_BRIDGE") == "none" {
		t.Fatal("the daemon has no bridge; .ci/dockerd makes one where it may")
	}
	buildImage(t)
	port := freeport.Get(t)
	out, args := quickly(t, port, "-runs", "1", "-server",
		"docker:run --publish 127.0.0.1:"+port+":8000 "+image+" some/model --host 0.0.0.0")
	if p := run(t, "multirun", args...); p.code != 0 || !p.says("proxied") {
		t.Fatalf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	if s := read(t, out).Starts[0]; s.Path.Via != "docker-proxy" || !hasCode(s.Warnings, protocol.WarnProxied) {
		t.Errorf("path %+v, warnings %v", s.Path, s.Warnings)
	}
}
