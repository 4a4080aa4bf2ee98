package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/secret"
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
	if offset, err := strictly(text, c); err != nil {
		line, column := position(text, offset)
		return nil, &ConfigurationError{File: name, Line: line, Column: column, Err: err}
	}
	if err := c.Validate(); err != nil {
		return nil, &ConfigurationError{File: name, Err: err}
	}
	return c, nil
}

const maxConfiguration = 1 << 20

// strictly decodes a JSON object into a struct of plain fields, and says where what it does not take begins.
func strictly(text []byte, into *Configuration) (offset int, err error) {
	var known []string
	for field := range reflect.TypeFor[Configuration]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		known = append(known, name)
	}
	in := json.NewDecoder(bytes.NewReader(text))
	at := func() int { // of the next token, behind blanks and separators
		rest := text[in.InputOffset():]
		return len(text) - len(bytes.TrimLeft(rest, " \t\r\n,:"))
	}
	start := at()
	if token, err := in.Token(); err != nil || token != json.Delim('{') {
		return start, errors.New("want a JSON object, { \"image\": …, \"model\": … }")
	}
	seen := map[string]bool{}
	for in.More() {
		start = at()
		token, err := in.Token()
		if err != nil {
			return syntaxOffset(err, start), err
		}
		name, _ := token.(string)
		switch {
		case !slices.Contains(known, name):
			return start, fmt.Errorf("no field %q; there are %s", name, strings.Join(known, ", "))
		case seen[name]:
			return start, fmt.Errorf("field %q stands there twice", name)
		}
		seen[name] = true
		start = at()
		var value json.RawMessage
		if err := in.Decode(&value); err != nil {
			return syntaxOffset(err, start), err
		}
		one, _ := json.Marshal(map[string]json.RawMessage{name: value})
		if err := json.Unmarshal(one, into); err != nil {
			if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
				err = fmt.Errorf("field %q: a %s, want %s", name, e.Value, e.Type)
			}
			return start, err
		}
	}
	if _, err := in.Token(); err != nil {
		return syntaxOffset(err, len(text)), err
	}
	if end := at(); end < len(text) {
		return end, errors.New("there is something after the object")
	}
	return 0, nil
}

func syntaxOffset(err error, otherwise int) int {
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return max(0, int(e.Offset)-1)
	}
	return otherwise
}

// position is the line and the column, in bytes, of an offset.
func position(text []byte, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - (bytes.LastIndexByte(before, '\n') + 1) + 1
}

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
