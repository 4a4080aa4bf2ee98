package server

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
	"github.com/servegauge/servegauge/internal/strictjson"
	"github.com/servegauge/servegauge/protocol/vllm"
)

// A Configuration is how a model is served in a container, as a file says it: for models that are no preset.
type Configuration struct {
	Name    string `json:"name,omitempty"`    // of the container. Zero: one that follows from the command
	Runtime string `json:"runtime,omitempty"` // "docker" or "podman". Zero: docker

	Image  string `json:"image"`            // what the runtime pulls: "vllm/vllm-openai:v0.11.0"
	Digest string `json:"digest,omitempty"` // "sha256:" and 64 digits, by which the image is then pulled

	Flags   []string          `json:"flags,omitempty"`    // of docker run: devices, volumes, --network=host
	Env     map[string]string `json:"env,omitempty"`      // variables inside the container. No secrets: see PassEnv
	PassEnv []string          `json:"pass_env,omitempty"` // names of variables that it gets from our environment

	Command  []string `json:"command,omitempty"`  // before the model: "vllm", "serve". Zero: the image has it
	Model    string   `json:"model"`              // what the server is asked for, its first argument
	Revision string   `json:"revision,omitempty"` // of the model: --revision
	Args     []string `json:"args,omitempty"`     // of the server

	Port int `json:"port,omitempty"` // --port. Zero: it is not given
}

var (
	imageName  = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$`)
	fullDigest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	objectName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.@:-]*$`)
)

// A ConfigurationError says what is wrong in a configuration, and where.
type ConfigurationError struct {
	File         string // "": not from a file
	Line, Column int    // from 1; 0: not of one place
	Err          error
}

func (e *ConfigurationError) Error() string {
	place := e.File
	if e.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", e.File, e.Line, e.Column)
	}
	return strings.TrimPrefix(place+": ", ": ") + e.Err.Error()
}

func (e *ConfigurationError) Unwrap() error { return e.Err }

// ReadConfiguration reads a configuration from a file of JSON. The error is a [*ConfigurationError], with line and
// column for what is no JSON, for a field that there is not and for a value of another type.
func ReadConfiguration(name string) (*Configuration, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, &ConfigurationError{Err: err}
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxConfiguration+1))
	if err == nil && len(text) > maxConfiguration {
		err = fmt.Errorf("it is longer than %d KiB, which no configuration is", maxConfiguration>>10)
	}
	if err != nil {
		return nil, &ConfigurationError{File: name, Err: err}
	}
	c := &Configuration{}
	if err := strictjson.Unmarshal(text, c); err != nil {
		bad := &ConfigurationError{File: name, Err: err}
		if at, ok := errors.AsType[*strictjson.Error](err); ok {
			bad.Line, bad.Column, bad.Err = at.Line, at.Column, at.Err
		}
		return nil, bad
	}
	if err := c.Validate(); err != nil {
		return nil, &ConfigurationError{File: name, Err: err}
	}
	return c, nil
}

const maxConfiguration = 1 << 20

// Validate says what cannot be run.
func (c *Configuration) Validate() error {
	switch {
	case !imageName.MatchString(c.Image):
		return fmt.Errorf("image %q: want a reference such as vllm/vllm-openai:v0.11.0", c.Image)
	case c.Digest != "" && (!fullDigest.MatchString(c.Digest) || strings.Contains(c.Image, "@")):
		return fmt.Errorf("digest %q: want sha256: and 64 hexadecimal digits, and an image without one", c.Digest)
	case c.Model == "" || strings.HasPrefix(c.Model, "-"):
		return fmt.Errorf("model %q: want what the server is to serve", c.Model)
	case c.Runtime != "" && c.Runtime != "docker" && c.Runtime != "podman":
		return fmt.Errorf("runtime %q: want docker or podman", c.Runtime)
	case c.Name != "" && !objectName.MatchString(c.Name):
		return fmt.Errorf("name %q: letters, digits, '_', '.' and '-'", c.Name)
	}
	// The rest is what a preset's command line has to hold too.
	return vllm.RunOptions{Env: c.Env, PassEnv: c.PassEnv, Args: c.Args, DockerArgs: c.Flags, Port: c.Port}.Validate()
}

// Argv is the command that makes the container.
func (c *Configuration) Argv() []string {
	runtime := c.Runtime
	if runtime == "" {
		runtime = "docker"
	}
	argv := []string{runtime, "run"}
	if c.Name != "" {
		argv = append(argv, "--name", c.Name)
	}
	argv = append(argv, c.Flags...)
	for _, name := range c.PassEnv {
		argv = append(argv, "--env", name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Env)) {
		argv = append(argv, "--env", name+"="+c.Env[name])
	}
	image := c.Image
	if c.Digest != "" {
		image += "@" + c.Digest
	}
	argv = append(append(argv, image), c.Command...)
	argv = append(argv, c.Model)
	if c.Revision != "" {
		argv = append(argv, "--revision", c.Revision)
	}
	argv = append(argv, c.Args...)
	if c.Port != 0 {
		argv = append(argv, "--port", strconv.Itoa(c.Port))
	}
	return argv
}

// Server is the server of the configuration. Where it has a port and o no URL, it answers there on this host.
func (c *Configuration) Server(o Options) Run {
	if o.URL == "" && c.Port != 0 {
		o.URL = fmt.Sprintf("http://127.0.0.1:%d", c.Port)
	}
	shown := *c
	shown.Args = secret.Args(slices.Clone(c.Args))
	shown.Flags = secret.Args(slices.Clone(c.Flags))
	pinned := c.Digest
	if _, digest, ok := strings.Cut(c.Image, "@"); ok {
		pinned = digest
	}
	return Run{Argv: c.Argv(), Options: o, Pinned: pinned, Asked: asked(map[string]any{"configuration": shown})}
}
