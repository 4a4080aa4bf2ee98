package envinfo

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/leaves"
	"github.com/servegauge/servegauge/envinfo/internal/table"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// Kind is what kind of [Difference] there is.
type Kind string

const (
	// Changed: both values are known, and they differ.
	Changed Kind = "changed"
	// NotComparable: only one of the values is known, so that nothing can be said of whether it changed.
	NotComparable Kind = "not comparable"
	// OnlyFirst and OnlySecond: a thing (a card, a variable) is in the list of one of the environments, and the list of
	// the other was read and is without it. Where that list could not be read, it is NotComparable. Software that is
	// not listed was not looked for, or is of another scope.
	OnlyFirst  Kind = "only in the first"
	OnlySecond Kind = "only in the second"
)

// Difference is one difference between two environments.
type Difference struct {
	// Path is where it is, in names of the JSON form: "software[ROCm@host].version". Elements of lists are named by
	// what they are and not by their place.
	Path string `json:"path"`
	Kind Kind   `json:"kind"`
	// Matters tells whether it can change performance: drivers, software, memory, clocks, modes, limits do; names and
	// serial numbers do not, nor does the program that captured. What is not known not to matter, matters.
	Matters bool `json:"matters"`
	// A and B are the values with their units, or "unknown (reason)". Empty: there is no such thing in that
	// environment.
	A string `json:"a,omitempty"`
	B string `json:"b,omitempty"`
}

// String is the difference in a line.
func (d Difference) String() string {
	s := string(d.Kind) + ": " + d.Path
	if d.A != "" || d.B != "" {
		s += ": " + present(d.A) + " → " + present(d.B)
	}
	return s
}

