package amd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// smiObject is one object of a tool's JSON: of one GPU, or of the whole.
type smiObject map[string]json.RawMessage

// smiText is what one field says.
type smiText struct {
	text, unit string
	err        error
}

func (o smiObject) has(key string) bool { _, ok := o[key]; return ok }

// section is an object in the object, empty where a tool writes "N/A" for the whole.
func (o smiObject) section(key string) smiObject {
	var in smiObject
	if json.Unmarshal(o[key], &in) != nil {
		return nil
	}
	return in
}

// text is a field in any of its forms: "x", 32, {"value": 32, "unit": "GT/s"}, "N/A". The first of the keys that is
// there counts: keys changed between releases.
func (o smiObject) text(keys ...string) smiText {
	for _, key := range keys {
		raw, ok := o[key]
		if !ok {
			continue
		}
		var with struct {
			Value json.RawMessage `json:"value"`
			Unit  string          `json:"unit"`
		}
		if bytes.HasPrefix(raw, []byte("{")) {
			if err := json.Unmarshal(raw, &with); err != nil || with.Value == nil {
				return smiText{err: fmt.Errorf("%s is %q, not a value with its unit", key, fact.Clip(string(raw)))}
			}
			raw = with.Value
		}
		var s string
		var n json.Number
		switch {
		case json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"':
		case json.Unmarshal(raw, &n) == nil && n != "":
			s = n.String()
		default:
			return smiText{err: fmt.Errorf("%s is %q, not a text or a number", key, fact.Clip(string(raw)))}
		}
		if s = strings.TrimSpace(s); source.NoAnswer(s) {
			return smiText{err: fmt.Errorf("%s is %q", key, fact.Clip(s))}
		}
		return smiText{text: s, unit: with.Unit}
	}
	return smiText{err: fmt.Errorf("no %s", strings.Join(keys, " or "))}
}

// value is the field as a value of a scope.
func (s smiText) value(scope fact.Scope, source string) fact.Value[string] {
	if s.err != nil {
		return fact.Unknown[string]("", scope, source+": "+s.err.Error())
	}
	return fact.Known(s.text, "", scope, source)
}

// shaped is the field as a text that must match shape, or must not.
func (s smiText) shaped(at, what string, shape *regexp.Regexp, want bool) fact.Value[string] {
	if s.err == nil && shape.MatchString(s.text) != want {
		return fact.Unknown[string]("", fact.ScopeHost, fmt.Sprintf("%s: %q is not a %s", at, fact.Clip(s.text), what))
	}
	return s.value(fact.ScopeHost, at)
}

var (
	targetShape = regexp.MustCompile(`^gfx[0-9a-f]{3,6}$`)
	// what the tools print for a card of which they have no name is its PCI id: "0x744c"
	idShape = regexp.MustCompile(`^0x[0-9A-Fa-f]+$`)
)

// name is the field as the name of a model.
func (s smiText) name(at string) fact.Value[string] { return s.shaped(at, "name", idShape, false) }

// target is the field as what compilers build for.
func (s smiText) target(at string) fact.Value[string] {
	return s.shaped(at, "target", targetShape, true)
}

// version is the field as a version of a scope.
func (s smiText) version(scope fact.Scope, at string) fact.Value[string] {
	if s.err != nil {
		return s.value(scope, at)
	}
	return source.Version(kernelOfDriver(s.text), scope, at)
}

// kernelOfDriver is the version of the driver as its own tools print it. Of the driver that comes with the kernel some
// releases print the beginning of /proc/version without its spaces:
// "Linuxversion6.8.0-60-generic(buildd@lcy02-amd64-059)(x86_64-linux-gnu-gcc…".
func kernelOfDriver(s string) string {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(s, " ", ""), "Linuxversion")
	if !ok {
		return s
	}
	kernel, _, _ := strings.Cut(rest, "(")
	return kernel
}

// hex is the field as digits of a hexadecimal number without 0x, at least so many.
func (s smiText) hex(width int, source string) fact.Value[string] {
	if s.err != nil {
		return s.value(fact.ScopeHost, source)
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s.text), "0x"), 16, 64)
	if err != nil || n == 0 {
		return fact.Unknown[string]("", fact.ScopeHost, fmt.Sprintf("%s: %q is not an id", source, fact.Clip(s.text)))
	}
	return fact.Known(fmt.Sprintf("%0*x", width, n), "", fact.ScopeHost, source)
}

