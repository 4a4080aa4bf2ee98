package envinfo_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/fact"
)

// What the runtimes answer is made of the fields that their documents name (docs.docker.com/reference/api/engine:
// ContainerInspect, ImageInspect, SystemVersion; docs.podman.io podman-inspect; kubernetes.io/docs/reference: Pod v1,
// Node v1). The values are made up.

var (
	containerHex = strings.Repeat("3fa9c1d2", 8)
	imageSHA     = "sha256:" + strings.Repeat("1a", 32)
	otherSHA     = "sha256:" + strings.Repeat("2b", 32)
	repoSHA      = "sha256:" + strings.Repeat("3c", 32)
	mirrorSHA    = "sha256:" + strings.Repeat("4d", 32)
	commitA      = strings.Repeat("a0", 20)
	commitB      = strings.Repeat("b1", 20)
)

// scope of everything in the container of these tests.
const inContainer = fact.Scope("container:3fa9c1d23fa9")

// answers are what a runtime writes, by its command line. What is not among them fails.
type answers map[string]string

func (a answers) run(_ context.Context, program string, args ...string) ([]byte, error) {
	line := strings.Join(append([]string{program}, args...), " ")
	if strings.Contains(line, " sh -c ") {
		line = "sh"
	}
	if out, ok := a[line]; ok {
		return []byte(out), nil
	}
	return nil, errors.New("exit status 1: no such object at tcp://admin:hunter2@10.0.0.1:2375")
}

func captureContainer(t testing.TB, runtime, name string, opts container.Options) *container.Container {
	t.Helper()
	c, err := container.Capture(t.Context(), runtime, name, opts)
	if err != nil {
		t.Fatal(err)
	}
	env := capture(t, cpuHost().fs())
	env.Containers = []container.Container{*c}
	checkLeaves(t, env)
	if err := env.WriteText(io.Discard); err != nil {
		t.Error(err)
	}
	return c
}

func dockerAnswers(reference string) answers {
	inspect := fmt.Sprintf(`[{"Id": %q, "Name": "/vllm", "Created": "2026-01-02T03:04:05.678Z",
	"Path": "/bin/bash", "Args": ["-c",
	"exec vllm serve amd/Model-FP8 -tp 8 --max-model-len 32k --gpu_memory_utilization=0.95 `+
		`--enforce-eager --api-key k1-planted --max-num-batched-tokens 8192"],
	"State": {"Status": "running", "Pid": 0, "StartedAt": "2026-01-02T03:04:06Z"}, "Image": %q,
	"Config": {"Image": %q, "WorkingDir": "/app", "Env": ["PATH=/usr/bin", "HF_HOME=/data/hf",
	"HF_TOKEN=hf_plantedplanted", "VLLM_USE_V1=1",
		"NCCL_PROXY=http://user:planted@proxy:80/x", "MYSQL_HOST=planted", "VLLM_API_KEY=planted"]},
	"HostConfig": {"Devices": [{"PathOnHost": "/dev/kfd", "PathInContainer": "/dev/kfd", "CgroupPermissions": "rwm"},
	{"PathOnHost": "/dev/dri", "PathInContainer": "/dev/dri2"}],
		"DeviceRequests": [{"Driver": "nvidia", "Count": -1, "Capabilities": [["gpu"]]}],
		"ShmSize": 17179869184, "IpcMode": "host", "NetworkMode": "host", "Privileged": false, "CpusetCpus": "",
		"NanoCpus": 1500000000, "CpuQuota": 0, "CpuPeriod": 0, "Memory": 0},
	"Mounts": [{"Type": "bind", "Source": "/srv/hf", "Destination": "/data/hf", "RW": true}, {"Type": "volume",
	"Name": "cache", "Source": "/var/lib/docker/volumes/cache/_data", "Destination": "/c", "RW": false}]}]`,
		containerHex, imageSHA, reference)
	image := `[{"Id": %q, "RepoDigests": ["docker.io/rocm/vllm@` + repoSHA + `",
	"mirror.local/vllm@` + mirrorSHA + `"]}]`
	return answers{
		"docker inspect --type container vllm": inspect,
		"docker image inspect " + imageSHA:     fmt.Sprintf(image, imageSHA),
		"docker version --format {{json .}}": `{"Client": {"Version": "28.2.2"}, "Server": {"Version": "28.2.1",
		"Components": [{"Name": "Engine", "Version": "28.2.1"},
			{"Name": "containerd", "Version": "1.7.27"}, {"Name": "runc", "Version": "1.2.5"}]}}`,
	}
}

