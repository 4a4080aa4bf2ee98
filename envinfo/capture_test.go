package envinfo_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/facttest"
	"github.com/servegauge/servegauge/envinfo/software"
)

var update = flag.Bool("update", false, "write the golden files anew")

// patient is how long a read may take in tests of what it says, so that a busy machine is no reason for a file that is
// there not to have been read.
const patient = time.Hour

func capture(t testing.TB, fsys fs.FS) *envinfo.Environment {
	t.Helper()
	return captureWithin(t, fsys, patient)
}

// captureWithin allows each read so much; 0: the default.
func captureWithin(t testing.TB, fsys fs.FS, limit time.Duration) *envinfo.Environment {
	t.Helper()
	env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: fsys, ReadTimeout: limit})
	if err != nil {
		t.Fatal(err)
	}
	checkLeaves(t, env)
	return env
}

// checkLeaves holds every leaf to the promise of the package: a value with unit, scope and source, or unknown with a
// reason; and the whole reads back as it was. It returns the leaves by their JSON path.
func checkLeaves(t testing.TB, env *envinfo.Environment) map[string]map[string]any {
	t.Helper()
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	var back envinfo.Environment
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(b), string(again)); diff != "" {
		t.Errorf("JSON does not round-trip (-first +second):\n%s", diff)
	}
	var tree any
	if err := json.Unmarshal(b, &tree); err != nil {
		t.Fatal(err)
	}
	leaves := map[string]map[string]any{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for i, e := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), e)
			}
		case map[string]any:
			value, known := v["value"]
			if _, ok := value.(map[string]any); ok { // a field of this name, that is a leaf
				known = false
			}
			reason, unknown := v["unknown"]
			if !known && !unknown {
				for k, e := range v {
					walk(strings.TrimPrefix(path+"."+k, "."), e)
				}
				return
			}
			leaves[path] = v
			switch {
			case known == unknown:
				t.Errorf("%s is both known and unknown: %v", path, v)
			case known && (value == "" || v["source"] == nil || v["scope"] == nil):
				t.Errorf("%s is known without value, source or scope: %v", path, v)
			case unknown && (reason == "" || reason == "not captured" || v["scope"] == nil):
				t.Errorf("%s is unknown without reason or scope: %v", path, v)
			}
		}
	}
	walk("", tree)
	if len(leaves) < 25 {
		t.Errorf("only %d leaves were found", len(leaves))
	}
	return leaves
}

// value returns what v holds, and fails the test when it is unknown.
func value[T fact.Scalar](t testing.TB, v fact.Value[T]) T {
	t.Helper()
	x, ok := v.Get()
	if !ok {
		t.Fatalf("got %v, want a known value", v)
	}
	return x
}

// known fails the test unless v is want.
func known[T fact.Scalar](t testing.TB, name string, v fact.Value[T], want T) {
	t.Helper()
	facttest.Known(t, name, v, want)
}

// unknown fails the test unless v is unknown for a reason that contains why.
func unknown[T fact.Scalar](t testing.TB, name string, v fact.Value[T], why string) {
	t.Helper()
	facttest.Unknown(t, name, v, why)
}

func version(t testing.TB, env *envinfo.Environment, name string) fact.Value[string] {
	t.Helper()
	for _, c := range env.Software {
		if c.Name == name {
			return c.Version
		}
	}
	t.Fatalf("no component %q", name)
	return fact.Value[string]{}
}

func text(t testing.TB, env *envinfo.Environment) string {
	t.Helper()
	var out strings.Builder
	if err := env.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// golden compares got with a file in testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestTextOfNothing(t *testing.T) {
	if out := text(t, &envinfo.Environment{}); !strings.Contains(out, "not captured") {
		t.Errorf("the text of the zero Environment is\n%s", out)
	}
}

func TestText(t *testing.T) {
	for name, tree := range map[string]tree{
		"cpu": cpuHost(), "mi325x": mi325x(), "mi300x-cpx": mi300xCPX(28), "mi250x": mi250x(), "empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			env := capture(t, tree.fs())
			// The program's own versions are those of the toolchain that runs the test.
			env.Program = software.Program{}
			golden(t, name+".txt", text(t, env))
		})
	}
}

func TestJSON(t *testing.T) {
	env := capture(t, cpuHost().fs())
	env.Program = software.Program{}
	b, err := json.MarshalIndent(env, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "cpu.json", string(b)+"\n")
}