// count is the field as a number that is not 0.
func (s smiText) count(source string) fact.Value[int64] {
	if s.err != nil {
		return fact.Unknown[int64]("", fact.ScopeHost, source+": "+s.err.Error())
	}
	n, err := strconv.ParseInt(s.text, 10, 32)
	if err != nil || n <= 0 {
		return fact.Unknown[int64]("", fact.ScopeHost, fmt.Sprintf("%s: %q is not a number", source, fact.Clip(s.text)))
	}
	return fact.Known(n, "", fact.ScopeHost, source)
}

// speed is the field as the speed of a lane, in the unit that it has with it: 32 and "GT/s", or "32.0 GT/s".
func (s smiText) speed(source string) fact.Value[float64] {
	if s.err != nil {
		return fact.Unknown[float64]("GT/s", fact.ScopeHost, source+": "+s.err.Error())
	}
	v, err := gpu.ParseLinkSpeed(strings.TrimSpace(s.text + " " + s.unit))
	if err != nil {
		return fact.Unknown[float64]("GT/s", fact.ScopeHost, source+": "+err.Error())
	}
	return fact.Known(v, "GT/s", fact.ScopeHost, source)
}

// bytes is the field as a size, in the unit that it has with it, or in unit where it has none. MB are MiB in these
// tools.
func (s smiText) bytes(unit, source string) fact.Value[int64] {
	if s.err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, source+": "+s.err.Error())
	}
	digits, own, _ := strings.Cut(s.text, " ")
	for _, u := range []string{s.unit, strings.TrimSpace(own)} {
		if u != "" {
			unit = u
		}
	}
	shift, ok := map[string]uint{"B": 0, "KB": 10, "KiB": 10, "MB": 20, "MiB": 20, "GB": 30, "GiB": 30}[unit]
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || !ok || n == 0 || n > math.MaxInt64>>shift {
		return fact.Unknown[int64]("B", fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a size", source, fact.Clip(s.text+" "+s.unit)))
	}
	return fact.Known(int64(n<<shift), "B", fact.ScopeHost, source)
}

const maxTries = 64 // lines that begin like JSON and are not: each costs reading to the end

// smiObjects returns the objects in what a tool of AMD printed: alone, in an array, in an object of arrays
// ("gpu_data"), in several arrays after each other, with lines of text before, between and after them.
func smiObjects(b []byte) ([]smiObject, error) {
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
	}
	var out []smiObject
	whole := b
	for tries := 0; len(b) > 0; {
		if line := bytes.TrimLeft(b, " \t\r"); len(line) > 0 && (line[0] == '{' || line[0] == '[') {
			d := json.NewDecoder(bytes.NewReader(line))
			var raw json.RawMessage
			if err := d.Decode(&raw); err == nil {
				if out = appendObjects(out, raw); len(out) > source.MaxObjects {
					return nil, source.TooLarge{Bound: source.MaxObjects, Unit: "objects"}
				}
				// Arrays that follow each other may share a line.
				b = line[d.InputOffset():]
				continue
			}
			if tries++; tries >= maxTries {
				break
			}
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		b = b[i+1:]
	}
	if len(out) == 0 {
		if text := source.LastLine(whole[max(0, len(whole)-source.MaxTail):]); text != "" {
			return nil, fmt.Errorf("no JSON object in it: %s", text)
		}
		return nil, errors.New("no JSON object in it")
	}
	return out, nil
}

// appendObjects adds the objects of one JSON value, and those of its gpu_data in place of itself.
func appendObjects(out []smiObject, raw json.RawMessage) []smiObject {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, e := range list[:min(len(list), source.MaxObjects+1)] {
			var o smiObject
			if json.Unmarshal(e, &o) == nil && o != nil {
				out = append(out, o)
			}
		}
		return out
	}
	var o smiObject
	if json.Unmarshal(raw, &o) != nil {
		return out
	}
	if inner, ok := o["gpu_data"]; ok {
		if bytes.HasPrefix(inner, []byte("[")) {
			return appendObjects(out, inner)
		}
		return out
	}
	return append(out, o)
}
