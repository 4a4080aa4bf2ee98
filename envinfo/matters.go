package envinfo

import "strings"

// immaterial are the parts of an Environment that do not matter for performance: who and where a thing is, and who
// looked. All others do: driver, ROCm, RCCL, memory, clocks, governor, kernel and its options, partition modes, limits,
// variables, the digest of an image. The list is of the exceptions, so that a field that nobody thought of is compared
// and hashed, and not lost.
//
// A pattern with a leading dot is the end of a path, one with a trailing dot its beginning, any other the whole. Paths
// have no keys: "amd.cards[].unique_id".
var immaterial = []string{
	// how it was captured, and by what; results carry the program beside their figures
	"schema", "warnings", "live", "program.",
	"variables.count",

	"host.hostname", "server.url",
	".unique_id", ".hive_id", ".uuid", // which one of several alike
	// one run of it
	"containers[].id", "containers[].name", "containers[].created", "containers[].started", "containers[].state",
	"nvidia.cards[].pcie.speed",          // now, which these cards lower when they are idle
	".location", ".pci_address", ".node", // where it is plugged in, and the number that it has got for it
	".warnings",
}

// material tells whether what is at path matters for performance.
func material(path string) bool {
	path = withoutKeys(path)
	for _, p := range immaterial {
		switch {
		case strings.HasSuffix(p, "."):
			if strings.HasPrefix(path, p) {
				return false
			}
		case strings.HasPrefix(p, "."):
			if strings.HasSuffix(path, p) {
				return false
			}
		case path == p:
			return false
		}
	}
	return true
}

// withoutKeys is a path without what is in its brackets.
func withoutKeys(path string) string {
	var out strings.Builder
	depth := 0
	for _, r := range path {
		if r == ']' && depth > 0 {
			depth--
		}
		if depth == 0 {
			out.WriteRune(r)
		}
		if r == '[' {
			depth++
			if depth == 1 {
				continue
			}
		}
	}
	return out.String()
}
