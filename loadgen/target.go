package loadgen

import "context"

// A Target is all that it takes to put a system under the instrument.
type Target interface {
	// Do performs request i and records in r what happened to it. It is called from many goroutines at once, and
	// should return soon after ctx is done. r belongs to Do until it returns, and not a moment longer.
	//
	// Before Do is called r.Sent is set to now; a Target that takes time before its request is on its way sets it
	// again. If Do leaves r.Done at 0, the moment of its return is taken.
	//
	// A nil error means that the request completed. Return an [*Error] to give a failure its class, on which it
	// depends whether Do is called for the same i again, where the level has Retries: r is then new, but for its
	// Scheduled and its Attempts.
	Do(ctx context.Context, i int, r *Record) error
}

// An Opener is a [Target] that can get ready for a number of requests at once, by making connections for instance, so
// that this is no part of what is measured. Open is called once a level, before its clock starts.
type Opener interface {
	Open(ctx context.Context, n int) error
}

// A Noter is a [Target] that has something to say of how it reached the system under test, once a level is over. It
// goes into the result's warnings.
type Noter interface {
	Notes() []Warning
}

// TargetFunc adapts a function to a [Target].
type TargetFunc func(ctx context.Context, i int, r *Record) error

// Do calls f.
func (f TargetFunc) Do(ctx context.Context, i int, r *Record) error { return f(ctx, i, r) }
