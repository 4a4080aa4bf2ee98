package nvidia

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// nvidiaReason is why something is unknown that neither a file nor a tool said. Without a driver the files are missing,
// which is the normal case; that there is no tool either adds nothing.
func nvidiaReason(file, tool error) string {
	reason := file.Error()
	if source.Missing(file) {
		reason += ": the NVIDIA driver is not loaded, or is hidden"
	}
	if !source.NoTool(tool) {
		reason = fact.JoinReasons(reason, tool.Error())
	}
	return reason
}

// CUDA is the version of the CUDA that the driver offers, by nvidia-smi. ok is false where there is no nvidia-smi to
// ask.
func (n Tools) CUDA() (v fact.Value[string], ok bool) {
	out, err := n.about.Wait()
	if source.NoTool(err) {
		return v, false
	}
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error()), true
	}
	return aboutVersion(out, n.about.Name, "CUDA UMD version", "CUDA version"), true
}

// kernelDriver is the version of the kernel driver by nvidia-smi --version, which is there where no card answers.
func (n Tools) kernelDriver() fact.Value[string] {
	out, err := n.about.Wait()
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return aboutVersion(out, n.about.Name, "KMD version", "DRIVER version")
}

// aboutVersion returns the version in the line of nvidia-smi --version with the first of the keys that has one. Up to
// driver 580 the lines are "DRIVER version : 580.82.07" and "CUDA Version : 13.0"; from 610 on "KMD version :
// 610.43.02" and "CUDA UMD version : 13.3", beside a "CUDA version : Deprecated, see CUDA UMD version".
func aboutVersion(b []byte, name string, keys ...string) fact.Value[string] {
	reason := name + ": no " + strings.Join(keys, " or ")
	for _, key := range keys {
		for _, line := range source.Lines(b[:min(len(b), source.SmallFile)]) {
			k, value, _ := strings.Cut(line, ":")
			if !strings.EqualFold(strings.TrimSpace(k), key) {
				continue
			}
			if value = strings.TrimSpace(value); nvidiaVersion.MatchString(value) {
				return fact.Known(value, "", fact.ScopeHost, name+": "+strings.TrimSpace(k))
			}
			reason = fmt.Sprintf("%s: %s is %q", name, key, fact.Clip(value))
		}
	}
	return fact.Unknown[string]("", fact.ScopeHost, reason)
}

// nvidiaDriver reads the version of the kernel driver.
func (c *capture) nvidiaDriver(rows []Row, absent Row) {
	row := absent
	if len(rows) > 0 {
		row = rows[0]
	}
	const name = nvidiaDir + "/version"
	tool := row.version("driver_version")
	if _, ok := tool.Get(); !ok {
		if v := c.smi.kernelDriver(); v.Source() != "" {
			tool = v
		}
	}
	b, err := c.File(name, source.SmallFile)
	if err == nil {
		version, err := parseNVIDIAVersion(b)
		file := fact.Known(version, "", fact.ScopeHost, source.Abs(name))
		if err != nil {
			file = fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": "+err.Error())
		}
		c.driver = fact.Cross(&c.Warnings, "software", file, tool, func(a, b string) bool { return a == b })
		return
	}
	if _, ok := tool.Get(); ok {
		c.driver = tool
		return
	}
	c.driver = fact.Unknown[string]("", fact.ScopeHost, nvidiaReason(err, absent.err))
}

var nvidiaVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){1,3}$`)

// parseNVIDIAVersion returns the version of the driver in proc/driver/nvidia/version, whose first line has it between
// the kind of the module, which differs in length, and the date.
func parseNVIDIAVersion(b []byte) (string, error) {
	for _, line := range source.Lines(b) {
		rest, ok := strings.CutPrefix(line, "NVRM version:")
		if !ok {
			continue
		}
		for _, f := range strings.Fields(rest) {
			if nvidiaVersion.MatchString(f) {
				return f, nil
			}
		}
		return "", fmt.Errorf("%q has no version", fact.Clip(line))
	}
	return "", errors.New("no NVRM version")
}
