package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
)

const module = "github.com/servegauge/servegauge"

// comments reads what the source says of types and of their fields.
type comments struct {
	root     string // of the module
	packages map[string]*source
}

// A source is what one package's files declare.
type source struct {
	docs    map[string]string            // of types
	fields  map[string]map[string]string // of the fields of types
	structs map[string]*ast.StructType
	// by type, the struct that its MarshalJSON writes in its place: "Interval": "intervalJSON"
	written map[string]string
}

func (c *comments) of(path string) (*source, error) {
	if s := c.packages[path]; s != nil {
		return s, nil
	}
	relative, ours := strings.CutPrefix(path, module+"/")
	if !ours {
		return nil, fmt.Errorf("%s is not of this module", path)
	}
	names, err := filepath.Glob(filepath.Join(c.root, filepath.FromSlash(relative), "*.go"))
	if err != nil {
		return nil, err
	}
	s := &source{map[string]string{}, map[string]map[string]string{}, map[string]*ast.StructType{}, map[string]string{}}
	files := token.NewFileSet()
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(files, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			s.read(files, d)
		}
	}
	if c.packages == nil {
		c.packages = map[string]*source{}
	}
	c.packages[path] = s
	return s, nil
}

func (s *source) read(files *token.FileSet, d ast.Decl) {
	switch d := d.(type) {
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			t, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			doc := t.Doc
			if doc == nil {
				doc = d.Doc
			}
			s.docs[t.Name.Name] = plain(doc.Text())
			if of, ok := t.Type.(*ast.StructType); ok {
				s.structs[t.Name.Name] = of
				s.fields[t.Name.Name] = fieldComments(files, of)
			}
		}
	case *ast.FuncDecl:
		if d.Name.Name != "MarshalJSON" || d.Recv == nil {
			return
		}
		receiver, ok := d.Recv.List[0].Type.(*ast.Ident)
		if !ok {
			return
		}
		ast.Inspect(d.Body, func(n ast.Node) bool {
			if literal, ok := n.(*ast.CompositeLit); ok {
				if name, ok := literal.Type.(*ast.Ident); ok && strings.HasSuffix(name.Name, "JSON") {
					s.written[receiver.Name] = name.Name
				}
			}
			return true
		})
	}
}

// fieldComments are what stands above a field, and what behind it. A comment above several fields is of each of
// them that has none behind it:
//
//	// Early and Late are how many requests were outstanding.
//	Early float64
//	Late  float64
func fieldComments(files *token.FileSet, of *ast.StructType) map[string]string {
	out := map[string]string{}
	above, next := "", 0 // what stands above the fields so far, and the line on which another one of them would be
	for _, f := range of.Fields.List {
		if f.Doc != nil || files.Position(f.Pos()).Line != next {
			above = plain(f.Doc.Text())
		}
		next = files.Position(f.End()).Line + 1
		text := strings.TrimSpace(plain(f.Doc.Text()) + " " + plain(f.Comment.Text()))
		if text == "" {
			text = above
		}
		for _, name := range f.Names {
			out[name.Name] = text
		}
	}
	return out
}

var docLink = regexp.MustCompile(`\[\*?([A-Z][A-Za-z0-9.]*|[a-z]+\.[A-Z][A-Za-z0-9.]*)\]`)

// plain is a comment in one line, without the marks of links.
func plain(comment string) string {
	return docLink.ReplaceAllString(strings.Join(strings.Fields(comment), " "), "$1")
}
