package envinfo

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// Schema is the version of the JSON form of an [Environment]. It grows when a field changes its meaning or goes away, not when one is
// added.
const Schema = 1

// Options says what to read. The zero Options reads the running host.
type Options struct {
	// FS is the root of the host to read; nil is the root of the running host. To read a tree copied from another host, give
	// os.DirFS of the folder that has its etc, opt, proc and sys: symbolic links are followed inside that tree, also absolute ones,
	// and nothing of the machine that runs the program is presented as the other's.
	FS fs.FS
	// ROCmPath is the folder in which ROCm is looked for first, an absolute path on the host that is read, such as the value of
	// ROCM_PATH. Empty: only the usual places.
	ROCmPath string
	// ReadTimeout is how long one read may take before it is abandoned and its value is unknown. Zero: one second. All reads together
	// may take 2.9 times as long, and 2.9 s at least; what has not been read by then is unknown too.
	ReadTimeout time.Duration
	// Tools is which external tools are run. Zero: those on PATH for the running host, none for a tree.
	Tools Tools
	// PIDs are the processes that are expected on the GPUs, with all that they have started: the server's. [Snapshot] warns of others.
	// Nil: none is expected, as before the server has started.
	PIDs []int
}

// Validate returns an error that names the field of o that cannot be used, its value, and what to give.
func (o Options) Validate() error {
	if o.ReadTimeout < 0 {
		return fmt.Errorf("envinfo: Options.ReadTimeout is %v; give a positive time, or 0 for %v", o.ReadTimeout, defaultWait)
	}
	if o.ROCmPath != "" && !path.IsAbs(o.ROCmPath) {
		return fmt.Errorf("envinfo: Options.ROCmPath is %q; give an absolute path, such as /opt/rocm", o.ROCmPath)
	}
	if o.Tools.Timeout < 0 {
		return fmt.Errorf("envinfo: Options.Tools.Timeout is %v; give a positive time, or 0 for %v", o.Tools.Timeout, defaultTools)
	}
	for _, dir := range filepath.SplitList(o.Tools.Path) {
		if !filepath.IsAbs(dir) {
			return fmt.Errorf("envinfo: Options.Tools.Path has %q; give absolute folders", dir)
		}
	}
	for _, pid := range o.PIDs {
		if pid <= 0 {
			return fmt.Errorf("envinfo: Options.PIDs has %d; give the numbers of processes, from 1 up", pid)
		}
	}
	return nil
}

// Environment is what produced a number: the machine, its kernel and drivers, the software on it, the limits of the process, and the
// program that measured. It marshals to JSON and reads back as it was. In the zero Environment everything is unknown.
//
// Numbers that are plain Go ints here (a node's index, the schema) are names of things, not readings; every reading is a [Value].
type Environment struct {
	// Schema is the version of the form; see the constant.
	Schema int `json:"schema"`
	// Live tells whether the root that was read is that of the running host, and not of a tree that was copied from elsewhere.
	Live    Value[bool] `json:"live"`
	Program Program     `json:"program"`
	Host    Host        `json:"host"`
	Process Process     `json:"process"`
	// Variables is the environment variables of the same process.
	Variables Variables `json:"variables"`
	// Software lists what was found, or looked for and not found. A name can occur more than once, with different scopes, or where
	// several versions are installed side by side; the first of a scope is then the one in the usual place.
	Software []Component `json:"software"`
	// AMD is the AMD GPUs. Other makers' have lists of their own, since "no AMD GPU" says nothing about them.
	AMD GPUs `json:"amd"`
	// NVIDIA is the NVIDIA GPUs.
	NVIDIA NVIDIAGPUs `json:"nvidia"`
	// Containers, Server and Model are what the caller asked of [CaptureContainer], [CaptureServer] and [CaptureModel], and put here.
	// Nil: not asked.
	Containers []Container `json:"containers,omitempty"`
	Server     *Server     `json:"server,omitempty"`
	Model      *Model      `json:"model,omitempty"`
	// Warnings is what a reader should know before believing the values that they name. Nil: none.
	Warnings []Warning `json:"warnings,omitempty"`
}

// Component is one piece of software in one scope.
type Component struct {
	Name    string        `json:"name"` // "ROCm", "RCCL", "amdgpu", or that of a package: "rocm-core", "torch", …
	Version Value[string] `json:"version"`
}

