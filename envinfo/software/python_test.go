package software

import (
	"testing"
	"testing/fstest"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

func TestPython(t *testing.T) {
	fsys := fstest.MapFS{}
	for name, data := range map[string]string{
		"opt/venv/lib/python3.12/site-packages/vllm-0.14.1.dist-info/METADATA": "Name: vllm\r\nVersion: " +
			"0.14.1\r\n\r\n",
		"usr/lib/python3/dist-packages/NumPy-1.26.4.dist-info/METADATA": "Name: numpy\nversion: " +
			"1.26.4\n",
		"usr/lib/python3/dist-packages/unrelated-1.0.dist-info/METADATA":                "Version: 1.0\n",
		"usr/local/lib/python3.11/dist-packages/amd_aiter-0.1.5.dist-info/INSTALLER":    "pip\n",
		"usr/local/lib/python3.11/dist-packages/huggingface_hub-1.0.dist-info/METADATA": "Name: x\n\nVersion: 1.0\n",
		"usr/local/lib/python3.11/dist-packages/torch-2.9.0+cu130.dist-info/METADATA":   "Version: 2.9.0+cu130\n",
		"usr/local/lib/python3.11/dist-packages/torch/version.py": "cuda: Optional[str] = " +
			"'13.0'\nhip: Optional[str] = None\n",
	} {
		fsys[name] = &fstest.MapFile{Data: []byte(data)}
	}
	inventory := New(source.NewReader(t.Context(), fsys), fact.ScopeHost, "")
	inventory.Python()
	got := map[string]string{}
	for _, s := range inventory.Found {
		got[s.Name] = string(s.Version.Scope()) + " " + s.Version.String()
	}
	const local = "usr/local/lib/python3.11/dist-packages/"
	for name, want := range map[string]string{
		"vllm": "python:/opt/venv 0.14.1", "numpy": "python:/usr 1.26.4", "unrelated": "",
		"torch":                 "python:/usr/local 2.9.0+cu130",
		"torch, built for CUDA": "python:/usr/local 13.0", "torch, built for HIP": "",
		"amd-aiter": "python:/usr/local unknown (/" + local + "amd_aiter-0.1.5.dist-info/METADATA: no such file)",
		"huggingface-hub": "python:/usr/local unknown (/" + local + "huggingface_hub-1.0.dist-info/METADATA: no " +
			"Version)",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
}
