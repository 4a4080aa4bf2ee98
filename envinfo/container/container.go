// Package container reads a container by the command line of its runtime: docker, podman, or kubectl. A runtime is a
// file here that fills in a [Container]; what is installed inside is read alike for all of them.
package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/serving"
	"github.com/servegauge/servegauge/internal/secret"
)

// Container is one container of this machine or of a cluster: the image that it runs, what it was given, and the
// software inside it. What is true of the container alone has the scope "container:" with the first twelve characters
// of its id; the runtime's version is the host's.
//
// A list that could not be read holds one unknown value, which says why; an empty list is known to be empty.
type Container struct {
	Runtime string             `json:"runtime"` // how it was asked for: "docker", "podman" or "kubernetes"
	ID      fact.Value[string] `json:"id"`
	Name    fact.Value[string] `json:"name"`
	// Image is the reference that the container was created from. What it names may have moved since.
	Image fact.Value[string] `json:"image"`
	// ImageID is the image that runs: the digest of its configuration, or of its manifest where the runtime keeps
	// images that way.
	ImageID fact.Value[string] `json:"image_id"`
	// RepoDigests is under which digests registries know that image: empty for one that was built here, and possibly
	// several.
	RepoDigests []fact.Value[string] `json:"repo_digests"`
	// PinnedDigest is the digest that Image, or Options.Pinned, asks for. A warning says when another runs.
	PinnedDigest fact.Value[string] `json:"pinned_digest"`
	Versions     []fact.Component   `json:"versions"` // of the runtime: docker, containerd, runc, podman, the kubelet
	State        fact.Value[string] `json:"state"`    // "running", "exited", …
	Created      fact.Value[string] `json:"created"`  // RFC 3339
	Started      fact.Value[string] `json:"started"`  // RFC 3339
	// Command is the entry point and its arguments, quoted for a shell and without secrets.
	Command fact.Value[string] `json:"command"`
	// Environment is the variables that change what a server does; see [fact.Setting].
	Environment []fact.Setting       `json:"environment"`
	Devices     []fact.Value[string] `json:"devices"`
	// B, of the container's own /dev/shm: with the host's IPC it has the host's
	ShmSize     fact.Value[int64]      `json:"shm_size"`
	IPC         fact.Value[string]     `json:"ipc"`     // "host", "private", "shareable", …
	Network     fact.Value[string]     `json:"network"` // "host", "bridge", …
	Privileged  fact.Value[bool]       `json:"privileged"`
	CPULimit    fact.Value[fact.Limit] `json:"cpu_limit"` // CPU: 1.5 is 150 ms in every 100 ms
	CPUSet      fact.Value[string]     `json:"cpuset"`    // "0-15,32", or "all"
	MemoryLimit fact.Value[fact.Limit] `json:"memory_limit"`
	// Mounts is "type source → destination (ro)". Where a secret is mounted is in it, and what it holds is not.
	Mounts []fact.Value[string] `json:"mounts"`
	// Software is what is installed inside. It was read through the root of the container's first process where that is
	// permitted, and else copied out by the runtime.
	Software []fact.Component `json:"software"`
	// Engine is the arguments of the vLLM server that the command starts. Nil: the command starts none that we know.
	Engine *serving.Engine `json:"engine,omitempty"`
	// Model is what the container holds of the engine's model. Nil: no engine.
	Model *serving.Model `json:"model,omitempty"`
	// Warnings name values of this container. Nil: none.
	Warnings []fact.Warning `json:"warnings,omitempty"`
}

// Options says how to read a container. The zero Options is fit for use.
type Options struct {
	// Pinned is the digest that ought to run, "sha256:" and 64 hex digits. Empty: the one in the image's reference, if
	// any.
	Pinned string
	// Timeout bounds the whole. Zero: five seconds.
	Timeout time.Duration
	// Run runs a program of the runtime (docker, podman, kubectl) and returns what it wrote to its standard output. It
	// must end when ctx does. It is for runtimes that are reached otherwise, over ssh for one; then nothing is read
	// from this machine's /proc. Nil: programs found on PATH.
	Run func(ctx context.Context, program string, args ...string) ([]byte, error)
}

const defaultContainerTimeout = 5 * time.Second

