//go:build docker && linux

package examples_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/servegauge/servegauge/internal/freeport"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/protocol"
)

// restarts runs three restarts of a server that exists, and checks that each was another one.
func restarts(t *testing.T, kind, port, server string) *protocol.Experiment {
	t.Helper()
	out, args := quickly(t, port, "-runs", "3", "-server", server)
	if p := run(t, "multirun", args...); p.code != 0 {
		t.Fatalf("exit code %d\n%s\n%s", p.code, p.stdout, p.stderr)
	}
	e := read(t, out)
	threeStarts(t, e, kind)
	return e
}

func threeStarts(t *testing.T, e *protocol.Experiment, kind string) {
	t.Helper()
	proofs := map[string]bool{}
	for _, s := range e.Starts {
		proofs[s.Instance] = true
		if s.Identity.Kind != kind || s.Instance == "" {
			t.Errorf("%+v", s.Identity)
		}
	}
	if a := protocol.Analyze(e); len(proofs) != 3 || a.Unit != protocol.UnitRestart {
		t.Errorf("%d proofs: %v; %s", len(proofs), proofs, a.Unit)
	}
}

// Podman, of Debian, with what its containers may not ask for in a sandbox left out.
func TestDockerIsPodman(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "containers.conf")
	text := "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\nnetns = \"host\"\n" +
		"[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n"
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONTAINERS_CONF", config)
	tool(t, "podman", "build", "--quiet", "--tag", image, imageContext(t))
	port := freeport.Get(t)
	name := "servegauge-test-" + port
	tool(t, "podman", "run", "--detach", "--name", name, image, "some/model", "--port", port)
	t.Cleanup(func() { _ = exec.Command("podman", "rm", "--force", name).Run() })
	e := restarts(t, "podman", port, "podman:"+name)
	if len(e.Starts[0].Server.Containers) != 1 {
		t.Errorf("no container in the evidence")
	}
	port = freeport.Get(t)
	restarts(t, "podman", port, "podman:run --rm "+image+" some/model --port "+port)
	if found := tool(t, "podman", "ps", "--all", "--quiet", "--filter", "label=servegauge.owner"); found != "" {
		t.Errorf("containers %s are left", found)
	}
}

func TestDockerCompose(t *testing.T) {
	buildImage(t)
	port := freeport.Get(t)
	file := filepath.Join(t.TempDir(), "compose.yaml")
	text := fmt.Sprintf("version: '2.4'\nservices:\n  web:\n    image: %s\n    network_mode: host\n"+
		"    command: [some/model, --port, '%s']\n", image, port)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("COMPOSE_FILE", file)
	t.Setenv("COMPOSE_PROJECT_NAME", "servegaugetest"+port)
	t.Cleanup(func() { _ = exec.Command("docker-compose", "down", "--timeout", "1").Run() })
	e := restarts(t, "compose", port, "compose:web")
	if len(e.Starts[0].Server.Containers) != 1 {
		t.Errorf("no container in the evidence")
	}
}

