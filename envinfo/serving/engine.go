package serving

import (
	"fmt"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// Engine is the arguments of a vLLM server, as its command line gives them. What it does not give is unknown: the
// server's default depends on its version, its hardware and its model.
type Engine struct {
	Model                fact.Value[string]  `json:"model"`
	Revision             fact.Value[string]  `json:"revision"`
	DType                fact.Value[string]  `json:"dtype"`
	Quantization         fact.Value[string]  `json:"quantization"`
	KVCacheDType         fact.Value[string]  `json:"kv_cache_dtype"`
	TensorParallel       fact.Value[int64]   `json:"tensor_parallel_size"`
	PipelineParallel     fact.Value[int64]   `json:"pipeline_parallel_size"`
	DataParallel         fact.Value[int64]   `json:"data_parallel_size"`
	MaxModelLen          fact.Value[int64]   `json:"max_model_len"` // tokens
	MaxNumSeqs           fact.Value[int64]   `json:"max_num_seqs"`
	MaxBatchedTokens     fact.Value[int64]   `json:"max_num_batched_tokens"`
	GPUMemoryUtilization fact.Value[float64] `json:"gpu_memory_utilization"` // share of a GPU's memory
	// Arguments is all of them in their order, by their long names and without secrets.
	Arguments []fact.Setting `json:"arguments"`

	// DownloadDir is --download-dir, in the arguments too: where the model's files are.
	DownloadDir string `json:"-"`
}

// engineShort are the short forms of vLLM's options.
var engineShort = map[string]string{
	"-tp": "tensor-parallel-size", "-pp": "pipeline-parallel-size", "-dp": "data-parallel-size", "-q": "quantization",
	"-O":  "compilation-config",
	"-cc": "compilation-config", "-sc": "speculative-config", "-dcp": "decode-context-parallel-size",
	"-asc": "api-server-count", "-ep": "enable-expert-parallel",
	"-h": "help", "-n": "nnodes", "-r": "node-rank",
}

// engineFlags are options of the kind that takes no value, so that a model that follows is not taken for one. Others of
// that kind are told by their names.
var engineFlags = []string{
	"trust-remote-code",
	"enforce-eager",
	"async-scheduling",
	"headless",
	"return-tokens-as-token-ids",
	"language-model-only",
}

// ParseEngine returns the arguments of the vLLM server that a command line starts ("vllm serve MODEL …", or Python with
// vLLM's server as a module or a script; also inside sh -c), or nil when it starts none. Scope is that of which the
// command line is true, and source where it was read.
func ParseEngine(argv []string, scope fact.Scope, origin string) *Engine {
	args := engineArgs(argv)
	if args == nil {
		return nil
	}
	e := &Engine{Arguments: []fact.Setting{}}
	given := map[string]string{}
	var positional []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") || a == "-" {
			positional = append(positional, a)
			continue
		}
		name, value, joined := strings.Cut(a, "=")
		switch long, ok := engineShort[name]; {
		case ok:
			name = long
		case strings.HasPrefix(name, "-O") && !strings.HasPrefix(name, "--"): // -O3, -O.level=3
			name, value, joined = "compilation-config", a[2:], true
		default:
			name = strings.TrimLeft(name, "-")
			base, rest, nested := strings.Cut(name, ".") // below the name, a dot goes into a JSON value
			if name = strings.ReplaceAll(base, "_", "-"); nested {
				name += "." + rest
			}
		}
		if name == "" {
			continue
		}
		var values []string
		if joined {
			values = []string{value}
		} else if !engineFlag(name) {
			for i+1 < len(args) && !isOption(args[i+1]) && (len(values) == 0 || severalValues(name)) {
				i++
				values = append(values, args[i])
			}
		}
		at := origin + ": --" + fact.Clean(name)
		var v fact.Value[string]
		switch {
		case len(values) == 0:
			v = fact.Known("true", "", scope, at+", without a value")
		case secret.Named(name, strings.Join(values, " ")):
			v = fact.Unknown[string]("", scope, "withheld: its name says that it is a secret")
		default:
			v = source.Recorded(strings.Join(values, " "), scope, at)
		}
		given[name] = strings.Join(values, " ")
		if len(e.Arguments) < source.MaxList {
			e.Arguments = append(e.Arguments, fact.Setting{Name: fact.Clean(name), Value: v})
		}
	}
	if _, ok := given["model"]; !ok && len(positional) > 0 {
		given["model"] = positional[0]
	}
	e.DownloadDir = given["download-dir"]
	text := func(name string) fact.Value[string] {
		v, ok := given[name]
		if !ok {
			return fact.Unknown[string]("", scope, origin+": no --"+name)
		}
		return source.Recorded(v, scope, origin+": --"+name)
	}
	e.Model, e.Revision, e.DType = text("model"), text("revision"), text("dtype")
	e.Quantization, e.KVCacheDType = text("quantization"), text("kv-cache-dtype")
	if _, ok := given["model"]; !ok && given["config"] != "" {
		e.Model = fact.Unknown[string]("", scope, origin+": no model; there is a --config, which is not read")
	}
	count := func(name string) fact.Value[int64] {
		v, ok := given[name]
		if !ok {
			return fact.Unknown[int64]("", scope, origin+": no --"+name)
		}
		n, err := parseCount(v)
		if err != nil {
			return fact.Unknown[int64]("", scope, origin+": --"+name+": "+err.Error())
		}
		return fact.Known(n, "", scope, origin+": --"+name)
	}
	e.TensorParallel, e.PipelineParallel = count("tensor-parallel-size"), count("pipeline-parallel-size")
	e.DataParallel, e.MaxModelLen = count("data-parallel-size"), count("max-model-len")
	e.MaxNumSeqs, e.MaxBatchedTokens = count("max-num-seqs"), count("max-num-batched-tokens")
	const share = "gpu-memory-utilization"
	v, ok := given[share]
	f, err := strconv.ParseFloat(v, 64)
	switch {
	case !ok:
		e.GPUMemoryUtilization = fact.Unknown[float64]("", scope, origin+": no --"+share)
	case err != nil || !(f > 0 && f <= 1):
		e.GPUMemoryUtilization = fact.Unknown[float64]("", scope,
			fmt.Sprintf("%s: --%s: %q is no share", origin, share, fact.Clip(secret.Scrub(v))))
	default:
		e.GPUMemoryUtilization = fact.Known(f, "", scope, origin+": --"+share)
	}
	return e
}

