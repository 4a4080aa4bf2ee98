package main

import (
	"context"
	"flag"
)

func manifest(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error { return nil }
