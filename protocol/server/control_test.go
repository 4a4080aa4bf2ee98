//go:build unix

package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// fakeDocker is a docker of files, put in front of the PATH: a container is a folder, and what is in it its state. In
// the folder itself, broken says that the daemon is down, and lazy that stop and start do nothing.
const fakeDocker = `#!/bin/sh
cd "$FAKE_DOCKER" || exit 1
echo "$@" >> log
[ ! -e broken ] || { echo "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?" >&2
	exit 1; }
for last; do :; done
started() { date +%s%N > $1/started; echo running > $1/status; rm -f $1/code; }
case $1 in
container)
	[ -d "$3" ] || { echo "Error: No such container: $3" >&2; exit 1; }
	cd "$3"; running=false; [ $(cat status) != running ] || running=true
	printf '[{"Id":"%s","State":{"Status":"%s","Running":%s,"Pid":999999,"ExitCode":%s,' \
		$(cat id) $(cat status) $running $(cat code 2>/dev/null || echo 0)
	printf '"OOMKilled":%s,"StartedAt":"%s"},"Config":{"Labels":{%s}}}]' \
		$(cat oom 2>/dev/null || echo false) $(cat started) "$(cat label 2>/dev/null)";;
run)
	label=; name=; shift
	while [ $# -gt 0 ]; do case $1 in
		--label) label=$2; shift;;
		--name) name=$2; shift;;
		slow) export name label # as the daemon does, it goes on when the command that asked is killed
			setsid sh -c 'sleep 0.5; mkdir "$name"; cd "$name"; date +%N > id; date +%s%N > started; echo running > status
				printf "%s" "\"servegauge.owner\":\"${label#*=}\"" > label' > /dev/null 2>&1 &
			sleep 60;;
		absent) echo "docker: Error response from daemon: pull access denied for absent" >&2; exit 125;;
		halfway) mkdir $name; echo created > $name/status; echo 1 > $name/started; date +%N > $name/id
			printf '"servegauge.owner":"%s"' "${label#*=}" > $name/label
			echo "docker: Error response from daemon: error gathering device information" >&2; exit 126;;
	esac; shift; done
	mkdir "$name" || exit 125
	date +%N > $name/id; printf '"servegauge.owner":"%s"' "${label#*=}" > $name/label; started $name;;
start) [ -d "$last" ] || { echo "Error response from daemon: No such container: $last" >&2; exit 1; }
	[ -e lazy ] || started $last;;
stop) [ -e lazy ] || { [ -e $last/stubborn ] && sleep $3 && echo 137 > $last/code; echo exited > $last/status; };;
kill) echo 137 > $last/code; echo exited > $last/status;;
wait) while [ -d "$last" ] && [ "$(cat $last/status)" = running ]; do sleep 0.05; done;;
logs) echo "loading"; echo "HIP out of memory" >&2;;
rm) [ "$(cat $last/status)" != running ] || exit 1; rm -r "$last";;
*) exit 64;;
esac
`

