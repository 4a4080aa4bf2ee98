package examples_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/compare"
)

// stored writes results into a folder as a baseline in git has them: nothing else is there.
func stored(t *testing.T, name string, a protocol.Analysis) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := errors.Join(os.Mkdir(dir, 0o755), a.Save(dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// changed are the results in a folder, measured a day later with other values, none of which is spoiled: what this
// machine was too busy for is not what is compared.
func changed(t *testing.T, dir string, change func(figure string, run int, value float64) float64) protocol.Analysis {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, protocol.ResultsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	a, err := protocol.ReadResults(file)
	if err != nil {
		t.Fatal(err)
	}
	a.Time = a.Time.Add(24 * time.Hour)
	for _, p := range a.Points {
		for i, e := range p.Estimates {
			for k := range e.Values {
				e.Values[k] = change(e.Name, k, e.Values[k])
			}
			p.Estimates[i].SpoiledBy = nil
		}
	}
	return *a
}

// Compare says by its exit code whether a server became worse, of whole experiments as of what is left of them in git.
func TestCompare(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "experiment")
	p := run(t, "multirun", "-levels", "8,16", "-requests", "40", "-runs", "3", "-warmup", "0", "-cooldown", "0s",
		"-server-view=false", "-out", dir)
	if p.code != 0 {
		t.Fatalf("exit code %d\n%s", p.code, p.stderr)
	}
	journal := filepath.Join(t.TempDir(), "journal")
	text, err := os.ReadFile(filepath.Join(dir, protocol.JournalFile))
	if err := errors.Join(err, os.Mkdir(journal, 0o755), os.WriteFile(filepath.Join(journal, protocol.JournalFile),
		text, 0o644)); err != nil {
		t.Fatal(err)
	}
	level := func(_ string, run int, v float64) float64 { return v }
	base := stored(t, "baseline", changed(t, dir, level))
	// Runs that vary by 1 %, so that what is measured on a busy machine does not decide this test.
	steady := func(by float64) func(string, int, float64) float64 {
		return func(figure string, run int, _ float64) float64 {
			v := []float64{99, 100, 101}[run]
			if figure == "ttft_p50" {
				v *= by
			}
			return v
		}
	}
	calm := stored(t, "calm", changed(t, dir, steady(1)))
	equal := stored(t, "equal", changed(t, dir, steady(1.0001)))
	slower := stored(t, "slower", changed(t, dir, steady(1.5)))
	faster := stored(t, "faster", changed(t, dir, steady(0.5)))
	other := changed(t, dir, steady(1))
	other.Models, other.Machines.Client, other.Host = []string{"other"}, "2 cores of another CPU", "sha256:0"
	elsewhere := stored(t, "elsewhere", other)
	beyond := changed(t, dir, steady(1))
	for i := range beyond.Points {
		beyond.Points[i].Concurrency++
	}
	apart := stored(t, "apart", beyond)
	several := t.TempDir()
	for i, by := range []float64{1, 1.002, 0.999} {
		a := changed(t, dir, steady(by))
		a.Time = a.Time.AddDate(0, 0, i+1)
		sub := filepath.Join(several, string(rune('a'+i)))
		if err := errors.Join(os.Mkdir(sub, 0o755), a.Save(sub)); err != nil {
			t.Fatal(err)
		}
	}
	schema := t.TempDir()
	if err := os.WriteFile(filepath.Join(schema, protocol.ResultsFile), []byte(`{"schema":9,"tool":"servegauge v9"}`),
		0o644); err != nil {
		t.Fatal(err)
	}
	ttft := []string{"-margin", "5%", "-figures", "ttft_p50"}
	for _, c := range []struct {
		name string
		args []string
		code int
		says []string // on either output
	}{
		{"equal", append(ttft, calm, equal), 0, []string{"No regression", "equivalent"}},
		{"faster", append(ttft, calm, faster), 0, []string{"better"}},
		{"slower", append(ttft, calm, slower), 1, []string{"worse",
			"Regression: worse in B: ttft_p50 at concurrency 8 (+50.00 %)", "error: B is worse in "}},
		{"flags behind", []string{calm, slower, "-figures=ttft_p50", "-margin=0.05"}, 1, []string{"Regression"}},
		{"too few runs for the margin", []string{"-margin", "0.5%", "-figures", "ttft_p50", calm, equal}, 3,
			[]string{"Undecided: ttft_p50", "error: undecided in ", "a side, measured afresh"}},
		{"several", append(ttft, several, several), 0, []string{"in 3 experiments", "same-experiment"}},
		{"of the journal alone, figures as they come, whatever they say on a busy machine",
			[]string{"-margin", "99%", journal, base}, -1, []string{"output_tokens_per_s", "ttft_p50",
				"marked few-samples"}},
		{"of a file", append(ttft, filepath.Join(calm, protocol.ResultsFile), equal), 0, nil},
		{"another model on another machine", append(ttft, calm, elsewhere), 2,
			[]string{"cannot be compared", "models: simulated → other", "hardware", "-anyway"}},
		{"told to", []string{"-margin", "99%", "-anyway", calm, elsewhere}, 0,
			[]string{"conditions-differ", "What differs"}},
		{"no load in common, told to", []string{"-anyway", calm, apart}, 2,
			[]string{"concurrency 9 ", "no load that both have"}},
		{"in the format of another tool", []string{"-margin", "99%", "-figures", "e2e_p50",
			filepath.Join(dir, "vllm"), filepath.Join(dir, "vllm")}, -1,
			[]string{"e2e_p50", "within-server"}},
		{"one argument", []string{calm}, 2, []string{"want two"}},
		{"three", []string{calm, calm, calm}, 2, []string{"want two"}},
		{"no folder", []string{calm, filepath.Join(calm, "x")}, 2, []string{"no such file"}},
		{"a folder that there is not", []string{calm, "no-such-folder"}, 2,
			[]string{"error: no-such-folder: no such file or directory\n"}},
		{"a folder that is none", []string{calm, t.TempDir()}, 2, []string{"it holds no experiment"}},
		{"another version", []string{calm, schema}, 2, []string{"schema 9, written by servegauge v9"}},
		{"margin", []string{"-margin", "two", calm, equal}, 2, []string{"-margin", "2% or 0.02"}},
		{"margin 0", []string{"-margin", "0%", calm, equal}, 2, []string{"between 0 and 100%"}},
		{"figures", []string{"-figures", "tftt_p50", calm, equal}, 2, []string{"ttft_p50 is meant?"}},
		{"no name", []string{"-figures", "ttft_p50,", calm, equal}, 2, []string{"want names"}},
	} {
		p := run(t, "compare", c.args...)
		if p.code != c.code && (c.code >= 0 || p.code == 2) { // below 0: any but wrong use
			t.Errorf("%s: exit code %d, want %d\n%s\n%s", c.name, p.code, c.code, p.stdout, p.stderr)
			continue
		}
		for _, s := range c.says {
			if said := p.stdout + p.stderr; !strings.Contains(said, s) && !strings.Contains(flowing(said), s) {
				t.Errorf("%s: nothing says %q:\n%s\n%s", c.name, s, p.stdout, p.stderr)
			}
		}
	}
	p = run(t, "compare", append([]string{"-json"}, append(ttft, calm, slower)...)...)
	var r compare.Result
	if err := json.Unmarshal([]byte(p.stdout), &r); err != nil || p.code != 1 || r.Outcome != compare.Regression ||
		len(r.Figures) != 2 {
		t.Errorf("exit code %d: %v\n%s", p.code, err, p.stdout)
	}
}