// Capture reads one container. The runtime is "docker", "podman" or "kubernetes". nameOrID is the container's name or
// id; in kubernetes [NAMESPACE/]POD[/CONTAINER], where the namespace is needed to name the container, and the container
// may be left out when the pod has one.
//
// The error is of the arguments, and then the Container is nil; or that ctx ended. What the runtime does not tell, down
// to everything, is unknown for the reason that it gave.
func Capture(ctx context.Context, runtime, nameOrID string, opts Options) (*Container, error) {
	read, err := readerOf(runtime)
	if err != nil {
		return nil, err
	}
	// A name that begins with a dash would be an option of the runtime.
	if nameOrID == "" || strings.HasPrefix(nameOrID, "-") || fact.Clean(nameOrID) != nameOrID ||
		strings.ContainsAny(nameOrID, " \t") {
		return nil, fmt.Errorf("envinfo: the container is %q; give its name or id", fact.Clip(nameOrID))
	}
	if opts.Timeout < 0 {
		return nil, fmt.Errorf("container: Options.Timeout is %v; give a positive time, or 0 for %v", opts.Timeout,
			defaultContainerTimeout)
	}
	if opts.Pinned != "" && !digest.MatchString(opts.Pinned) {
		return nil, fmt.Errorf(`container: Options.Pinned is %q; give "sha256:" and 64 hex digits`,
			fact.Clip(opts.Pinned))
	}
	if opts.Timeout == 0 {
		opts.Timeout = defaultContainerTimeout
	}
	bounded, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	c := &capture{ctx: bounded, opts: opts, run: opts.Run, local: opts.Run == nil}
	if c.run == nil {
		box := source.Config{Tools: source.ToolConfig{Timeout: opts.Timeout}}.Toolbox(bounded)
		defer box.Stop()
		// Not box.run, which waits for a program that cannot be killed.
		c.run = func(_ context.Context, program string, args ...string) ([]byte, error) {
			return box.Start(program, args...).Wait()
		}
	}
	if err := read(c, nameOrID); err != nil {
		return nil, err
	}
	c.out.Runtime = runtime
	c.pinned()
	c.inside()
	if err := ctx.Err(); err != nil {
		return &c.out, fmt.Errorf("envinfo: the capture of the container was cut short, what is missing is unknown: %w",
			err)
	}
	return &c.out, nil
}

// runtimes are what a container can be asked of. The function fills in the container of the name, and what is needed to
// look inside; its error is of the name.
var runtimes = []struct {
	name string
	read func(c *capture, nameOrID string) error
}{
	{"docker", func(c *capture, name string) error { return c.docker("docker", name) }},
	{"podman", func(c *capture, name string) error { return c.docker("podman", name) }},
	{"kubernetes", (*capture).kubernetes},
}

func readerOf(runtime string) (func(c *capture, nameOrID string) error, error) {
	var names []string
	for _, r := range runtimes {
		if r.name == runtime {
			return r.read, nil
		}
		names = append(names, r.name)
	}
	last := len(names) - 1
	return nil, fmt.Errorf("envinfo: the container runtime is %q; give %s or %s", fact.Clip(runtime),
		strings.Join(names[:last], ", "), names[last])
}

// capture is the state of one [Capture].
type capture struct {
	ctx   context.Context
	opts  Options
	run   func(ctx context.Context, program string, args ...string) ([]byte, error)
	local bool // whether the runtime's processes may be those of this machine
	out   Container
	scope fact.Scope

	// What is needed to look inside, and is not recorded as it stands.
	id      string // the full id
	pid     int    // of the first process, as the runtime sees it; 0: not running, or not told
	environ map[string]string
	workdir string
	// exec is the command line that runs a program inside; nil: it cannot.
	exec []string
}

func (c *capture) warn(about, format string, args ...any) {
	c.out.Warnings = append(c.out.Warnings,
		fact.Warning{About: about, Text: fact.Clean(secret.Scrub(fmt.Sprintf(format, args...)))})
}