func present(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// Diff returns how b differs from a, in the order of the JSON form; nil: in nothing that is known. A value that is
// known of one only is [NotComparable] and never [Changed], and one that is unknown in both, for whatever reasons, is
// no difference. Sources and reasons are not compared, and neither are warnings. Elements of lists are matched by name,
// software by name and scope, cards by PCI address, or by their order where the two hosts have no address in common. A
// nil Environment is one of which nothing is known.
func Diff(a, b *Environment) []Difference {
	if a == nil {
		a = &Environment{}
	}
	if b == nil {
		b = &Environment{}
	}
	var d differ
	d.values("", reflect.ValueOf(*a), reflect.ValueOf(*b), "", "")
	return d
}

type differ []Difference

func (d *differ) add(path string, kind Kind, a, b string) {
	*d = append(*d, Difference{path, kind, material(path), a, b})
}

// values compares two values of the same type. goneA and goneB say why the lists directly below may be incomplete, or
// nothing.
func (d *differ) values(path string, a, b reflect.Value, goneA, goneB string) {
	if path == "warnings" || strings.HasSuffix(path, ".warnings") {
		return
	}
	if ra, ok := leaves.AsLeaf(a); ok {
		rb, _ := leaves.AsLeaf(b)
		d.leaves(path, ra, rb)
		return
	}
	switch a.Kind() {
	case reflect.Pointer:
		// A part that is not there is as one of which nothing is known.
		if a.IsNil() && b.IsNil() {
			return
		}
		empty := reflect.Zero(a.Type().Elem())
		va, vb := empty, empty
		if !a.IsNil() {
			va = a.Elem()
		}
		if !b.IsNil() {
			vb = b.Elem()
		}
		d.values(path, va, vb, "", "")
	case reflect.Struct:
		goneA, goneB = incomplete(a), incomplete(b)
		fb := leaves.StructFields(b)
		for i, fa := range leaves.StructFields(a) {
			if !leaves.PlainKind(fa.Value) { // names: those of elements have been matched
				d.values(leaves.Join(path, fa.Name), fa.Value, fb[i].Value, goneA, goneB)
			}
		}
	case reflect.Slice, reflect.Array:
		d.lists(path, a, b, goneA, goneB)
	case reflect.Map:
		for _, k := range mapKeys(a, b) {
			at := path + "[" + k.String() + "]"
			va, vb := a.MapIndex(k), b.MapIndex(k)
			switch {
			case !vb.IsValid():
				d.one(at, va, OnlyFirst, goneB)
			case !va.IsValid():
				d.one(at, vb, OnlySecond, goneA)
			default:
				d.values(at, va, vb, "", "")
			}
		}
	}
}

// incomplete is why the lists of v may lack something: a struct with lists has a Count, whose reason it is.
func incomplete(v reflect.Value) string {
	if f := v.FieldByName("Count"); f.IsValid() {
		if r, ok := leaves.AsLeaf(f); ok && r.Value == nil {
			return r.Reason
		}
	}
	return ""
}

func (d *differ) leaves(path string, a, b fact.Reading) {
	switch {
	case a.Value == nil && b.Value == nil:
	case a.Value == nil || b.Value == nil:
		d.add(path, NotComparable, a.String(), b.String())
	case a.Value != b.Value || a.Unit != b.Unit:
		d.add(path, Changed, a.String(), b.String())
	case a.Scope.Kind() != b.Scope.Kind():
		d.add(path, Changed, fmt.Sprintf("%v (%s)", a, a.Scope), fmt.Sprintf("%v (%s)", b, b.Scope))
	}
}

func (d *differ) lists(path string, a, b reflect.Value, goneA, goneB string) {
	keysA, addresses := leaves.Keys(a)
	keysB, _ := leaves.Keys(b)
	if addresses && !slices.ContainsFunc(keysA, func(k string) bool { return slices.Contains(keysB, k) }) {
		for i := range min(len(keysA), len(keysB)) { // other slots: card by card
			keysA[i], keysB[i] = fmt.Sprint(i), fmt.Sprint(i)
		}
	}
	if goneA == "" {
		goneA = unread(a)
	}
	if goneB == "" {
		goneB = unread(b)
	}
	places := map[string]int{}
	for j, k := range keysB {
		places[k] = j
	}
	// The one value of a list of values, such as the digest of an image, has no other name: another one is a change of
	// it.
	if a.Len() == 1 && b.Len() == 1 && goneA == "" && goneB == "" {
		if _, ok := leaves.AsLeaf(a.Index(0)); ok {
			d.values(path+"[0]", a.Index(0), b.Index(0), "", "")
			return
		}
	}
	matched := make([]bool, len(keysB))
	for i, k := range keysA {
		at := path + "[" + k + "]"
		j, ok := places[k]
		if !ok {
			d.one(at, a.Index(i), OnlyFirst, goneB)
			continue
		}
		matched[j] = true
		d.values(at, a.Index(i), b.Index(j), "", "")
	}
	for j, k := range keysB {
		if !matched[j] {
			d.one(path+"["+k+"]", b.Index(j), OnlySecond, goneA)
		}
	}
}

// unread is why a list could not be read, if all that is in it is something unknown that says so: a value without a
// name, a model without an id, or what stands for the list itself.
func unread(list reflect.Value) string {
	if list.Len() != 1 {
		return ""
	}
	v := list.Index(0)
	r, ok := leaves.AsLeaf(v)
	if !ok {
		switch e := v.Interface().(type) {
		case serving.ServedModel:
			r, ok = e.ID.Reading(), true
		case fact.Component:
			r, ok = e.Version.Reading(), e.Name == "software"
		case fact.Setting:
			r, ok = e.Value.Reading(), e.Name == serving.CacheConfigInfoName
		}
	}
	if !ok || r.Value != nil {
		return ""
	}
	return r.Reason
}

// one records an element that one side has. gone is why the other may have it all the same.
func (d *differ) one(path string, v reflect.Value, kind Kind, gone string) {
	text := summary(v)
	if text == "" {
		return // nothing of it is known
	}
	other := ""
	first := kind == OnlyFirst
	if gone != "" {
		kind, other = NotComparable, "unknown ("+gone+")"
	}
	if first {
		d.add(path, kind, text, other)
	} else {
		d.add(path, kind, other, text)
	}
}

// summary is the first value that is known of an element, which says what it is; "" if none is.
func summary(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	if r, ok := leaves.AsLeaf(v); ok {
		if r.Value == nil {
			return ""
		}
		return r.String()
	}
	if leaves.PlainKind(v) {
		return fmt.Sprint(v.Interface())
	}
	if v.Kind() != reflect.Struct {
		return ""
	}
	for _, f := range leaves.StructFields(v) {
		if leaves.PlainKind(f.Value) {
			continue
		}
		if s := summary(f.Value); s != "" {
			return s
		}
	}
	return ""
}

func mapKeys(a, b reflect.Value) []reflect.Value {
	out := a.MapKeys()
	for _, k := range b.MapKeys() {
		if !a.MapIndex(k).IsValid() {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b reflect.Value) int {
		if a.String() < b.String() {
			return -1
		}
		return 1
	})
	return out
}

// WriteDiff writes differences for people: those that matter for performance first, then the others. The error is that
// of w.
func WriteDiff(w io.Writer, differences []Difference) error {
	t := table.New(w)
	if len(differences) == 0 {
		t.Line("No differences in what is known of both.")
	}
	written := false
	for _, part := range []struct {
		title   string
		matters bool
	}{{"Matters for performance", true}, {"Does not matter for performance", false}} {
		headed := false
		for _, d := range differences {
			if d.Matters != part.matters {
				continue
			}
			if !headed {
				if written {
					t.Line("")
				}
				t.Line(part.title)
				t.Cells("Difference", "Where", "First", "Second")
				headed, written = true, true
			}
			t.Cells(string(d.Kind), d.Path, present(d.A), present(d.B))
		}
	}
	return t.Flush()
}
