// Package program is what the example programs have in common: flags, the server under test, progress, interrupts and
// exit codes. What a program prints and what it measures is its own.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"unicode"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Exit codes of all programs.
const (
	exitFailed    = 1 // something failed, the measurement is invalid, or a limit is broken
	exitUsage     = 2 // wrong use
	exitUndecided = 3 // what was asked is not decided
)

// A UsageError is the user's: exit code 2.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a UsageError.
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// ErrInvalid is what a program returns when it has printed a measurement that is not valid.
var ErrInvalid = errors.New("the measurement is not valid, see the warnings")

// Version is what -version prints: that of this library, and of Go.
func Version() string { return protocol.Tool() + " " + runtime.Version() }

// Main runs a program and exits. about is one line that says what it is for, and may be followed by a blank line and
// examples; setup registers the program's flags and returns what to run once they are parsed.
//
// Programs that take arguments beside flags use [MainWith].
//
// The first interrupt closes stop: drain, save, print. The second cancels ctx: stop now.
func Main(about string, setup func(*flag.FlagSet) func(ctx context.Context, stop <-chan struct{}) error) {
	MainWith(about, func(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
		run := setup(flags)
		return func(ctx context.Context, stop <-chan struct{}) error {
			if flags.NArg() > 0 {
				return unexpected(flags, flags.Arg(0))
			}
			return run(ctx, stop)
		}
	})
}

// MainWith is [Main] for a program that takes arguments beside its flags, which may come before or after them.
func MainWith(about string, setup func(*flag.FlagSet) func(ctx context.Context, stop <-chan struct{}) error) {
	if configuration := os.Getenv(ChildVariable); configuration != "" {
		os.Exit(code(serveChild(configuration)))
	}
	if configuration := os.Getenv(workerVariable); configuration != "" {
		// Of a terminal, or of whoever ends a session or a service, they go to all: the coordinator says what is to be done,
		// and when it goes, its children do.
		signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		os.Exit(code(workChild(configuration)))
	}
	collectLess()
	flags := flag.NewFlagSet(os.Args[0], flag.ContinueOnError)
	flags.SetOutput(io.Discard) // errors are printed once, by us
	run := setup(flags)
	version := flags.Bool("version", false, "print the version, and nothing else")
	switch err := parse(flags, os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		Help(os.Stdout, about, flags)
		os.Exit(0)
	case err != nil:
		os.Exit(code(&UsageError{Explain(flags, err)}))
	case *version:
		_, err := fmt.Println(Version())
		os.Exit(code(err))
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	stop := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup has it ignored
		signal.Notify(signals, syscall.SIGHUP)
	}
	// Who reads what we print may go first, as with a connection that drops. The server must still be stopped.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		<-signals
		fmt.Fprintln(os.Stderr, "\ninterrupted: finishing what is in flight; interrupt again to stop now")
		close(stop)
		<-signals
		signal.Stop(signals) // a third one ends the program at once
		cancel(errors.New("interrupted twice"))
	}()
	os.Exit(code(run(ctx, stop)))
}

// parse reads flags and arguments in any order: the flag package ends at the first argument, and would leave a flag
// behind it to be one.
func parse(flags *flag.FlagSet, args []string) error {
	var rest []string
	for len(args) > 0 {
		if err := flags.Parse(args); err != nil {
			return err
		}
		read := len(args) - flags.NArg()
		if read > 0 && args[read-1] == "--" { // all that follows are arguments
			rest = append(rest, flags.Args()...)
			break
		}
		if args = flags.Args(); len(args) > 0 {
			rest, args = append(rest, args[0]), args[1:]
		}
	}
	return flags.Parse(append([]string{"--"}, rest...))
}

// code prints an error on one line and gives its exit code.
func code(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "error:", oneLine(strings.Join(causes(err, new(bool)), "; ")))
	var usage *UsageError
	var invalid *loadgen.InvalidError
	var server *protocol.ServerError
	var taken *protocol.TakenError
	switch {
	case undecided(err):
		return exitUndecided
	case errors.As(err, &server):
		return exitFailed
	case errors.As(err, &usage), errors.As(err, &invalid), errors.As(err, &taken):
		return exitUsage
	}
	return exitFailed
}

// causes are the texts of what has gone wrong. That a disk is full is one cause, however many files do not fit any
// more: the first says so, and full is then set.
func causes(err error, full *bool) (texts []string) {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var each []string
		for _, e := range several.Unwrap() {
			each = append(each, e.Error())
		}
		if strings.Join(each, "\n") == err.Error() { // joined, and nothing said beside them
			for _, e := range several.Unwrap() {
				texts = append(texts, causes(e, full)...)
			}
			return texts
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		if *full {
			return nil
		}
		*full = true
	}
	return []string{err.Error()}
}

// undecided reports whether there is nothing else wrong than that something is undecided.
func undecided(err error) bool {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range several.Unwrap() {
			if !undecided(e) {
				return false
			}
		}
		return true
	}
	_, is := err.(*UndecidedError)
	return is
}

// oneLine is a text on one line, without what a terminal would obey: much of it is others' text.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\u00a0' && r != '\u202f' {
			return -1
		}
		return r
	}, strings.ReplaceAll(s, "\n", "; "))
}
