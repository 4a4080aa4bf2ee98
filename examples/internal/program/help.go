package program

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// flagGroups are the headings under which -help lists flags, and their order, the common ones first. A flag that is in
// none stands under the last heading.
var flagGroups = []struct {
	title string
	flags []string
}{
	{"What is measured", []string{
		"url", "model", "concurrency", "rate", "levels", "rates", "requests", "duration", "runs", "plan", "input",
		"output",
		"a", "b", "a-url", "b-url", "b-body", "blocks", "margin", "anyway", "limit", "require",
		"goodput", "percentiles", "figures", "need", "tokens",
	}},
	{"The load", []string{
		"arrivals", "burstiness", "max-in-flight", "warmup", "ramp-up", "retries", "order", "adaptive", "until", "grid",
		"cooldown",
		"budget", "level-budget", "retry", "prime", "client-check",
	}},
	{"The requests", []string{
		"endpoint", "stream", "dataset", "prefix", "text", "vocabulary", "body", "continuous-usage", "seed", "timeout",
		"audit", "audit-examples", "audit-known", "audit-known-share",
	}},
	{"Lengths, sessions and traces", []string{
		"input-lengths", "output-lengths", "length-pairs", "tree", "sessions", "concurrency-of", "turns", "think",
		"first-input",
		"system", "conversations", "recorded", "images", "image-size", "image-format", "image-urls", "media",
		"media-each",
		"sound", "trace", "trace-format", "speed", "window",
	}},
	{"The server", []string{
		"server", "server-grace", "server-probe", "server-view", "server-envinfo", "replicas", "reset-cache",
	}},
	{"Access", []string{"api-key-env", "header", "ca-file", "http2"}},
	{"What is kept and printed", []string{
		"out", "json", "wide", "format", "save-requests", "strict", "resume", "accept-changes", "dry-run", "version",
	}},
	{"Several machines", []string{
		"fleet", "workers", "nats", "allow", "name", "datasets", "for", "fleet-name", "fleet-ca-file", "fleet-cert",
		"fleet-credentials", "fleet-key", "fleet-nkey", "fleet-token-env", "fleet-plain",
	}},
	{"A Kubernetes cluster", []string{
		"namespace", "image", "nats-image", "server-label", "api-key-secret", "cpu", "memory", "lifetime",
	}},
	{"A host and what it serves", []string{
		"container", "pinned", "root", "tools-timeout", "diff", "state", "tables", "mlperf",
	}},
	{"A simulated server", []string{
		"address", "echo", "flush-each", "max-sequences", "prefill", "decode", "step-per-sequence", "token-budget",
		"kv-blocks",
		"block-tokens", "prefix-cache", "cold", "cold-requests", "engines", "route", "noise", "grammar", "corrupt",
	}},
	{"More", nil},
}

// groupOf is the place of a flag in flagGroups.
func groupOf(name string) int {
	for i, g := range flagGroups {
		if slices.Contains(g.flags, name) {
			return i
		}
	}
	return len(flagGroups) - 1
}

// Help writes what a program is for and its flags, in 80 columns.
func Help(w io.Writer, about string, flags *flag.FlagSet) {
	fmt.Fprintf(w, "%s\n", about)
	groups := make([][]*flag.Flag, len(flagGroups))
	flags.VisitAll(func(f *flag.Flag) { groups[groupOf(f.Name)] = append(groups[groupOf(f.Name)], f) })
	alone := 0 // a program with few flags needs no headings
	for _, g := range groups {
		if len(g) > 0 {
			alone++
		}
	}
	for i, group := range groups {
		if len(group) == 0 {
			continue
		}
		if alone > 1 {
			fmt.Fprintf(w, "\n%s\n", flagGroups[i].title)
		} else {
			fmt.Fprintln(w)
		}
		slices.SortStableFunc(group, func(a, b *flag.Flag) int {
			names := flagGroups[i].flags
			return cmp.Compare(slices.Index(names, a.Name), slices.Index(names, b.Name))
		})
		for _, f := range group {
			writeFlag(w, f)
		}
	}
}

// writeFlag writes one flag: its name with what it takes, and below it what it does.
func writeFlag(w io.Writer, f *flag.Flag) {
	takes, usage := flag.UnquoteUsage(f)
	if takes == "value" || takes == "string" || takes == "uint" || takes == "float" || takes == "int" {
		takes = "VALUE"
	}
	line := "  -" + f.Name
	if takes != "" {
		line += " " + takes
	}
	if d := f.DefValue; d != "" && d != "0" && d != "0s" && d != "false" {
		usage += " (without it: " + d + ")"
	}
	fmt.Fprintln(w, line)
	for _, part := range wrapped(usage, 80-6) {
		fmt.Fprintf(w, "      %s\n", part)
	}
}

// wrapped breaks a text between words, into lines of a width; a word that is longer stands alone.
func wrapped(text string, width int) []string {
	var lines []string
	line, used := "", 0
	for _, word := range strings.Fields(text) {
		n := len([]rune(word))
		if used > 0 && used+1+n > width {
			lines, line, used = append(lines, line), "", 0
		}
		if used > 0 {
			line, used = line+" ", used+1
		}
		line, used = line+word, used+n
	}
	return append(lines, line)
}
