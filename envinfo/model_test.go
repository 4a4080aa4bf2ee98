package envinfo_test

import (
	"io"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/serving"
)

const hub = "srv/hub/models--org--m/"

func captureModel(t testing.TB, files tree, name string, opts serving.ModelOptions) *serving.Model {
	t.Helper()
	opts.FS = files.fs()
	m, err := serving.CaptureModel(t.Context(), name, opts)
	if err != nil {
		t.Fatal(err)
	}
	env := capture(t, cpuHost().fs())
	env.Model = m
	checkLeaves(t, env)
	if err := env.WriteText(io.Discard); err != nil {
		t.Error(err)
	}
	return m
}

func snapshotFolder(rev string) string { return hub + "snapshots/" + rev + "/config.json" }

func TestModelRevision(t *testing.T) {
	one := tree{snapshotFolder(commitA): `{"torch_dtype": "float16"}`, hub + "refs/main": commitA}
	two := one.with(tree{snapshotFolder(commitB): `{"dtype": "bfloat16"}`})
	for _, test := range []struct {
		name, revision string
		files          tree
		want, dtype    string
		reason         string
		warning        string
	}{
		{name: "sole snapshot", files: one, want: commitA, dtype: "float16"},
		{name: "revision first", revision: commitB, files: two, want: commitB, dtype: "bfloat16"},
		{name: "revision that is not there", revision: commitB, files: one, want: commitB},
		{name: "two snapshots", files: two, reason: "ambiguous: /" + hub + "snapshots has " + commitA + ", " + commitB},
		{name: "two, and a branch", revision: "main", files: two, reason: "refs/main was last resolved to " + commitA},
		{name: "ref elsewhere", files: one.with(tree{hub + "refs/main": commitB}), want: commitA, dtype: "float16",
			warning: "which is not in the cache"},
		{name: "ref garbled", files: one.with(tree{hub + "refs/main": "<html>"}), want: commitA, dtype: "float16",
			warning: "which is no commit"},
		{name: "ref out of the cache", revision: "../../../../etc/passwd", files: one.with(tree{"etc/passwd": "x"}),
			want: commitA, dtype: "float16"},
		{name: "not there", files: tree{}, reason: "/" + hub + "snapshots: no such file"},
		{name: "empty", files: tree{hub + "snapshots/x": ""}, reason: "empty"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := captureModel(t, test.files, "org/m",
				serving.ModelOptions{Variables: map[string]string{"HF_HUB_CACHE": "/srv/hub"}, Revision: test.revision})
			if test.want != "" {
				known(t, "revision", m.Revision, test.want)
			} else {
				unknown(t, "revision", m.Revision, test.reason)
			}
			if got, _ := m.DType.Get(); got != test.dtype {
				t.Errorf("dtype is %v, want %q", m.DType, test.dtype)
			}
			if test.warning == "" != (m.Warnings == nil) ||
				test.warning != "" && !strings.Contains(m.Warnings[0].Text, test.warning) {
				t.Errorf("warnings %v, want %q", m.Warnings, test.warning)
			}
		})
	}
	cache := map[string]string{"HF_HUB_CACHE": "/srv/hub"}
	if m := captureModel(t, two, "org/m", serving.ModelOptions{Variables: cache}); len(m.Snapshots) != 2 {
		t.Errorf("snapshots %v", m.Snapshots)
	}
}

