package servegauge_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/servegauge/servegauge"

// Imports point one way. For each package: what of ours it may import, directly or not.
var mayImport = map[string][]string{
	"stats":   {},
	"envinfo": {},
	"loadgen": {"stats", "loadgen/internal/procstat"},

	"loadgen/internal/procstat": {}, // what the instrument needs of the operating system; indirectly all have it
	"loadgen/internal/jsontext": {}, // JSON whose text counts: the prompts' and the requests'
	"loadgen/netstamp":          {},
	"loadgen/workload":          {"loadgen", "loadgen/internal/procstat", "loadgen/internal/jsontext", "stats"},
	"loadgen/openai": {"loadgen", "loadgen/internal/procstat", "loadgen/internal/jsontext", "loadgen/netstamp", "loadgen/workload",
		"stats"},
	"loadgen/loadgentest": {"loadgen", "loadgen/internal/procstat", "stats"},

	"protocol":        {"loadgen", "loadgen/internal/procstat", "loadgen/internal/jsontext", "loadgen/workload", "stats", "envinfo"},
	"protocol/vllm":   {},
	"protocol/server": {"protocol", "protocol/vllm", "loadgen", "loadgen/internal/procstat", "loadgen/internal/jsontext",
		"loadgen/workload", "stats", "envinfo"},
	"protocol/report": {"protocol", "loadgen", "loadgen/internal/procstat", "loadgen/internal/jsontext", "loadgen/workload", "stats", "envinfo"},

	"docs/clients": {"loadgen", "loadgen/loadgentest", "stats"}, // a program, which measures ours from outside as it does others

	"": {"loadgen", "loadgen/internal/procstat", "loadgen/internal/jsontext", "loadgen/workload", "protocol", "stats", "envinfo"},
}

// What a package must not import at all, of anybody's: who prints, reads flags or speaks HTTP is part of the design.
var mustNotImport = map[string][]string{
	"stats":            {"flag", "log", "net", "net/http", "os/exec", "time"},
	"envinfo":          {"flag", "log"}, // it runs the makers' and the containers' tools, and asks a server by HTTP what it is
	"loadgen/workload": {"flag", "log", "net", "net/http", "os", "time"},
	"loadgen":          {"flag", "log", "net/http", "os", "encoding/json"},
	"protocol":         {"flag", "log", "net/http"},
	"loadgen/openai":   {"flag", "log", "os"},
	"loadgen/netstamp": {"flag", "log", "net/http"},
	"protocol/server":  {"flag", "log"},
	"protocol/report":  {"flag", "log", "os", "net/http"},
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Fields(string(out))
}

func TestImportsPointOneWay(t *testing.T) {
	for _, path := range goList(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if name == "examples" || strings.HasPrefix(name, "examples/") {
			continue // on top: may import everything, and nothing may import it
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is a new room: say in this test what it may import", path)
			continue
		}
		for _, dep := range goList(t, "-deps", path) {
			ours, ok := strings.CutPrefix(dep, module)
			ours = strings.TrimPrefix(ours, "/")
			if ok && ours != name && !slices.Contains(allowed, ours) {
				t.Errorf("%s depends on %s", path, dep)
			}
		}
		for _, direct := range goList(t, "-f", `{{join .Imports " "}}`, path) {
			if slices.Contains(mustNotImport[name], direct) {
				t.Errorf("%s imports %s", path, direct)
			}
		}
	}
}
