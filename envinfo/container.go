package envinfo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/secret"
)

// Container is one container of this machine or of a cluster: the image that it runs, what it was given, and the software inside it.
// What is true of the container alone has the scope "container:" with the first twelve characters of its id; the runtime's version
// is the host's.
//
// A list that could not be read holds one unknown value, which says why; an empty list is known to be empty.
type Container struct {
	Runtime string        `json:"runtime"` // how it was asked for: "docker", "podman" or "kubernetes"
	ID      Value[string] `json:"id"`
	Name    Value[string] `json:"name"`
	// Image is the reference that the container was created from. What it names may have moved since.
	Image Value[string] `json:"image"`
	// ImageID is the image that runs: the digest of its configuration, or of its manifest where the runtime keeps images that way.
	ImageID Value[string] `json:"image_id"`
	// RepoDigests is under which digests registries know that image: empty for one that was built here, and possibly several.
	RepoDigests []Value[string] `json:"repo_digests"`
	// PinnedDigest is the digest that Image, or ContainerOptions.Pinned, asks for. A warning says when another runs.
	PinnedDigest Value[string] `json:"pinned_digest"`
	Versions     []Component   `json:"versions"` // of the runtime: docker, containerd, runc, podman, the kubelet
	State        Value[string] `json:"state"`    // "running", "exited", …
	Created      Value[string] `json:"created"`  // RFC 3339
	Started      Value[string] `json:"started"`  // RFC 3339
	// Command is the entry point and its arguments, quoted for a shell and without secrets.
	Command Value[string] `json:"command"`
	// Environment is the variables that change what a server does; see [Setting].
	Environment []Setting       `json:"environment"`
	Devices     []Value[string] `json:"devices"`
	ShmSize     Value[int64]    `json:"shm_size"` // B, of the container's own /dev/shm: with the host's IPC it has the host's
	IPC         Value[string]   `json:"ipc"`      // "host", "private", "shareable", …
	Network     Value[string]   `json:"network"`  // "host", "bridge", …
	Privileged  Value[bool]     `json:"privileged"`
	CPULimit    Value[Limit]    `json:"cpu_limit"` // CPU: 1.5 is 150 ms in every 100 ms
	CPUSet      Value[string]   `json:"cpuset"`    // "0-15,32", or "all"
	MemoryLimit Value[Limit]    `json:"memory_limit"`
	// Mounts is "type source → destination (ro)". Where a secret is mounted is in it, and what it holds is not.
	Mounts []Value[string] `json:"mounts"`
	// Software is what is installed inside. It was read through the root of the container's first process where that is permitted,
	// and else copied out by the runtime.
	Software []Component `json:"software"`
	// Engine is the arguments of the vLLM server that the command starts. Nil: the command starts none that we know.
	Engine *Engine `json:"engine,omitempty"`
	// Model is what the container holds of the engine's model. Nil: no engine.
	Model *Model `json:"model,omitempty"`
	// Warnings name values of this container. Nil: none.
	Warnings []Warning `json:"warnings,omitempty"`
}

// ContainerOptions says how to read a container. The zero ContainerOptions is fit for use.
type ContainerOptions struct {
	// Pinned is the digest that ought to run, "sha256:" and 64 hex digits. Empty: the one in the image's reference, if any.
	Pinned string
	// Timeout bounds the whole. Zero: five seconds.
	Timeout time.Duration
	// Run runs a program of the runtime (docker, podman, kubectl) and returns what it wrote to its standard output. It must end when
	// ctx does. It is for runtimes that are reached otherwise, over ssh for one; then nothing is read from this machine's /proc.
	// Nil: programs found on PATH.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)
}

const defaultContainerTimeout = 5 * time.Second

// CaptureContainer reads one container. The runtime is "docker", "podman" or "kubernetes". nameOrID is the container's name or id; in
// kubernetes [NAMESPACE/]POD[/CONTAINER], where the namespace is needed to name the container, and the container may be left out
// when the pod has one.
//
// The error is of the arguments, and then the Container is nil; or that ctx ended. What the runtime does not tell, down to
// everything, is unknown for the reason that it gave.
func CaptureContainer(ctx context.Context, runtime, nameOrID string, opts ContainerOptions) (*Container, error) {
	// A name that begins with a dash would be an option of the runtime.
	if nameOrID == "" || strings.HasPrefix(nameOrID, "-") || clean(nameOrID) != nameOrID || strings.ContainsAny(nameOrID, " \t") {
		return nil, fmt.Errorf("envinfo: the container is %q; give its name or id", clip(nameOrID))
	}
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("envinfo: ContainerOptions.Timeout is %v; give a positive time, or 0 for %v", opts.Timeout, defaultContainerTimeout)
	}
	if opts.Pinned != "" && !digest.MatchString(opts.Pinned) {
		return nil, fmt.Errorf(`envinfo: ContainerOptions.Pinned is %q; give "sha256:" and 64 hex digits`, clip(opts.Pinned))
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultContainerTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	c := &containerCapture{ctx: bounded, opts: opts, run: opts.Run, local: opts.Run == nil}
	if c.run == nil {
		box := Config{Tools: ToolConfig{Timeout: opts.Timeout}}.Toolbox(bounded)
		defer box.stop()
		// Not box.run, which waits for a program that cannot be killed.
		c.run = func(_ context.Context, program string, args ...string) ([]byte, error) {
			return box.start(program, args...).wait()
		}
	}
	switch runtime {
	case "docker", "podman":
		c.docker(runtime, nameOrID)
	case "kubernetes":
		if err := c.kubernetes(nameOrID); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("envinfo: the container runtime is %q; give docker, podman or kubernetes", clip(runtime))
	}
	c.out.Runtime = runtime
	c.pinned()
	c.inside()
	if err := ctx.Err(); err != nil {
		return &c.out, fmt.Errorf("envinfo: the capture of the container was cut short, what is missing is unknown: %w", err)
	}
	return &c.out, nil
}

