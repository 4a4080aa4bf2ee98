//go:build unix

package envinfo_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// shippedHosts are the hosts of all tests, as captured.
func shippedHosts(t *testing.T) map[string]*envinfo.Environment {
	out := map[string]*envinfo.Environment{}
	for name, tr := range map[string]tree{
		"empty": {}, "cpu": cpuHost(), "epyc": epyc(), "mi210": mi210(), "mi250x": mi250x(), "mi300a": mi300a(),
		"mi300x":     mi300x(),
		"mi300x-cpx": mi300xCPX(28), "mi300x-cpx-old": mi300xCPX(0), "mi308x": mi308x(), "mi325x": mi325x(),
		"mi355x": mi355x(),
		"radeon": cpuHost().with(cpuNode(0), radeon(1)), "mixed": mi210().with(radeon(10)), "vega10": vega10(),
		"live": liveHost(),
	} {
		out[name] = capture(t, tr.fs())
	}
	out["mi325x-tools"] = captureWith(t, mi325x().with(tree{"sys/module/amdgpu/version": "6.16.6\n"}), amdSMI())
	files, tools := nvidiaHost()
	out["nvidia"] = captureWith(t, files, tools)

	answers := dockerAnswers("rocm/vllm:latest@" + repoSHA)
	answers["sh"] = inside(t, insideFiles())
	served := capture(t, epyc().fs())
	served.Containers = append(served.Containers,
		*captureContainer(t, "docker", "vllm", container.Options{Run: answers.run}))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, map[string]string{
			"/version":   `{"version":"0.14.1"}`,
			"/v1/models": `{"data":[{"id":"m","root":"/models/m","max_model_len":32768}]}`,
			"/metrics": `vllm:cache_config_info{block_size="16",engine="0",num_cpu_blocks="None",` +
				`num_gpu_blocks="9271"} 1.0` + "\n",
		}[r.URL.Path])
	}))
	defer srv.Close()
	server, err := serving.Capture(t.Context(), srv.Client(), srv.URL, serving.Options{})
	if err != nil {
		t.Fatal(err)
	}
	served.Server = server
	served.Model = captureModel(t, tree{snapshotFolder(commitA): `{"torch_dtype": "float16", "num_hidden_layers": 60}`},
		"org/m", serving.ModelOptions{Variables: map[string]string{"HF_HUB_CACHE": "/srv/hub"}})
	out["served"] = served
	return out
}

// What was captured of a host, and its hash, stay what they are, whichever way the code that reads them is laid out:
// records of before and after can be compared. The files were written before the package was divided into rooms. In the
// list of hashes, a host's JSON has a SHA-256 of its own, since most are long.
func TestShippedHostsStayTheSame(t *testing.T) {
	hosts := shippedHosts(t)
	var list strings.Builder
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		env := hosts[name]
		env.Program = (envinfo.Environment{}).Program // that of the toolchain that runs the test
		b, err := json.MarshalIndent(env, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if s := env.Server; s != nil { // the port is another each time
			url, _ := s.URL.Get()
			b = []byte(strings.ReplaceAll(string(b), url, "http://127.0.0.1:8000"))
		}
		fmt.Fprintf(&list, "%-15s %s json:%x\n", name, env.Hash(), sha256.Sum256(b))
		if slices.Contains([]string{"mi300x", "mi325x-tools", "nvidia", "served"}, name) {
			golden(t, "shipped-"+name+".json", string(b)+"\n")
		}
	}
	golden(t, "shipped.txt", list.String())
}

// The same of what changes from second to second.
func TestShippedStatesStayTheSame(t *testing.T) {
	s := snapshot(t, liveHost().fs(), 4000)
	s.Time = time.Time{}
	b, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "shipped-state.json", string(b)+"\n")
}
