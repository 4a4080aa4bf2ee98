// Envinfo prints what machine, software and limits a measurement on this host would have.
//
//	envinfo              as tables
//	envinfo -json        as JSON, as it is stored beside results
//	envinfo -root DIR    of the host from which DIR was copied (its etc, opt, proc, sys and var)
//	envinfo -diff FILE   what has changed since FILE was written, by envinfo -json; the hash says whether anything that
//	                     matters has
//	envinfo -state       temperatures, power, clocks, memory and processes now, and not what stays as it is
//	envinfo -tables      as the short tables in which test environments are published
//	envinfo -mlperf      as JSON under the names of an MLPerf system description
//
// With -json, -diff and -state print JSON too.
//
// What is served is asked for by name, and is a part of all of these but -state:
//
//	-container NAME      a container, with what is installed in it; podman:NAME, kubernetes:NAMESPACE/POD/CONTAINER, or
//	                     of docker
//	-pinned DIGEST       the digest of the image that the container is to run
//	-url URL             an inference server, with -api-key-env NAME, -header "Name: value" and -ca-file FILE as the
//	                     programs have them that load one
//	-model NAME          a model: its name in the cache of Hugging Face, or its folder
//
// -tools-timeout says how long the makers' tools may take, which without nvidia-persistenced can be half a minute.
//
// It exits with 0 when done, 1 when it failed, and 2 when it was used wrongly.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/serving"
	"github.com/servegauge/servegauge/envinfo/state"
	"github.com/servegauge/servegauge/examples/internal/program"
)

const about = `envinfo: what machine, software, container, server and model there is, and where
each value is from

  envinfo -json -container vllm -url http://127.0.0.1:8000 > environment.json
  envinfo -diff environment.json -container vllm -url http://127.0.0.1:8000`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("envinfo", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // it would print the usage below an error, which is to be one line
	asJSON := flags.Bool("json", false, "print JSON")
	root := flags.String("root", "", "read the tree copied from another host in `DIR`, and nothing of this host")
	earlier := flags.String("diff", "",
		"print what differs from the earlier capture in `FILE`, which envinfo -json has written")
	now := flags.Bool("state", false, "print how the host is doing now")
	tables := flags.Bool("tables", false, "print the short tables")
	asMLPerf := flags.Bool("mlperf", false, "print an MLPerf system description")
	serves := served{access: &program.Access{}}
	flags.StringVar(&serves.container, "container", "",
		"add the container `NAME` of docker, or podman:NAME or kubernetes:NAMESPACE/POD/CONTAINER")
	flags.StringVar(&serves.pinned, "pinned", "", "`DIGEST` of the image that the container is to run")
	flags.StringVar(&serves.server, "url", "", "add the inference server at `URL`")
	serves.access.Register(flags)
	timeout := flags.Duration("tools-timeout", 0,
		"most `time` for amd-smi, rocm-smi, nvidia-smi and rpm together; 0: 2.5s")
	flags.StringVar(&serves.model, "model", "",
		"add the model `NAME` of the cache of Hugging Face, or that in a folder")
	version := flags.Bool("version", false, "print the version, and nothing else")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		program.Help(stdout, about, flags)
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "envinfo:", program.Explain(flags, err))
		return 2
	case *version:
		fmt.Fprintln(stdout, program.Version())
		return 0
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "envinfo: unexpected argument %q; envinfo takes flags only, see envinfo -h\n", flags.Arg(0))
		return 2
	}

	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	forms := 0
	for _, form := range []bool{given["diff"], *now, *tables, *asMLPerf} {
		if form {
			forms++
		}
	}
	switch {
	case forms > 1:
		fmt.Fprintln(stderr,
			"envinfo: -diff, -state, -tables and -mlperf are different things to print; give one of them")
		return 2
	case *asJSON && *tables:
		fmt.Fprintln(stderr,
			"envinfo: -tables is for people, and has no JSON; -json alone has all that is in the tables")
		return 2
	}

	switch {
	case *now && serves.any():
		fmt.Fprintln(stderr,
			"envinfo: -state is of the GPUs and the host; it takes no -container, -pinned, -url or -model")
		return 2
	case given["root"] && (serves.container != "" || serves.server != ""):
		fmt.Fprintln(stderr, "envinfo: with -root nothing but files is read, and no -container and no -url")
		return 2
	case serves.server == "" && serves.access.Given():
		fmt.Fprintln(stderr, "envinfo: -api-key-env, -header and -ca-file are for a server; give -url too")
		return 2
	case serves.pinned != "" && serves.container == "":
		fmt.Fprintln(stderr, "envinfo: -pinned is of the image of a container; give -container too")
		return 2
	}

	opts := envinfo.Options{Tools: envinfo.Tools{Timeout: *timeout}}
	if err := opts.Validate(); err != nil {
		fmt.Fprintf(stderr, "envinfo: -tools-timeout %v: give a positive time, such as 40s\n", *timeout)
		return 2
	}
	client, header, err := serves.access.Client()
	if err != nil {
		fmt.Fprintf(stderr, "envinfo: %v\n", err)
		return 2
	}
	serves.client, serves.header = client, header
	if given["root"] {
		if info, err := os.Stat(*root); err != nil || !info.IsDir() {
			fmt.Fprintf(
				stderr,
				"envinfo: -root %q is not a directory that can be read; give the folder that holds the host's etc, "+
					"opt, proc, sys and var\n",
				*root,
			)
			return 1
		}
		opts.FS = os.DirFS(*root)
	} else if dir := os.Getenv("ROCM_PATH"); filepath.IsAbs(dir) {
		opts.ROCmPath = dir
	}
	var before *envinfo.Environment
	if given["diff"] {
		if before, err = read(*earlier); err != nil {
			fmt.Fprintf(stderr, "envinfo: -diff %q: %v; give a file that envinfo -json has written\n", *earlier, err)
			return 1
		}
	}

	var result printer
	if *now {
		var s *state.State
		if s, err = envinfo.Snapshot(ctx, opts); s != nil {
			result = printer{s, s.WriteText}
		}
	} else {
		var env *envinfo.Environment
		if env, err = envinfo.Capture(ctx, opts); env != nil {
			if err == nil {
				if wrong := serves.add(ctx, env, opts); ctx.Err() != nil {
					err = wrong
				} else if wrong != nil {
					fmt.Fprintln(stderr, wrong)
					return 2
				}
			}
			result = printer{env, env.WriteText}
			switch {
			case before != nil:
				result = difference(before, env)
			case *tables:
				result.text = env.WriteTables
			case *asMLPerf:
				result, *asJSON = printer{mlperf(env), nil}, true
			}
		}
	}
	if result.json == nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return 1
	}
	code := 0
	if err != nil { // cut short: what there is is still worth printing
		fmt.Fprintf(stderr, "%v; run it again\n", err)
		code = 1
	}
	if err := result.write(stdout, *asJSON); err != nil {
		fmt.Fprintf(stderr, "envinfo: writing the result: %v; check where stdout goes\n", err)
		return 1
	}
	return code
}