// Systemd is the first process of a container, made by debootstrap, and multirun runs inside.
func TestDockerSystemd(t *testing.T) {
	dir := imageContext(t)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "multirun"), "./multirun")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root := filepath.Join(t.TempDir(), "root")
	tool(t, "debootstrap", "--variant=minbase", "--include=systemd", "bookworm", root)
	port := freeport.Get(t)
	unit := "[Service]\nExecStart=/usr/bin/vllm serve some/model --port " + port + "\n"
	if err := os.WriteFile(filepath.Join(root, "etc/systemd/system/vllm.service"), []byte(unit), 0o644); err != nil {
		t.Fatal(err)
	}
	tool(t, "cp", filepath.Join(dir, "vllm"), filepath.Join(dir, "multirun"), filepath.Join(root, "usr/bin"))
	tool(t, "sh", "-c", "tar -C "+root+" -c . | "+
		"docker import --change 'CMD [\"/lib/systemd/systemd\"]' - servegauge-systemd:1")
	name := "servegauge-test-" + port
	tool(t, "docker", "run", "--detach", "--name", name, "--network=host",
		"--cap-add=SYS_ADMIN", "--security-opt=seccomp=unconfined", "--env=container=docker",
		"--tmpfs=/run", "--tmpfs=/tmp", "--volume=/sys/fs/cgroup:/sys/fs/cgroup", "servegauge-systemd:1")
	t.Cleanup(func() { _ = exec.Command("docker", "rm", "--force", name).Run() })
	for range 300 {
		out, _ := exec.Command("docker", "exec", name, "systemctl", "is-system-running").Output()
		if strings.TrimSpace(string(out)) == "running" {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	_, args := quickly(t, port, "-runs", "3", "-server", "systemd:vllm.service", "-out", "/out")
	tool(t, "docker", append([]string{"exec", name, "multirun"}, args...)...)
	out := t.TempDir()
	tool(t, "docker", "cp", name+":/out/.", out)
	e := read(t, out)
	threeStarts(t, e, "systemd")
	if len(e.Starts[0].Identity.PIDs) != 1 {
		t.Errorf("%+v", e.Starts[0].Identity)
	}
	_, args = quickly(t, port, "-runs", "1", "-server", "systemd:no-such.service", "-out", "/out2")
	text, err := exec.Command("docker", append([]string{"exec", name, "multirun"}, args...)...).CombinedOutput()
	if err == nil || !strings.Contains(string(text), "no-such.service not found") {
		t.Errorf("a unit that cannot be started: %v\n%s", err, text)
	}
}

// Kubectl is the real one. The cluster is an HTTP server that knows a deployment and its pods, and a pod is a simulated
// server at one port. What it does not show is a real cluster: its scheduler, its network and its kubelet.
func TestDockerKubectl(t *testing.T) {
	port := freeport.Get(t)
	c := &cluster{port: port, replicas: 1}
	c.scale(1)
	defer c.scale(0)
	api := httptest.NewServer(c)
	defer api.Close()
	config := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: "+
		"%s}}]\n"+
		"contexts: [{name: c, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n", api.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", config)
	e := restarts(t, "kubectl", port, "kubectl:models/deploy/vllm")
	if e.Starts[0].Identity.Host != "gpu-1" || !strings.HasPrefix(e.Starts[2].Identity.Container, "vllm-6c9f-") {
		t.Errorf("%+v", e.Starts[2].Identity)
	}
	_, args := quickly(t, port, "-runs", "1", "-server", "kubectl:models/deploy/other")
	failsWith(t, 1, []string{"deploy/other", "not found"}, "multirun", args...)
}

// A cluster has one deployment. Its pods come and go a moment after they were asked for.
type cluster struct {
	port string

	mu       sync.Mutex
	replicas int // as asked for
	starts   int
	server   *http.Server // of the pod, nil: there is none
}

func (c *cluster) scale(replicas int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.replicas = replicas
	if c.server != nil && replicas == 0 {
		_ = c.server.Close()
		c.server = nil
	}
	if c.server == nil && replicas > 0 {
		c.starts++
		listener, err := net.Listen("tcp", "127.0.0.1:"+c.port)
		if err != nil {
			return
		}
		c.server = &http.Server{Handler: &loadgentest.Simulated{MaxSequences: 8, DecodeRate: 500,
			Seed: uint64(c.starts)}}
		go func(s *http.Server) { _ = s.Serve(listener) }(c.server)
	}
}

type object = map[string]any

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const deployment = "/apis/apps/v1/namespaces/models/deployments/vllm"
	resource := func(name, kind string) object {
		return object{"name": name, "singularName": "", "namespaced": true, "kind": kind,
			"verbs": []string{"get", "list", "patch", "update"}}
	}
	c.mu.Lock()
	replicas, starts, runs := c.replicas, c.starts, c.server != nil
	c.mu.Unlock()
	meta := object{"name": "vllm", "namespace": "models", "uid": "d", "resourceVersion": "1"}
	scaled := func(n int) object {
		count := object{"replicas": n}
		return object{"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": count, "status": count}
	}
	var answer object
	switch path := r.URL.Path; {
	case path == "/api":
		answer = object{"kind": "APIVersions", "versions": []string{"v1"}}
	case path == "/apis":
		version := object{"groupVersion": "apps/v1", "version": "v1"}
		apps := object{"name": "apps", "versions": []object{version}, "preferredVersion": version}
		answer = object{"kind": "APIGroupList", "apiVersion": "v1", "groups": []object{apps}}
	case path == "/api/v1":
		pods := resource("pods", "Pod")
		pods["shortNames"] = []string{"po"}
		answer = object{"kind": "APIResourceList", "groupVersion": "v1", "resources": []object{pods}}
	case path == "/apis/apps/v1":
		deployments, scale := resource("deployments", "Deployment"), resource("deployments/scale", "Scale")
		deployments["shortNames"] = []string{"deploy"}
		scale["group"], scale["version"] = "autoscaling", "v1"
		answer = object{"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": []object{deployments, scale}}
	case path == deployment+"/scale" && r.Method != http.MethodGet:
		var asked struct{ Spec struct{ Replicas int } }
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.AfterFunc(300*time.Millisecond, func() { c.scale(asked.Spec.Replicas) })
		answer = scaled(asked.Spec.Replicas)
	case path == deployment+"/scale":
		answer = scaled(replicas)
	case path == deployment:
		answer = object{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": meta,
			"spec": object{"replicas": replicas}}
	case path == "/api/v1/namespaces/models/pods":
		items := []object{}
		if runs {
			items = append(items, object{
				"kind": "Pod", "apiVersion": "v1",
				"metadata": object{"name": fmt.Sprintf("vllm-6c9f-%d", starts), "uid": fmt.Sprint("uid", starts),
					"labels": object{"pod-template-hash": "6c9f"},
					"ownerReferences": []object{{"kind": "ReplicaSet", "name": "vllm-6c9f", "apiVersion": "apps/v1",
						"uid": "r"}}},
				"spec": object{"nodeName": "gpu-1"},
				"status": object{"containerStatuses": []object{{"name": "vllm",
					"containerID": fmt.Sprint("containerd://", starts), "state": object{"running": object{}}}}},
			})
		}
		answer = object{"kind": "PodList", "apiVersion": "v1", "metadata": object{}, "items": items}
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(object{"kind": "Status", "apiVersion": "v1", "status": "Failure",
			"reason": "NotFound", "code": 404, "message": "deployments.apps \"" + filepath.Base(path) + "\" not found"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}
