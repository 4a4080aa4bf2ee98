package software

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// pythonPrefixes are where Python is installed, and virtual environments of images mostly are; a * stands for one
// folder.
var pythonPrefixes = []string{
	"usr",
	"usr/local",
	"opt/*",
	"opt/conda/envs/*",
	"app/.venv",
	"root/.venv",
	"workspace/.venv",
}

// pythonPackages are those that decide what an inference server does, by their normalised names.
var pythonPackages = []string{
	"vllm", "sglang", "torch", "triton", "pytorch-triton-rocm", "triton-rocm", "aiter", "amd-aiter", "flash-attn",
	"flashinfer-python", "xformers",
	"transformers", "tokenizers", "huggingface-hub", "safetensors", "numpy", "ray", "amdsmi", "nvidia-nccl-cu12",
	"nvidia-nccl-cu13", "mori", "rocm", "rocm-sdk-core", "rocm-sdk-devel",
}

// rocmLibraries begin the names of ROCm's wheels with libraries, which have the target behind it:
// rocm-sdk-libraries-gfx94x-dcgpu.
const rocmLibraries = "rocm-sdk-libraries-"

// ScopePython is the Python installation at prefix, an absolute path such as /opt/venv: the versions that its programs
// import, whatever the host has. In a container it is that of the container: container:<id>/python:<prefix>.
func ScopePython(prefix string) fact.Scope { return fact.Scope("python:" + fact.Clean(prefix)) }

// Python reads the versions of Python packages from what their installers wrote (the dist-info folders of the packaging
// specifications). Several installations each have a scope of their own. Packages that are not there are not listed.
func (c *Inventory) Python() {
	var wrong error
	for _, prefix := range c.pythonDirs(&wrong) {
		scope := ScopePython(source.Abs(prefix))
		if c.userland != fact.ScopeHost {
			scope = c.userland + "/" + scope
		}
		names, err := c.Dir(path.Join(prefix, "lib"))
		if err != nil && !source.Missing(err) && !errors.Is(err, syscall.ENOTDIR) { // of opt, a file
			wrong = errors.Join(wrong, err)
		}
		for _, n := range names {
			if !strings.HasPrefix(n, "python3") {
				continue
			}
			for _, kind := range []string{"site-packages", "dist-packages"} {
				if err := c.packages(path.Join(prefix, "lib", n, kind), scope); err != nil && !source.Missing(err) {
					wrong = errors.Join(wrong, err)
				}
			}
		}
	}
	if wrong != nil {
		c.Add("Python packages", fact.Unknown[string]("", c.userland, strings.ReplaceAll(wrong.Error(), "\n", "; ")))
	}
}

// pythonDirs are the prefixes that are there.
func (c *Inventory) pythonDirs(wrong *error) []string {
	var out []string
	add := func(p string) {
		if p != "" && p != "." && !slices.Contains(out, p) && len(out) < 64 {
			out = append(out, p)
		}
	}
	for _, p := range c.prefixes {
		add(strings.Trim(p, "/"))
	}
	for _, p := range pythonPrefixes {
		parent, every := strings.CutSuffix(p, "/*")
		if !every {
			add(p)
			continue
		}
		names, err := c.Dir(parent)
		if err != nil && !source.Missing(err) && !errors.Is(err, source.ErrNotCopied) {
			*wrong = errors.Join(*wrong, err)
		}
		for _, n := range names {
			add(parent + "/" + n)
		}
	}
	return out
}

// packages adds the packages in one folder.
func (c *Inventory) packages(dir string, scope fact.Scope) error {
	names, err := c.Dir(dir)
	if err != nil {
		return err
	}
	for _, n := range names {
		stem, ok := strings.CutSuffix(n, ".dist-info")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(stem, "-")
		name = normalPackage(name)
		if !slices.Contains(pythonPackages, name) && !strings.HasPrefix(name, rocmLibraries) {
			continue
		}
		file := path.Join(dir, n, "METADATA")
		b, err := c.File(file, source.LargeFile)
		var version string
		if err == nil {
			if version, err = parseMetadata(b); err != nil {
				err = fmt.Errorf("%s: %w", source.Abs(file), err)
			}
		}
		if err != nil {
			c.Add(name, fact.Unknown[string]("", scope, err.Error()))
			continue
		}
		c.Add(name, fact.Known(version, "", scope, source.Abs(file)))
		if name == "torch" {
			c.torchBackend(path.Join(dir, "torch/version.py"), scope)
			// The RCCL that the wheel brings: that, and not the host's, is what a server uses.
			if lib := path.Join(dir, "torch/lib/librccl.so"); c.Stat(lib) == nil {
				c.Add("RCCL", c.rcclLibrary(lib, scope))
			}
		}
	}
	return nil
}

var packageRuns = regexp.MustCompile(`[-_.]+`)

// normalPackage is a package's name as the packaging specifications normalise it.
func normalPackage(name string) string {
	return strings.ToLower(packageRuns.ReplaceAllString(name, "-"))
}

// pythonVersion is a version of the packaging specifications: "0.14.1", "2.9.0.dev20260101+rocm7.0".
var pythonVersion = regexp.MustCompile(`^[0-9][0-9A-Za-z.!+_-]{0,200}$`)

// parseMetadata returns the version in a package's METADATA, the headers of which end at the first empty line.
func parseMetadata(b []byte) (string, error) {
	for _, line := range source.Lines(b) {
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ":")
		if strings.EqualFold(name, "Version") {
			if value = strings.TrimSpace(value); pythonVersion.MatchString(value) {
				return value, nil
			}
			return "", fmt.Errorf("%q is not a version", fact.Clip(value))
		}
	}
	return "", errors.New("no Version")
}

// torchBackend adds the version of HIP or CUDA that torch was built for, which is not that of any ROCm installed beside
// it.
func (c *Inventory) torchBackend(file string, scope fact.Scope) {
	b, err := c.File(file, source.SmallFile)
	if err != nil {
		return // a part of a package whose version is known
	}
	for _, name := range []string{"hip", "cuda"} {
		if version := parseTorchVersion(b, name); version != "" {
			c.Add("torch, built for "+strings.ToUpper(name), fact.Known(version, "", scope, source.Abs(file)+": "+name))
		}
	}
}

// parseTorchVersion returns the string that is assigned to name in torch's version.py: hip: Optional[str] =
// '6.4.43484-123eb5128'.
func parseTorchVersion(b []byte, name string) string {
	for _, line := range source.Lines(b) {
		left, right, ok := strings.Cut(line, "=")
		if left, _, _ = strings.Cut(left, ":"); !ok || strings.TrimSpace(left) != name {
			continue
		}
		right = strings.TrimSpace(right)
		if len(right) < 2 || right[0] != '\'' && right[0] != '"' || right[len(right)-1] != right[0] {
			return "" // None
		}
		if v := right[1 : len(right)-1]; pythonVersion.MatchString(v) {
			return v
		}
	}
	return ""
}
