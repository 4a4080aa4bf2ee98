package software

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

var rcclMark = []byte("RCCL version : ")

// rcclLibrary is the version of RCCL in the library file, by the line that it prints when it starts.
func (c *Inventory) rcclLibrary(file string, scope fact.Scope) fact.Value[string] {
	text, err := c.After(file, rcclMark, 64)
	if err == nil {
		var version string
		if version, err = parseRCCLMark(text); err == nil {
			return fact.Known(version, "", scope, source.Abs(file)+": the string "+strconv.Quote(string(rcclMark)))
		}
		err = &source.ReadError{Name: file, Err: err}
	}
	if source.Missing(err) {
		return fact.Unknown[string]("", scope, "")
	}
	return fact.Unknown[string]("", scope, err.Error())
}

var ncclVersion = regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}`)

// parseRCCLMark reads what follows the mark: "2.26.6-HEAD:f224e2c", up to whatever is not part of it. Some builds have
// a format there, and the numbers elsewhere.
func parseRCCLMark(b []byte) (string, error) {
	if v := ncclVersion.Find(b); v != nil {
		return string(v), nil
	}
	return "", fmt.Errorf("%q follows %q, and is not a version", fact.Clip(string(b)), rcclMark)
}

// rocmByLibrary is the version of ROCm in the name of a library: librccl.so.1.0.60402 is RCCL as built for ROCm 6.4.2.
func (c *Inventory) rocmByLibrary() fact.Value[string] {
	groups, _ := c.rocmDirs()
	for _, group := range groups {
		for _, dir := range group {
			names, err := c.Dir(dir + "/lib")
			if err != nil {
				continue
			}
			for _, name := range names {
				if v, ok := parseLibraryName(name); ok {
					return fact.Known(v, "", c.userland, source.Abs(dir+"/lib/"+name)+": its name")
				}
			}
		}
	}
	return fact.Unknown[string]("", c.userland, "no librccl.so.1.0.N in the folders of ROCm")
}

// parseLibraryName reads librccl.so.1.0.60402 as 6.4.2: major·10000 + minor·100 + patch.
func parseLibraryName(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "librccl.so.")
	if !ok {
		return "", false
	}
	i := strings.LastIndexByte(rest, '.')
	code, err := strconv.ParseUint(rest[i+1:], 10, 20)
	if i < 0 || err != nil || code < 10000 {
		return "", false
	}
	return fmt.Sprintf("%d.%d.%d", code/10000, code/100%100, code%100), true
}
