package examples_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/format"
)

// What -out has is there in every format, and each that is read again says the same.
func TestOutHasEveryFormat(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	if p := run(t, "loadtest", "-out", out, "-concurrency", "4", "-requests", "40"); p.code != 0 {
		t.Fatalf("exit code %d: %s", p.code, p.stderr)
	}
	for _, name := range []string{
		"journal.jsonl", "results.json", "levels.csv", "runs.csv", "benchstat.txt", "metrics.prom", "vllm", "llm-d",
		"course.svg",
		"ecdf-ttft.png",
	} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	var want float64
	for _, folder := range []string{"", "vllm", "llm-d"} {
		e, err := format.Open(filepath.Join(out, folder))
		if err != nil {
			t.Fatal(err)
		}
		p, err := protocol.Analyze(e).Point(protocol.Load{Concurrency: 4})
		if err != nil {
			t.Fatal(err)
		}
		f, _ := p.Figure(loadgen.TotalThroughput)
		if len(f.Values) != 1 || folder != "" && f.Values[0] != want {
			t.Errorf("%q has the throughput %v; want %g", folder, f.Values, want)
			continue
		}
		want = f.Values[0]
	}
}