// Warning is something that does not make a value unknown but may mislead whoever reads it.
type Warning struct {
	About string `json:"about"` // the value it is about, by its path in the JSON form: "amd.count"
	Text  string `json:"text"`  // one sentence
}

// String is what the warning is about, and its text.
func (w Warning) String() string { return w.About + ": " + w.Text }

// capture is the state of one Capture.
type capture struct {
	*reader
	env  *Environment
	opts Options
	live bool
	box  *toolbox
	smi  smiTools
	// userland is the scope of what the root filesystem holds, as opposed to what the kernel says.
	userland Scope
	dpkg     *dpkgList // what packages has read; nil: not yet
	// prefixes are folders in which Python packages are looked for before the usual ones.
	prefixes []string
}

// sources are the places that are asked, in this order. A new one is a method of capture in a file of its own, that fills the part of
// the Environment it owns or appends to Software, and a line here. Earlier ones have filled in their parts by then. It reads through
// file, dir, stat and text alone, so that bounds, cancellation and copied trees need no thought of its own.
var sources = []func(*capture){
	(*capture).startTools, // first: they run while files are read
	(*capture).program,
	(*capture).host,
	(*capture).process,
	(*capture).variables,
	(*capture).driver,
	(*capture).rocm,
	(*capture).rccl,
	(*capture).packageList,
	(*capture).python,
	(*capture).amd,
	(*capture).nvidia,
	(*capture).cuda,
	(*capture).nccl,
	(*capture).amdSMI,
	(*capture).rocmSMI,
	(*capture).network,
}

// Capture reads the environment. What cannot be read is unknown with its reason and no error; a missing, unreadable, huge, garbled or
// blocking file costs only the values it would have given. No device is opened. External tools are run as [Options].Tools says; one that
// fails, hangs or cannot be killed costs only what it would have added.
//
// The error is of opts when they are invalid, and then the Environment is nil. When ctx ends, Capture returns what it has, with the
// rest unknown, together with an error that wraps ctx.Err(). A read that blocks is abandoned, with its goroutine, after
// Options.ReadTimeout or when ctx ends; after a few such reads no others are tried, so that Capture ends without a deadline too: with the
// zero Options, within three seconds.
//
// Of the environment of the process only the variables are recorded that [Variables] names, of the kernel's command line its options
// (see [Host.CommandLine]), and neither with a secret that [Scrub] knows.
func Capture(ctx context.Context, opts Options) (*Environment, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	c := newCapture(ctx, opts)
	c.box = newToolbox(ctx, opts)
	defer c.box.stop()
	c.env.Live = Known(c.live, "", ScopeProgram, "Options.FS")
	for _, source := range sources {
		source(c)
	}
	if err := ctx.Err(); err != nil {
		return c.env, fmt.Errorf("envinfo: the capture was cut short, what is missing is unknown: %w", err)
	}
	return c.env, nil
}

// newCapture is a capture of nothing yet. opts are valid.
func newCapture(ctx context.Context, opts Options) *capture {
	c := &capture{
		reader:   &reader{ctx: ctx, fsys: opts.FS, wait: opts.ReadTimeout},
		env:      &Environment{Schema: Schema, Software: []Component{}},
		opts:     opts,
		live:     opts.FS == nil,
		userland: ScopeHost,
	}
	if c.live {
		c.fsys = os.DirFS("/")
	} else {
		c.links, _ = opts.FS.(fs.ReadLinkFS) // an FS without links needs no resolving
	}
	if c.wait == 0 {
		c.wait = defaultWait
	}
	c.begin(opts.Tools.Timeout + killGrace)
	return c
}

// add records one piece of software.
func (c *capture) add(name string, version Value[string]) {
	c.env.Software = append(c.env.Software, Component{name, version})
}

// warn records a warning about the value at the JSON path about.
func (c *capture) warn(about, format string, args ...any) {
	c.env.Warnings = append(c.env.Warnings, Warning{about, clean(fmt.Sprintf(format, args...))})
}

// lines splits the text of a file into lines without the white space around them, whichever line ends it has.
func lines(b []byte) []string {
	out := strings.Split(string(b), "\n")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}