// isOption tells an option from a value: "-1" is a value.
func isOption(a string) bool {
	return len(a) > 1 && a[0] == '-' && !(a[1] >= '0' && a[1] <= '9')
}

func engineFlag(name string) bool {
	return slices.Contains(engineFlags, name) || source.HasPrefix(name, []string{"enable-", "no-", "disable-"})
}

// severalValues are the options that take as many values as follow.
func severalValues(name string) bool {
	return slices.Contains(
		[]string{
			"api-key",
			"served-model-name",
			"lora-modules",
			"cudagraph-capture-sizes",
			"cuda-graph-sizes",
			"middleware",
		},
		name,
	)
}

// engineArgs returns what follows the server's name in a command line, or nil.
func engineArgs(argv []string) []string {
	if len(argv) >= 3 && slices.Contains([]string{"sh", "bash", "dash"}, path.Base(argv[0])) {
		for i, a := range argv[1:] {
			if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "c") &&
				i+2 < len(argv) {
				argv = shellWords(argv[i+2])
				break
			}
		}
	}
	for i, a := range argv {
		switch {
		case path.Base(a) == "vllm" && i+1 < len(argv) && argv[i+1] == "serve":
			return slices.Clone(argv[i+2:])
		case a == "-m" && i+1 < len(argv) && (strings.HasPrefix(argv[i+1],
			"vllm.entrypoints.") && strings.HasSuffix(argv[i+1], "api_server")),
			path.Base(a) == "api_server.py" && strings.Contains(a, "vllm"):
			rest := argv[i+1:]
			if a == "-m" {
				rest = argv[i+2:]
			}
			return append([]string{}, rest...)
		}
	}
	return nil
}

// shellWords splits a script's words as a shell does, up to the end of the command that has "vllm" or a Python module
// in it. Variables and substitutions stay as they are written.
func shellWords(script string) []string {
	var words []string
	var word strings.Builder
	inWord, quote := false, rune(0)
	server := false
	end := func() {
		if inWord {
			words = append(words, word.String())
			server = server || path.Base(word.String()) == "vllm" || strings.HasPrefix(word.String(), "vllm.")
			word.Reset()
			inWord = false
		}
	}
	runes := []rune(script)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == '\'':
			word.WriteRune(r)
		case r == '\\' && i+1 < len(runes):
			i++
			if runes[i] != '\n' {
				word.WriteRune(runes[i])
				inWord = true
			}
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case r == ' ' || r == '\t' || r == '\r':
			end()
		case strings.ContainsRune(";&|\n()", r) || r == '>' || r == '<':
			end()
			if server {
				return words
			}
			words = nil
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	end()
	return words
}

// parseCount parses a number of tokens or of processes as vLLM does: "8192", "8k" (of 1000), "8K" (of 1024), "25.6k".
func parseCount(s string) (int64, error) {
	bad := fmt.Errorf("%q is not a count", fact.Clip(secret.Scrub(s)))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 {
		return n, nil
	}
	if s == "" {
		return 0, bad
	}
	unit, ok := map[byte]float64{'k': 1e3, 'm': 1e6, 'g': 1e9, 't': 1e12, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30,
		'T': 1 << 40}[s[len(s)-1]]
	f, err := strconv.ParseFloat(s[:len(s)-1], 64)
	if n := math.Round(f * unit); ok && err == nil && n > 0 && n < 1<<53 {
		return int64(n), nil
	}
	return 0, bad
}