// inside is a tar file as tar in the container would write it.
func inside(t testing.TB, files tree) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, data := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)),
			Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const sitePackages = "usr/local/lib/python3.12/dist-packages/"

func insideFiles() tree {
	return tree{
		"opt/rocm/.info/version":       "7.0.0\n",
		"opt/rocm/include/rccl/rccl.h": "#define NCCL_VERSION_CODE 22606\n",
		sitePackages + "vllm-0.14.1+rocm700.dist-info/METADATA": "Metadata-Version: 2.4\nName: vllm\nVersion: " +
			"0.14.1+rocm700\n\nVersion: 9\n",
		sitePackages + "torch-2.9.0a0+git1.dist-info/METADATA": "Name: torch\nVersion: 2.9.0a0+git1\n",
		sitePackages + "flash_attn-2.8.0.dist-info/METADATA":   "Name: flash_attn\nVersion: <html>\n",
		sitePackages + "torch/version.py": "__version__ = '2.9.0a0+git1'\ncuda: " +
			"Optional[str] = None\nhip: Optional[str] = '7.0.51831-a3e329ad8'\n",
		"data/hf/hub/models--amd--Model-FP8/refs/main": commitA,
		"data/hf/hub/models--amd--Model-FP8/snapshots/" + commitA +
			"/config.json": `{"architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16",
			"num_hidden_layers": 80, "quantization_config": {"quant_method": "fp8", "fmt": "e4m3"}}`,
	}
}

