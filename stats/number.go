package stats

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// number is how a float64 of this package travels in JSON, which has neither NaN nor infinities: a member that is a
// number is a number or null, and never a string, so that whatever reads it can calculate with it. Null is
// undefined (NaN) and reads back so, unless the object that it is in says that the member is unbounded: see
// marshal. Pointers in the exported structs were rejected, because nil dereferences where NaN stays undefined
// through arithmetic; so was a zero with a flag beside it, because the zero gets printed, and "Infinity" as a
// string, which jq takes for greater than all numbers, "-Infinity" too.
type number float64

func (v number) MarshalJSON() ([]byte, error) {
	if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

func (v *number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*v = undefined
		return nil
	case `"Infinity"`: // as it was written before
		*v = number(math.Inf(1))
		return nil
	case `"-Infinity"`:
		*v = number(math.Inf(-1))
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("stats: want a number or null: %w", err)
	}
	*v = number(f)
	return nil
}

// undefined is what a number is before it is read, so that a field which is absent from the JSON is not taken for 0.
var undefined = number(math.NaN())

// The sides of the member "unbounded": which infinity a member is that is null.
const (
	unboundedAbove = "above" // +∞
	unboundedBelow = "below" // −∞
)

// marshal writes a struct of numbers and others. One that has infinite numbers gets a member more, which names each
// of them and its side; numbers of a list are named by their index behind a dot:
//
//	{"estimate":7,"low":6,"high":null,"unbounded":{"high":"above"}}
func marshal(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	sides := map[string]string{}
	eachNumber(reflect.ValueOf(v), func(name string, n reflect.Value) {
		switch f := n.Float(); {
		case math.IsInf(f, 1):
			sides[name] = unboundedAbove
		case math.IsInf(f, -1):
			sides[name] = unboundedBelow
		}
	})
	if len(sides) == 0 {
		return text, nil
	}
	more, err := json.Marshal(map[string]any{"unbounded": sides})
	if err != nil {
		return nil, err
	}
	return slices.Concat(text[:len(text)-1], []byte(","), more[1:]), nil
}

// unmarshal reads into a struct what marshal writes. A side that is neither, or of a member that is no number, is an
// error.
func unmarshal(b []byte, into any) error {
	var also struct {
		Unbounded map[string]string `json:"unbounded"`
	}
	if err := json.Unmarshal(b, &also); err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return err
	}
	var err error
	eachNumber(reflect.ValueOf(into).Elem(), func(name string, n reflect.Value) {
		side, ok := also.Unbounded[name]
		delete(also.Unbounded, name)
		switch {
		case !ok:
		case side == unboundedAbove:
			n.SetFloat(math.Inf(1))
		case side == unboundedBelow:
			n.SetFloat(math.Inf(-1))
		default:
			err = fmt.Errorf("stats: %q is unbounded %q; want %q or %q", name, side, unboundedAbove, unboundedBelow)
		}
	})
	if err == nil && len(also.Unbounded) > 0 {
		err = fmt.Errorf("stats: unbounded names %q, which is no number here", slices.Sorted(maps.Keys(also.Unbounded)))
	}
	return err
}

// eachNumber calls f with each number of a struct, and each of its lists of numbers, by its name in JSON.
func eachNumber(v reflect.Value, f func(name string, n reflect.Value)) {
	one := reflect.TypeFor[number]()
	for field, value := range v.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Type == one:
			f(name, value)
		case field.Type.Kind() == reflect.Slice && field.Type.Elem() == one:
			for i := range value.Len() {
				f(name+"."+strconv.Itoa(i), value.Index(i))
			}
		}
	}
}
