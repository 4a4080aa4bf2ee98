package vllm

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/servegauge/servegauge/internal/secret"
)

// Source says where a setting of a preset was taken from.
type Source string

const (
	// SourcePage is the MI325X cookbook's benchmark methodology page (11 March 2026).
	SourcePage Source = "methodology page"
	// SourceGuide is the same cookbook's guide for the model; its address is Preset.Guide.
	SourceGuide Source = "model guide"
)

// A Setting is one environment variable, vLLM argument or docker flag of a preset.
type Setting struct {
	Name   string `json:"name"`            // as it is written: "VLLM_ROCM_USE_AITER", "--block-size"
	Value  string `json:"value,omitempty"` // empty for a flag that takes none
	Note   string `json:"note,omitempty"`  // the remark beside it in the source, such as "required for MLA"
	Source Source `json:"source"`          // where it was read; the page, where the guide has it too
}

// A Row is one line of the page's table for a model, as printed.
type Row struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
}

// A Checkpoint names the weights of a model at one commit.
type Checkpoint struct {
	Repo     string `json:"repo"`     // Hugging Face repository, "org/name"
	Revision string `json:"revision"` // Hugging Face commit, 40 hexadecimal digits
}

// An Image is a container image as the page pins it.
type Image struct {
	// Reference is what docker pulls, "repository:tag". Both tags of the page move; to run the very image that you
	// measured before, put its full digest here ("repository@sha256:…").
	Reference string `json:"reference"`
	// DigestPrefix is the beginning of the pinned digest, "sha256:" and ten hexadecimal digits; the page prints no
	// more. It can recognise an image, see MatchesDigest, but docker cannot pull by it, so it never goes into a
	// command line.
	DigestPrefix string `json:"digest_prefix"`
	// VLLM is the version of vLLM inside, as the page prints it: "0.14.1", "0.16.0rc1 (nightly)".
	VLLM string `json:"vllm"`
	// Entrypoint is true where the image runs `vllm serve` by itself, so that its arguments begin with the model.
	// Where it is false the command line spells `vllm serve` out.
	Entrypoint bool `json:"entrypoint"`
}

var fullDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// MatchesDigest reports whether a full digest, as in `docker image inspect`'s RepoDigests ("repository@sha256:…", or
// the part after the @), begins with the prefix that the page pins. A digest that is not whole matches nothing, and
// so does an Image without a prefix.
func (i Image) MatchesDigest(digest string) bool {
	if _, after, ok := strings.Cut(digest, "@"); ok {
		digest = after
	}
	return i.DigestPrefix != "" && fullDigest.MatchString(digest) && strings.HasPrefix(digest, i.DigestPrefix)
}

// A Stack is the host software that the page prints, once for all models. The page does not say which of it is the
// host's and which the container's: RCCL 2.26.6 does not ship with ROCm 6.4.2.
type Stack struct {
	ROCm   string `json:"rocm"`
	RCCL   string `json:"rccl"`
	Docker string `json:"docker"`
}

