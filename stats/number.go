package stats

import (
	"encoding/json"
	"fmt"
	"math"
)

// number is how a float64 of this package travels in JSON, which has no NaN: undefined (NaN) is null and reads back as
// undefined, unbounded is "Infinity" or "-Infinity" (the spelling of protocol buffers). Pointers in the exported
// structs were rejected, because nil dereferences where NaN stays undefined through arithmetic; so was a zero with a
// flag beside it, because the zero gets printed.
type number float64

func (v number) MarshalJSON() ([]byte, error) {
	switch f := float64(v); {
	case math.IsNaN(f):
		return []byte("null"), nil
	case math.IsInf(f, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(f, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(f)
	}
}

func (v *number) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*v = undefined
		return nil
	case `"Infinity"`:
		*v = number(math.Inf(1))
		return nil
	case `"-Infinity"`:
		*v = number(math.Inf(-1))
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("stats: want a number, null or an infinity as a string: %w", err)
	}
	*v = number(f)
	return nil
}

// undefined is what a number is before it is read, so that a field which is absent from the JSON is not taken for 0.
var undefined = number(math.NaN())
