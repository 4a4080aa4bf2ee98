package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

const id = "3fa9c1d23fa9c1d23fa9c1d23fa9c1d23fa9c1d23fa9c1d23fa9c1d23fa9c1d2"

// captured is a container of which the runtime's inspect, or its pod, is text.
func captured(t *testing.T, runtime, text string) *Container {
	t.Helper()
	run := func(_ context.Context, program string, args ...string) ([]byte, error) {
		if line := strings.Join(args, " "); strings.HasPrefix(line, "inspect ") || strings.HasPrefix(line, "get pod ") {
			return []byte(text), nil
		}
		return nil, errors.New("not asked for here")
	}
	c, err := Capture(t.Context(), runtime, "c", Options{Run: run})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// said are the values of a list, and "?" with the reason for those that are not known.
func said(list []fact.Value[string]) string {
	var out []string
	for _, v := range list {
		if s, ok := v.Get(); ok {
			out = append(out, s)
		} else {
			out = append(out, "? "+v.Reason())
		}
	}
	return strings.Join(out, "; ")
}

// What no list of devices names is not nothing.
func TestDevicesOfDocker(t *testing.T) {
	for _, test := range []struct{ name, program, env, host, more, want string }{
		{"none", "docker", `"PATH=/bin"`, `"Runtime": "runc"`, "", ""},
		{"runtime of NVIDIA", "docker", `"NVIDIA_VISIBLE_DEVICES=0,1"`, `"Runtime": "nvidia"`, "", "nvidia 0,1"},
		{"and all", "docker", `"NVIDIA_VISIBLE_DEVICES=all"`, `"Runtime": "nvidia-container-runtime"`, "",
			"nvidia all"},
		{"and none", "docker", `"NVIDIA_VISIBLE_DEVICES=void"`, `"Runtime": "nvidia"`, "", ""},
		{"runtime of AMD", "docker", `"AMD_VISIBLE_DEVICES=0-3"`, `"Runtime": "amd"`, "", "amd 0-3"},
		{"variable of an image", "docker", `"NVIDIA_VISIBLE_DEVICES=all"`, `"Runtime": "runc"`, "", ""},
		{"a request", "docker", `"NVIDIA_VISIBLE_DEVICES=all"`,
			`"Runtime": "runc", "DeviceRequests": [{"Driver": "cdi",
			"DeviceIDs": ["nvidia.com/gpu=all"]}]`, "", "cdi nvidia.com/gpu=all"},
		{"a runtime that nobody knows", "docker", `"NVIDIA_VISIBLE_DEVICES=0"`, `"Runtime": "special"`, "",
			"whether the runtime special"},
		{"podman", "podman", `"NVIDIA_VISIBLE_DEVICES=all"`, `"Privileged": false`, `"OCIRuntime": "crun",`,
			"whether the runtime crun"},
		{"podman with a runtime of NVIDIA", "podman", `"NVIDIA_VISIBLE_DEVICES=MIG-1,MIG-2"`, `"Runtime": "oci"`,
			`"OCIRuntime": "/usr/bin/nvidia-container-runtime",`, "nvidia MIG-1,MIG-2"},
		{"podman with crun", "podman", `"PATH=/bin"`, `"Runtime": "oci"`, `"OCIRuntime": "crun",`, ""},
		{"podman's devices", "podman", `"PATH=/bin"`, `"Runtime": "oci", "Devices": [{"PathOnHost": "/dev/kfd",
			"PathInContainer": "/dev/kfd"}, {"PathOnHost": "/dev/nvidia1", "PathInContainer": "/dev/nvidia0"}]`,
			`"OCIRuntime": "crun",`, "/dev/kfd; /dev/nvidia1 → /dev/nvidia0"},
		{"a mount in place of a variable", "docker", `"NVIDIA_VISIBLE_DEVICES=void"`, `"Runtime": "nvidia"`,
			`"Mounts": [{"Type": "bind", "Source": "/dev/null",
			"Destination": "/var/run/nvidia-container-devices/cdi/nvidia.com/gpu/0"}],`,
			"nvidia cdi/nvidia.com/gpu/0"},
		{"a mount for another runtime", "docker", `"PATH=/bin"`, `"Runtime": "special"`,
			`"Mounts": [{"Type": "bind", "Source": "/dev/null",
			"Destination": "/var/run/nvidia-container-devices/all"}],`, "whether the runtime special"},
		{"a runtime of another maker", "docker", `"ASCEND_VISIBLE_DEVICES=0-7"`, `"Runtime": "ascend"`, "",
			"ascend 0-7"},
		{"--gpus all", "docker", `"NVIDIA_VISIBLE_DEVICES=all"`, `"Runtime": "runc", "DeviceRequests": [{"Driver": "",
			"Count": -1, "DeviceIDs": null, "Capabilities": [["gpu"]], "Options": {}}]`, "", "all [gpu]"},
		{"--gpus 2", "docker", `"PATH=/bin"`, `"Runtime": "runc", "DeviceRequests": [{"Driver": "", "Count": 2,
			"DeviceIDs": null, "Capabilities": [["gpu"]]}]`, "", "count 2 [gpu]"},
		{"--gpus device=0,2", "docker", `"PATH=/bin"`, `"Runtime": "runc", "DeviceRequests": [{"Driver": "amd",
			"Count": 0, "DeviceIDs": ["0", "2"], "Capabilities": [["gpu"]]}]`, "", "amd 0,2 [gpu]"},
		{"hidden from programs alone", "docker", `"HIP_VISIBLE_DEVICES=0", "ROCR_VISIBLE_DEVICES=1"`,
			`"Runtime": "runc", "Devices": [{"PathOnHost": "/dev/kfd", "PathInContainer": "/dev/kfd"}]`, "",
			"/dev/kfd"},
		{"privileged", "docker", `"PATH=/bin"`, `"Privileged": true, "Runtime": "runc"`, "", "all of the host's"},
		{"by a rule", "docker", `"PATH=/bin"`, `"Runtime": "runc",
		"DeviceCgroupRules": ["c 226:* rwm"]`, "", "rule c 226:* rwm"},
	} {
		c := captured(t, test.program, fmt.Sprintf(`[{"Id": %q, %s "Config": {"Env": [%s]},
		"HostConfig": {%s}}]`, id, test.more, test.env,
			test.host))
		if got := said(c.Devices); got != test.want && (test.want == "" || !strings.Contains(got, test.want)) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestDevicesOfKubernetes(t *testing.T) {
	for _, test := range []struct{ name, pod, container, devices, cpu, memory string }{
		{"none", "", "", "", "no limit", "no limit"},
		{"of a plugin", "", `, "resources": {"limits": {"amd.com/gpu": "8",
		"cpu": "4"}}`, "amd.com/gpu: 8", "4", "no limit"},
		{"limits of the pod", `, "resources": {"limits": {"cpu": "1500m", "memory": "1Ki"}}`, "", "", "1.5", "1,024"},
		{"limits of both", `, "resources": {"limits": {"cpu": "8", "memory": "2Ki"}}`, `,
		"resources": {"limits": {"cpu": "2"}}`, "", "2",
			"2,048"},
		{"a claim", `, "resourceClaims": [{"name": "gpus", "resourceClaimTemplateName": "eight"}]`,
			`, "resources": {"claims": [{"name": "gpus",
			"request": "half"}]}`, "claim gpus (template eight), request half", "no limit", "no limit"},
		{"a claim of the pod", `, "resourceClaims": [{"name": "gpus", "resourceClaimName": "mine"}],
		"resources": {"claims": [{"name": "gpus"}]}`,
			"", "claim gpus (mine)", "no limit", "no limit"},
		{"a claim before 1.31", `, "resourceClaims": [{"name": "gpus",
		"source": {"resourceClaimTemplateName": "eight"}}]`, `, "resources": {"claims": [{"name": "gpus"}]}`,
			"claim gpus (template eight)", "no limit", "no limit"},
		{"parts of cards", "", `, "resources": {"limits": {"nvidia.com/mig-1g.10gb": 2, "memory": "1Ki",
		"hugepages-2Mi": "1Gi"}}`, "nvidia.com/mig-1g.10gb: 2", "no limit", "1,024"},
		{"a variable past the scheduler", "", `, "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]`,
			"whether the runtime that is the engine's own", "no limit", "no limit"},
		{"a variable that asks for none", "", `, "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]`,
			"", "no limit", "no limit"},
		{"a mount past the scheduler", "", `, "volumeMounts": [{"name": "v",
		"mountPath": "/var/run/nvidia-container-devices/0"}]`,
			"a mount in /var/run/nvidia-container-devices/ is 0", "no limit", "no limit"},
		{"a plugin's, and a variable that it sets", "", `, "resources": {"limits": {"nvidia.com/gpu": "1"}},
		"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]`, "nvidia.com/gpu: 1", "no limit", "no limit"},
		{"another container's claim", `, "resourceClaims": [{"name": "gpus",
		"resourceClaimName": "mine"}]`, "", "", "no limit", "no limit"},
		{"a class with a variable", `, "runtimeClassName": "nvidia"`, `, "env": [{"name": "NVIDIA_VISIBLE_DEVICES",
		"value": "0,1"}]`,
			"nvidia 0,1", "no limit", "no limit"},
		{
			"a class alone", `, "runtimeClassName": "nvidia"`, "",
			"whose value is not in the pod", "no limit", "no limit",
		},
		{"a class and a variable from elsewhere", `, "runtimeClassName": "amd"`,
			`, "env": [{"name": "AMD_VISIBLE_DEVICES", "valueFrom": {}}]`,
			"whose value is not in the pod", "no limit", "no limit"},
		{"another class", `, "runtimeClassName": "gpu"`, `, "env": [{"name": "AMD_VISIBLE_DEVICES", "value": "all"}]`,
			"whether the runtime gpu", "no limit", "no limit"},
		{"privileged", "", `, "securityContext": {"privileged": true}`, "all of the host's", "no limit", "no limit"},
	} {
		c := captured(t, "kubernetes", fmt.Sprintf(`{"metadata": {"name": "c"},
		"spec": {"containers": [{"name": "a"%s}]%s},
			"status": {"containerStatuses": [{"name": "a", "containerID": "containerd://%s",
			"state": {"running": {}}}]}}`,
			test.container, test.pod, id))
		if got := said(c.Devices); got != test.devices && (test.devices == "" || !strings.Contains(got, test.devices)) {
			t.Errorf("%s: %q, want %q", test.name, got, test.devices)
		}
		if cpu, memory := c.CPULimit, c.MemoryLimit; !strings.HasPrefix(cpu.String(),
			test.cpu) || !strings.HasPrefix(memory.String(), test.memory) {
			t.Errorf("%s: %v and %v, want %s and %s", test.name, cpu, memory, test.cpu, test.memory)
		}
	}
}

// Both docker and podman answer the same template; the word json printed itself before docker 23.0.5.
func TestVersionsOfOldDocker(t *testing.T) {
	run := func(_ context.Context, program string, args ...string) ([]byte, error) {
		switch line := strings.Join(args, " "); {
		case line == "version --format {{json .}}":
			return []byte(`{"Client": {"Version": "20.10.21"}, "Server": {"Version": "20.10.21",
			"Components": [{"Name": "containerd", "Version": "1.6.9"}]}}`), nil
		case strings.HasPrefix(line, "version"):
			return []byte("json\n"), nil
		case strings.HasPrefix(line, "inspect"):
			return []byte(`[{"Id": "` + id + `"}]`), nil
		}
		return nil, errors.New("no")
	}
	c, err := Capture(t.Context(), "docker", "c", Options{Run: run})
	if err != nil || len(c.Versions) != 2 || c.Versions[0].Version.String() != "20.10.21" ||
		c.Versions[1].Version.String() != "1.6.9" {
		t.Errorf("%v, %v", c.Versions, err)
	}
}
