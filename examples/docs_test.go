package examples_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// markdown are the documents of the repository, by their paths from its root.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	add := func(path string) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name, err := filepath.Rel("..", path)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.ToSlash(name)] = string(text)
	}
	top, err := filepath.Glob("../*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range top {
		add(path)
	}
	for _, dir := range []string{"../docs", "../.github"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".md") {
				add(path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 20 {
		t.Fatalf("%d documents were found", len(out))
	}
	return out
}

// goFlags are flags of Go's own tools and of this repository's tests, which documents name too.
var goFlags = []string{"-artifacts", "-bench", "-count", "-fuzz", "-long", "-modfile", "-outputdir", "-race", "-run",
	"-shots",
	"-short", "-tags", "-test", "-v"}

var (
	fence = regexp.MustCompile("(?ms)^ *```[a-z]*\n(.*?)^ *```$")
	code  = regexp.MustCompile("`([^`]+)`")
	// A name on its own, or with what it takes: `-levels`, `-runs +N`, `-require 'ttft_p99@16<500ms'`.
	single = regexp.MustCompile(`^-([a-z][a-z0-9-]*)($|[ =])`)
)

// Each flag that a document names by itself is one of some program.
func TestDocumentsNameFlagsThatThereAre(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"help": true} // which -help does not list
	for _, name := range all {
		for _, m := range listed.FindAllStringSubmatch(runNamed(t, name, "-help").stdout, -1) {
			known[m[1]] = true
		}
	}
	named := 0
	for file, text := range markdown(t) {
		if file == "CHANGELOG.md" { // which tells of those that are gone
			continue
		}
		for _, span := range code.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			m := single.FindStringSubmatch(strings.Join(strings.Fields(span[1]), " "))
			if m == nil || slices.Contains(goFlags, "-"+m[1]) {
				continue
			}
			if named++; !known[m[1]] {
				t.Errorf("%s names -%s, and no program has it", file, m[1])
			}
		}
	}
	if named < 100 {
		t.Errorf("%d flags were found in the documents", named)
	}
}

// Each command line of a document has flags that its program has, with values that it takes.
func TestDocumentsCommandsParse(t *testing.T) {
	t.Parallel()
	tried := map[string]bool{"loadtest\x00-num-prompts\x0080": true} // which shows what is said of another tool's flag
	for file, text := range markdown(t) {
		if file == "CHANGELOG.md" {
			continue
		}
		for _, line := range commandLines(text) {
			args := commandOf(line)
			if args == nil || tried[strings.Join(args, "\x00")] {
				continue
			}
			tried[strings.Join(args, "\x00")] = true
			if p := run(t, args[0], append(slices.Clone(args[1:]), "-version")...); p.code != 0 {
				t.Errorf("%s: %s\n%s", file, line, p.stderr)
			}
		}
	}
	if len(tried) < 50 {
		t.Errorf("%d commands were found in the documents", len(tried))
	}
}

// commandLines are the lines of the blocks of code in a document, and its spans of code, without what is said of them.
func commandLines(text string) (out []string) {
	for _, block := range fence.FindAllStringSubmatch(text, -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			out = append(out, strings.TrimSpace(line))
		}
	}
	for _, span := range code.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		out = append(out, strings.Join(strings.Fields(span[1]), " "))
	}
	return out
}

// commandOf is the program that a line runs, and its arguments; nil: it runs none of ours, or has no flag.
func commandOf(line string) []string {
	words := shellWords(line)
	if len(words) == 0 {
		return nil
	}
	at := 0
	switch {
	case len(words) > 2 && words[0] == "go" && words[1] == "run" && strings.HasPrefix(words[2], "./examples/"):
		at, words[2] = 2, strings.TrimPrefix(words[2], "./examples/")
	case words[0] == "ssh" || words[0] == "kubectl": // behind the host, and what is set there
		if at = slices.IndexFunc(words, func(w string) bool {
			return slices.Contains([]string{"fleet", "envinfo"},
				w)
		}); at < 0 {
			return nil
		}
	}
	words = words[at:]
	for i, w := range words {
		if len(w) == 1 && unicode.IsUpper(rune(w[0])) { // a number that the reader has
			words[i] = "2"
		}
	}
	if !slices.ContainsFunc(all, func(name string) bool { return strings.Fields(name)[0] == words[0] }) ||
		!slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") && w != "-help" }) {
		return nil
	}
	return words
}

// shellWords are the words of the first command of a line, as a shell has them. "…" stands for what a reader knows.
func shellWords(line string) (out []string) {
	var word strings.Builder
	quote, begun := rune(0), false
	end := func() {
		if begun {
			out = append(out, word.String())
		}
		word.Reset()
		begun = false
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, begun = r, true
		case unicode.IsSpace(r):
			end()
		case strings.ContainsRune("|>&;#", r) && (!begun || r == ';' || r == '|'):
			end()
			return out
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	end()
	return out
}

var (
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	headline  = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	anchorOut = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Each link of a document to a file of the repository leads to one, and to a heading that it has.
func TestDocumentsLinks(t *testing.T) {
	t.Parallel()
	documents := markdown(t)
	anchors := map[string][]string{}
	for file, text := range documents {
		for _, m := range headline.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			anchors[file] = append(anchors[file], strings.ReplaceAll(anchorOut.ReplaceAllString(strings.ToLower(m[1]),
				""), " ", "-"))
		}
	}
	links := 0
	for file, text := range documents {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			path, anchor, _ := strings.Cut(m[1], "#")
			to := file
			if path != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(file), path))
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s links to %s, which there is not", file, m[1])
			} else if anchor != "" && !slices.Contains(anchors[to], anchor) {
				t.Errorf("%s links to %s: that heading is not among %q", file, m[1], anchors[to])
			}
		}
	}
	if links < 50 {
		t.Errorf("%d links were found", links)
	}
}