// The first variable that is set names the cache, as for the library that fills it.
func TestModelCache(t *testing.T) {
	at := func(dir, rev string) tree { return tree{dir + "/models--m/snapshots/" + rev + "/config.json": "{}"} }
	files := at("a", commitA).with(at("b", commitB), at("c/hub", commitA), at("d/huggingface/hub", commitB),
		at("e/.cache/huggingface/hub", commitA), at("f", commitB))
	v := map[string]string{
		"HF_HUB_CACHE":          "/a",
		"HUGGINGFACE_HUB_CACHE": "/b",
		"HF_HOME":               "~/../c",
		"XDG_CACHE_HOME":        "/d",
		"HOME":                  "/e",
	}
	opts := serving.ModelOptions{Variables: v, DownloadDir: "/f"}
	for _, want := range []struct{ variable, folder string }{
		{"", "/f"}, {"HF_HUB_CACHE", "/a"}, {"HUGGINGFACE_HUB_CACHE", "/b"}, {"HF_HOME", "/c/hub"},
		{"XDG_CACHE_HOME", "/d/huggingface/hub"}, {"HOME", "/e/.cache/huggingface/hub"},
	} {
		m := captureModel(t, files, "m", opts)
		if got, _ := m.Folder.Get(); !strings.HasPrefix(got, want.folder+"/models--m/snapshots/") {
			t.Errorf("%s: %v, want in %s", want.variable, m.Folder, want.folder)
		}
		opts.DownloadDir = ""
		delete(v, want.variable)
		// What comes first and is not there is not passed over.
		if want.variable == "" {
			w := map[string]string{"HF_HUB_CACHE": "/nowhere", "HF_HOME": "/c"}
			unknown(t, "elsewhere", captureModel(t, files, "m", serving.ModelOptions{Variables: w}).Revision,
				"/nowhere/models--m/snapshots: no such file (from HF_HUB_CACHE)")
		}
	}
}

func TestModelConfig(t *testing.T) {
	for _, test := range []struct {
		name, config                string
		quantization, format, type_ string
		bits, layers                int64
	}{
		{"dense", `{"architectures": ["LlamaForCausalLM"], "model_type": "llama",
		"num_hidden_layers": 2}`, "none", "", "llama", 0, 2},
		{"fp8", `{"quantization_config": {"quant_method": "fp8", "fmt": "e4m3"},
		"num_hidden_layers": 61}`, "fp8", "e4m3", "", 0, 61},
		{"compressed", `{"compression_config": {"quant_method": "compressed-tensors",
		"format": "float-quantized"}}`, "compressed-tensors", "float-quantized", "", 0, 0},
		{"gptq", `{"quantization_config": {"quant_method": "gptq", "bits": 4},
		"num_hidden_layers": -1}`, "gptq", "", "", 4, 0},
		{"vision", `{"model_type": "vl", "text_config": {"num_hidden_layers": 48,
		"quantization_config": {"quant_method": "awq"}}}`, "awq", "", "vl", 0, 48},
		{"null", `{"quantization_config": null, "num_hidden_layers": 1e3}`, "none", "", "", 0, 0},
		{"not an object", `{"quantization_config": 4}`, "", "", "", 0, 0},
		{"garbled", `{"model_type": `, "", "", "", 0, 0},
		{"a list", `[]`, "", "", "", 0, 0},
		{"large", strings.Repeat(" ", 9<<20) + "{}", "", "", "", 0, 0},
	} {
		m := captureModel(t, tree{"models/m/config.json": test.config}, "/models/m", serving.ModelOptions{})
		quantization, _ := m.Quantization.Get()
		format, _ := m.QuantizationFormat.Get()
		kind, _ := m.Type.Get()
		bits, _ := m.QuantizationBits.Get()
		layers, _ := m.Layers.Get()
		if quantization != test.quantization || format != test.format || kind != test.type_ || bits != test.bits ||
			layers != test.layers {
			t.Errorf("%s: %v, %v, %v, %v, %v", test.name, m.Quantization, m.QuantizationFormat, m.Type,
				m.QuantizationBits, m.Layers)
		}
	}
	unknown(t, "revision",
		captureModel(t, tree{"app/m/config.json": "{}"}, "m", serving.ModelOptions{Folder: "/app"}).Revision,
		"a folder has no revision")
	if _, err := serving.CaptureModel(t.Context(), "", serving.ModelOptions{}); err == nil {
		t.Error("a model without a name was taken")
	}
	for _, name := range []string{"../../etc/passwd", "s3://b/m", "~/m", "a/b/c", "\x00"} {
		if m := captureModel(t, tree{}, name, serving.ModelOptions{}); m == nil {
			t.Errorf("%q: nothing", name)
		}
	}
}