// The rows of the hardware table on the MI325X cookbook's benchmark methodology page, for the host that it describes.
func TestPublishedHardwareTable(t *testing.T) {
	for _, device := range []int{0x74a5, 0x74b9} { // bare metal, virtual function
		tr := mi325x()
		for name, data := range tr {
			tr[name] = strings.ReplaceAll(data, fmt.Sprint("device_id ", 0x74b9), fmt.Sprint("device_id ", device))
		}
		env := capture(t, tr.fs())
		out := text(t, env)
		for row, want := range map[string]string{
			"GPU":                        "8x AMD Instinct MI325X",
			"Architecture":               "CDNA 3 (gfx942)",
			"VRAM per GPU, published":    "256 GB HBM3e",
			"VRAM per GPU, read":         "255.7 GiB (274,542,362,624 B)",
			"Total VRAM, published":      "2 TB (2,048 GB)",
			"Memory Bandwidth (per GPU)": "6.0 TB/s",
			"Aggregate Bandwidth":        "48 TB/s",
			"FP16 Compute (per GPU)":     "1,307 TFLOPS",
			"ROCm":                       "6.4.2-120",
		} {
			found := ""
			for line := range strings.Lines(out) {
				if rest, ok := strings.CutPrefix(line, row+"  "); ok && found == "" {
					found = strings.TrimSpace(rest)
				}
			}
			if !strings.HasPrefix(found, want+"  ") {
				t.Errorf("device %#x: row %q is %q, want %q", device, row, found, want)
			}
		}
		known(t, "virtual function", env.AMD.Cards[0].VirtualFunction, device == 0x74b9)
		if got := env.AMD.Cards[0].Nominal.FP16.Source(); got != fmt.Sprintf("table: PCI id 1002:%04x", device) {
			t.Errorf("source of FP16 is %q", got)
		}
	}
}

// A tree from elsewhere must not be filled up from the machine that reads it.
func TestNothingOfThisMachine(t *testing.T) {
	env := capture(t, fstest.MapFS{})
	for path, leaf := range checkLeaves(t, env) {
		if _, ok := leaf["value"]; ok && leaf["scope"] != string(fact.ScopeProgram) {
			t.Errorf("%s is %v, from an empty tree", path, leaf)
		}
	}
	known(t, "live", env.Live, false)
}

func TestLive(t *testing.T) {
	env, err := envinfo.Capture(t.Context(), envinfo.Options{ReadTimeout: patient})
	if err != nil {
		t.Fatal(err)
	}
	checkLeaves(t, env)
	known(t, "live", env.Live, true)
	if v := value(t, env.Program.Go); !strings.HasPrefix(v, "go") && !strings.HasPrefix(v, "devel") {
		t.Errorf("Go is %q", v)
	}
	if want, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		known(t, "kernel", env.Host.Kernel, strings.TrimSpace(string(want)))
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []envinfo.Options{{ReadTimeout: -1}, {ROCmPath: "opt/rocm"}} {
		if env, err := envinfo.Capture(t.Context(), o); err == nil || env != nil {
			t.Errorf("Capture(%+v) = %v, %v; want an error", o, env, err)
		}
	}
	if err := (envinfo.Options{ReadTimeout: time.Second, ROCmPath: "/opt/rocm"}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	env, err := envinfo.Capture(ctx, envinfo.Options{FS: mi325x().fs()})
	if !errors.Is(err, context.Canceled) || env == nil {
		t.Fatalf("got %v, %v; want an environment and context.Canceled", env, err)
	}
	checkLeaves(t, env)
	unknown(t, "kernel", env.Host.Kernel, "cut short")
	unknown(t, "count", env.AMD.Count, "cut short")
}

// failing is a file whose reading fails in its own way; the rest of the tree is whole.
type failing struct {
	fs.FS
	name string
	err  error
}

func (f failing) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: f.err}
	}
	return f.FS.Open(name)
}

func TestDenied(t *testing.T) {
	env := capture(t, failing{cpuHost().fs(), "proc/cpuinfo", fs.ErrPermission})
	unknown(t, "CPU model", env.Host.CPUModel, "/proc/cpuinfo: permission denied")
	known(t, "kernel", env.Host.Kernel, "6.8.0-60-generic")
}

func TestWriteTextError(t *testing.T) {
	want := errors.New("disk full")
	if err := capture(t, mi325x().fs()).WriteText(writerFunc(func([]byte) (int, error) { return 0, want })); !errors.Is(
		err,
		want,
	) {
		t.Errorf("got %v, want %v", err, want)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func BenchmarkCapture(b *testing.B) {
	for b.Loop() {
		if _, err := envinfo.Capture(b.Context(), envinfo.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
