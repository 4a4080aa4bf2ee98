// Package fact is what everything in envinfo is made of: a [Value], which is known, with where it was read, or unknown,
// with the reason; the [Scope] of which it is true; and a [Warning] about what may mislead. It reads nothing.
package fact

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// Scope says of what a value is true. The same software can be there several times, once on the host and once in each
// container, in different versions; a version without a scope is therefore no answer.
//
// The zero Scope is empty and belongs only to the zero [Value].
type Scope string

const (
	// ScopeHost is the machine: its hardware, its kernel and drivers, and its root filesystem when no container is seen
	// around it.
	ScopeHost Scope = "host"
	// ScopeContainer is the root filesystem of the container in which the capture ran. The kernel and the hardware
	// under a container are still of ScopeHost.
	ScopeContainer Scope = "container"
	// ScopeProcess is one process: the one that proc/self stood for. Read from the running host that is this program;
	// read from a copied tree it is the process that made the copy. Limits, and the devices that a container was given,
	// are of this scope.
	ScopeProcess Scope = "process"
	// ScopeProgram is the program that captured: its Go version and module. It says nothing of the host that was read.
	ScopeProgram Scope = "program"
)

// Scalar is what a [Value] can hold.
type Scalar interface {
	~string | ~int64 | ~float64 | ~bool
}

// Value is one leaf of an [envinfo.Environment]: either known, with where it was read, or unknown, with the reason. It
// is immutable and comparable with ==.
//
// The zero Value is unknown, for the reason "not captured".
//
// The fields are private so that what is unknown cannot be read as a 0 by mistake, as a public field could be that
// nobody compares with its neighbour: [Value.Get] returns both halves of the answer.
//
// As JSON it is one of
//
//	{"value": 274542362624, "unit": "B", "scope": "host", "source": "/sys/…"}
//	{"unknown": "/sys/…: permission denied", "unit": "B", "scope": "host"}
//
// and both read back as what they were.
type Value[T Scalar] struct {
	value                T
	known                bool
	unit, source, reason string
	scope                Scope
}

// NotCaptured is the reason of a value that nobody has read.
const NotCaptured = "not captured"

// Known returns a Value that is v in unit ("" for a value without one), true of scope, read from source: a path below
// the root that was read, the command line of a tool with the name of what it printed, "table: …" for a published
// figure, or the formula of a derived one.
//
// It never lets through what only looks like a reading: an empty string, a NaN, a plain float64 that is infinite, or a
// value without a source comes back unknown and says which it was. Strings lose the white space around them, and
// characters that are not printable become U+FFFD, since they come from files that anybody may have written and end on
// a terminal.
func Known[T Scalar](v T, unit string, scope Scope, source string) Value[T] {
	switch x := any(v).(type) {
	case string:
		x = Clean(x)
		if x == "" {
			return Unknown[T](unit, scope, source+": empty")
		}
		v = any(x).(T)
	case float64:
		if math.IsInf(x, 0) {
			return Unknown[T](unit, scope, source+": infinite")
		}
	}
	if v != v { // NaN
		return Unknown[T](unit, scope, source+": not a number")
	}
	if source = Clean(source); source == "" {
		return Unknown[T](unit, scope, fmt.Sprintf("%v was given without a source", v))
	}
	return Value[T]{value: v, known: true, unit: unit, scope: scope, source: source}
}

// Unknown returns a Value that could not be had, for the reason given, which names the path and what was wrong with it.
// An empty reason becomes "not captured". Unit and scope are those that the value would have had.
func Unknown[T Scalar](unit string, scope Scope, reason string) Value[T] {
	return Value[T]{unit: unit, scope: scope, reason: Clean(reason)}
}

// Get returns the value, and whether it is known. An unknown value is the zero T and must not be used.
func (v Value[T]) Get() (T, bool) { return v.value, v.known }

// Unit is the unit of the value: "B", "MHz", "TB/s", …; empty for names, versions and plain counts.
func (v Value[T]) Unit() string { return v.unit }

// Scope says of what the value is true. It is empty only on the zero Value.
func (v Value[T]) Scope() Scope { return v.scope }

// Source is where the value was read: a path, a command, "table: …", or a formula. It is empty on an unknown value,
// whose [Value.Reason] names the paths that were tried.
func (v Value[T]) Source() string { return v.source }

// Reason says why the value is unknown. It is empty on a known value, and never on an unknown one.
func (v Value[T]) Reason() string {
	if !v.known && v.reason == "" {
		return NotCaptured
	}
	return v.reason
}

// Rename is v with its source or reason as rename makes them, where a path has in it what is not to be recorded.
func (v Value[T]) Rename(rename func(string) string) Value[T] {
	v.source, v.reason = Clean(rename(v.source)), Clean(rename(v.reason))
	return v
}

// String is the value with its unit, or "unknown (reason)".
func (v Value[T]) String() string {
	if !v.known {
		return "unknown (" + v.Reason() + ")"
	}
	if v.unit == "" {
		return fmt.Sprint(v.value)
	}
	return fmt.Sprint(v.value, " ", v.unit)
}

// valueJSON is the shape of a Value on disk.
type valueJSON[T Scalar] struct {
	Value   *T     `json:"value,omitempty"` // a pointer: false and 0 are values and must be written
	Unknown string `json:"unknown,omitempty"`
	Unit    string `json:"unit,omitempty"`
	Scope   Scope  `json:"scope,omitempty"`
	Source  string `json:"source,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (v Value[T]) MarshalJSON() ([]byte, error) {
	out := valueJSON[T]{Unit: v.unit, Scope: v.scope, Source: v.source}
	if v.known {
		out.Value = &v.value
	} else {
		out.Unknown = v.Reason()
	}
	return json.Marshal(out)
}

var (
	errBothHalves = errors.New(`envinfo: a value has both "value" and "unknown"; keep one of them`)
	errNoSource   = errors.New(`envinfo: a value has no "source"; say where it was read`)
)

// UnmarshalJSON implements [json.Unmarshaler]. An empty object and null are the zero Value. It is an error when an
// object has both a value and a reason for being unknown, or a value without a source.
func (v *Value[T]) UnmarshalJSON(b []byte) error {
	var in valueJSON[T]
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	switch {
	case in.Value != nil && in.Unknown != "":
		return errBothHalves
	case in.Value != nil && in.Source == "":
		return errNoSource
	case in.Value != nil:
		*v = Known(*in.Value, in.Unit, in.Scope, in.Source)
	case in.Unknown == NotCaptured: // so that the zero Value reads back as itself
		*v = Unknown[T](in.Unit, in.Scope, "")
	default:
		*v = Unknown[T](in.Unit, in.Scope, in.Unknown)
	}
	return nil
}
