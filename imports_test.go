package servegauge_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/servegauge/servegauge"

// Imports point one way. For each package: what of ours it imports itself, and nothing else. What those import is theirs
// to say.
var mayImport = map[string][]string{
	// The ground, which imports nothing of ours.
	"stats":                      {"internal/number"}, // its words, as all others have them
	"internal/secret":            {},                  // one rule for what may not leave the host
	"internal/secret/secrettest": {},
	"internal/busy":              {}, // tests that measure on a busy machine
	"internal/freeport":          {}, // ports for the servers of tests
	"internal/number":            {}, // one way to write figures for people
	"internal/nearest":           {}, // what was meant by a name that is none
	"internal/strictjson":        {}, // what people write by hand, with line and column of what is wrong
	"internal/wholefile":         {}, // files that appear whole or not at all
	"loadgen/internal/procstat":  {}, // what the instrument needs of the operating system
	"loadgen/internal/jsontext":  {}, // JSON whose text counts: the prompts' and the requests'
	"loadgen/internal/finetimer": {}, // when an open loop has to send, to some tens of microseconds
	"loadgen/netstamp":           {},

	// envinfo: what a fact is, the reader of files and runner of tools, what cards share; then each maker, the host and its software,
	// which know nothing of each other; then what is made of them. A container runs an engine with a model, which serving reads.
	"envinfo/fact":              {"internal/secret", "internal/number"},
	"envinfo/internal/facttest": {"envinfo/fact"},
	"envinfo/internal/leaves":   {"envinfo/fact"},
	"envinfo/internal/table":    {"envinfo/fact", "internal/number"},
	"envinfo/internal/source":   {"envinfo/fact", "internal/secret"},
	"envinfo/gpu":               {"envinfo/fact", "envinfo/internal/table"},
	"envinfo/amd":               {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "envinfo/gpu"},
	"envinfo/nvidia":            {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "envinfo/gpu"},
	"envinfo/host":              {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "internal/secret", "internal/number"},
	"envinfo/software":          {"envinfo/fact", "envinfo/internal/source"},
	"envinfo/serving":           {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "internal/secret"},
	"envinfo/container": {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "envinfo/software", "envinfo/serving",
		"internal/secret"},
	"envinfo/state": {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "envinfo/internal/leaves", "envinfo/amd",
		"envinfo/nvidia", "envinfo/host"},
	"envinfo": {"envinfo/fact", "envinfo/internal/source", "envinfo/internal/table", "envinfo/internal/leaves", "envinfo/amd", "envinfo/nvidia",
		"envinfo/host", "envinfo/software", "envinfo/serving", "envinfo/container", "envinfo/state"},

	"loadgen":          {"stats", "loadgen/internal/procstat", "loadgen/internal/finetimer", "internal/number"},
	"loadgen/workload": {"loadgen", "loadgen/internal/jsontext"},
	"loadgen/openai": {"loadgen", "loadgen/audit", "loadgen/internal/jsontext", "loadgen/netstamp", "loadgen/workload", "internal/number",
		"internal/secret"},
	"loadgen/loadgentest":  {"loadgen"},
	"loadgen/audit":        {"stats"}, // a rule for answers: no HTTP, no load
	"loadgen/fleet":        {"loadgen", "loadgen/workload", "internal/number", "internal/secret"},
	"loadgen/fleet/broker": {},

	"protocol": {"loadgen", "loadgen/audit", "loadgen/workload", "stats", "envinfo", "envinfo/fact", "envinfo/state", "internal/nearest", "internal/number", "internal/secret",
		"internal/strictjson", "internal/wholefile"},
	"protocol/probe": {"protocol", "loadgen", "envinfo", "envinfo/fact", "internal/number"},
	"protocol/server": {"protocol", "protocol/vllm", "loadgen", "envinfo", "envinfo/container", "envinfo/serving", "internal/secret",
		"internal/strictjson"},
	"protocol/vllm": {"internal/secret"},
	// The plotting library is here, and nowhere above it: see heavy.
	"protocol/report/chart": {"protocol", "protocol/report", "loadgen", "stats", "internal/number", "internal/wholefile"},
	"protocol/design":       {"protocol", "loadgen", "stats", "internal/number", "internal/strictjson"},
	"protocol/format":       {"protocol", "loadgen", "loadgen/workload", "stats", "internal/number", "internal/wholefile"},
	"protocol/compare":      {"protocol", "loadgen", "stats", "envinfo", "internal/number"},
	"protocol/protocoltest": {"protocol", "loadgen", "loadgen/openai"},
	"protocol/report":       {"protocol", "loadgen", "loadgen/audit", "loadgen/workload", "stats", "envinfo", "internal/number"},

	"docs/schema":  {"protocol", "protocol/server", "envinfo", "envinfo/fact", "loadgen", "stats"}, // a program: the schemas, of the types
	"docs/clients": {"loadgen", "loadgen/loadgentest", "stats", "internal/number"},                 // a program, which measures ours from outside as it does others

	"": {}, // the overview
}

