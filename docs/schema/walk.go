package main

import (
	"encoding"
	"encoding/json"
	"fmt"
	"go/ast"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// walk makes the schema of a type and of all that it holds.
type walk struct {
	comments comments
	strict   bool
	defs     map[string]*object
}

// of is the schema of a value of a type.
func (w *walk) of(t reflect.Type) (*object, error) {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return typed("integer"), nil
	case t == reflect.TypeFor[time.Time]():
		return typed("string").add("format", "date-time"), nil
	case t == reflect.TypeFor[json.RawMessage]():
		return &object{}, nil // any JSON
	case t == reflect.TypeFor[[]byte]():
		return typed("string").add("contentEncoding", "base64"), nil
	case written[t] != nil:
		return w.define(t, func() (*object, error) { return w.described(t, written[t]()) })
	case isValue(t):
		return w.define(t, func() (*object, error) { return w.value(t) })
	}
	marshalsText := t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) ||
		reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]())
	if marshalsText && t.Kind() != reflect.Pointer {
		return nil, fmt.Errorf("%v is written as text; say in bounds.go as what", t)
	}
	switch t.Kind() {
	case reflect.Bool:
		return typed("boolean"), nil
	case reflect.Int, reflect.Int64, reflect.Int32:
		return typed("integer"), nil
	case reflect.Uint, reflect.Uint64, reflect.Uint32:
		return typed("integer").add("minimum", 0), nil
	case reflect.Float64:
		return typed("number"), nil
	case reflect.String:
		return typed("string"), nil
	case reflect.Pointer:
		return w.of(t.Elem())
	case reflect.Slice, reflect.Array:
		items, err := w.of(t.Elem())
		return typed("array").add("items", items), err
	case reflect.Map:
		each, err := w.of(t.Elem())
		return typed("object").add("additionalProperties", each), err
	case reflect.Struct:
		return w.define(t, func() (*object, error) { return w.structure(t) })
	}
	return nil, fmt.Errorf("%v: no schema for its kind", t)
}

func typed(name string) *object { return (&object{}).add("type", name) }

// define refers to the definition of a type, and makes it where it is new.
func (w *walk) define(t reflect.Type, make func() (*object, error)) (*object, error) {
	name := definition(t)
	if w.defs[name] == nil {
		w.defs[name] = &object{} // it may refer to itself
		made, err := make()
		if err != nil {
			return nil, err
		}
		*w.defs[name] = *made
	}
	return (&object{}).add("$ref", "#/$defs/"+name), nil
}

// definition is the name of a type among the definitions: "loadgen.Figure", "fact.Value.int64".
func definition(t reflect.Type) string {
	name := t.String()
	if base, argument, ok := strings.Cut(name, "["); ok {
		argument = strings.TrimSuffix(argument, "]")
		return base + "." + argument[strings.LastIndexAny(argument, "./")+1:]
	}
	return name
}

// A field is a member of a struct's JSON.
type field struct {
	name     string
	about    string
	optional bool
	nullable bool
	schema   *object
}

// structure is the schema of a struct.
func (w *walk) structure(t reflect.Type) (*object, error) {
	var fields []field
	var err error
	if t.Implements(reflect.TypeFor[json.Marshaler]()) {
		fields, err = w.writtenFields(t)
	} else {
		fields, err = w.fields(t)
	}
	if err != nil {
		return nil, err
	}
	properties := &object{}
	required := []string{}
	bounds := bounds[definition(t)]
	for _, f := range fields {
		schema := f.schema
		if f.nullable && !w.strict {
			schema = nullable(schema)
		}
		about := f.about
		if more, ok := abouts[definition(t)+"."+f.name]; ok {
			about = more
		}
		p := &object{}
		if about != "" {
			p.add("description", about)
		}
		p.members = append(p.members, schema.members...)
		if more := bounds.members[f.name]; more != nil {
			p.set(more)
		}
		properties.add(f.name, p)
		if !f.optional && !slices.Contains(bounds.optional, f.name) {
			required = append(required, f.name)
		}
	}
	out := typed("object").add("properties", properties)
	if len(required) > 0 {
		out.add("required", required)
	}
	if w.strict {
		out.add("additionalProperties", false)
	}
	if bounds.more != nil {
		out.set(bounds.more)
	}
	return w.described(t, out)
}

// described adds what the comment on a type says.
func (w *walk) described(t reflect.Type, schema *object) (*object, error) {
	s, err := w.comments.of(t.PkgPath())
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(t.Name(), "[")
	if text := s.docs[name]; text != "" {
		schema.members = append([]member{{"description", text}}, schema.members...)
	}
	return schema, nil
}

