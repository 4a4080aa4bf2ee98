package serving

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
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
		return nil, fmt.Errorf("serving: ModelOptions.ReadTimeout is %v; give a positive time, or 0 for %v",
			opts.ReadTimeout, source.DefaultWait)
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
	m.out.Warnings = append(m.out.Warnings,
		fact.Warning{About: about, Text: fact.Clean(secret.Scrub(fmt.Sprintf(format, args...)))})
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
		reason = fmt.Sprintf("ambiguous: %s/snapshots has %s", at,
			strings.Join(snapshots[:min(len(snapshots), 20)], ", "))
		if from != "" {
			reason += fmt.Sprintf("; refs/%s was last resolved to %s, which need not be what the server loaded", ref,
				from)
		}
		reason += "; start the server with --revision"
	}
	return fact.Unknown[string]("", m.scope, reason)
}
