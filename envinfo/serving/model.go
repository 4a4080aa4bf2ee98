package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/internal/secret"
)

// Model is the files of a model: which revision they are, and what its config.json says.
type Model struct {
	Name fact.Value[string] `json:"name"` // "org/name" in the cache of Hugging Face, or a folder
	// Revision is the commit of the model. A server resolves a branch when it starts, and the cache keeps what was
	// resolved last, by anybody. So it is known where the server was given it, or where the cache holds one alone; else
	// it is ambiguous.
	Revision fact.Value[string] `json:"revision"`
	// Snapshots is the revisions in the cache.
	Snapshots []fact.Value[string] `json:"snapshots"`
	Folder    fact.Value[string]   `json:"folder"` // the folder that holds the config.json

	Architectures []fact.Value[string] `json:"architectures"`
	Type          fact.Value[string]   `json:"model_type"`
	// of the weights as they are stored, or of those that are not quantised
	DType         fact.Value[string] `json:"dtype"`
	Layers        fact.Value[int64]  `json:"num_hidden_layers"`
	HiddenSize    fact.Value[int64]  `json:"hidden_size"`
	Heads         fact.Value[int64]  `json:"num_attention_heads"`
	KeyValueHeads fact.Value[int64]  `json:"num_key_value_heads"`
	Experts       fact.Value[int64]  `json:"experts"`                 // routed, in a layer that has them
	Vocabulary    fact.Value[int64]  `json:"vocab_size"`              // tokens
	MaxPositions  fact.Value[int64]  `json:"max_position_embeddings"` // tokens
	// Quantization is the method in quantization_config, or "none" where the config.json has no such part.
	Quantization       fact.Value[string] `json:"quantization"`
	QuantizationFormat fact.Value[string] `json:"quantization_format"`
	QuantizationBits   fact.Value[int64]  `json:"quantization_bits"`
	// Warnings name values of this model. Nil: none.
	Warnings []fact.Warning `json:"warnings,omitempty"`
}

// ModelOptions says where a model is looked for. The zero ModelOptions looks on the running host, as this program
// would.
type ModelOptions struct {
	// FS is the root of the host or container; nil is that of the running host.
	FS fs.FS
	// Variables are the environment variables of the server: HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME,
	// XDG_CACHE_HOME and HOME are looked at. Nil: with a nil FS this program's own, else none.
	Variables map[string]string
	// Folder is the server's working directory, to which a relative path of a model belongs. Empty: the root.
	Folder string
	// DownloadDir is the server's --download-dir, which stands in for the cache. Empty: none.
	DownloadDir string
	// Revision is what the server was started with (--revision): a commit, or the name of a branch or a tag. Empty:
	// none.
	Revision string
	// Scope is of what the values are true. Empty: ScopeHost.
	Scope fact.Scope
	// ReadTimeout is as in [envinfo.Options].
	ReadTimeout time.Duration
}