func TestDocker(t *testing.T) {
	a := dockerAnswers("rocm/vllm:latest@" + repoSHA)
	a["sh"] = inside(t, insideFiles())
	c := captureContainer(t, "docker", "vllm", container.Options{Run: a.run})
	for what, v := range map[string]struct {
		value fact.Value[string]
		want  string
	}{
		"id": {c.ID, containerHex}, "name": {c.Name, "vllm"}, "image": {c.Image, "rocm/vllm:latest@" + repoSHA},
		"image id":      {c.ImageID, imageSHA},
		"digest":        {c.RepoDigests[0], "docker.io/rocm/vllm@" + repoSHA},
		"second digest": {c.RepoDigests[1], "mirror.local/vllm@" + mirrorSHA},
		"pinned":        {c.PinnedDigest, repoSHA}, "state": {c.State, "running"},
		"created": {c.Created, "2026-01-02T03:04:05.678Z"},
		"started": {c.Started, "2026-01-02T03:04:06Z"}, "ipc": {c.IPC, "host"}, "network": {c.Network, "host"},
		"cpuset": {c.CPUSet, "all"},
		"device": {c.Devices[0], "/dev/kfd"}, "renamed device": {c.Devices[1], "/dev/dri → /dev/dri2"},
		"request": {c.Devices[2], "nvidia all [gpu]"},
		"mount":   {c.Mounts[0], "bind /srv/hf → /data/hf"}, "volume": {c.Mounts[1], "volume cache → /c (ro)"},
		"model": {c.Engine.Model, "amd/Model-FP8"}, "revision": {c.Model.Revision, commitA},
		"dtype":        {c.Model.DType, "bfloat16"},
		"quantization": {c.Model.Quantization, "fp8"}, "format": {c.Model.QuantizationFormat, "e4m3"},
	} {
		known(t, what, v.value, v.want)
		if v.value.Scope() != inContainer {
			t.Errorf("scope of %s is %q", what, v.value.Scope())
		}
	}
	known(t, "shm", c.ShmSize, 16<<30)
	known(t, "privileged", c.Privileged, false)
	known(t, "CPUs", c.CPULimit, 1.5)
	known(t, "memory", c.MemoryLimit, fact.NoLimit())
	known(t, "tensor parallel", c.Engine.TensorParallel, 8)
	known(t, "context", c.Engine.MaxModelLen, 32000)
	known(t, "batched tokens", c.Engine.MaxBatchedTokens, 8192)
	known(t, "memory share", c.Engine.GPUMemoryUtilization, 0.95)
	if len(c.Warnings) > 0 {
		t.Errorf("warnings %v", c.Warnings)
	}
	software := map[string]string{}
	for _, s := range append(c.Versions, c.Software...) {
		software[s.Name] = string(s.Version.Scope()) + " " + s.Version.String()
	}
	const python = "container:3fa9c1d23fa9/python:/usr/local "
	for name, want := range map[string]string{
		"docker": "host 28.2.1", "containerd": "host 1.7.27", "runc": "host 1.2.5",
		"ROCm": string(inContainer) + " 7.0.0", "RCCL": string(inContainer) + " 2.26.6",
		"vllm": python + "0.14.1+rocm700", "torch": python + "2.9.0a0+git1",
		"torch, built for HIP": python + "7.0.51831-a3e329ad8",
		"flash-attn": python + `unknown (/` + sitePackages +
			`flash_attn-2.8.0.dist-info/METADATA: "<html>" is not a version)`,
	} {
		if software[name] != want {
			t.Errorf("%s is %q, want %q", name, software[name], want)
		}
	}
	b, err := json.Marshal(c)
	if err != nil || bytes.Contains(b, []byte("planted")) || bytes.Contains(b, []byte("MYSQL")) {
		t.Errorf("a secret or a variable that is none of ours is in it: %v %s", err, b)
	}
	var names []string
	for _, s := range c.Environment {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "HF_HOME HF_TOKEN VLLM_USE_V1 NCCL_PROXY VLLM_API_KEY" {
		t.Errorf("variables %s", got)
	}
}

func TestPinnedDigest(t *testing.T) {
	for _, test := range []struct {
		name, reference, image, pinned string
		tagged                         string // the id that the reference names now
		warning                        string
	}{
		{name: "the second digest", reference: "vllm@" + mirrorSHA},
		{name: "another", reference: "vllm@" + otherSHA, warning: "another image runs: docker.io/rocm/vllm@" + repoSHA},
		{name: "the image's own", reference: "vllm@" + imageSHA},
		{name: "asked for, and running", reference: "vllm", pinned: repoSHA},
		{name: "asked for, and another", reference: "vllm", pinned: otherSHA, warning: "another image runs"},
		{name: "local build", reference: "vllm", pinned: otherSHA, image: `[{"Id": "` + imageSHA + `",
		"RepoDigests": []}]`, warning: "has no digest of a registry"},
		{name: "local build, not pinned", reference: "vllm", image: `[{"Id": "` + imageSHA + `",
		"RepoDigests": null}]`},
		{name: "image gone", reference: "vllm@" + otherSHA, image: "[]", warning: "digests were not read"},
		{name: "moved tag", reference: "vllm:latest", tagged: otherSHA, warning: "vllm:latest now names " + otherSHA},
		{name: "tag in place", reference: "vllm:latest", tagged: imageSHA},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := dockerAnswers(test.reference)
			if test.image != "" {
				a["docker image inspect "+imageSHA] = test.image
			}
			if test.tagged != "" {
				a["docker image inspect "+test.reference] = `[{"Id": "` + test.tagged + `"}]`
			}
			c := captureContainer(t, "docker", "vllm", container.Options{Run: a.run, Pinned: test.pinned})
			got := fmt.Sprint(c.Warnings)
			if test.warning == "" && len(c.Warnings) > 0 || !strings.Contains(got, test.warning) {
				t.Errorf("warnings %s, want %q", got, test.warning)
			}
			if strings.Contains(test.name, "local build") && len(c.RepoDigests) != 0 {
				t.Errorf("digests %v", c.RepoDigests)
			}
		})
	}
}

