package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"regexp"
	"strconv"
	"strings"
)

//go:embed page.html
var pageTemplate string

//go:embed page.css
var pageStyle string

//go:embed page.js
var pageScript string

// HTML writes the page of one experiment, or of several side by side, as one file: style, script and charts are in it,
// and it asks nothing of any network, which its content security policy holds it to. It can be read without JavaScript;
// with it tables can be sorted and copied, and charts tell what is behind a point. What came from outside (names of
// models, texts of errors, labels) is escaped.
//
// The same experiments give the same bytes. The error is that of w.
func HTML(w io.Writer, subjects ...Subject) error {
	return page.Execute(w, struct {
		*document
		Style  template.CSS
		Script template.JS
		Policy string
	}{newDocument(subjects), template.CSS(pageStyle), template.JS(pageScript), policy})
}

// policy lets the browser run the page's own script, and fetch nothing.
var policy = func() string {
	sum := sha256.Sum256([]byte(pageScript))
	return "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
		"base-uri 'none'; form-action 'none'"
}()

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"svg": func(d Drawing) template.HTML { return template.HTML(d.SVG) },
	"number": func(c Cell) string {
		return strconv.FormatFloat(c.Number, 'g', -1, 64)
	},
	"class": func(d Drawing) string {
		size := "wide"
		if d.Narrow {
			size = "narrow"
		}
		return strings.Join(strings.Fields("drawing "+size+" "+d.Scale+" "+d.Basis), " ")
	},
	"tone": func(v verdict) string {
		return map[verdict]string{fine: "fine", careful: "careful", bad: "bad"}[v]
	},
	"numeric": func(t any, column int) bool {
		switch t := t.(type) {
		case *Table:
			return numeric(t, column)
		case Table:
			return numeric(&t, column)
		}
		return false
	},
	"glue": glue,
	"long": func(s string) bool { return len(s) > 40 },
}).Parse(pageTemplate))

// unit is what stands behind a number, and must not begin a line.
var unit = regexp.MustCompile(`(\d[!?]*) (%|×|ms\b|s\b|tok/s|req/s|W\b|J\b|GiB\b)|± `)

// glue keeps numbers and their units on one line.
func glue(s string) string {
	return unit.ReplaceAllStringFunc(s, func(s string) string { return strings.ReplaceAll(s, " ", "\u00a0") })
}
