package envinfo

import (
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
)

// allowedVariables are the prefixes of the environment variables that change what an inference server does. Others are not recorded,
// not even by name.
var allowedVariables = []string{
	"HIP_", "HSA_", "ROCR_", "ROCM_", "NCCL_", "RCCL_", "VLLM_", "AITER_", "TORCH_", "PYTORCH_", "CUDA_", "OMP_", "HF_",
}

// maxText is the most bytes of a text from outside that are recorded, maxList the most entries of a list.
const (
	maxText = 8 << 10
	maxList = 1 << 10
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// settingsOf returns the environment variables ("NAME=value") that may be recorded, of a name that occurs twice the first, as getenv(3)
// does. One whose name says that it is a secret is listed as unknown: that HF_TOKEN was set may matter, what it was does not.
func settingsOf(environ []string, scope Scope, source string) []Setting {
	out := []Setting{}
	seen := map[string]bool{}
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if !ok || seen[name] || len(out) == maxList || !hasPrefix(name, allowedVariables) || !variableName.MatchString(name) ||
			secret.Shapes(name) != name {
			continue
		}
		seen[name] = true
		out = append(out, Setting{name, setting(name, value, scope, source)})
	}
	return out
}

func setting(name, value string, scope Scope, source string) Value[string] {
	if secret.Named(name, value) {
		return Unknown[string]("", scope, "withheld: its name says that it is a secret")
	}
	return recorded(value, scope, source)
}

// recorded is a text from outside: scrubbed, and of a size that a record can take.
func recorded(s string, scope Scope, source string) Value[string] {
	if len(s) > maxText {
		return Unknown[string]("", scope, source+": "+tooLarge{maxText, "bytes"}.Error())
	}
	return Known(secret.Scrub(s), "", scope, source)
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
