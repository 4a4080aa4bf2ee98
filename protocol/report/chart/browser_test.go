//go:build browser

package chart

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/report"
)

// The page in a browser: docs/browser/check.mjs has what it takes and what is checked. Run with -tags browser, and
// BROWSER_MODULES, the folder that has playwright and axe-core; CHROMIUM, where it is not playwright's own.
func TestPageInBrowser(t *testing.T) {
	e := experiment(3, []int{1, 4, 16, 64}, 16, 40)
	var env envinfo.Environment
	card := `{"model": {"value": "MI325X", "scope": "host", "source": "a test"}}`
	if err := json.Unmarshal([]byte(`{"amd": {"cards": [`+strings.Repeat(card+",", 7)+card+`]}}`), &env); err != nil {
		t.Fatal(err)
	}
	e.Starts[0].Server = &env
	other := experiment(3, []int{1, 4, 16, 64}, 100, 40)
	for i := range other.Measurements { // a name that nobody can break, and one that ends no element
		other.Measurements[i].Models = []string{strings.Repeat("x", 200) + "</svg><script>alert(1)</script>"}
	}
	args := []string{filepath.Join("..", "..", "..", "docs", "browser", "check.mjs")}
	for name, experiments := range map[string][]*protocol.Experiment{"one": {e}, "two": {e, other}} {
		var subjects []report.Subject
		for _, e := range experiments {
			a := protocol.Analyze(e)
			drawn, err := Charts(Draw(e, a))
			if err != nil {
				t.Fatal(err)
			}
			subjects = append(subjects, report.Subject{Experiment: e, Analysis: a, Charts: drawn})
		}
		if len(subjects) > 1 {
			drawn, err := Charts(Compare(subjects))
			if err != nil {
				t.Fatal(err)
			}
			subjects[0].Charts = append(drawn, subjects[0].Charts...)
		}
		var out bytes.Buffer
		if err := report.HTML(&out, subjects...); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), name+".html")
		if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, file)
	}
	said, err := exec.CommandContext(t.Context(), "node", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Logf("%s", said)
}
