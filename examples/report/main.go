// Report writes the page, and every other format, of experiments that were measured: from their journals alone.
package main

import (
	"context"
	"flag"
	"os"

	"github.com/servegauge/servegauge/examples/internal/program"
)

func main() {
	program.MainWith(`report: the page of an experiment, or of several side by side, from what was
stored

  report results
  report before after -format html,md -out comparison`,
		func(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
			var r program.Report
			r.Register(flags)
			return func(context.Context, <-chan struct{}) error { return r.Run(os.Stdout, flags.Args()) }
		})
}