// served is what is to be captured beside the host.
type served struct {
	container, pinned, server, model string
	access                           *program.Access
	client                           *http.Client
	header                           http.Header
}

func (s served) any() bool { return s.container+s.pinned+s.server+s.model != "" }

// add captures it into env. The error is of what was given, or that ctx ended.
func (s served) add(ctx context.Context, env *envinfo.Environment, opts envinfo.Options) error {
	if s.container != "" {
		runtime, name := "docker", s.container
		if before, after, ok := strings.Cut(s.container, ":"); ok { // which no name of a container has
			runtime, name = before, after
		}
		c, err := container.Capture(ctx, runtime, name, container.Options{Pinned: s.pinned})
		if c != nil {
			env.Containers = append(env.Containers, *c)
		}
		if err != nil {
			return err
		}
	}
	if s.server != "" {
		var err error
		if env.Server, err = serving.Capture(ctx, s.client, s.server, serving.Options{Header: s.header}); err != nil {
			return err
		}
	}
	if s.model != "" {
		var err error
		if env.Model, err = serving.CaptureModel(ctx, s.model, serving.ModelOptions{FS: opts.FS}); err != nil {
			return err
		}
	}
	return nil
}

// read returns the capture in a file.
func read(name string) (*envinfo.Environment, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	const limit = 16 << 20
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if len(b) > limit {
		return nil, fmt.Errorf("larger than %d bytes", limit)
	}
	env := new(envinfo.Environment)
	if err := json.Unmarshal(b, env); err != nil {
		return nil, err
	}
	if env.Schema != envinfo.Schema {
		return nil, fmt.Errorf("its schema is %d, and this program's is %d", env.Schema, envinfo.Schema)
	}
	return env, nil
}

func difference(before, after *envinfo.Environment) printer {
	differences := envinfo.Diff(before, after)
	if differences == nil {
		differences = []envinfo.Difference{} // [] in JSON, and not null
	}
	return printer{
		json: struct {
			Before      string               `json:"hash_before"`
			After       string               `json:"hash_after"`
			Differences []envinfo.Difference `json:"differences"`
		}{before.Hash(), after.Hash(), differences},
		text: func(w io.Writer) error {
			if err := envinfo.WriteDiff(w, differences); err != nil {
				return err
			}
			_, err := fmt.Fprintf(w, "\nFirst   %s\nSecond  %s\n", before.Hash(), after.Hash())
			return err
		},
	}
}

// printer is a result in both of its forms.
type printer struct {
	json any
	text func(io.Writer) error
}

func (p printer) write(w io.Writer, asJSON bool) error {
	if !asJSON {
		return p.text(w)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p.json)
}