func TestPodman(t *testing.T) {
	a := answers{
		"podman inspect --type container c": `[{"Id": "` + containerHex + `", "Image": "` + strings.TrimPrefix(imageSHA,
			"sha256:") + `", "ImageName": "quay.io/x/vllm:1",
			"State": {"Status": "exited", "StartedAt": "0001-01-01T00:00:00Z"}, "Config": {"Entrypoint": "vllm serve",
			"Env": null}, "HostConfig": {"CpuQuota": 250000, "CpuPeriod": 100000, "Memory": 1024}}]`,
		"podman image inspect " + strings.TrimPrefix(imageSHA, "sha256:"): `[{"Id": "x",
		"RepoDigests": ["quay.io/x/vllm@` + repoSHA + `"]}]`,
		"podman version --format {{json .}}": `{"Client": {"APIVersion": "5.4.0",
		"Version": "5.4.0"}}`,
	}
	c := captureContainer(t, "podman", "c", container.Options{Run: a.run})
	known(t, "image", c.Image, "quay.io/x/vllm:1")
	known(t, "image id", c.ImageID, imageSHA)
	known(t, "podman", c.Versions[0].Version, "5.4.0")
	known(t, "CPUs", c.CPULimit, 2.5)
	known(t, "memory", c.MemoryLimit, 1024)
	if _, ok := c.Started.Get(); ok {
		t.Errorf("it was never started: %v", c.Started)
	}
	for what, v := range map[string]fact.Value[string]{"ipc": c.IPC, "network": c.Network, "command": c.Command,
		"cpuset": c.CPUSet} {
		unknown(t, what, v, "podman inspect --type container c: does not say")
	}
	if _, ok := c.ShmSize.Get(); ok {
		t.Errorf("shm is %v, from nowhere", c.ShmSize)
	}
	if _, ok := c.Software[0].Version.Get(); ok || !strings.Contains(c.Software[0].Version.Reason(), "not running") {
		t.Errorf("software %v", c.Software)
	}
}

func TestKubernetes(t *testing.T) {
	pod := `{"metadata": {"name": "vllm-0", "namespace": "llm", "creationTimestamp": "2026-01-02T03:04:05Z"},
	"spec": {"nodeName": "gpu-01", "hostIPC": true, "containers": [{"name": "sidecar", "image": "x"}, {"name": "vllm",
	"image": "docker.io/vllm/vllm-openai@` + repoSHA + `",
		"args": ["--model", "org/m", "--tensor-parallel-size=4", "--api-key=planted"], "env": [{"name": "HF_HOME",
		"value": "/data"}, {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "planted"}}}],
		"resources": {"limits": {"cpu": "1500m", "memory": "64Gi", "amd.com/gpu": "8"}},
		"volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}, {"name": "s", "mountPath": "/etc/s",
		"readOnly": true}]}],
		"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "16Gi"}}, {"name": "s",
		"secret": {"secretName": "planted"}}]},
	"status": {"containerStatuses": [{"name": "vllm", "imageID": %q,
	"containerID": "containerd://` + containerHex + `", "state": {"running": {"startedAt": "2026-01-02T03:05:00Z"}}}]}}`
	for _, test := range []struct{ imageID, id, repo string }{
		{"docker.io/vllm/vllm-openai@" + repoSHA, "", "docker.io/vllm/vllm-openai@" + repoSHA},
		{"docker-pullable://vllm/vllm-openai@" + repoSHA, "", "vllm/vllm-openai@" + repoSHA},
		{"docker://" + imageSHA, imageSHA, ""},
		{imageSHA, imageSHA, ""},
		{"docker://repo@" + imageSHA, "", ""},
		{"", "", ""},
	} {
		a := answers{
			"kubectl get pod vllm-0 -n llm -o json": fmt.Sprintf(pod, test.imageID),
			"kubectl get node gpu-01 -o json": `{"status": {"nodeInfo": {"kubeletVersion": "v1.33.1",
			"containerRuntimeVersion": "containerd://2.0.5"}}}`,
		}
		c := captureContainer(t, "kubernetes", "llm/vllm-0/vllm", container.Options{Run: a.run})
		if id, _ := c.ImageID.Get(); id != test.id {
			t.Errorf("%q: image id %v", test.imageID, c.ImageID)
		}
		if repo, _ := c.RepoDigests[0].Get(); repo != test.repo {
			t.Errorf("%q: digests %v", test.imageID, c.RepoDigests)
		}
		known(t, "name", c.Name, "llm/vllm-0/vllm")
		known(t, "started", c.Started, "2026-01-02T03:05:00Z")
		known(t, "CPUs", c.CPULimit, 1.5)
		known(t, "memory", c.MemoryLimit, 64<<30)
		known(t, "shm", c.ShmSize, 16<<30)
		known(t, "ipc", c.IPC, "host")
		known(t, "network", c.Network, "pod")
		known(t, "device", c.Devices[0], "amd.com/gpu: 8")
		known(t, "secret", c.Mounts[1], "secret → /etc/s (ro)")
		known(t, "kubelet", c.Versions[0].Version, "v1.33.1")
		known(t, "containerd", c.Versions[1].Version, "2.0.5")
		known(t, "model", c.Engine.Model, "org/m")
		known(t, "tensor parallel", c.Engine.TensorParallel, 4)
		if b, err := json.Marshal(c); err != nil || bytes.Contains(b, []byte("planted")) {
			t.Errorf("a secret is in it: %v %s", err, b)
		}
	}
	a := answers{"kubectl get pod vllm-0 -n llm -o json": fmt.Sprintf(pod, "")}
	if _, err := container.Capture(t.Context(), "kubernetes", "llm/vllm-0",
		container.Options{Run: a.run}); err == nil ||
		!strings.Contains(err.Error(), "sidecar, vllm") {
		t.Errorf("with two containers: %v", err)
	}
}

