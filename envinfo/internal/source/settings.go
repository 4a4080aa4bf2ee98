package source

import (
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/internal/secret"
)

// AllowedVariables are the prefixes of the environment variables that change what an inference server does. Others are
// not recorded, not even by name.
var AllowedVariables = []string{
	"HIP_", "HSA_", "ROCR_", "ROCM_", "NCCL_", "RCCL_", "VLLM_", "AITER_", "TORCH_", "PYTORCH_", "CUDA_", "OMP_", "HF_",
}

// maxText is the most bytes of a text from outside that are recorded, maxList the most entries of a list.
const (
	MaxText = 8 << 10
	MaxList = 1 << 10
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// Settings returns the environment variables ("NAME=value") that may be recorded, of a name that occurs twice the
// first, as getenv(3) does. One whose name says that it is a secret is listed as unknown: that HF_TOKEN was set may
// matter, what it was does not.
func Settings(environ []string, scope fact.Scope, source string) []fact.Setting {
	out := []fact.Setting{}
	seen := map[string]bool{}
	for _, e := range environ {
		name, value, ok := strings.Cut(e, "=")
		if !ok || seen[name] || len(out) == MaxList || !HasPrefix(name, AllowedVariables) ||
			!variableName.MatchString(name) ||
			secret.Shapes(name) != name {
			continue
		}
		seen[name] = true
		out = append(out, fact.Setting{Name: name, Value: setting(name, value, scope, source)})
	}
	return out
}

func setting(name, value string, scope fact.Scope, source string) fact.Value[string] {
	if secret.Named(name, value) {
		return fact.Unknown[string]("", scope, "withheld: its name says that it is a secret")
	}
	return Recorded(value, scope, source)
}

// Recorded is a text from outside: scrubbed, and of a size that a record can take.
func Recorded(s string, scope fact.Scope, source string) fact.Value[string] {
	if len(s) > MaxText {
		return fact.Unknown[string]("", scope, source+": "+TooLarge{MaxText, "bytes"}.Error())
	}
	return fact.Known(secret.Scrub(s), "", scope, source)
}

// HasPrefix tells whether a name begins with one of the prefixes.
func HasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