// What a package must not import at all, of anybody's: who prints, reads flags or speaks HTTP is part of the design.
var mustNotImport = map[string][]string{
	"stats": {"flag", "log", "net", "net/http", "os/exec", "time"},
	// Files, tools and servers are read by envinfo/internal/source alone.
	"envinfo":           {"flag", "log", "os", "os/exec", "net/http"},
	"envinfo/fact":      {"flag", "log", "os", "os/exec", "net/http", "io/fs"},
	"envinfo/gpu":       {"flag", "log", "os", "os/exec", "net/http", "io/fs"},
	"envinfo/amd":       {"flag", "log", "os", "os/exec", "net/http"},
	"envinfo/nvidia":    {"flag", "log", "os", "os/exec", "net/http"},
	"envinfo/host":      {"flag", "log", "os", "os/exec", "net/http"},
	"envinfo/software":  {"flag", "log", "os", "os/exec", "net/http"},
	"envinfo/container": {"flag", "log", "os", "os/exec", "net/http"},
	"envinfo/serving":   {"flag", "log", "os", "os/exec"}, // its caller gives the client and the header
	"envinfo/state":     {"flag", "log", "os", "os/exec", "net/http"},

	"loadgen":          {"flag", "log", "net/http", "os", "encoding/json"},
	"loadgen/workload": {"flag", "log", "net/http", "os"},
	"protocol":         {"flag", "log", "net/http"},
	"loadgen/openai":   {"flag", "log", "os"},
	"loadgen/netstamp": {"flag", "log", "net/http"},
	"protocol/server":  {"flag", "log"},
	"protocol/probe":   {"flag", "log"},
	"protocol/report":  {"flag", "log", "os", "net/http"},

	"protocol/report/chart": {"flag", "log", "net/http"},
	"loadgen/fleet":         {"flag", "log", "net/http", "os/exec"}, // a worker runs no command, and speaks HTTP by its Target alone
	"protocol/format":       {"flag", "log", "net/http"},
	"protocol/compare":      {"flag", "log", "net/http"},
}

// heavy are modules that only some may have below them: whoever imports another of our packages does not build them.
// nats-server is 17 MB of a program, so that a worker has none. Of the programs those are named that may not be
// without.
var heavy = map[string][]string{
	"gonum.org/v1/plot":              {"protocol/report/chart"},
	"github.com/nats-io/nats.go":     {"loadgen/fleet", "loadgen/fleet/broker"},
	"github.com/nats-io/nats-server": {"loadgen/fleet/broker"},
}

// lightPrograms have none of nats-server below them.
var lightPrograms = []string{"examples/fleet", "examples/simserver", "examples/envinfo", "examples/compare", "examples/report"}

func TestHeavyModulesStayWhereTheyAre(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...") {
		path, deps, _ := strings.Cut(line, " ")
		name := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		for weight, may := range heavy {
			has := slices.ContainsFunc(strings.Fields(deps), func(d string) bool { return strings.HasPrefix(d+"/", weight+"/") })
			if strings.HasPrefix(name, "examples") {
				if has && strings.HasSuffix(weight, "nats-server") && slices.Contains(lightPrograms, name) {
					t.Errorf("%s has %s below it", path, weight)
				}
				continue
			}
			if has && !slices.Contains(may, name) {
				t.Errorf("%s has %s below it", path, weight)
			}
			if !has && slices.Contains(may, name) {
				t.Errorf("%s may have %s below it, and has not: say so no more", path, weight)
			}
		}
	}
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestImportsPointOneWay(t *testing.T) {
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		path, imports, _ := strings.Cut(line, " ")
		name := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if name == "examples" || strings.HasPrefix(name, "examples/") {
			continue // on top: may import everything, and nothing may import it
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is a new room: say in this test what it may import", path)
			continue
		}
		for direct := range strings.FieldsSeq(imports) {
			ours, ok := strings.CutPrefix(direct, module)
			ours = strings.TrimPrefix(ours, "/")
			if ok && !slices.Contains(allowed, ours) {
				t.Errorf("%s imports %s", path, direct)
			}
			if slices.Contains(mustNotImport[name], direct) {
				t.Errorf("%s imports %s", path, direct)
			}
		}
	}
}
