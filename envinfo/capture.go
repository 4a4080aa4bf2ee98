package envinfo

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/servegauge/servegauge/envinfo/amd"
	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/host"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/nvidia"
	"github.com/servegauge/servegauge/envinfo/serving"
	"github.com/servegauge/servegauge/envinfo/software"
	"github.com/servegauge/servegauge/envinfo/state"
)

// Schema is the version of the JSON form of an [Environment]. It grows when a field changes its meaning or goes away,
// not when one is added.
const Schema = 1

// Options says what to read. The zero Options reads the running host.
type Options struct {
	// FS is the root of the host to read; nil is the root of the running host. To read a tree copied from another host,
	// give os.DirFS of the folder that has its etc, opt, proc and sys: symbolic links are followed inside that tree,
	// also absolute ones, and nothing of the machine that runs the program is presented as the other's.
	FS fs.FS
	// ROCmPath is the folder in which ROCm is looked for first, an absolute path on the host that is read, such as the
	// value of ROCM_PATH. Empty: only the usual places.
	ROCmPath string
	// ReadTimeout is how long one read may take before it is abandoned and its value is unknown. Zero: one second. All
	// reads together may take 2.9 times as long, and 2.9 s at least; what has not been read by then is unknown too.
	ReadTimeout time.Duration
	// Tools is which external tools are run. Zero: those on PATH for the running host, none for a tree.
	Tools Tools
	// PIDs are the processes that are expected on the GPUs, with all that they have started: the server's. [Snapshot]
	// warns of others. Nil: none is expected, as before the server has started.
	PIDs []int
}

