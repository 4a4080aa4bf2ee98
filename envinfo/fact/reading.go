package fact

import (
	"fmt"
	"strings"
)

// Reading is a [Value] without its type, for code that goes through all values of a record.
type Reading struct {
	Value  any // nil: unknown
	Unit   string
	Scope  Scope
	Source string
	Reason string
}

// Reading returns v without its type.
func (v Value[T]) Reading() Reading {
	if !v.known {
		return Reading{nil, v.unit, v.scope, "", v.Reason()}
	}
	return Reading{v.value, v.unit, v.scope, v.source, ""}
}

// String is that of the Value.
func (r Reading) String() string {
	if r.Value == nil {
		return "unknown (" + r.Reason + ")"
	}
	return strings.TrimSpace(fmt.Sprint(r.Value, " ", r.Unit))
}

// Kind is the scope without the id of the container, which is another one after each restart.
func (s Scope) Kind() Scope {
	if strings.HasPrefix(string(s), string(ScopeContainer)+":") {
		return ScopeContainer
	}
	return s
}
