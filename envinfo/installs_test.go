package envinfo_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
)

// versions are the known versions of a component, with their scopes.
func versions(env *envinfo.Environment, name string) []string {
	var out []string
	for _, c := range env.Software {
		if v, ok := c.Version.Get(); ok && c.Name == name {
			out = append(out, string(c.Version.Scope())+" "+v)
		}
	}
	return out
}

func wantVersions(t *testing.T, env *envinfo.Environment, name string, want ...string) {
	t.Helper()
	if got := versions(env, name); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// Names and versions of packages are those of ROCm's repository for Ubuntu 24.04.
const dpkg = `Package: rocm-core
Status: install ok installed
Priority: optional
Version: 6.4.2.60402-120~24.04
Description: Radeon Open Compute (ROCm) Runtime software stack
 Version: 9.9.9
	Package: rccl

Package: rccl
Status: install ok installed
Version: 2.22.3.60402-120~24.04

Package: rccl-dev
Status: install ok installed
Version: 1.1.1

Package: rccl6.3.0
Status: install ok installed
Version: 2.21.5.60300-39~24.04

Package: hipblaslt
Status: deinstall ok config-files
Version: 0.10.0

Package: amdgpu-dkms
status: install ok installed
version: 1:6.12.12.60402-2187269.24.04
`

func TestPackages(t *testing.T) {
	env := capture(t, rocmFiles().with(tree{"var/lib/dpkg/status": dpkg}).fs())
	wantVersions(t, env, "rocm-core", "host 6.4.2.60402-120~24.04")
	wantVersions(t, env, "rccl", "host 2.22.3.60402-120~24.04")
	wantVersions(t, env, "rccl6.3.0", "host 2.21.5.60300-39~24.04")
	wantVersions(t, env, "amdgpu-dkms", "host 1:6.12.12.60402-2187269.24.04")
	wantVersions(t, env, "hipblaslt")
	wantVersions(t, env, "rccl-dev")
	wantVersions(t, env, "ROCm", "host 6.4.2-120")
	wantVersions(t, env, "RCCL", "host 2.22.3")
	if len(env.Warnings) != 0 {
		t.Errorf("warnings are %v", env.Warnings)
	}
	env = capture(t, tree{"var/lib/dpkg/status": strings.ReplaceAll(dpkg, "\n", "\r\n")}.fs()) // no files of ROCm
	wantVersions(t, env, "ROCm", "host 6.4.2.60402-120~24.04")
	wantVersions(t, env, "RCCL", "host 2.22.3.60402-120~24.04")
	if s := version(t, env, "ROCm").Source(); s != "/var/lib/dpkg/status: rocm-core" {
		t.Errorf("source is %q", s)
	}
}

func TestPackagesUnknown(t *testing.T) {
	for _, test := range []struct {
		name   string
		files  tree
		reason string
	}{
		{"none", tree{}, "/var/lib/dpkg/status: no such file"},
		{"rpm", tree{"var/lib/rpm/rpmdb.sqlite": "SQLite format 3\x00"}, "/var/lib/rpm: the database of rpm is not " +
			"text, and is not read"},
		{"rpm of today", tree{"usr/lib/sysimage/rpm/rpmdb.sqlite": "x"}, "/usr/lib/sysimage/rpm: the database of rpm"},
		{"others", tree{"var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nVersion: 5.2\n"},
			"no package of ROCm"},
		{"huge", tree{"var/lib/dpkg/status": strings.Repeat("Package: rccl\n", 1<<21)}, "larger than 16777216 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// size and not time
			env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: test.files.fs(), ReadTimeout: time.Hour})
			if err != nil {
				t.Fatal(err)
			}
			unknown(t, "packages", version(t, env, "packages"), test.reason)
		})
	}
}

// Several ROCm side by side are all recorded, and that there are several is said.
func TestSideBySide(t *testing.T) {
	header := "#define NCCL_VERSION_CODE %d\n"
	env := capture(t, tree{
		"opt/rocm/.info/version":             "6.4.2-120\n",
		"opt/rocm-6.4.2/.info/version":       "6.4.2-120\n",
		"opt/rocm-7.0.0/.info/version":       "7.0.0-38\n",
		"opt/rocm-6.4.2/include/rccl/rccl.h": fmt.Sprintf(header, 22203),
		"opt/rocm-7.0.0/include/rccl/rccl.h": fmt.Sprintf(header, 22606),
	}.fs())
	wantVersions(t, env, "ROCm", "host 6.4.2-120", "host 7.0.0-38")
	wantVersions(t, env, "RCCL", "host 2.22.3", "host 2.26.6")
	unknown(t, "RCCL", version(t, env, "RCCL"), "ambiguous: /opt/rocm-6.4.2/")
	if len(env.Warnings) != 1 ||
		!strings.Contains(env.Warnings[0].Text, "1 other versions of ROCm are installed beside 6.4.2-120") {
		t.Errorf("warnings are %v", env.Warnings)
	}
}