// A runtime that answers nothing, or nonsense, costs the values and no more.
func TestContainerUnread(t *testing.T) {
	for _, runtime := range []string{"docker", "podman", "kubernetes"} {
		for _, out := range []string{"", "[]", "null", "[{}]", "{}", "<html>", `[{"Id": 1}]`,
			`[{"Id": "` + containerHex + `"}]`} {
			run := func(context.Context, string, ...string) ([]byte, error) { return []byte(out), nil }
			c := captureContainer(t, runtime, "c", container.Options{Run: run})
			if _, ok := c.Image.Get(); ok || c.Image.Reason() == "not captured" ||
				c.ShmSize.Reason() == "not captured" ||
				len(c.Software) != 1 {
				t.Errorf("%s said %q: %+v", runtime, out, c)
			}
		}
		c := captureContainer(t, runtime, "c", container.Options{Run: answers{}.run})
		if b, err := json.Marshal(c); err != nil || bytes.Contains(b, []byte("hunter2")) ||
			!bytes.Contains(b, []byte("no such object")) {
			t.Errorf("%v %s", err, b)
		}
	}
}

func TestContainerArguments(t *testing.T) {
	for _, test := range []struct {
		runtime, name string
		opts          container.Options
		want          string
	}{
		{"docker", "--help", container.Options{}, `"--help"`},
		{"docker", "", container.Options{}, "give its name or id"},
		{"lxc", "c", container.Options{Run: answers{}.run}, `"lxc"`},
		{"docker", "c", container.Options{Timeout: -1}, "Timeout is -1ns"},
		{"docker", "c", container.Options{Pinned: "latest"}, `Pinned is "latest"`},
		{"kubernetes", "a/b/c/d", container.Options{Run: answers{}.run}, "NAMESPACE/POD"},
		{"kubernetes", "a/-b", container.Options{Run: answers{}.run}, "NAMESPACE/POD"},
	} {
		c, err := container.Capture(t.Context(), test.runtime, test.name, test.opts)
		if c != nil || err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %q: %v, %v; want %s", test.runtime, test.name, c, err, test.want)
		}
	}
}

func TestCommandBound(t *testing.T) {
	run := func(context.Context, string, ...string) ([]byte, error) {
		return fmt.Appendf(nil, `[{"Id": %q, "Path": "vllm", "Args": ["serve", %q]}]`, containerHex,
			strings.Repeat("x", 1<<20)), nil
	}
	c := captureContainer(t, "docker", "c", container.Options{Run: run})
	unknown(t, "command", c.Command, "larger than 32768 bytes, refused")
	if c.Engine != nil {
		t.Errorf("an engine of %v", c.Engine.Arguments)
	}
}

// A runtime that does not answer is bounded by the options' time, not by its own.
func TestContainerTimeout(t *testing.T) {
	run := func(ctx context.Context, _ string, _ ...string) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	c := captureContainer(t, "docker", "c", container.Options{Run: run, Timeout: time.Millisecond})
	unknown(t, "image", c.Image, "docker inspect --type container c: context deadline exceeded")
}