// A Preset is one model's configuration on the MI325X cookbook's benchmark methodology page (11 March 2026). It is
// plain data; the zero Preset describes nothing and has no use.
type Preset struct {
	// ID is short and will not change: it is for flags, file names and records.
	ID string `json:"id"`
	// Name is what the page calls the model.
	Name string `json:"name"`
	// Checkpoint is the page's row for the model under "Model Checkpoint Revisions". It may not be the model that is
	// served.
	Checkpoint Checkpoint `json:"checkpoint"`
	// Model is what `vllm serve` is asked for, and ModelSource who says so.
	Model       string `json:"model"`
	ModelSource Source `json:"model_source"`
	// Precision is what the page prints, with its remark.
	Precision string `json:"precision"`
	// TensorParallel is the number of GPUs that share the model, and TensorParallelNote the page's remark on it.
	TensorParallel     int    `json:"tensor_parallel"`
	TensorParallelNote string `json:"tensor_parallel_note,omitempty"`
	// Env are environment variables inside the container.
	Env []Setting `json:"env,omitempty"`
	// Toggles are environment variables that the page sets one way and the other, to compare. They are not set unless
	// RunOptions.Env does.
	Toggles []Setting `json:"toggles,omitempty"`
	// Args are arguments of `vllm serve`, beside the model, its revision and the tensor parallel size.
	Args []Setting `json:"args,omitempty"`
	// DockerFlags are flags of `docker run` that this model needs beside those that all have.
	DockerFlags []Setting `json:"docker_flags,omitempty"`
	Image       Image     `json:"image"`
	Stack       Stack     `json:"stack"`
	// Guide is the address of the cookbook's guide for the model: the SourceGuide of its settings.
	Guide string `json:"guide"`
	// Table is the page's table for the model, line by line.
	Table []Row `json:"table"`
	// Discrepancies are the places where the sources contradict themselves or each other, and which side the preset
	// took.
	Discrepancies []string `json:"discrepancies,omitempty"`
}

// UnknownPresetError says that no preset goes by a name.
type UnknownPresetError struct {
	Name  string   // what was asked for
	Known []string // the IDs that there are
}

func (e *UnknownPresetError) Error() string {
	return fmt.Sprintf("vllm: no preset %q; use one of %s", e.Name, strings.Join(e.Known, ", "))
}

// Find returns the preset that goes by a name: its ID, its Name, the model that it serves or its checkpoint's repository, the latter two
// with or without the organisation. Upper and lower case and the marks between letters and digits do not matter. The beginning of a name
// is not enough ("llama" must not start a server with eight GPUs for somebody who meant a smaller one). The error is an
// *UnknownPresetError.
func Find(name string) (Preset, error) {
	want := foldName(name)
	var known []string
	for _, p := range Presets() {
		for _, n := range []string{p.ID, p.Name, p.Model, p.Checkpoint.Repo} {
			_, short, _ := strings.Cut(n, "/")
			if want != "" && (want == foldName(n) || want == foldName(short)) {
				return p, nil
			}
		}
		known = append(known, p.ID)
	}
	return Preset{}, &UnknownPresetError{Name: name, Known: known}
}