func nullable(schema *object) *object {
	out := &object{}
	switch m := schema.members; {
	case len(m) == 0: // anything, null too
	case m[0].name == "type":
		out.add("type", []any{m[0].value, "null"})
		out.members = append(out.members, m[1:]...)
	default:
		out.add("anyOf", []any{schema, typed("null")})
	}
	return out
}

// fields are those of a struct that is written as it stands, with those of what it embeds.
func (w *walk) fields(t reflect.Type) (out []field, err error) {
	s, err := w.comments.of(t.PkgPath())
	if err != nil {
		return nil, err
	}
	typeName, _, _ := strings.Cut(t.Name(), "[")
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "":
			embedded, err := w.fields(f.Type)
			if err != nil {
				return nil, err
			}
			out = append(out, embedded...)
			continue
		case name == "":
			name = f.Name
		}
		schema, err := w.of(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		one := field{name: name, about: withUnit(s.fields[typeName][f.Name], f.Type), schema: schema}
		one.optional = strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		kind := f.Type.Kind()
		one.nullable = !one.optional && (kind == reflect.Pointer || kind == reflect.Slice || kind == reflect.Map)
		out = append(out, one)
	}
	return out, nil
}

// withUnit adds the unit that the type alone tells.
func withUnit(about string, t reflect.Type) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t != reflect.TypeFor[time.Duration]() {
		return about
	}
	return strings.TrimSpace(strings.TrimSuffix(about, ".") + " [ns]")
}

// writtenFields are those of the struct that a type of package stats writes in its own place, of which only the
// source tells. Its fields have the names of the type's own.
func (w *walk) writtenFields(t reflect.Type) (out []field, err error) {
	s, err := w.comments.of(t.PkgPath())
	if err != nil {
		return nil, err
	}
	of := s.structs[s.written[t.Name()]]
	if of == nil {
		return nil, fmt.Errorf("%v writes its JSON itself; say in bounds.go what", t)
	}
	for _, f := range of.Fields.List {
		text, err := strconv.Unquote(f.Tag.Value)
		if err != nil {
			return nil, err
		}
		name, options, _ := strings.Cut(reflect.StructTag(text).Get("json"), ",")
		own, known := t.FieldByName(f.Names[0].Name)
		if !known {
			return nil, fmt.Errorf("%v has no field %s", t, f.Names[0].Name)
		}
		schema, err := w.of(own.Type)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, own.Name, err)
		}
		one := field{name: name, about: s.fields[t.Name()][own.Name], schema: schema}
		one.optional = strings.Contains(options, "omitempty")
		switch kind := f.Type.(type) {
		case *ast.Ident: // null is a number that is undefined or unbounded
			one.nullable = kind.Name == "number"
		case *ast.ArrayType:
			one.nullable = !one.optional
			if element, ok := kind.Elt.(*ast.Ident); ok && element.Name == "number" {
				one.schema = typed("array").add("items", nullable(typed("number")))
			}
		}
		out = append(out, one)
	}
	sides := typed("object").add("additionalProperties", (&object{}).add("enum", []string{"above", "below"}))
	return append(out, field{name: "unbounded", optional: true, schema: sides,
		about: "The members that are null because they are infinite: above is +∞, below −∞."}), nil
}

// isValue reports whether a type is a fact.Value of something.
func isValue(t reflect.Type) bool {
	return t.PkgPath() == module+"/envinfo/fact" && strings.HasPrefix(t.Name(), "Value[")
}

// value is the schema of a reading: known, with where it was read, or unknown, with the reason.
func (w *walk) value(t reflect.Type) (*object, error) {
	get, _ := t.MethodByName("Get")
	of, err := w.of(get.Type.Out(0))
	if err != nil {
		return nil, err
	}
	properties := (&object{}).
		add("value", of).
		add("unknown", typed("string").add("description", "why it could not be had")).
		add("unit", typed("string").add("description", "such as B, MHz or TB/s; none: a name, a version or a count")).
		add("scope", typed("string").add("description",
			"of what it is true: host, container, process, program or server")).
		add("source", typed("string").add("description", "where it was read: a path, a command, a table or a formula"))
	known := (&object{}).add("required", []string{"value", "source"}).
		add("not", (&object{}).add("required", []string{"unknown"}))
	unknown := (&object{}).add("required", []string{"unknown"}).
		add("not", (&object{}).add("required", []string{"value"}))
	return typed("object").add("properties", properties).add("oneOf", []any{known, unknown}).
		add("description", "A reading: either known, with its source, or unknown, with the reason."), nil
}
