package main

import (
	"bytes"
	"encoding/json"
	"slices"
)

// An object is one of JSON whose members keep the order in which they were added: that of the Go fields.
type object struct{ members []member }

type member struct {
	name  string
	value any
}

func (o *object) add(name string, value any) *object {
	o.members = append(o.members, member{name, value})
	return o
}

// set adds the members of others, in the place of those that have their names.
func (o *object) set(others *object) {
	for _, m := range others.members {
		i := slices.IndexFunc(o.members, func(have member) bool { return have.name == m.name })
		if i < 0 {
			o.members = append(o.members, m)
		} else {
			o.members[i] = m
		}
	}
}

// MarshalJSON implements [json.Marshaler].
func (o *object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o.members {
		if i > 0 {
			out.WriteByte(',')
		}
		for j, part := range []any{m.name, m.value} {
			var text bytes.Buffer
			to := json.NewEncoder(&text)
			to.SetEscapeHTML(false)
			if err := to.Encode(part); err != nil {
				return nil, err
			}
			if j > 0 {
				out.WriteByte(':')
			}
			out.Write(bytes.TrimSpace(text.Bytes()))
		}
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}
