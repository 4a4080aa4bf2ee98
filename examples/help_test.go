package examples_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/servegauge/servegauge/protocol"
)

// all are the programs, and those that fleet has in it.
var all = []string{"loadtest", "multirun", "finesweep", "ablation", "slo", "compare", "report", "clientcheck",
	"simserver",
	"envinfo", "fleet worker", "fleet status", "fleet manifest"}

// runNamed runs one of them.
func runNamed(t *testing.T, name string, args ...string) program {
	t.Helper()
	words := strings.Fields(name)
	return run(t, words[0], append(words[1:], args...)...)
}

var (
	listed = regexp.MustCompile(`(?m)^  -([a-z0-9-]+)( |$)`) // a flag where -help says what it does
	used   = regexp.MustCompile(` --?([a-z][a-z0-9-]*)`)     // a flag in an example
)

// Help of every program fits 80 columns, has each flag under a heading of its kind, and two examples at least that can
// be tried as they are.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, name := range all {
		p := runNamed(t, name, "-help")
		if p.code != 0 || p.stderr != "" {
			t.Errorf("%s -help: exit code %d\n%s", name, p.code, p.stderr)
		}
		var flags []string
		for _, m := range listed.FindAllStringSubmatch(p.stdout, -1) {
			flags = append(flags, m[1])
		}
		for _, want := range []string{"version", "json"} {
			if name == "simserver" && want == "json" || name == "fleet worker" && want == "json" ||
				name == "fleet manifest" && want == "json" {
				continue // they print no result
			}
			if !slices.Contains(flags, want) {
				t.Errorf("%s has no -%s, but %v", name, want, flags)
			}
		}
		if slices.Contains(strings.Split(p.stdout, "\n"), "More") {
			t.Errorf("%s -help: flags without a heading; put them into flagGroups:\n%s", name,
				p.stdout[strings.Index(p.stdout, "\nMore\n"):])
		}
		examples := 0
		for line := range strings.Lines(strings.ReplaceAll(p.stdout, "\\\n", "")) {
			if strings.HasPrefix(line, "  "+name+" ") || line == "  "+name+"\n" {
				examples++
				for _, m := range used.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
					if !slices.Contains(flags, m[1]) {
						t.Errorf("%s: there is no -%s in %s", name, m[1], line)
					}
				}
			}
		}
		if examples < 2 {
			t.Errorf("%s -help has %d examples, want two:\n%.300s", name, examples, p.stdout)
		}
	}
	all := append(slices.Clone(all), "fleet")
	for _, name := range all {
		for line := range strings.Lines(runNamed(t, name, "-help").stdout) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s -help: %d columns: %s", name, n, line)
			}
		}
		if p := runNamed(t, name, "-version"); p.code != 0 || !strings.HasPrefix(p.stdout, "servegauge ") {
			t.Errorf("%s -version: exit code %d: %s%s", name, p.code, p.stdout, p.stderr)
		}
	}
}

// At its end a program says where its files are, and what would say more.
func TestEndSaysWhatIsNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		args []string
		say  string
	}{
		{"loadtest", []string{"-concurrency", "1", "-requests", "10"}, ""},
		{"finesweep", []string{"-levels", "1,2", "-requests", "10", "-runs", "1", "-cooldown", "0s", "-json"},
			"next: one run has no interval; -resume " + filepath.Join(dir, "finesweep") + " -runs 3 adds some"},
	} {
		out := filepath.Join(dir, c.name)
		p := run(t, c.name, append(c.args, "-out", out)...)
		page := filepath.Join(out, "report.html")
		if !strings.Contains(p.stderr, "all files are in "+out+"; open "+page) || !strings.Contains(p.stderr, c.say) ||
			p.says("all files are in") {
			t.Errorf("%s: exit code %d\n%s\n%s", c.name, p.code, p.stdout, p.stderr)
		}
		if _, err := os.Stat(page); err != nil {
			t.Error(err)
		}
	}
}

// Comparisons and searches are measured by a fleet too.
func TestFleetOfDesigns(t *testing.T) {
	t.Parallel()
	small := []string{"-fleet", "2", "-requests", "20", "-cooldown", "0s", "-warmup", "0", "-json"}
	for name, more := range map[string][]string{
		"ablation": {"-blocks", "3", "-levels", "4"},
		"slo":      {"-runs", "3", "-levels", "2,4", "-budget", "20s"},
	} {
		p := run(t, name, append(more, small...)...)
		var a protocol.Analysis
		if err := json.Unmarshal([]byte(p.stdout), &a); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, p.stderr)
		}
		if len(a.Findings) == 0 || a.Accounting.Completed == 0 || a.Accounting.Completed != a.Accounting.Issued {
			t.Errorf("%s: exit code %d, %+v, %d findings\n%s", name, p.code, a.Accounting, len(a.Findings), p.stderr)
		}
	}
}

// Every program answers a flag that it does not have with the one that was meant.
func TestUnknownFlags(t *testing.T) {
	t.Parallel()
	for _, name := range all {
		p := runNamed(t, name, "--versoin")
		if p.code != 2 || !strings.Contains(p.stderr, "there is no flag -versoin; here it is -version") {
			t.Errorf("%s: exit code %d: %s", name, p.code, p.stderr)
		}
	}
}