// tool runs a command line that must write JSON, and returns that with the line as the source.
func (c *capture) tool(program string, args ...string) (b []byte, origin string, err error) {
	origin = strings.Join(append([]string{program}, args...), " ")
	b, err = c.run(c.ctx, program, args...)
	if err == nil && len(b) > source.MaxContainerOutput {
		b, err = nil, source.TooLarge{Bound: source.MaxContainerOutput, Unit: "bytes"}
	}
	if err != nil {
		// What a tool says may quote what it was given: the URL of a daemon with a password in it, for one.
		err = errors.New(origin + ": " + fact.Clip300(secret.Scrub(strings.TrimPrefix(err.Error(), origin+": "))))
	}
	return b, origin, err
}

// blank makes every value of the container unknown for the reason.
func (c *capture) blank(reason string) {
	text := fact.Unknown[string]("", c.scope, reason)
	list := []fact.Value[string]{text}
	c.out = Container{
		ID: text, Name: text, Image: text, ImageID: text, RepoDigests: list, PinnedDigest: text, State: text,
		Created: text, Started: text,
		Command: text, Environment: []fact.Setting{}, Devices: list,
		ShmSize: fact.Unknown[int64]("B", c.scope, reason), IPC: text, Network: text,
		Privileged: fact.Unknown[bool]("", c.scope,
			reason), CPULimit: fact.Unknown[fact.Limit]("CPU", c.scope, reason), CPUSet: text,
		MemoryLimit: fact.Unknown[fact.Limit]("B", c.scope,
			reason), Mounts: list, Versions: []fact.Component{}, Software: []fact.Component{},
	}
}

// containerScope is the scope of what is true of one container.
func containerScope(id string) fact.Scope {
	if len(id) > 12 {
		id = id[:12]
	}
	return fact.Scope("container:" + fact.Clean(id))
}

// pinned compares the digest that was asked for with those of the image that runs.
func (c *capture) pinned() {
	want, source := c.opts.Pinned, "container.Options.Pinned"
	if want == "" {
		image, ok := c.out.Image.Get()
		if !ok {
			c.out.PinnedDigest = fact.Unknown[string]("", c.scope, c.out.Image.Reason())
			return
		}
		_, after, found := strings.Cut(image, "@")
		if !found || !digest.MatchString(after) {
			c.out.PinnedDigest = fact.Unknown[string]("", c.scope, "the image's reference has no digest")
			return
		}
		want, source = after, c.out.Image.Source()
	}
	c.out.PinnedDigest = fact.Known(want, "", c.scope, source)
	if id, ok := c.out.ImageID.Get(); ok && id == want {
		return
	}
	var have []string
	for _, d := range c.out.RepoDigests {
		d, ok := d.Get()
		if !ok {
			c.warn("pinned_digest", "%s is pinned, and whether it runs is unknown: the image's digests were not read",
				want)
			return
		}
		if strings.HasSuffix(d, "@"+want) {
			return
		}
		have = append(have, d)
	}
	if len(have) == 0 {
		c.warn("pinned_digest",
			"%s is pinned, and whether it runs is unknown: the image that runs has no digest of a registry", want)
		return
	}
	c.warn("pinned_digest", "%s is pinned, and another image runs: %s", want, strings.Join(have, ", "))
}

// command records what the container runs, and reads an engine's arguments from it.
func (c *capture) command(argv []string, origin string) {

	size := 0
	for _, a := range argv {
		size += len(a) + 1
	}
	if len(argv) > source.MaxList || size > 4*source.MaxText {
		c.out.Command = fact.Unknown[string]("", c.scope,
			origin+": "+source.TooLarge{Bound: 4 * source.MaxText, Unit: "bytes"}.Error())
		return
	}
	if len(argv) == 0 {
		c.out.Command = fact.Unknown[string]("", c.scope, origin+": it names none, so it is the image's own")
		return
	}
	c.out.Command = fact.Known(shellQuote(secret.Args(argv)), "", c.scope, origin)
	c.out.Engine = serving.ParseEngine(argv, c.scope, origin)
}

// variables records the environment.
func (c *capture) variables(environ []string, origin string) {
	c.out.Environment = source.Settings(environ, c.scope, origin)
	c.environ = map[string]string{}
	for _, e := range environ {
		if name, value, ok := strings.Cut(e, "="); ok {
			c.environ[name] = value
		}
	}
}