// containerCapture is the state of one CaptureContainer.
type containerCapture struct {
	ctx   context.Context
	opts  ContainerOptions
	run   func(ctx context.Context, program string, args ...string) ([]byte, error)
	local bool // whether the runtime's processes may be those of this machine
	out   Container
	scope Scope

	// What is needed to look inside, and is not recorded as it stands.
	id      string // the full id
	pid     int    // of the first process, as the runtime sees it; 0: not running, or not told
	environ map[string]string
	workdir string
	// exec is the command line that runs a program inside; nil: it cannot.
	exec []string
}

func (c *containerCapture) warn(about, format string, args ...any) {
	c.out.Warnings = append(c.out.Warnings, Warning{about, clean(secret.Scrub(fmt.Sprintf(format, args...)))})
}

// tool runs a command line that must write JSON, and returns that with the line as the source.
func (c *containerCapture) tool(program string, args ...string) (b []byte, source string, err error) {
	source = strings.Join(append([]string{program}, args...), " ")
	b, err = c.run(c.ctx, program, args...)
	if err == nil && len(b) > maxContainerOutput {
		b, err = nil, tooLarge{maxContainerOutput, "bytes"}
	}
	if err != nil {
		// What a tool says may quote what it was given: the URL of a daemon with a password in it, for one.
		err = errors.New(source + ": " + clip300(secret.Scrub(strings.TrimPrefix(err.Error(), source+": "))))
	}
	return b, source, err
}

// blank makes every value of the container unknown for the reason.
func (c *containerCapture) blank(reason string) {
	text := Unknown[string]("", c.scope, reason)
	list := []Value[string]{text}
	c.out = Container{
		ID: text, Name: text, Image: text, ImageID: text, RepoDigests: list, PinnedDigest: text, State: text, Created: text, Started: text,
		Command: text, Environment: []Setting{}, Devices: list, ShmSize: Unknown[int64]("B", c.scope, reason), IPC: text, Network: text,
		Privileged: Unknown[bool]("", c.scope, reason), CPULimit: Unknown[Limit]("CPU", c.scope, reason), CPUSet: text,
		MemoryLimit: Unknown[Limit]("B", c.scope, reason), Mounts: list, Versions: []Component{}, Software: []Component{},
	}
}

// containerScope is the scope of what is true of one container.
func containerScope(id string) Scope {
	if len(id) > 12 {
		id = id[:12]
	}
	return Scope("container:" + clean(id))
}

// pinned compares the digest that was asked for with those of the image that runs.
func (c *containerCapture) pinned() {
	want, source := c.opts.Pinned, "ContainerOptions.Pinned"
	if want == "" {
		image, ok := c.out.Image.Get()
		if !ok {
			c.out.PinnedDigest = Unknown[string]("", c.scope, c.out.Image.Reason())
			return
		}
		_, after, found := strings.Cut(image, "@")
		if !found || !digest.MatchString(after) {
			c.out.PinnedDigest = Unknown[string]("", c.scope, "the image's reference has no digest")
			return
		}
		want, source = after, c.out.Image.Source()
	}
	c.out.PinnedDigest = Known(want, "", c.scope, source)
	if id, ok := c.out.ImageID.Get(); ok && id == want {
		return
	}
	var have []string
	for _, d := range c.out.RepoDigests {
		d, ok := d.Get()
		if !ok {
			c.warn("pinned_digest", "%s is pinned, and whether it runs is unknown: the image's digests were not read", want)
			return
		}
		if strings.HasSuffix(d, "@"+want) {
			return
		}
		have = append(have, d)
	}
	if len(have) == 0 {
		c.warn("pinned_digest", "%s is pinned, and whether it runs is unknown: the image that runs has no digest of a registry", want)
		return
	}
	c.warn("pinned_digest", "%s is pinned, and another image runs: %s", want, strings.Join(have, ", "))
}

// command records what the container runs, and reads an engine's arguments from it.
func (c *containerCapture) command(argv []string, source string) {

	size := 0
	for _, a := range argv {
		size += len(a) + 1
	}
	if len(argv) > maxList || size > 4*maxText {
		c.out.Command = Unknown[string]("", c.scope, source+": "+tooLarge{4 * maxText, "bytes"}.Error())
		return
	}
	if len(argv) == 0 {
		c.out.Command = Unknown[string]("", c.scope, source+": it names none, so it is the image's own")
		return
	}
	c.out.Command = Known(shellQuote(secret.Args(argv)), "", c.scope, source)
	c.out.Engine = ParseEngine(argv, c.scope, source)
}

// variables records the environment.
func (c *containerCapture) variables(environ []string, source string) {
	c.out.Environment = settingsOf(environ, c.scope, source)
	c.environ = map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			c.environ[name] = value
		}
	}
}