var (
	// modelName is "org/name" or "name", of the characters that Hugging Face allows.
	modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$`)
	commit    = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// CaptureModel reads what is known of a model: "org/name", which is looked for in the cache of Hugging Face, or the
// path of a folder.
//
// The error is of the arguments, and then the Model is nil; or that ctx ended.
func CaptureModel(ctx context.Context, name string, opts ModelOptions) (*Model, error) {
	if name == "" || len(name) > 4096 {
		return nil, fmt.Errorf("envinfo: the model is %q; give its name or its folder", fact.Clip(secret.Scrub(name)))
	}
	if opts.ReadTimeout < 0 {
		return nil, fmt.Errorf(
			"serving: ModelOptions.ReadTimeout is %v; give a positive time, or 0 for %v",
			opts.ReadTimeout,
			source.DefaultWait,
		)
	}
	m := &modelCapture{
		Reader: source.Config{FS: opts.FS, ReadTimeout: opts.ReadTimeout}.Reader(ctx),
		opts:   opts,
		scope:  opts.Scope,
	}
	if m.scope == "" {
		m.scope = fact.ScopeHost
	}
	if opts.FS == nil && opts.Variables == nil {
		m.opts.Variables = source.Environ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME", "HOME")
	}
	m.read(name)
	if err := ctx.Err(); err != nil {
		return m.out, fmt.Errorf("envinfo: the capture of the model was cut short, what is missing is unknown: %w", err)
	}
	return m.out, nil
}

// UnreadModel is a model of which the name alone is known, if that.
func UnreadModel(name fact.Value[string], scope fact.Scope, reason string) *Model {
	text, count := fact.Unknown[string]("", scope, reason), fact.Unknown[int64]("", scope, reason)
	return &Model{
		Name: name, Revision: text, Snapshots: []fact.Value[string]{text}, Folder: text,
		Architectures: []fact.Value[string]{text}, Type: text, DType: text,
		Layers: count, HiddenSize: count, Heads: count, KeyValueHeads: count, Experts: count, Vocabulary: count,
		MaxPositions: count,
		Quantization: text, QuantizationFormat: text, QuantizationBits: count,
	}
}

// modelCapture is the state of one CaptureModel.
type modelCapture struct {
	*source.Reader
	opts  ModelOptions
	scope fact.Scope
	out   *Model
}

func (m *modelCapture) warn(about, format string, args ...any) {
	m.out.Warnings = append(
		m.out.Warnings,
		fact.Warning{About: about, Text: fact.Clean(secret.Scrub(fmt.Sprintf(format, args...)))},
	)
}

func (m *modelCapture) read(name string) {
	shown := source.Recorded(name, m.scope, "the name that was given")
	if folder := modelFolder(name, m.opts.Folder); folder != "" {
		_, err := m.Dir(folder)
		// A name such as "org/name" is a folder where there is one of that name, as for vLLM.
		if err == nil || !modelName.MatchString(name) {
			const local = "a folder has no revision"
			m.out = UnreadModel(shown, m.scope, local)
			m.out.Snapshots = []fact.Value[string]{}
			m.config(folder)
			return
		}
	}
	dirs, source := hubDirs(m.opts)
	cache := "models--" + strings.ReplaceAll(name, "/", "--")
	m.out = UnreadModel(
		shown,
		m.scope,
		"no folder of a cache is known: none of HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and "+
			"HOME is set",
	)
	for _, dir := range dirs {
		model := path.Join(dir, cache)
		names, err := m.Dir(path.Join(model, "snapshots"))
		if err != nil {
			m.out = UnreadModel(shown, m.scope, err.Error()+" (from "+source+")")
			if commit.MatchString(m.opts.Revision) {
				m.out.Revision = fact.Known(m.opts.Revision, "", m.scope, "--revision")
			}
			continue
		}
		m.cached(model, names)
		return
	}
}

// modelFolder is the path of name as a folder, relative to the root; "" when it cannot be one.
func modelFolder(name, workdir string) string {
	if !path.IsAbs(name) {
		if strings.Contains(name, "://") || strings.HasPrefix(name, "~") {
			return ""
		}
		name = path.Join("/", workdir, name)
	}
	if name = strings.TrimPrefix(path.Clean(name), "/"); !fs.ValidPath(name) {
		return ""
	}
	return name
}

// hubDirs are the folders of the cache, best first, and the variable that named the first.
func hubDirs(opts ModelOptions) (dirs []string, source string) {
	add := func(variable, base string, below ...string) {
		if base == "~" || strings.HasPrefix(base, "~/") {
			base = path.Join(opts.Variables["HOME"], base[1:])
		}
		if base == "" {
			return
		}
		if !path.IsAbs(base) {
			base = path.Join("/", opts.Folder, base)
		}
		dir := strings.TrimPrefix(path.Join(append([]string{base}, below...)...), "/")
		if fs.ValidPath(dir) && dirs == nil {
			dirs, source = append(dirs, dir), variable
		}
	}
	// As huggingface_hub: the first that is set counts, whether or not anything is there.
	v := opts.Variables
	add("--download-dir", opts.DownloadDir)
	add("HF_HUB_CACHE", v["HF_HUB_CACHE"])
	add("HUGGINGFACE_HUB_CACHE", v["HUGGINGFACE_HUB_CACHE"])
	add("HF_HOME", v["HF_HOME"], "hub")
	add("XDG_CACHE_HOME", v["XDG_CACHE_HOME"], "huggingface/hub")
	home := v["HOME"]
	if home == "" && opts.FS != nil {
		home = "/root" // a container's variables leave HOME to the runtime, which takes it from the user
	}
	add("HOME", home, ".cache/huggingface/hub")
	return dirs, source
}

// ModelPatterns are the files of a model that CaptureModel may read, as patterns below the root.
func ModelPatterns(name string, opts ModelOptions) []string {
	var out []string
	if folder := modelFolder(name, opts.Folder); folder != "" {
		out = append(out, path.Join(folder, "config.json"))
	}
	if !modelName.MatchString(name) {
		return out
	}
	if opts.FS == nil {
		opts.FS = &source.Copied{} // not the running host's
	}
	dirs, _ := hubDirs(opts)
	for _, dir := range dirs {
		model := path.Join(dir, "models--"+strings.ReplaceAll(name, "/", "--"))
		out = append(out, model+"/refs/*", model+"/snapshots/*/config.json")
	}
	return out
}

// cached reads a model of the cache: which snapshot it is, and what that says.
func (m *modelCapture) cached(model string, snapshots []string) {
	snapshots = slices.DeleteFunc(snapshots, func(s string) bool { return !commit.MatchString(s) })
	at := source.Abs(model)
	m.out.Snapshots = []fact.Value[string]{}
	for _, s := range snapshots[:min(len(snapshots), source.MaxList)] {
		m.out.Snapshots = append(m.out.Snapshots, fact.Known(s, "", m.scope, at+"/snapshots"))
	}
	revision := m.revision(model, snapshots)
	m.out.Revision = revision
	if r, ok := revision.Get(); ok {
		m.config(path.Join(model, "snapshots", r))
		return
	}
	// The revisions may agree on everything that is read here, and mostly do.
	unread := UnreadModel(m.out.Name, m.scope, "the revision is unknown: "+revision.Reason())
	unread.Revision, unread.Snapshots, unread.Warnings = revision, m.out.Snapshots, m.out.Warnings
	m.out = unread
}

// revision is that of the server: what it was started with first, then a sole snapshot.
func (m *modelCapture) revision(model string, snapshots []string) fact.Value[string] {
	want, at := m.opts.Revision, source.Abs(model)
	if commit.MatchString(want) {
		return fact.Known(want, "", m.scope, "--revision")
	}
	ref, from := "main", ""
	if want != "" {
		ref = want
	}
	if name := path.Join(model, "refs", ref); fs.ValidPath(name) && strings.HasPrefix(name, model+"/refs/") {
		if b, err := m.File(name, source.SmallFile); err == nil {
			if from = strings.TrimSpace(string(b)); !commit.MatchString(from) {
				m.warn("revision", "%s is %q, which is no commit", source.Abs(name), fact.Clip(from))
				from = ""
			}
		}
	}
	if len(snapshots) == 1 {
		if from != "" && from != snapshots[0] {
			m.warn("revision", "%s/refs/%s names %s, which is not in the cache", at, ref, from)
		}
		return fact.Known(snapshots[0], "", m.scope, at+"/snapshots: the only one")
	}
	reason := at + "/snapshots: empty"
	if len(snapshots) > 1 {
		reason = fmt.Sprintf(
			"ambiguous: %s/snapshots has %s",
			at,
			strings.Join(snapshots[:min(len(snapshots), 20)], ", "),
		)
		if from != "" {
			reason += fmt.Sprintf(
				"; refs/%s was last resolved to %s, which need not be what the server loaded",
				ref,
				from,
			)
		}
		reason += "; start the server with --revision"
	}
	return fact.Unknown[string]("", m.scope, reason)
}

// config reads the config.json in a folder.
func (m *modelCapture) config(folder string) {
	name := path.Join(folder, "config.json")
	b, err := m.File(name, source.LargeFile)
	var in map[string]json.RawMessage
	if err == nil {
		if in, err = parseModelConfig(b); err != nil {
			err = fmt.Errorf("%s: %w", source.Abs(name), err)
		}
	}
	if err != nil {
		unread := UnreadModel(m.out.Name, m.scope, err.Error())
		unread.Revision, unread.Snapshots, unread.Warnings = m.out.Revision, m.out.Snapshots, m.out.Warnings
		m.out = unread
		return
	}
	o := m.out
	o.Folder = source.Recorded(source.Abs(folder), m.scope, source.Abs(name))
	f := fields{in, m.scope, source.Abs(name) + ": "}
	o.Architectures = f.list("architectures")
	o.Type = f.text("model_type")
	text := f
	// Models that also see or hear keep the language model's numbers one level down.
	if inner, err := object(in["text_config"]); err == nil && in["num_hidden_layers"] == nil {
		text = fields{inner, m.scope, source.Abs(name) + ": text_config."}
	}
	o.DType = fact.FirstKnown(f.text("dtype"), f.text("torch_dtype"), text.text("dtype"), text.text("torch_dtype"))
	o.Layers, o.HiddenSize, o.Heads = text.count(
		"num_hidden_layers",
	), text.count(
		"hidden_size",
	), text.count(
		"num_attention_heads",
	)
	o.KeyValueHeads, o.Vocabulary = text.count("num_key_value_heads"), text.count("vocab_size")
	o.MaxPositions = text.count("max_position_embeddings")
	o.Experts = fact.FirstKnown(
		text.count("num_local_experts"),
		text.count("num_experts"),
		text.count("n_routed_experts"),
	)
	raw, at := in["quantization_config"], "quantization_config"
	if absent(raw) {
		raw, at = in["compression_config"], "compression_config" // the older name of compressed-tensors
	}
	if absent(raw) && !absent(text.in["quantization_config"]) {
		raw, at = text.in["quantization_config"], "text_config.quantization_config"
	}
	if absent(raw) {
		none := source.Abs(name) + ": no quantization_config"
		o.Quantization = fact.Known("none", "", m.scope, none)
		o.QuantizationFormat, o.QuantizationBits = fact.Unknown[string](
			"",
			m.scope,
			none,
		), fact.Unknown[int64](
			"",
			m.scope,
			none,
		)
		return
	}
	inner, err := object(raw)
	if err != nil {
		reason := source.Abs(name) + ": " + at + ": " + err.Error()
		o.Quantization, o.QuantizationFormat = fact.Unknown[string](
			"",
			m.scope,
			reason,
		), fact.Unknown[string](
			"",
			m.scope,
			reason,
		)
		o.QuantizationBits = fact.Unknown[int64]("", m.scope, reason)
		return
	}
	q := fields{inner, m.scope, source.Abs(name) + ": " + at + "."}
	o.Quantization = q.text("quant_method")
	o.QuantizationFormat = fact.FirstKnown(q.text("fmt"), q.text("format"))
	o.QuantizationBits = fact.FirstKnown(q.count("bits"), q.count("w_bit"))
}

// parseModelConfig returns the fields of a config.json.
func parseModelConfig(b []byte) (map[string]json.RawMessage, error) {
	if len(b) > source.LargeFile {
		return nil, source.TooLarge{Bound: source.LargeFile, Unit: "bytes"}
	}
	return object(b)
}

func object(raw []byte) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("not a JSON object: %s", fact.Clip(err.Error()))
	}
	if out == nil {
		return nil, errors.New("not a JSON object: null")
	}
	return out, nil
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// fields reads the fields of a JSON object as values.
type fields struct {
	in     map[string]json.RawMessage
	scope  fact.Scope
	source string // up to the field's name
}

func (f fields) text(name string) fact.Value[string] {
	var s string
	if absent(f.in[name]) {
		return fact.Unknown[string]("", f.scope, f.source+name+": not there")
	}
	if err := json.Unmarshal(f.in[name], &s); err != nil {
		return fact.Unknown[string]("", f.scope, f.source+name+": not a string")
	}
	return source.Recorded(s, f.scope, f.source+name)
}

func (f fields) count(name string) fact.Value[int64] {
	if absent(f.in[name]) {
		return fact.Unknown[int64]("", f.scope, f.source+name+": not there")
	}
	n, err := strconv.ParseInt(string(f.in[name]), 10, 64)
	if err != nil || n < 0 {
		return fact.Unknown[int64]("", f.scope, f.source+name+": not a count")
	}
	return fact.Known(n, "", f.scope, f.source+name)
}

func (f fields) list(name string) []fact.Value[string] {
	var all []string
	if absent(f.in[name]) {
		return []fact.Value[string]{fact.Unknown[string]("", f.scope, f.source+name+": not there")}
	}
	if err := json.Unmarshal(f.in[name], &all); err != nil {
		return []fact.Value[string]{fact.Unknown[string]("", f.scope, f.source+name+": not a list of strings")}
	}
	out := []fact.Value[string]{}
	for _, s := range all[:min(len(all), source.MaxList)] {
		out = append(out, source.Recorded(s, f.scope, f.source+name))
	}
	return out
}
