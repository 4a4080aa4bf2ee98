package envinfo_test

import (
	"io/fs"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
)

func TestROCm(t *testing.T) {
	for _, test := range []struct {
		name         string
		files        tree
		path         string
		want, source string
		reason       string
	}{
		{name: "usual", files: tree{"opt/rocm/.info/version": "6.4.2-120\n"}, want: "6.4.2-120",
			source: "/opt/rocm/.info/version"},
		{name: "version-rocm first", files: tree{"opt/rocm/.info/version": "6.4.2-1\n",
			"opt/rocm/.info/version-rocm": "6.4.2-2\n"}, want: "6.4.2-2",
			source: "/opt/rocm/.info/version-rocm"},
		{name: "garbled version-rocm", files: tree{"opt/rocm/.info/version": "7.0.0\r\n",
			"opt/rocm/.info/version-rocm": "<html>\n"}, want: "7.0.0",
			source: "/opt/rocm/.info/version"},
		{name: "given path", path: "/srv/rocm/", files: tree{"opt/rocm/.info/version": "6.4.2\n",
			"srv/rocm/.info/version": "7.0.0 \n"}, want: "7.0.0",
			source: "/srv/rocm/.info/version"},
		{name: "given path without one", path: "/srv/rocm", files: tree{"opt/rocm/.info/version": "6.4.2\n"},
			want: "6.4.2", source: "/opt/rocm/.info/version"},
		{name: "the root given", path: "/", files: tree{"opt/rocm/.info/version": "6.4.2\n"}, want: "6.4.2",
			source: "/opt/rocm/.info/version"},
		{name: "versioned", files: tree{"opt/rocm-6.4.2/.info/version": "6.4.2-120\n"}, want: "6.4.2-120",
			source: "/opt/rocm-6.4.2/.info/version"},
		{name: "opt/rocm before versioned", files: tree{"opt/rocm/.info/version": "6.4.2\n",
			"opt/rocm-7.0.0/.info/version": "7.0.0\n"}, want: "6.4.2",
			source: "/opt/rocm/.info/version"},
		{name: "core", files: tree{"opt/rocm/core/.info/version": "7.13.0-123-gfx942;gfx950\n"},
			want:   "7.13.0-123-gfx942;gfx950",
			source: "/opt/rocm/core/.info/version"},
		{name: "ambiguous", files: tree{"opt/rocm-6.4.2/.info/version": "6.4.2\n",
			"opt/rocm-7.0.0/.info/version": "7.0.0\n"},
			reason: "ambiguous: /opt/rocm-6.4.2/.info/version says 6.4.2 and /opt/rocm-7.0.0/.info/version says 7.0.0"},
		{name: "none", reason: "no .info/version-rocm or .info/version in /opt/rocm, /opt/rocm/core"},
		{name: "garbled", files: tree{"opt/rocm/.info/version": "\x00\x01"}, reason: "/opt/rocm/.info/version: " +
			"\"\uFFFD\uFFFD\" is not a version"},
		{name: "empty", files: tree{"opt/rocm/.info/version": "\n"}, reason: "/opt/rocm/.info/version: empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: test.files.fs(), ReadTimeout: patient,
				ROCmPath: test.path})
			if err != nil {
				t.Fatal(err)
			}
			v := version(t, env, "ROCm")
			if test.reason != "" {
				unknown(t, "ROCm", v, test.reason)
				return
			}
			known(t, "ROCm", v, test.want)
			if v.Source() != test.source {
				t.Errorf("source is %q, want %q", v.Source(), test.source)
			}
		})
	}
}

func TestROCmDenied(t *testing.T) {
	tr := tree{"opt/rocm/.info/version": "6.4.2\n"}
	env := capture(t, failing{tr.fs(), "opt/rocm/.info/version", fs.ErrPermission})
	unknown(t, "ROCm", version(t, env, "ROCm"), "/opt/rocm/.info/version: permission denied")
	env = capture(t, failing{tr.fs(), "opt", fs.ErrPermission})
	known(t, "ROCm", version(t, env, "ROCm"), "6.4.2") // opt/rocm can be entered though opt cannot be listed
}

func TestDriver(t *testing.T) {
	v := version(t, capture(t, tree{"sys/module/amdgpu/version": "6.16.6\n"}.fs()), "amdgpu")
	known(t, "DKMS", v, "6.16.6")
	v = version(t, capture(t, cpuHost().fs()), "amdgpu")
	unknown(t, "not loaded", v, "/sys/module/amdgpu: no such file")
	v = version(t, capture(t, tree{"sys/module/amdgpu/initstate": "live\n"}.fs()), "amdgpu")
	unknown(t, "of an unknown kernel", v, "in-tree, of an unknown kernel: /proc/sys/kernel/osrelease: no such file")
	v = version(t, capture(t, cpuHost().with(tree{"sys/module/amdgpu/version": "\n"}).fs()), "amdgpu")
	unknown(t, "empty", v, "/sys/module/amdgpu/version: empty")
}

// In a container the userland is the container's, and kernel and hardware are the host's.
func TestContainerScope(t *testing.T) {
	for mark, kind := range map[string]string{".dockerenv": "docker", "run/.containerenv": "podman",
		"run/secrets/kubernetes.io/x": "kubernetes"} {
		env := capture(t, mi325x().with(tree{mark: ""}).fs())
		known(t, "container", env.Host.Container, kind)
		for name, scope := range map[string]fact.Scope{
			"ROCm": version(t, env, "ROCm").Scope(), "RCCL": version(t, env, "RCCL").Scope(),
			"distribution": env.Host.Distribution.Scope(),
		} {
			if scope != fact.ScopeContainer {
				t.Errorf("scope of %s is %q", name, scope)
			}
		}
		for name, scope := range map[string]fact.Scope{
			"kernel": env.Host.Kernel.Scope(), "driver": version(t, env, "amdgpu").Scope(),
			"VRAM": env.AMD.VRAM.Scope(),
		} {
			if scope != fact.ScopeHost {
				t.Errorf("scope of %s is %q", name, scope)
			}
		}
	}
}
