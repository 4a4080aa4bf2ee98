// Envinfo prints what machine, software and limits a measurement on this host would have.
//
//	envinfo              as tables
//	envinfo -json        as JSON, as it is stored beside results
//	envinfo -root DIR    of the host from which DIR was copied (its etc, opt, proc and sys)
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
	"os"
	"os/signal"
	"path/filepath"

	"github.com/servegauge/servegauge/envinfo"
)

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
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stdout, "usage: envinfo [-json] [-root DIR]")
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "envinfo: %v; see envinfo -h\n", err)
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "envinfo: unexpected argument %q; envinfo takes flags only, see envinfo -h\n", flags.Arg(0))
		return 2
	}

	opts := envinfo.Options{}
	given := false
	flags.Visit(func(f *flag.Flag) { given = given || f.Name == "root" })
	if given {
		if info, err := os.Stat(*root); err != nil || !info.IsDir() {
			fmt.Fprintf(stderr, "envinfo: -root %q is not a directory that can be read; give the folder that holds the host's etc, proc and sys\n", *root)
			return 1
		}
		opts.FS = os.DirFS(*root)
	} else if dir := os.Getenv("ROCM_PATH"); filepath.IsAbs(dir) {
		opts.ROCmPath = dir
	}

	env, err := envinfo.Capture(ctx, opts)
	if env == nil {
		fmt.Fprintf(stderr, "%v\n", err)
		return 1
	}
	code := 0
	if err != nil { // cut short: what there is is still worth printing
		fmt.Fprintf(stderr, "%v; run it again\n", err)
		code = 1
	}
	if err := write(stdout, env, *asJSON); err != nil {
		fmt.Fprintf(stderr, "envinfo: writing the result: %v; check where stdout goes\n", err)
		return 1
	}
	return code
}

func write(w io.Writer, env *envinfo.Environment, asJSON bool) error {
	if !asJSON {
		return env.WriteText(w)
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(env)
}
