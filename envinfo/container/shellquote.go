package container

import (
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
)

// shellQuote joins arguments so that a shell would split them again.
func shellQuote(args []string) string {
	out := make([]string, len(args))
	for i, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\r\n\"'\\$&|;<>()*?[]#~`!{}") && a != secret.Withheld {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out[i] = a
	}
	return strings.Join(out, " ")
}
