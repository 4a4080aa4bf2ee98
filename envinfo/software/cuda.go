package software

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// CUDA reads the version of the CUDA toolkit. That of the CUDA that the driver offers is another: a program may bring
// its own toolkit, and the driver's is the newest that it may bring.
func (c *Inventory) CUDA() { c.Add("CUDA", c.cudaToolkit()) }

func (c *Inventory) cudaToolkit() fact.Value[string] {
	const dir = "usr/local/cuda/"
	var wrong string
	for _, f := range []struct {
		name  string
		parse func([]byte) (string, error)
	}{{dir + "version.json", parseCUDAJSON}, {dir + "version.txt", parseCUDAText}} { // .txt up to CUDA 11.0
		b, err := c.File(f.name, source.SmallFile)
		if source.Missing(err) {
			continue
		}
		var version string
		if err == nil {
			if version, err = f.parse(b); err == nil {
				return fact.Known(version, "", c.userland, source.Abs(f.name))
			}
			err = fmt.Errorf("%s: %w", source.Abs(f.name), err)
		}
		wrong = fact.JoinReasons(wrong, err.Error())
	}
	if wrong == "" {
		wrong = "no version.json or version.txt in " + source.Abs(path.Clean(dir))
	}
	return fact.Unknown[string]("", c.userland, wrong)
}

var cudaVersion = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,4}){1,3}$`)

// parseCUDAJSON parses version.json: an object of products, each with its version.
func parseCUDAJSON(b []byte) (string, error) {
	var in struct {
		CUDA struct{ Version string } `json:"cuda"`
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return "", err
	}
	if !cudaVersion.MatchString(in.CUDA.Version) {
		return "", fmt.Errorf("cuda.version is %q", fact.Clip(in.CUDA.Version))
	}
	return in.CUDA.Version, nil
}

// parseCUDAText parses version.txt: "CUDA Version 10.2.89".
func parseCUDAText(b []byte) (string, error) {
	for _, line := range source.Lines(b) {
		if v, ok := strings.CutPrefix(line, "CUDA Version "); ok && cudaVersion.MatchString(v) {
			return v, nil
		}
	}
	return "", errors.New("no CUDA Version")
}

// ncclLibraries are the folders of libraries in which packages put NCCL.
var ncclLibraries = []string{
	"usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/local/lib", "usr/local/cuda/lib64",
	"usr/local/nccl/lib",
}

var ncclLibrary = regexp.MustCompile(`^libnccl\.so\.([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})$`)

// NCCL reads the version of NCCL from its header, and without one from the name of the library. Where both are there
// and differ, the library is what runs. A Python wheel brings a copy of its own, which is not this one.
func (c *Inventory) NCCL() {
	var file fact.Value[string]
	wrong := ""
	for _, dir := range []string{"usr/include", "usr/local/cuda/include", "usr/local/include",
		"usr/local/nccl/include"} {
		name := dir + "/nccl.h"
		b, err := c.File(name, source.LargeFile)
		if source.Missing(err) {
			continue
		}
		var version string
		if err == nil {
			if version, err = parseNCCLHeader(b); err == nil {
				file = fact.Known(version, "", c.userland, source.Abs(name)+": NCCL_VERSION_CODE")
				break
			}
			err = fmt.Errorf("%s: %w", source.Abs(name), err)
		}
		wrong = fact.JoinReasons(wrong, err.Error())
	}
	for _, dir := range ncclLibraries {
		name := dir + "/libnccl.so.2"
		target, err := c.ReadLink(name) // and not the list of the folder, which can have thousands of files
		if err != nil {
			if !source.Missing(err) && !errors.Is(err, source.ErrNotLink) { // the name of the file itself says nothing
				wrong = fact.JoinReasons(wrong, err.Error())
			}
			continue
		}
		m := ncclLibrary.FindStringSubmatch(path.Base(target))
		if m == nil {
			continue
		}
		library := fact.Known(m[1], "", c.userland, source.Abs(name)+": link")
		c.Add("NCCL", fact.Cross(&c.Warnings, "software", library, file, func(a, b string) bool { return a == b }))
		return
	}
	if _, ok := file.Get(); !ok {
		file = fact.Unknown[string]("", c.userland,
			fact.JoinReasons(wrong, "no nccl.h, and no libnccl.so.2 that is a link to a version"))
	}
	c.Add("NCCL", file)
}
