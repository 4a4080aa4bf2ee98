package envinfo

import (
	"path"
	"strings"
)

// maxPythonDirs is how many folders of Python packages are read.
const maxPythonDirs = 32

// pythonPackages are the distributions of which the version is recorded, in the form of PEP 503 with underscores, as the folders have it.
var pythonPackages = map[string]bool{
	"torch": true, "vllm": true, "sglang": true, "aiter": true, "amd_aiter": true, "triton": true, "triton_rocm": true,
	"pytorch_triton_rocm": true, "flash_attn": true, "transformers": true, "ray": true,
	"nvidia_nccl_cu11": true, "nvidia_nccl_cu12": true, "nvidia_nccl_cu13": true,
}

// ScopePython is the Python installation at prefix, an absolute path such as /opt/venv: the versions that its programs import, whatever
// the host has. What lies under the prefix of the container that was read has this scope too.
func ScopePython(prefix string) Scope { return Scope("python:" + clean(prefix)) }

// python records the packages that matter in the usual Python installations, and the RCCL that a PyTorch wheel brings: that, and not
// the host's, is what the server uses.
func (c *capture) python() {
	for _, dir := range c.pythonDirs() {
		names, err := c.dir(dir.path)
		if err != nil {
			if !missing(err) {
				c.add("Python packages", Unknown[string]("", ScopePython(dir.prefix), err.Error()))
			}
			continue
		}
		for _, name := range names {
			p, version, ok := parseDistInfo(name)
			if !ok || !pythonPackages[p] {
				continue
			}
			c.add(p, Known(version, "", ScopePython(dir.prefix), abs(dir.path+"/"+name)))
			if p == "torch" {
				if v := c.rcclLibrary(dir.path+"/torch/lib/librccl.so", ScopePython(dir.prefix)); v.Reason() != notCaptured {
					c.add("RCCL", v)
				}
			}
		}
	}
}

// pythonDir is a folder of installed packages, and the prefix of the Python that it belongs to.
type pythonDir struct{ path, prefix string }

// pythonDirs are the folders of packages where distributions, images and conda put them. Homes and other environments are not
// searched: there may be any number of them.
func (c *capture) pythonDirs() []pythonDir {
	prefixes := []string{"usr/local", "usr", "opt/venv", "opt/conda"}
	if names, err := c.dir("opt/conda/envs"); err == nil {
		for _, name := range names {
			prefixes = append(prefixes, "opt/conda/envs/"+name)
		}
	}
	var out []pythonDir
	for _, prefix := range prefixes {
		names, err := c.dir(prefix + "/lib")
		if err != nil {
			continue
		}
		for _, name := range names {
			if !strings.HasPrefix(name, "python3") {
				continue
			}
			for _, packages := range []string{"site-packages", "dist-packages"} {
				dir := path.Join(prefix, "lib", name, packages)
				if len(out) < maxPythonDirs && c.stat(dir) == nil {
					out = append(out, pythonDir{dir, abs(prefix)})
				}
			}
		}
	}
	return out
}

// parseDistInfo reads the name of a folder of metadata: torch-2.7.0+gitf717b2a.dist-info (the recorded projects' specification of
// installed distributions). The name is lower case with underscores.
func parseDistInfo(folder string) (name, version string, ok bool) {
	s, ok := strings.CutSuffix(folder, ".dist-info")
	if !ok {
		return "", "", false
	}
	name, version, ok = strings.Cut(s, "-")
	if !ok || name == "" || version == "" || version[0] < '0' || version[0] > '9' || len(version) > 200 {
		return "", "", false
	}
	return strings.ToLower(strings.NewReplacer("-", "_", ".", "_").Replace(name)), version, true
}
