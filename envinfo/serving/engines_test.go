package serving

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/internal/facttest"
)

// answering is a server that answers these paths, and nothing else.
func answering(t *testing.T, answers map[string]string) *Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, body)
	}))
	defer srv.Close()
	s, err := Capture(t.Context(), srv.Client(), srv.URL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := json.Marshal(s); err != nil || strings.Contains(string(b), "planted") {
		t.Errorf("%v: a secret in %s", err, b)
	}
	return s
}

func factsOf(s *Server) map[string]string {
	out := map[string]string{}
	for _, f := range s.Facts {
		out[f.Name] = f.Value.String()
	}
	return out
}

// Servers that do not answer /version say elsewhere what they are.
func TestEngines(t *testing.T) {
	llama := answering(t, map[string]string{"/props": `{"build_info": "b4321-abcdef12",
	"model_path": "/models/m.gguf", "total_slots": 4,
		"chat_template": "{{ planted }}", "default_generation_settings": {"n_ctx": 32768, "params": {"seed": 1}}}`,
		"/v1/models": `{"data": [{"id": "m"}]}`})
	facttest.Known(t, "engine", llama.Engine, "llama.cpp")
	facttest.Known(t, "version", llama.Version, "b4321-abcdef12")
	if f := factsOf(llama); f["n_ctx"] != "32768" || f["total_slots"] != "4" || f["model_path"] != "/models/m.gguf" ||
		len(f) != 3 {
		t.Errorf("facts %v", f)
	}
	for _, path := range []string{"/get_server_info", "/server_info"} {
		sglang := answering(t, map[string]string{path: `{"version": "0.5.3", "model_path": "org/m", "tp_size": 8,
		"api_key": "planted",
			"max_total_num_tokens": 512000, "kv_cache_dtype": "auto", "quantization": null,
			"internal_states": [{"x": "planted"}]}`})
		facttest.Known(t, "engine", sglang.Engine, "SGLang")
		facttest.Known(t, "version", sglang.Version, "0.5.3")
		if f := factsOf(sglang); f["tp_size"] != "8" || f["max_total_num_tokens"] != "512000" ||
			f["kv_cache_dtype"] != "auto" || len(f) != 4 {
			t.Errorf("facts %v", f)
		}
	}
	tgi := answering(t, map[string]string{
		"/info": `{"version": "3.0.1", "model_id": "org/m", "max_total_tokens": 8192, "sha": "x"}`,
	})
	facttest.Known(t, "engine", tgi.Engine, "Text Generation Inference")
	if f := factsOf(tgi); f["max_total_tokens"] != "8192" || len(f) != 2 {
		t.Errorf("facts %v", f)
	}
	ollama := answering(t, map[string]string{"/api/version": `{"version": "0.6.2"}`})
	facttest.Known(t, "engine", ollama.Engine, "Ollama")
	facttest.Known(t, "version", ollama.Version, "0.6.2")
	vllm := answering(t, map[string]string{"/version": `{"version": "0.14.1"}`, "/props": `{"build_info": "b1"}`})
	facttest.Known(t, "version", vllm.Version, "0.14.1")
	facttest.Unknown(t, "engine", vllm.Engine, "not captured")
	other := answering(t, map[string]string{"/props": `{"theme": "dark"}`, "/get_server_info": "<html>"})
	for _, why := range []string{"GET /version: status 404", "GET /props: no build_info",
		"GET /get_server_info: not a JSON object"} {
		facttest.Unknown(t, "version", other.Version, why)
	}
	if len(other.Facts) != 1 || other.Facts[0].Name != CacheConfigInfoName {
		t.Errorf("facts %v", other.Facts)
	}
}

// Labels of a real vLLM: counts of tokens are none of its secrets.
func TestCountsOfTokens(t *testing.T) {
	facts := parseCacheConfig([]byte(`vllm:cache_config_info{block_size="16",` +
		`cache_hit_alignment_tokens="16",engine="0",` +
		`kv_cache_size_tokens="278528",kv_cache_max_concurrency="8.5",num_gpu_blocks_override="None",` +
		`prefix_token="planted"} 1.0`))
	got := map[string]string{}
	for _, f := range facts {
		got[f.Name] = f.Value.String()
	}
	for name, want := range map[string]string{"cache_hit_alignment_tokens": "16", "kv_cache_size_tokens": "278528",
		"kv_cache_max_concurrency": "8.5"} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if !strings.Contains(got["num_gpu_blocks_override"], "None") || !strings.Contains(got["prefix_token"], "withheld") {
		t.Errorf("%v", got)
	}
}