// Validate returns an error that names the field of o that cannot be used, its value, and what to give.
func (o Options) Validate() error {
	if o.ReadTimeout < 0 {
		return fmt.Errorf("envinfo: Options.ReadTimeout is %v; give a positive time, or 0 for %v", o.ReadTimeout,
			source.DefaultWait)
	}
	if o.ROCmPath != "" && !path.IsAbs(o.ROCmPath) {
		return fmt.Errorf("envinfo: Options.ROCmPath is %q; give an absolute path, such as /opt/rocm", o.ROCmPath)
	}
	if o.Tools.Timeout < 0 {
		return fmt.Errorf("envinfo: Options.Tools.Timeout is %v; give a positive time, or 0 for %v", o.Tools.Timeout,
			source.DefaultTools)
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

// Environment is what produced a number: the machine, its kernel and drivers, the software on it, the limits of the
// process, and the program that measured. It marshals to JSON and reads back as it was. In the zero Environment
// everything is unknown.
//
// Numbers that are plain Go ints here (a node's index, the schema) are names of things, not readings; every reading is
// a [fact.Value].
type Environment struct {
	// Schema is the version of the form; see the constant.
	Schema int `json:"schema"`
	// Live tells whether the root that was read is that of the running host, and not of a tree that was copied from
	// elsewhere.
	Live    fact.Value[bool] `json:"live"`
	Program software.Program `json:"program"`
	Host    host.Host        `json:"host"`
	Process host.Process     `json:"process"`
	// Variables is the environment variables of the same process.
	Variables host.Variables `json:"variables"`
	// Software lists what was found, or looked for and not found. A name can occur more than once, with different
	// scopes, or where several versions are installed side by side; the first of a scope is then the one in the usual
	// place.
	Software []fact.Component `json:"software"`
	// AMD is the AMD GPUs. Other makers' have lists of their own, since "no AMD GPU" says nothing about them.
	AMD amd.GPUs `json:"amd"`
	// NVIDIA is the NVIDIA GPUs.
	NVIDIA nvidia.GPUs `json:"nvidia"`
	// Containers, Server and Model are what the caller asked of [container.Capture], [serving.Capture] and
	// [serving.CaptureModel], and put here. Nil: not asked.
	Containers []container.Container `json:"containers,omitempty"`
	Server     *serving.Server       `json:"server,omitempty"`
	Model      *serving.Model        `json:"model,omitempty"`
	// Warnings is what a reader should know before believing the values that they name. Nil: none.
	Warnings []fact.Warning `json:"warnings,omitempty"`
}

// Tools says which programs a capture may run beside reading files: amd-smi, rocm-smi, nvidia-smi and rpm. What they
// say fills gaps and checks what files said; where the two disagree, a [fact.Warning] names both. The zero Tools runs
// those that are found on PATH when the running host is read, and none when a tree is read.
//
// A tool runs in a process group of its own, with nothing on its standard input, an environment of a few variables
// (toolEnv) with LC_ALL=C, and all of them beside the reading of the files.
type Tools struct {
	// Off runs none.
	Off bool
	// Path is the absolute folders in which tools are looked for, separated as in PATH. Empty: PATH when the running
	// host is read, and none with Options.FS, since a tool would speak of this machine. Who gives both says that these
	// tools speak of the host in FS.
	Path string
	// Timeout is when all tools that still run are killed, counted from the beginning of the capture, which lasts as
	// long at most. Zero: 2.5 s. What the others said is kept. amd-smi can take 3 s, and nvidia-smi half a minute where
	// no nvidia-persistenced keeps the driver awake.
	Timeout time.Duration
}

// Capture reads the environment. What cannot be read is unknown with its reason and no error; a missing, unreadable,
// huge, garbled or blocking file costs only the values it would have given. No device is opened. External tools are run
// as [Options].Tools says; one that fails, hangs or cannot be killed costs only what it would have added.
//
// The error is of opts when they are invalid, and then the Environment is nil. When ctx ends, Capture returns what it
// has, with the rest unknown, together with an error that wraps ctx.Err(). A read that blocks is abandoned, with its
// goroutine, after Options.ReadTimeout or when ctx ends; after a few such reads no others are tried, so that Capture
// ends without a deadline too: with the zero Options, within three seconds.
//
// Of the environment of the process only the variables are recorded that [host.Variables] names, of the kernel's
// command line its options (see [host.Host.CommandLine]), and neither with a secret that is known by its name or its
// shape.
func Capture(ctx context.Context, opts Options) (*Environment, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	in := opts.config()
	r, b := in.Reader(ctx), in.Toolbox(ctx)
	defer b.Stop()
	env := &Environment{
		Schema:  Schema,
		Live:    fact.Known(opts.FS == nil, "", fact.ScopeProgram, "Options.FS"),
		Program: software.ReadProgram(),
	}
	// They run while files are read.
	amdTools, nvidiaTools, rpm := amd.StartTools(b), nvidia.StartTools(b), software.StartRPM(b)

	h, userland, warnings := host.Read(r)
	env.Host = h
	env.warn(warnings)
	env.Process = host.ReadProcess(r, h.Memory)
	env.Variables = host.ReadVariables(r)

	software := software.New(r, userland, opts.ROCmPath)
	software.AskRPM(rpm)
	software.Driver(h.Kernel)
	software.ROCm()
	software.RCCL()
	software.Packages()
	software.Python()
	env.warn(software.Warnings)
	env.AMD, warnings = amd.Read(r)
	env.warn(warnings)
	nvidia, driver, warnings := nvidia.Read(r, userland, nvidiaTools)
	env.NVIDIA = nvidia
	env.warn(warnings)
	software.Warnings = nil
	software.Add("NVIDIA driver", driver)
	software.CUDA()
	if v, ok := nvidiaTools.CUDA(); ok {
		software.Add("CUDA (driver)", v)
	}
	software.NCCL()
	env.warn(software.Warnings)
	env.checkAMD(amdTools, software, userland)
	env.Software = software.Found
	env.Host.Network = host.ReadNetwork(r)
	if err := ctx.Err(); err != nil {
		return env, fmt.Errorf("envinfo: the capture was cut short, what is missing is unknown: %w", err)
	}
	return env, nil
}

func (e *Environment) warn(w []fact.Warning) { e.Warnings = append(e.Warnings, w...) }

// checkAMD fills gaps in what files said of AMD's cards and software, and checks it, by AMD's tools.
func (e *Environment) checkAMD(tools amd.Tools, software *software.Inventory, userland fact.Scope) {
	check := func(name string, tool fact.Value[string], same func(file, tool string) bool) {
		software.Warnings = nil
		software.Check(name, tool, same)
		e.warn(software.Warnings)
	}
	said, warnings := tools.Versions(userland)
	e.warn(warnings)
	for _, v := range said {
		if v.SMI != (fact.Value[string]{}) {
			software.Add("AMD SMI", v.SMI)
		}
		check("ROCm", v.ROCm, amd.SameROCm)
		check("amdgpu", v.Driver, amd.SameDriver)
	}
	for _, ask := range []func(amd.Tools, fact.Scope) ([]fact.Value[string], fact.Warnings){
		e.AMD.Check, e.AMD.CheckROCmSMI} {
		drivers, warnings := ask(tools, userland)
		for _, d := range drivers {
			check("amdgpu", d, amd.SameDriver)
		}
		e.warn(warnings)
	}
}

// config is what of o is for reading.
func (o Options) config() source.Config {
	return source.Config{FS: o.FS, ReadTimeout: o.ReadTimeout, Tools: source.ToolConfig(o.Tools)}
}

// Snapshot reads the state of the host now, as [Capture] does, with the same options, bounds and errors. Of the tools
// it runs nvidia-smi alone, for the cards and for the processes on them; the rest is from files. It is meant for before
// and after a measurement; during one, use a [state.Sampler].
func Snapshot(ctx context.Context, opts Options) (*state.State, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	in := opts.config()
	b := in.Toolbox(ctx)
	defer b.Stop()
	s := state.Read(in.Reader(ctx), b, opts.PIDs)
	if err := ctx.Err(); err != nil {
		return s, fmt.Errorf("envinfo: the snapshot was cut short, what is missing is unknown: %w", err)
	}
	return s, nil
}

// StartSampler takes the first sample at once and then one every so often, until [state.Sampler.Stop] or the end of
// ctx. Where a sample takes longer than the interval, those that it missed are left out.
//
// The error is that of opts, or says that every is shorter than [state.MinInterval].
func StartSampler(ctx context.Context, opts Options, every time.Duration) (*state.Sampler, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	return state.Start(ctx, opts.config(), every)
}
