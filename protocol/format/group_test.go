package format

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

func TestRunsAndArms(t *testing.T) {
	at := func(second, model, ttft string) string {
		return with(with(with(vllmFile, "030405", "0304"+second), `"model_id": "m"`, `"model_id": "`+model+`"`),
			`"mean_ttft_ms": 15.5`, `"mean_ttft_ms": `+ttft)
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  map[string][]float64 // ttft means in the order of the runs, by arm
		codes []string
	}{
		{"by time", map[string]string{"b.json": at("01", "m", "15.1"), "a.json": at("02", "m", "15.2")},
			map[string][]float64{"": {15.1, 15.2}}, nil},
		{"by the names of folders", map[string]string{"run1/a.json": at("01", "m", "15.1"), "run0/a.json": at("02", "m",
			"15.2")},
			map[string][]float64{"": {15.2, 15.1}}, nil},
		{"by the tool's number", map[string]string{
			"a.json":      strings.TrimSuffix(at("01", "m", "15.1"), "}") + `, "run_number": 3}`,
			"b.json":      strings.TrimSuffix(at("02", "m", "15.2"), "}") + `, "run_number": 1}`,
			"warmup.json": strings.TrimSuffix(at("00", "m", "99"), "}") + `, "run_number": -1}`,
		}, map[string][]float64{"": {15.2, 15.1}}, nil},
		{"lines of one file", map[string]string{"a.json": strings.ReplaceAll(at("01", "m", "15.1"), "\n",
			" ") + "\n" + strings.ReplaceAll(at("02", "m", "15.2"), "\n", " ")},
			map[string][]float64{"": {15.1, 15.2}}, nil},
		{"other models are arms", map[string]string{"a.json": at("01", "m", "15.1"), "b.json": at("02", "n", "15.2"),
			"c.json": at("03", "n", "15.3")},
			map[string][]float64{"m": {15.1}, "n": {15.2, 15.3}}, nil},
		{"a copy is no replicate", map[string]string{"a.json": at("01", "m", "15.1"), "copy/a.json": at("01", "m",
			"15.1")},
			map[string][]float64{"": {15.1}}, []string{WarnDuplicate}},
	} {
		e, a := importAll(t, c.files)
		got := map[string][]float64{}
		for _, p := range a.Points {
			f, _ := p.Figure("ttft_mean")
			got[p.Arm] = append(got[p.Arm], f.Values...)
		}
		for arm, want := range c.want {
			if !slices.Equal(got[arm], want) || len(got) != len(c.want) {
				t.Errorf("%s: runs %v; want %v", c.name, got, c.want)
			}
		}
		for _, code := range c.codes {
			if !slices.Contains(a.Codes(), code) {
				t.Errorf("%s: no %s among %v", c.name, code, a.Codes())
			}
		}
		if Restarted(e); a.Runs > 1 && protocol.Analyze(e).Unit != protocol.UnitRestart {
			t.Errorf("%s: as told, each run had a server of its own; the unit is %q", c.name, protocol.Analyze(e).Unit)
		}
	}
}

// Shapes that differ by a factor are not thrown together, and few random prompts that differ in their mean are.
func TestShapesAreTold(t *testing.T) {
	shape := func(second, input string) string {
		return with(with(vllmFile, "030405", "0304"+second), `"total_input_tokens": 2400`,
			`"total_input_tokens": `+input)
	}
	e, a := importAll(t, map[string]string{
		"a.json": shape("01", "2080"), "b.json": shape("02", "2480"), "c.json": shape("03", "81920"),
		"d.json": shape("04", "163840"),
	})
	var inputs []int
	for _, p := range a.Points {
		inputs = append(inputs, p.Input)
	}
	if !slices.Equal(inputs, []int{29, 1024, 2048}) && !slices.Equal(inputs, []int{28, 1024, 2048}) {
		t.Errorf("shapes %v of %d results; want 26 and 31 as one, 1,024 and 2,048", inputs, len(e.Measurements))
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("v/a.json", vllmFile)
	write("v/b.json", with(vllmFile, "15.5", "15.6"))
	write("mixed/a.json", vllmFile)
	write("mixed/b.jsonl", sglangFile)
	write("both/report.yaml", llmdFile)
	write("both/a.json", vllmFile)
	write("none/a.txt", "nothing")
	for _, c := range []struct {
		path string
		n    int
		err  error
	}{
		{filepath.Join(dir, "v"), 2, nil}, {file, 1, nil}, {filepath.Join(dir, "both"), 1, nil},
		// the tool's own files say more than a report of them
		{filepath.Join(dir, "mixed"), 0, &MixedError{}}, {filepath.Join(dir, "none"), 0, &UnknownError{}},
		{filepath.Join(dir, "missing"), 0, os.ErrNotExist},
	} {
		e, err := Open(c.path)
		switch want := c.err.(type) {
		case nil:
			if err != nil || len(e.Measurements) != c.n {
				t.Errorf("%s: %v, %v; want %d measurements", c.path, e, err, c.n)
			}
		case *MixedError:
			if !errors.As(err, &want) || !strings.Contains(err.Error(), "SGLang") {
				t.Errorf("%s: %v", c.path, err)
			}
		case *UnknownError:
			if !errors.As(err, &want) || !strings.Contains(err.Error(), c.path) {
				t.Errorf("%s: %v", c.path, err)
			}
		default:
			if !errors.Is(err, want) {
				t.Errorf("%s: %v; want %v", c.path, err, want)
			}
		}
	}
}

// The knee of imported levels is found as ours is, by the throughput over the makespan, and says so; an open loop among
// them and a level that must not be used are left out of it.
func TestKneeOfImported(t *testing.T) {
	files := map[string]string{"rate.json": rustFile}
	for run := range 4 {
		for _, c := range []int{1, 2, 4, 8, 16, 32} {
			busy := min(c, 8)
			x := float64(busy) * 5 * (1 + 0.002*float64((run*7+c*3)%5)) // requests/s of 200 ms each, 8 at once
			e2e := float64(c) / x * 1000
			if c == 32 {
				e2e /= 2 // half of them were in flight: flagged, and left out
			}
			files[fmt.Sprintf("run%d/c%d.json", run, c)] = fmt.Sprintf(`{"date": "20260102-03%02d%02d", "backend": "vllm",
				"model_id": "m", "num_prompts": %d, "request_rate": "inf", "max_concurrency": %d, "duration": %g,
				"completed": %[3]d, "failed": 0, "total_input_tokens": %[6]d, "total_output_tokens": %[7]d,
				"request_throughput": %[8]g, "output_throughput": %[9]g, "total_token_throughput": %[10]g,
				"mean_e2el_ms": %[11]g}`,
				run, c, 100*c, c, float64(100*c)/x, 3000*c, 2000*c, x, 20*x, 50*x, e2e)
		}
	}
	// The rate's shape is another one, and would be another knee: it is left out as an open loop.
	_, a := importAll(t, files)
	if a.KneeOf != loadgen.TotalThroughput || !strings.Contains(a.Knee.Reason, "over the makespan") {
		t.Errorf("the knee is of %q: %s", a.KneeOf, a.Knee.Reason)
	}
	if a.Knee.Low != 4 || a.Knee.Kind != stats.KneeBracketed && a.Knee.Kind != stats.KneeAbove ||
		!strings.Contains(a.Knee.Reason, "ramp-dominated at level 32") {
		t.Errorf("knee %v: %s; want it above 4, without 32", a.Knee, a.Knee.Reason)
	}
}
