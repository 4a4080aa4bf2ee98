package envinfo

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// CUDA reads the version of the CUDA toolkit. That of the CUDA that the driver offers is another: a program may bring its own toolkit,
// and the driver's is the newest that it may bring.
func (c *Inventory) CUDA() { c.Add("CUDA", c.cudaToolkit()) }

func (c *Inventory) cudaToolkit() Value[string] {
	const dir = "usr/local/cuda/"
	var wrong string
	for _, f := range []struct {
		name  string
		parse func([]byte) (string, error)
	}{{dir + "version.json", parseCUDAJSON}, {dir + "version.txt", parseCUDAText}} { // .txt up to CUDA 11.0
		b, err := c.file(f.name, smallFile)
		if missing(err) {
			continue
		}
		var version string
		if err == nil {
			if version, err = f.parse(b); err == nil {
				return Known(version, "", c.userland, abs(f.name))
			}
			err = fmt.Errorf("%s: %w", abs(f.name), err)
		}
		wrong = joinReasons(wrong, err.Error())
	}
	if wrong == "" {
		wrong = "no version.json or version.txt in " + abs(path.Clean(dir))
	}
	return Unknown[string]("", c.userland, wrong)
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
		return "", fmt.Errorf("cuda.version is %q", clip(in.CUDA.Version))
	}
	return in.CUDA.Version, nil
}

// parseCUDAText parses version.txt: "CUDA Version 10.2.89".
func parseCUDAText(b []byte) (string, error) {
	for _, line := range lines(b) {
		if v, ok := strings.CutPrefix(line, "CUDA Version "); ok && cudaVersion.MatchString(v) {
			return v, nil
		}
	}
	return "", errors.New("no CUDA Version")
}

// ncclLibraries are the folders of libraries in which packages put NCCL.
var ncclLibraries = []string{
	"usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/local/lib", "usr/local/cuda/lib64", "usr/local/nccl/lib",
}

var ncclLibrary = regexp.MustCompile(`^libnccl\.so\.([0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})$`)

// NCCL reads the version of NCCL from its header, and without one from the name of the library. Where both are there and differ, the
// library is what runs. A Python wheel brings a copy of its own, which is not this one.
func (c *Inventory) NCCL() {
	var file Value[string]
	wrong := ""
	for _, dir := range []string{"usr/include", "usr/local/cuda/include", "usr/local/include", "usr/local/nccl/include"} {
		name := dir + "/nccl.h"
		b, err := c.file(name, largeFile)
		if missing(err) {
			continue
		}
		var version string
		if err == nil {
			if version, err = parseNCCLHeader(b); err == nil {
				file = Known(version, "", c.userland, abs(name)+": NCCL_VERSION_CODE")
				break
			}
			err = fmt.Errorf("%s: %w", abs(name), err)
		}
		wrong = joinReasons(wrong, err.Error())
	}
	for _, dir := range ncclLibraries {
		name := dir + "/libnccl.so.2"
		target, err := c.readLink(name) // and not the list of the folder, which can have thousands of files
		if err != nil {
			if !missing(err) && !errors.Is(err, errNotLink) { // the name of the file itself says nothing
				wrong = joinReasons(wrong, err.Error())
			}
			continue
		}
		m := ncclLibrary.FindStringSubmatch(path.Base(target))
		if m == nil {
			continue
		}
		library := Known(m[1], "", c.userland, abs(name)+": link")
		c.Add("NCCL", Cross(&c.Warnings, "software", library, file, func(a, b string) bool { return a == b }))
		return
	}
	if _, ok := file.Get(); !ok {
		file = Unknown[string]("", c.userland, joinReasons(wrong, "no nccl.h, and no libnccl.so.2 that is a link to a version"))
	}
	c.Add("NCCL", file)
}