// docker makes a fake docker and containers of these names in it, which run.
func docker(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	for _, tool := range []string{"docker", "podman"} {
		if err := os.WriteFile(filepath.Join(bin, tool), []byte(fakeDocker), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("FAKE_DOCKER", dir)
	for _, name := range names {
		put(t, dir, name, "id", name+"0123456789abcdef")
		put(t, dir, name, "status", "running")
		put(t, dir, name, "started", "1")
	}
	return dir
}

func put(t *testing.T, dir, name, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name, file), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// parsed is a server as -server has it, at a port where nothing listens.
func parsed(t *testing.T, text string) protocol.Server {
	t.Helper()
	s, err := Parse(text, Options{URL: freeport.URL(t), Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func codes(warnings []loadgen.Warning) string {
	var out []string
	for _, w := range warnings {
		out = append(out, w.Code)
	}
	return strings.Join(out, " ")
}

func TestContainerByName(t *testing.T) {
	for _, tool := range []string{"docker", "podman"} {
		dir := docker(t, "vllm")
		s := parsed(t, tool+":vllm")
		seen := map[string]bool{}
		for run := range 3 {
			i, err := s.Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := codes(i.Warnings); (got == WarnReplaced) != (run == 0) {
				t.Errorf("warnings of start %d: %q", run+1, got)
			}
			id, err := i.Identity(t.Context())
			if err != nil || id.Kind != tool || id.Container != "vllm0123456789abcdef" {
				t.Errorf("%+v %v", id, err)
			}
			seen[id.Proof] = true
			stop, err := i.Stop(t.Context())
			if err != nil || stop.ExitCode == nil || *stop.ExitCode != 0 || stop.Killed {
				t.Errorf("%+v %v", stop, err)
			}
		}
		if len(seen) != 3 {
			t.Errorf("%d proofs of three starts: %v", len(seen), seen)
		}
		if !exists(filepath.Join(dir, "vllm")) {
			t.Error("a container that was not made here was removed")
		}
	}
}

func TestContainerThatIsMade(t *testing.T) {
	dir := docker(t)
	s := parsed(t, "docker:run --rm --name made image --model 'a b'")
	for range 2 {
		i, err := s.Start(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := i.Identity(t.Context()); err != nil || len(i.Warnings) != 0 {
			t.Errorf("%v %v", err, i.Warnings)
		}
		if _, err := i.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if exists(filepath.Join(dir, "made")) {
			t.Error("the container is still there")
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	text := string(log)
	if strings.Contains(text, "--rm") || !strings.Contains(text, "run --detach --label servegauge.owner=") ||
		!strings.Contains(text, "--name made image --model a b\n") {
		t.Errorf("%s", log)
	}
	// Without a name it has one that follows from its arguments, so that the next run finds what this one left.
	i, err := parsed(t, "docker:run image").Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "servegauge-*")); len(found) != 1 {
		t.Errorf("%v", found)
	}
	if _, err := i.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// A container of ours that a killed run left is removed; somebody else's, and one that is in use, are left alone.
func TestContainerThatIsThere(t *testing.T) {
	own := owner()
	if _, start, _ := strings.Cut(own, " "); start == "" {
		own = "1 " // this system does not tell when a process was started
	}
	for _, c := range []struct{ name, label, say string }{
		{"somebody's", "", "not make"},
		{"in use", fmt.Sprintf("%d %s", os.Getppid(), processStart(os.Getppid())), "uses the container"},
		{"left over", fmt.Sprintf("%d %s", os.Getpid(), "another boot 1"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if processStart(os.Getpid()) == "" && c.say == "" {
				return
			}
			dir := docker(t, "made")
			if c.label != "" {
				put(t, dir, "made", "label", fmt.Sprintf("%q:%q", ownerLabel, c.label))
			}
			i, err := parsed(t, "docker:run --name made image").Start(t.Context())
			if c.say != "" {
				var server *protocol.ServerError
				if !errors.As(err, &server) || !strings.Contains(err.Error(), c.say) ||
					!strings.Contains(err.Error(), "made") {
					t.Errorf("%v, want an error that says %q", err, c.say)
				}
				if status, _ := os.ReadFile(filepath.Join(dir, "made",
					"status")); strings.TrimSpace(string(status)) != "running" {
					t.Errorf("it was touched: %s", status)
				}
				return
			}
			if err != nil || codes(i.Warnings) != WarnLeftOver {
				t.Fatalf("%v", err)
			}
			if _, err := i.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestContainersThatDoNotStart(t *testing.T) {
	for _, c := range []struct {
		name, server, file, say string
	}{
		{"the daemon is down", "docker:vllm", "broken", "Is the docker daemon running?"},
		{"the daemon is down for one that is made", "docker:run --name made image", "broken", "Is the docker daemon"},
		{"no such container", "docker:another", "", "No such container: another"},
		{"no such image", "docker:run --name made absent", "", "pull access denied for absent"},
		{"made, but not started", "docker:run --name made halfway", "", "device information"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := docker(t, "vllm")
			if c.file != "" {
				put(t, dir, "", c.file, "")
			}
			_, err := parsed(t, c.server).Start(t.Context())
			var server *protocol.ServerError
			if !errors.As(err, &server) || !strings.Contains(err.Error(), c.say) {
				t.Errorf("%v, want a ServerError that says %q", err, c.say)
			}
			if exists(filepath.Join(dir, "made")) {
				t.Error("a container is left")
			}
		})
	}
}

// A daemon that is down is what the error says, and not what its tool prints on the side; nothing is taken for absent.
func TestDaemonThatIsDown(t *testing.T) {
	bin := t.TempDir()
	const down = "#!/bin/sh\necho '[]'\necho 'Cannot connect to the Docker daemon at " +
		"unix:///var/run/docker.sock.' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(down), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, text := range []string{"docker:vllm", "docker:run --name made image"} {
		_, err := parsed(t, text).Start(t.Context())
		if err == nil || !strings.HasSuffix(err.Error(),
			"it last said: Cannot connect to the Docker daemon at unix:///var/run/docker.sock.") {
			t.Errorf("%s: %v", text, err)
		}
	}
	// One that complains on standard output is heard too.
	said := "#!/bin/sh\necho 'no permission'\nexit 1\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(said), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := parsed(t, "docker:vllm").Start(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "no permission") {
		t.Error(err)
	}
}

// A start that is cut off leaves nothing, although the daemon goes on when the command that asked it was killed.
func TestContainerWhoseStartIsCutOff(t *testing.T) {
	dir := docker(t)
	short, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := func(word string) bool {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return strings.Contains(string(log), word)
	}
	go func() {
		eventually(t, "docker is asked to run it", func() bool { return said("run ") })
		cancel()
	}()
	if _, err := parsed(t, "docker:run --name made slow").Start(short); err == nil {
		t.Error("it has started")
	}
	if exists(filepath.Join(dir, "made")) || !said("rm made") {
		t.Error("a container is left, or there was none")
	}
}

// A tool that says that it has done what it has not is found out by what the runtime says.
func TestRestartThatDoesNothing(t *testing.T) {
	dir := docker(t, "vllm")
	put(t, dir, "", "lazy", "")
	c := Docker("vllm", Options{URL: freeport.URL(t), Grace: time.Second})
	c.Kill = nil
	if _, err := c.Server().Start(t.Context()); err == nil || !strings.Contains(err.Error(), "still runs") {
		t.Errorf("%v", err)
	}
	c.Stop = []string{"docker", "kill", "vllm"} // it stops, and then the old one is back
	c.Start = []string{"sh", "-c", "echo running > " + filepath.Join(dir, "vllm", "status")}
	if _, err := c.Server().Start(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "the restart did nothing") {
		t.Errorf("%v", err)
	}
}

func TestContainerThatIgnoresTheRequestToStop(t *testing.T) {
	dir := docker(t, "vllm")
	i, err := parsed(t, "docker:vllm").Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "vllm", "stubborn", "")
	stop, err := i.Stop(t.Context())
	if err != nil || !stop.Killed || codes(stop.Warnings) != WarnKilled || *stop.ExitCode != 137 {
		t.Errorf("%+v %v", stop, err)
	}
	// Who has no patience kills it.
	if i, err = parsed(t, "docker:vllm").Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if stop, err = i.Stop(impatient); err != nil || !stop.Killed {
		t.Errorf("%+v %v", stop, err)
	}
}

// A container that ends by itself, or is started anew by somebody else, is noticed, and the last that it said is kept.
func TestContainerThatEnds(t *testing.T) {
	for _, c := range []struct{ name, status, started, say string }{
		{"dead", "exited", "2", "exit code 137, out of memory"},
		{"restarted", "running", "3", "another instance"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := docker(t, "vllm")
			i, err := parsed(t, "docker:vllm").Start(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := i.Identity(t.Context()); err != nil {
				t.Fatal(err)
			}
			put(t, dir, "vllm", "code", "137")
			put(t, dir, "vllm", "oom", "true")
			put(t, dir, "vllm", "status", "exited")
			if c.status == "running" {
				put(t, dir, "vllm", "started", c.started)
				put(t, dir, "vllm", "status", c.status)
				if _, err := i.Identity(t.Context()); err == nil || !strings.Contains(err.Error(), c.say) {
					t.Errorf("%v, want an error that says %q", err, c.say)
				}
				return
			}
			select {
			case <-i.Exited:
			case <-time.After(time.Minute):
				t.Fatal("that it ended was not noticed")
			}
			err = i.Err()
			if err == nil || !strings.Contains(err.Error(), c.say) ||
				!strings.Contains(err.Error(), "HIP out of memory") {
				t.Errorf("%v, want an error that says %q and the last that it said", err, c.say)
			}
			stop, err := i.Stop(t.Context())
			if err != nil || !stop.OOMKilled || *stop.ExitCode != 137 || stop.Killed {
				t.Errorf("%+v %v", stop, err)
			}
		})
	}
}
