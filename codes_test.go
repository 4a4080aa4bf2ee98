package servegauge_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/compare"
	"github.com/servegauge/servegauge/protocol/format"
	"github.com/servegauge/servegauge/protocol/probe"
	"github.com/servegauge/servegauge/protocol/server"
)

// giveWarnings are the packages that give warnings, with the lists of their codes.
var giveWarnings = map[string][]string{
	"loadgen":          loadgen.Codes(),
	"loadgen/openai":   openai.Codes(),
	"protocol":         protocol.Codes(),
	"protocol/compare": compare.Codes(),
	"protocol/format":  format.Codes(),
	"protocol/probe":   probe.Codes(),
	"protocol/server":  server.Codes(),
}

// Each code of a warning is a constant, each constant is in the list of its package, and no code is in two lists: then
// whoever names one (-strict, the causes of a retry) can be told that there is none of that name.
func TestCodes(t *testing.T) {
	owner := map[string]string{}
	method, err := os.ReadFile("docs/method.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, codes := range giveWarnings {
		for _, code := range codes {
			if other := owner[code]; other != "" || !regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`).MatchString(code) {
				t.Errorf("the code %q of %s: also of %q, or not of letters and dashes", code, name, other)
			}
			owner[code] = name
			if !bytes.Contains(method, []byte("`"+code+"`")) {
				t.Errorf("docs/method.md does not tell of the warning %s of %s", code, name)
			}
		}
	}
	files := token.NewFileSet()
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if dir == "envinfo" || strings.HasPrefix(dir, "envinfo/") || dir == "stats" {
			return nil // whose warnings are of other kinds: of facts, and of assumptions
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		checkCodes(t, files, file, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var listed = map[string]map[string]bool{} // by directory, the constants that its Codes names

func checkCodes(t *testing.T, files *token.FileSet, file *ast.File, dir string) {
	wrong := func(n ast.Node, what string) { t.Errorf("%v: %s", files.Position(n.Pos()), what) }
	named := func(n ast.Expr) bool { // whether it may be one of the constants
		literal, ok := n.(*ast.BasicLit)
		return !ok || literal.Kind != token.STRING
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			for _, name := range n.Names {
				if !regexp.MustCompile(`^Warn[A-Z]`).MatchString(name.Name) || len(n.Values) == 0 {
					continue
				}
				if !codesOf(t, dir)[name.Name] {
					wrong(n, "the code "+name.Name+" is not in Codes of its package")
				}
			}
		case *ast.CompositeLit: // Warning{Code: …}
			if of, ok := n.Type.(*ast.Ident); ok && of.Name == "Warning" {
				checkWarning(n, named, wrong)
			}
			if of, ok := n.Type.(*ast.SelectorExpr); ok && of.Sel.Name == "Warning" {
				checkWarning(n, named, wrong)
			}
		case *ast.CallExpr: // warn(code, …), a.warn(code, …), m.spoil(code, …)
			name := ""
			switch f := n.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if (name == "warn" || name == "spoil") && len(n.Args) > 1 && !named(n.Args[0]) {
				wrong(n, "the code of a warning is no constant")
			}
		}
		return true
	})
}

func checkWarning(n *ast.CompositeLit, named func(ast.Expr) bool, wrong func(ast.Node, string)) {
	for _, e := range n.Elts {
		pair, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if key, ok := pair.Key.(*ast.Ident); ok && key.Name == "Code" && !named(pair.Value) {
			wrong(n, "the code of a warning is no constant")
		}
	}
}

// codesOf are the names in the list of a package.
func codesOf(t *testing.T, dir string) map[string]bool {
	if names := listed[dir]; names != nil {
		return names
	}
	names := map[string]bool{}
	listed[dir] = names
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, "codes.go"), nil, parser.SkipObjectResolution)
	if _, gives := giveWarnings[dir]; err != nil || !gives {
		t.Errorf("%s has codes of warnings: it needs a codes.go with their list, and its place in this test (%v)",
			dir, err)
		return names
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok {
			names[name.Name] = true
		}
		return true
	})
	return names
}
