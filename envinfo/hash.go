package envinfo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"

	"github.com/servegauge/servegauge/envinfo/internal/leaves"
)

// Hash returns "sha256:" and the SHA-256, in hexadecimal, of what identifies the configuration: two hosts with the same
// hash are, as far as they could be read, the same for performance, and any value that matters changes it. It is stable
// across captures, restarts, and hosts that differ in their names and serial numbers only.
//
// What is hashed is a JSON object without white space, as encoding/json writes it, with the names of the JSON form of
// e, sorted: of each value that is known and matters its value, unit and scope, where the scope of a container is
// without its id; of elements of a list also their names; lists in the order of their elements' JSON. Not hashed are
// sources, since the same thing read elsewhere is the same; what is unknown, since a reason is no configuration, and a
// field that a later version adds must not change the hash of an earlier record; warnings; and what [Diff] marks as not
// mattering, which is the names and serial numbers of things and the program that captured.
//
// It follows that environments of which little is known may share a hash: compare with [Diff] to see what could not be
// compared.
func (e *Environment) Hash() string {
	// Marshal fails on what JSON cannot hold, and Known lets none of that through.
	b, err := json.Marshal(canonical("", reflect.ValueOf(e)))
	if err != nil {
		panic("envinfo: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// canonical is what of v is hashed, as maps and slices; nil is nothing.
func canonical(path string, v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return nil
		}
		v = v.Elem()
	}
	if !material(path) {
		return nil
	}
	if r, ok := leaves.AsLeaf(v); ok {
		if r.Value == nil {
			return nil
		}
		return map[string]any{"value": r.Value, "unit": r.Unit, "scope": r.Scope.Kind()}
	}
	switch v.Kind() {
	case reflect.Struct:
		out, names := map[string]any{}, map[string]any{}
		readings := false
		for _, f := range leaves.StructFields(v) {
			name := leaves.Join(path, f.Name)
			if leaves.PlainKind(f.Value) {
				if material(name) {
					names[f.Name] = f.Interface()
				}
				continue
			}
			readings = true
			if c := canonical(name, f.Value); c != nil {
				out[f.Name] = c
			}
		}
		if len(out) == 0 && readings { // names of what is unknown
			return nil
		}
		for name, n := range names {
			out[name] = n
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case reflect.Slice, reflect.Array:
		var out []json.RawMessage
		keys, _ := leaves.Keys(v)
		for i := range v.Len() {
			c := canonical(path+"["+keys[i]+"]", v.Index(i))
			if c == nil {
				continue
			}
			b, err := json.Marshal(c)
			if err != nil {
				panic("envinfo: " + err.Error())
			}
			out = append(out, b)
		}
		if len(out) == 0 {
			return nil
		}
		slices.SortFunc(out, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			if c := canonical(path+"["+it.Key().String()+"]", it.Value()); c != nil {
				out[it.Key().String()] = c
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	}
	if leaves.PlainKind(v) {
		return v.Interface()
	}
	return nil
}
