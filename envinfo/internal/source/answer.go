package source

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// noAnswers are what tools print in the place of a value, in small letters.
var noAnswers = []string{
	"n/a", "na", "none", "unknown", "not found", "not supported", "not available", "unsupported",
	"insufficient permissions", "err!",
}

// NoAnswer tells whether s is what a tool prints in the place of a value, such as "N/A", "[Not Supported]",
// "AMDSMI_STATUS_NOT_SUPPORTED - Feature not supported", or nothing. Such a text is no name and no version.
func NoAnswer(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	for _, n := range noAnswers {
		if s == n {
			return true
		}
	}
	switch {
	case s == "", strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]"):
		return true
	case strings.HasPrefix(s, "amdsmi_status_"),
		strings.HasPrefix(s, "rsmi_status_"),
		strings.HasPrefix(s, "nvml_error_"):
		return true
	case strings.HasPrefix(s, "n/a "),
		strings.HasPrefix(s, "deprecated"),
		strings.Contains(s, "functionality has been deprecated"), // nvidia-smi: "Requested functionality has been …"
		strings.HasPrefix(s, "error"),
		strings.HasPrefix(s, "failed"),
		strings.HasPrefix(s, "unable to"),
		strings.HasPrefix(s, "traceback"):
		return true
	}
	return false
}

// version is "6.16.6", "26.2.0+021c61fc", "1:6.12.12.60402-2187269~24.04", "v1.30.1+k3s1", "6.8.0-60-generic".
var version = regexp.MustCompile(`^v?[0-9][0-9A-Za-z]*([.+~:_-]+[0-9A-Za-z]+)*$`)

// Version is what a tool or a file says of a version, as a value: unknown where s has not the shape of one, since tools
// print all kinds of sentences there.
func Version(s string, scope fact.Scope, source string) fact.Value[string] {
	s = strings.TrimSpace(s)
	if len(s) > 128 || !version.MatchString(s) {
		return fact.Unknown[string]("", scope, fmt.Sprintf("%s: %q is not a version", source, fact.Clip(s)))
	}
	return fact.Known(s, "", scope, source)
}
