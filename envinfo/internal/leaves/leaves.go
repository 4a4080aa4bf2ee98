// Package leaves goes through a record of structs, lists and values by reflection.
package leaves

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// What Hash, Diff and Sampler have in common: they go through a tree of structs, lists and Values by reflection, so
// that a new field is hashed, compared and sampled without another line. Names in paths are those of the JSON form.

// leaf is what every [fact.Value] is, whatever it holds.
type leaf interface{ Reading() fact.Reading }

// AsLeaf returns v as a leaf if it is one.
func AsLeaf(v reflect.Value) (fact.Reading, bool) {
	if l, ok := v.Interface().(leaf); ok && v.Kind() == reflect.Struct {
		return l.Reading(), true
	}
	return fact.Reading{}, false
}

// PlainKind tells whether v is a name: a Go scalar and not a Value.
func PlainKind(v reflect.Value) bool {
	return v.Kind() == reflect.String || v.Kind() == reflect.Bool || v.CanInt() || v.CanUint() || v.CanFloat()
}

// field is an exported field of a struct.
type field struct {
	Name string // of the JSON form
	reflect.Value
}

// StructFields are the exported fields of a struct, by their names in JSON.
func StructFields(v reflect.Value) []field {
	var out []field
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		out = append(out, field{name, v.Field(i)})
	}
	return out
}

// Join is the path of a name below a path.
func Join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Keys names the elements of a list, so that those of two lists can be matched whatever their order. addresses tells
// that the names are where things are and not what they are.
//
// Fields that are not Values are names of things: "name" alone if there is one, or a Value of that name, else all of
// them. Software is named by its scope too, devices without a name by their location, and what has none of these by its
// place in the list. The second of the same name has #2.
func Keys(list reflect.Value) (out []string, addresses bool) {
	seen := map[string]int{}
	for i := range list.Len() {
		key, address := key(list.Index(i))
		addresses = addresses || address
		if key == "" {
			key = fmt.Sprint(i)
		}
		if seen[key]++; seen[key] > 1 {
			key = fmt.Sprintf("%s#%d", key, seen[key])
		}
		out = append(out, key)
	}
	return out, addresses
}

func key(v reflect.Value) (key string, address bool) {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if r, ok := AsLeaf(v); ok {
		return r.String(), false
	}
	if PlainKind(v) {
		return fmt.Sprint(v.Interface()), false
	}
	if v.Kind() != reflect.Struct {
		return "", false
	}
	if c, ok := v.Interface().(fact.Component); ok {
		return c.Name + "@" + string(c.Version.Scope().Kind()), false
	}
	var names []string
	location := ""
	for _, f := range StructFields(v) {
		if PlainKind(f.Value) {
			name := fmt.Sprint(f.Interface())
			if f.Name == "name" && name != "" {
				return name, false
			}
			names = append(names, name)
		}
		// a container's id is another one after each restart
		if r, ok := AsLeaf(f.Value); ok && f.Name == "name" && r.Value != nil {
			return fmt.Sprint(r.Value), false
		}
		if r, ok := AsLeaf(f.Value); ok && f.Name == "location" && r.Value != nil {
			location = fmt.Sprint(r.Value)
		}
	}
	if len(names) > 0 {
		return strings.Join(names, "/"), false
	}
	return location, location != ""
}