// foldName keeps what tells names apart. The slash stays, so that another organisation's copy of a model is not taken
// for the model.
func foldName(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '/' {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// DefaultPort is the port that vLLM listens on when nobody says otherwise.
const DefaultPort = 8000

// RunOptions are the parts of a docker command line that a preset leaves to the user. The zero value is good.
type RunOptions struct {
	// Name of the container. Empty: "servegauge-" and the preset's ID.
	Name string
	// HFCache is the folder of the host where Hugging Face keeps its downloads, the one that holds "hub": an absolute
	// path without a colon. Empty: as the Hugging Face client finds it, $HF_HOME, $XDG_CACHE_HOME/huggingface or
	// ~/.cache/huggingface. ($HF_HUB_CACHE alone moves only part of it, and is not followed.)
	HFCache string
	// Port that the server listens on. Zero: DefaultPort.
	Port int
	// Detach returns as soon as the container has started; otherwise docker stays attached to it.
	Detach bool
	// Env is added to the preset's environment, and wins where both set a variable: the arms of an ablation differ in
	// nothing else. The values are part of the command line, so a name that looks like a secret's (auth, key, token,
	// …) is refused: name it in PassEnv. That is a guess by the name; a secret under another name is not noticed.
	Env map[string]string
	// PassEnv names further variables that the container gets from the environment of the docker command, as HF_TOKEN
	// always is. Their values are no part of the command line, which other users of the host can read and which
	// results record.
	PassEnv []string
	// Args are added behind the preset's vLLM arguments. vLLM takes the last of an argument that is given twice.
	Args []string
	// DockerArgs are added behind the preset's docker flags: volumes for compile caches, limits, labels. Flags that set
	// the environment are refused, but for --env-file.
	DockerArgs []string
}

// An OptionError says which of the RunOptions cannot be used and why. It holds no value of an environment variable or
// of a flag that is refused as secret.
type OptionError struct {
	Option  string // the field of RunOptions
	Value   string // the offending value; the name only, where a value may be secret
	Problem string // what is wrong and what to do
}

func (e *OptionError) Error() string {
	return fmt.Sprintf("vllm: RunOptions.%s %q: %s", e.Option, e.Value, e.Problem)
}

var (
	containerName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)
	variableName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// secretPlace is a name for where a secret is kept, which is none: HF_TOKEN_PATH.
	secretPlace = regexp.MustCompile(`(?i)_(path|file|dir)$`)
	// envFlag is docker's -e with or without its value, alone or behind flags of one letter that take none, as in -it.
	envFlag = regexp.MustCompile(`^-[diPqt]*e`)
)

// Validate checks everything but the zero HFCache, which is looked up only when it is needed. The error is an
// *OptionError.
func (o RunOptions) Validate() error {
	if o.Name != "" && !containerName.MatchString(o.Name) {
		return &OptionError{"Name", o.Name,
			"docker allows letters, digits, '_', '.' and '-', at least two, the first a letter or digit"}
	}
	if o.HFCache != "" && (!filepath.IsAbs(o.HFCache) || strings.Contains(o.HFCache, ":") || hasControl(o.HFCache)) {
		return &OptionError{"HFCache", o.HFCache,
			"give an absolute path without colon or control character, as docker's -v needs it"}
	}
	if o.Port < 0 || o.Port > 65535 {
		return &OptionError{"Port", strconv.Itoa(o.Port), "a port is 1 to 65535, or 0 for vLLM's own, 8000"}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Env)) {
		switch {
		case !variableName.MatchString(name):
			return &OptionError{"Env", name,
				"not a name of an environment variable: letters, digits and '_', no digit first"}
		case secret.Named(name, o.Env[name]) && !secretPlace.MatchString(name):
			return &OptionError{"Env", name,
				"looks like a secret, and its value would show in the command line; export it and name it in PassEnv"}
		case hasControl(o.Env[name]):
			return &OptionError{"Env", name,
				"its value has a control character; docker's command line cannot carry it safely"}
		}
	}
	for _, name := range o.PassEnv {
		if !variableName.MatchString(name) {
			return &OptionError{"PassEnv", before(name, "="),
				"give the name of an environment variable, without a value"}
		}
	}
	for _, arg := range o.Args {
		// vLLM takes --api_key for --api-key, and =VALUE for a value that follows.
		switch flag := strings.ReplaceAll(before(arg, "="), "_", "-"); {
		case flag == "--api-key" || flag == "--hf-token":
			return &OptionError{"Args", flag,
				"its value would show in the command line; export VLLM_API_KEY or HF_TOKEN and name it in PassEnv"}
		case flag == "--port":
			return &OptionError{"Args", flag, "set Port instead, so that the address is known"}
		case hasControl(arg):
			return &OptionError{"Args", arg, "has a control character; take it out"}
		}
	}
	for _, arg := range o.DockerArgs {
		flag := before(arg, "=")
		switch {
		case flag == "--env" || envFlag.MatchString(flag):
			return &OptionError{"DockerArgs", flag,
				"set Env or PassEnv instead, so that overriding works and no secret shows"}
		case hasControl(arg):
			return &OptionError{"DockerArgs", arg, "has a control character; take it out"}
		}
	}
	return nil
}

func before(s, sep string) string {
	s, _, _ = strings.Cut(s, sep)
	return s
}

func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }

