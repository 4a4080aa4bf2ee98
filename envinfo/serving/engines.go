package serving

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// engines are the servers that do not answer /version, each by where it says what it is, under which name it has its
// version there, and what else of its answer is recorded. Answers hold whole command lines, keys among them, so that
// what is not named here is not recorded.
var engines = []struct {
	name, path, version string
	facts               []string
	inside              string // the object that has more of the facts
}{
	{
		"llama.cpp",
		"/props",
		"build_info",
		[]string{"model_path", "model_alias", "total_slots", "n_ctx"},
		"default_generation_settings",
	},
	{"SGLang", "/get_server_info", "version", sglangFacts, ""},
	{"SGLang", "/server_info", "version", sglangFacts, ""}, // its newer name
	{
		"Text Generation Inference", "/info", "version",
		[]string{
			"model_id", "model_sha", "model_dtype", "max_concurrent_requests", "max_input_tokens", "max_total_tokens",
			"max_batch_total_tokens",
		}, "",
	},
	{"Ollama", "/api/version", "version", nil, ""},
}

var sglangFacts = []string{
	"model_path", "served_model_name", "tp_size", "dp_size", "pp_size", "ep_size", "dtype", "quantization",
	"kv_cache_dtype", "context_length",
	"max_total_num_tokens", "max_total_tokens", "max_running_requests", "max_prefill_tokens", "chunked_prefill_size",
	"mem_fraction_static",
	"page_size", "schedule_policy", "attention_backend", "sampling_backend", "disable_radix_cache",
	"disable_cuda_graph",
	"speculative_algorithm", "speculative_num_draft_tokens",
}

// engine fills in what the first of the engines says that answers.
func (s *serverCapture) engine(out *Server) {
	reason := out.Version.Reason()
	for _, e := range engines {
		b, err := s.get(e.path, maxAnswer)
		var in map[string]json.RawMessage
		if err == nil {
			if in, err = object(b); err != nil {
				err = errors.New("GET " + e.path + ": " + err.Error())
			}
		}
		if err == nil && absent(in[e.version]) {
			err = errors.New("GET " + e.path + ": no " + e.version)
		}
		if err != nil {
			reason = fact.JoinReasons(reason, err.Error())
			continue
		}
		f := fields{in, ScopeServer, "GET " + e.path + ": "}
		out.Version = f.text(e.version)
		out.Engine = fact.Known(e.name, "", ScopeServer, "GET "+e.path)
		out.Facts = answerFacts(f, e.facts, e.inside)
		return
	}
	out.Version = fact.Unknown[string]("", ScopeServer, reason)
}

// answerFacts are the named fields of an answer, and those that it does not have but the object inside it does.
func answerFacts(f fields, names []string, inside string) []fact.Setting {
	out := []fact.Setting{}
	inner, _ := object(f.in[inside])
	for _, name := range names {
		raw, at := f.in[name], f.source+name
		if absent(raw) && !absent(inner[name]) {
			raw, at = inner[name], f.source+inside+"."+name
		}
		if absent(raw) {
			continue
		}
		text := string(raw)
		if s, err := strconv.Unquote(text); err == nil {
			text = s
		}
		v := source.Recorded(text, ScopeServer, at)
		if secret.Named(name, text) {
			v = fact.Unknown[string]("", ScopeServer, "withheld: its name says that it is a secret")
		}
		out = append(out, fact.Setting{Name: name, Value: v})
	}
	return out
}