func TestSourcesDisagree(t *testing.T) {
	env := capture(t, tree{
		"opt/rocm/.info/version":           "7.0.0-38\n",
		"opt/rocm/include/rccl/rccl.h":     "#define NCCL_VERSION_CODE 22606\n",
		"opt/rocm/lib/librccl.so.1.0.6402": "",
		"opt/rocm/lib/librccl.so.1":        "",
		"var/lib/dpkg/status":              dpkg,
	}.fs())
	wantVersions(t, env, "ROCm", "host 7.0.0-38")
	var said []string
	for _, w := range env.Warnings {
		said = append(said, w.Text)
	}
	for i, want := range []string{"ROCm is 7.0.0-38 by /opt/rocm/.info/version and 6.4.2.60402", "RCCL is 2.26.6 " +
		"by /opt/rocm/include/rccl/rccl.h"} {
		if i >= len(said) || !strings.HasPrefix(said[i], want) {
			t.Errorf("warnings are %q, want %q", said, want)
		}
	}
	if len(said) != 2 {
		t.Errorf("warnings are %q", said)
	}
}

// The library's name has ROCm's version, and its strings have RCCL's.
func TestRCCLLibrary(t *testing.T) {
	const name = "opt/rocm/lib/librccl.so.1.0.60402"
	elf := "\x7fELF" + strings.Repeat("\x00",
		300_000) + "RCCL version : 2.22.3-HEAD:7d8d67c\x00HIP version  : 6.4.43484\x00"
	fsys := tree{name: elf}.fs()
	env := capture(t, link(fsys, "opt/rocm/lib/librccl.so.1", "librccl.so.1.0.60402"))
	wantVersions(t, env, "ROCm", "host 6.4.2")
	wantVersions(t, env, "RCCL", "host 2.22.3")
	if s := version(t, env, "ROCm").Source(); s != "/"+name+": its name" {
		t.Errorf("source of ROCm is %q", s)
	}
	if s := version(t, env, "RCCL").Source(); s != `/opt/rocm/lib/librccl.so.1: the string "RCCL version : "` {
		t.Errorf("source of RCCL is %q", s)
	}
	for _, test := range []struct{ data, reason string }{
		{"\x7fELF", `/opt/rocm/lib/librccl.so.1: no "RCCL version : " in its first 64 MiB`},
		{"RCCL version : %s\x00", "follows \"RCCL version : \", and is not a version"},
		{"RCCL version : ", "is not a version"},
	} {
		env := capture(t, tree{"opt/rocm/lib/librccl.so.1": test.data}.fs())
		unknown(t, "RCCL", version(t, env, "RCCL"), test.reason)
	}
}

// Each Python has versions of its own, and the wheel of PyTorch brings an RCCL.
func TestPythons(t *testing.T) {
	const site = "opt/venv/lib/python3.12/site-packages/"
	const conda, local = "opt/conda/envs/x/lib/python3.11/site-packages/", "usr/local/lib/python3.12/dist-packages/"
	env := capture(t, rocmFiles().with(tree{
		site + "torch-2.7.0+gitf717b2a.dist-info/METADATA":                  "Name: torch\nVersion: 2.7.0+gitf717b2a\n",
		site + "torch/lib/librccl.so":                                       "…RCCL version : 2.26.6-HEAD:f224e2c\x00",
		site + "vllm-0.10.0rc2.dev1+g1.dist-info/METADATA":                  "Version: 0.10.0rc2.dev1+g12345.rocm641\n",
		site + "left_pad-1.26.4.dist-info/METADATA":                         "Version: 1.26.4\n",
		local + "vllm-0.9.1.dist-info/METADATA":                             "Version: 0.9.1\n",
		"usr/lib/python3/dist-packages/Flash_Attn-2.7.4.dist-info/METADATA": "Version: 2.7.4\n",
		conda + "nvidia_nccl_cu12-2.26.2.post1.dist-info/METADATA":          "Version: 2.26.2.post1\n",
	}).fs())
	wantVersions(t, env, "torch", "python:/opt/venv 2.7.0+gitf717b2a")
	wantVersions(t, env, "vllm", "python:/usr/local 0.9.1", "python:/opt/venv 0.10.0rc2.dev1+g12345.rocm641")
	wantVersions(t, env, "RCCL", "host 2.22.3", "python:/opt/venv 2.26.6")
	wantVersions(t, env, "flash-attn", "python:/usr 2.7.4")
	wantVersions(t, env, "nvidia-nccl-cu12", "python:/opt/conda/envs/x 2.26.2.post1")
	wantVersions(t, env, "left-pad")
}

// A driver that was installed and not loaded is said; a container's packages say nothing of the host's driver.
func TestDKMS(t *testing.T) {
	for _, test := range []struct {
		files tree
		warns bool
	}{
		{tree{"sys/module/amdgpu/version": "6.12.12\n"}, false},
		{tree{"sys/module/amdgpu/version": "6.8.5\n"}, true},
		{tree{"sys/module/amdgpu/initstate": "live\n"}, true},
		{tree{"sys/module/amdgpu/version": "6.8.5\n", ".dockerenv": ""}, false},
	} {
		env := capture(t, cpuHost().with(test.files, tree{"var/lib/dpkg/status": dpkg}).fs())
		said := ""
		for _, w := range env.Warnings {
			if strings.HasPrefix(w.Text, "the amdgpu driver is") {
				said = w.Text
			}
		}
		if (said != "") != test.warns {
			t.Errorf("%v: warning is %q", test.files, said)
		}
	}
}
