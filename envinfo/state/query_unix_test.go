//go:build unix

package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// The mask of what holds the clocks down is asked for under both of its names, and the query goes on without it where
// neither is known.
func TestNVIDIARenamedField(t *testing.T) {
	for complains, want := range map[string]string{
		"":                        "clocks_throttle_reasons.active",
		"clocks_throttle_reasons": "clocks_event_reasons.active",
		"clocks_":                 "ecc.errors.uncorrected.volatile.total",
	} {
		dir := t.TempDir()
		script := "#!/bin/sh\n"
		for _, name := range []string{"clocks_throttle_reasons", "clocks_event_reasons"} {
			if complains != "" && strings.HasPrefix(name, complains) {
				script += "case \"$1\" in *" + name + "*) echo 'Field \"" + name + ".active\" is not a valid field " +
					"to query.'; exit 2;; esac\n"
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script+"echo \"$1\"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		b := source.Config{Tools: source.ToolConfig{Path: dir, Timeout: time.Minute}}.Toolbox(t.Context())
		out, err := startNVIDIAState(b).Wait()
		b.Stop()
		if err != nil || !strings.HasSuffix(string(out), ","+want+"\n") || strings.Count(string(out), "clocks_") > 1 {
			t.Errorf("%q: got %q, %v; want it to end in %s", complains, out, err, want)
		}
	}
	if last := nvidiaStateFields[len(nvidiaStateFields)-1]; last != "clocks_throttle_reasons.active" {
		t.Errorf("the list of fields was changed: it ends in %s", last)
	}
}
