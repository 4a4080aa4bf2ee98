// Command schema writes the JSON Schemas (draft 2020-12) of the files that servegauge reads and writes. They follow
// from the Go types: members and their types by reflection, what they mean and in which unit from the comments on
// the fields, so that each is said once. What a type does not say, such as bounds, is in bounds.go.
//
//	go generate ./docs/schema
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

//go:generate go run .

// A file is a published schema.
type file struct {
	name  string
	of    reflect.Type
	title string
	about string
	// strict refuses members that there are not, as whoever reads the file does. The others are files that programs
	// write, and may get members more, which a reader should pass over.
	strict bool
}

var files = []file{
	{"plan.schema.json", reflect.TypeFor[protocol.Plan](), "Plan of an experiment",
		"What -plan FILE reads, and plan.json holds. Times are in nanoseconds. Beside what stands here, " +
			"level_budget_ns is at most budget_ns where both are given, and cooldown_ns less than that.", true},
	{"server.schema.json", reflect.TypeFor[server.Configuration](), "Configuration of a server in a container",
		"What -server FILE reads: how a model is served that is no preset.", true},
	{"journal.schema.json", reflect.TypeFor[protocol.Entry](), "A line of journal.jsonl",
		"A line has exactly one member beside schema and time, which says what it is of. The first is of begin, " +
			"no other is; of what was carried out to its end, or stopped, the last is of end.", false},
	{"environment.schema.json", reflect.TypeFor[envinfo.Environment](), "Environment of a measurement",
		"environment.json: the machine, its drivers and software. Each reading is known, with its source, or " +
			"unknown, with the reason.", false},
	{"results.schema.json", reflect.TypeFor[protocol.Analysis](), "Results of an experiment",
		"results.json, which is derived from the journal. Where a number is expected there is a number or null, " +
			"and never a string. Null is undefined, unless the object has a member unbounded that names it: " +
			"above is +∞, below −∞.", false},
	{"requests.schema.json", reflect.TypeFor[protocol.Request](), "A line of requests.jsonl.gz",
		"What became of one request. Times are in nanoseconds since the level's start, which the journal has " +
			"(measurement.result.start).", false},
}

// schema is the text of a file's schema.
func (f file) schema() ([]byte, error) {
	w := &walk{comments: comments{root: filepath.Join("..", "..")}, strict: f.strict, defs: map[string]*object{}}
	root, err := w.structure(f.of)
	if err != nil {
		return nil, err
	}
	out := &object{}
	out.add("$schema", "https://json-schema.org/draft/2020-12/schema")
	out.add("$id", "https://raw.githubusercontent.com/servegauge/servegauge/main/docs/schema/"+f.name)
	out.add("title", f.title)
	out.add("description", f.about)
	for _, m := range root.members {
		if m.name != "description" {
			out.add(m.name, m.value)
		}
	}
	if len(w.defs) > 0 {
		out.add("$defs", w.defs)
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	to.SetIndent("", "  ")
	if err := to.Encode(out); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

func main() {
	for _, f := range files {
		text, err := f.schema()
		if err == nil {
			err = os.WriteFile(f.name, text, 0o644)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", f.name, err)
			os.Exit(1)
		}
	}
}
