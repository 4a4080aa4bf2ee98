package envinfo

import (
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
)

// What may leave the host is decided in three lines of defence. Environment variables are recorded by an allow-list of prefixes. What
// is named like a secret (a variable, an option, a header, a field) loses its value. What is shaped like one loses it wherever it
// stands: every string of a [Value], its source, its reason and every warning passes through [clean], which calls secret.Shapes, so
// that a source that forgets about secrets still cannot leak a token.

// Scrub returns the text of a command line, a configuration or a header without what looks like a secret in it: by its shape (hf_…,
// sk-…, ghp_…, AKIA…, JSON web tokens, PEM private keys, user info of URLs), or by the name before it (api_key=…, "token": "…",
// --password …). What it takes out becomes "[withheld]". It withholds rather too much: key=, whatever it is of, goes. A text over 64 KiB
// is withheld as a whole.
func Scrub(s string) string { return secret.Scrub(s) }

// ScrubArgs returns the arguments of a command without the secrets among them, as many as there were: the values of options with
// telling names (--api-key X, --api-key=X, -e TOKEN=X, -H "Authorization: X", -u NAME:X), and all that [Scrub] takes out of each. An
// option can take several values, so all that follows one with a telling name goes, up to the next option.
func ScrubArgs(args []string) []string { return secret.Args(args) }

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
	return Known(Scrub(s), "", scope, source)
}

func hasPrefix(name string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