// DockerRun returns the whole command line that starts the preset's server in a container on an AMD host.
//
// The server listens on all addresses of the host, without a password unless VLLM_API_KEY is passed: add Args
// "--host", "127.0.0.1" where others can reach the machine. `--revision` is given only where the served model is the
// checkpoint, for a revision means nothing to another repository. Fields of the preset that were changed are used as
// they are now. The error is an *OptionError.
func (p Preset) DockerRun(o RunOptions) (Argv, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	cache := o.HFCache
	if cache == "" {
		var err error
		if cache, err = hfCache(); err != nil {
			return nil, err
		}
	}
	name := o.Name
	if name == "" {
		name = "servegauge-" + p.ID
	}

	a := Argv{"docker", "run"}
	if o.Detach {
		a = append(a, "--detach")
	}
	// No --rm, which the guides have: the exit code and the out-of-memory mark of a server that died would be gone
	// with it.
	a = append(a, "--name", name,
		"--device", "/dev/kfd", "--device", "/dev/dri", "--group-add", "video",
		"--ipc=host", "--cap-add=SYS_PTRACE", "--security-opt", "seccomp=unconfined",
		"-v", cache+":/root/.cache/huggingface",
		// Not `-p 8000:8000`, which three of the four guides have: docker's forwarding of the port would be between
		// client and server, and in what is measured.
		"--network=host",
	)
	a = appendSettings(a, p.DockerFlags)
	a = append(a, "--env", "HF_TOKEN") // by name; docker leaves it out where it is not set
	for _, name := range o.PassEnv {
		if name != "HF_TOKEN" {
			a = append(a, "--env", name)
		}
	}
	rest := maps.Clone(o.Env)
	for _, s := range p.Env {
		value, overridden := rest[s.Name]
		if !overridden {
			value = s.Value
		}
		delete(rest, s.Name)
		a = append(a, "--env", s.Name+"="+value)
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		a = append(a, "--env", name+"="+rest[name])
	}
	a = append(a, o.DockerArgs...)

	a = append(a, p.Image.Reference)
	if !p.Image.Entrypoint {
		a = append(a, "vllm", "serve")
	}
	a = append(a, p.Model)
	if p.Model == p.Checkpoint.Repo {
		a = append(a, "--revision", p.Checkpoint.Revision)
	}
	a = append(a, "--tensor-parallel-size", strconv.Itoa(p.TensorParallel))
	a = appendSettings(a, p.Args)
	if o.Port != 0 {
		a = append(a, "--port", strconv.Itoa(o.Port))
	}
	return append(a, o.Args...), nil
}

func appendSettings(a Argv, settings []Setting) Argv {
	for _, s := range settings {
		a = append(a, s.Name)
		if s.Value != "" {
			a = append(a, s.Value)
		}
	}
	return a
}

// hfCache finds the folder as the Hugging Face client does. The path is checked, for docker would read a relative one
// as the name of a volume, make that, empty, and download hundreds of gigabytes into it.
func hfCache() (string, error) {
	dir := os.Getenv("HF_HOME")
	if dir == "" {
		if xdg := os.Getenv("XDG_CACHE_HOME"); xdg != "" {
			dir = filepath.Join(xdg, "huggingface")
		} else if home, err := os.UserHomeDir(); err == nil {
			dir = filepath.Join(home, ".cache", "huggingface")
		} else {
			return "", &OptionError{"HFCache", "",
				fmt.Sprintf("empty, and there is no home folder to look in (%v); set it", err)}
		}
	}
	if err := (RunOptions{HFCache: dir}).Validate(); err != nil {
		return "", err
	}
	return dir, nil
}

// An Argv is a command and its arguments, for os/exec.
type Argv []string

// String returns the command line as one line that a POSIX shell splits into the same arguments again. (An argument
// with a line break keeps it, in quotes: what is printed is then several lines and still one command. DockerRun makes
// none.)
func (a Argv) String() string {
	quoted := make([]string, len(a))
	for i, arg := range a {
		plain := arg != "" && strings.IndexFunc(arg, needsQuote) < 0
		if i == 0 && strings.Contains(arg, "=") {
			plain = false // a shell takes A=B in front for an assignment
		}
		if plain {
			quoted[i] = arg
		} else {
			quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// needsQuote lists what is known to be safe rather than what is known to be dangerous: shells differ in the latter.
func needsQuote(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-_./:=,@+%", r)
}
