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
		v = fact.Unknown[string]("", fact.ScopeHost, err.Error())
		if _, refused := source.ExitCode(err); refused { // drivers as old as 470 do not know --version
			t := n.summary()
			if out, err := t.Wait(); err == nil {
				v = fact.FirstKnown(summaryCUDA(out, t.Name), v)
			}
		}
		return v, true
	}
	return aboutVersion(out, n.about.Name, "CUDA UMD version", "CUDA version"), true
}

var summaryLine = regexp.MustCompile(`^\| *NVIDIA-SMI .*\bCUDA (?:UMD )?Version: *([^|\s]+)`)

// summaryCUDA returns the version of CUDA in the head of what nvidia-smi prints when it is asked for nothing:
// "| NVIDIA-SMI 470.57.02    Driver Version: 470.57.02    CUDA Version: 11.4     |".
func summaryCUDA(b []byte, name string) fact.Value[string] {
	for _, line := range source.Lines(b[:min(len(b), source.SmallFile)]) {
		m := summaryLine.FindStringSubmatch(line)
		switch {
		case m == nil:
		case nvidiaVersion.MatchString(m[1]):
			return fact.Known(m[1], "", fact.ScopeHost, name+": CUDA Version")
		default:
			return fact.Unknown[string]("", fact.ScopeHost,
				fmt.Sprintf("%s: CUDA Version is %q", name, fact.Clip(m[1])))
		}
	}
	return fact.Unknown[string]("", fact.ScopeHost, name+": no CUDA Version")
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
