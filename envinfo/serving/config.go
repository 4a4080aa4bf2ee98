package serving

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// config reads the config.json in a folder.
func (m *modelCapture) config(folder string) {
	name := path.Join(folder, "config.json")
	b, err := m.File(name, source.LargeFile)
	var in map[string]json.RawMessage
	if err == nil {
		if in, err = parseModelConfig(b); err != nil {
			err = fmt.Errorf("%s: %w", source.Abs(name), err)
		}
	}
	if err != nil {
		unread := UnreadModel(m.out.Name, m.scope, err.Error())
		unread.Revision, unread.Snapshots, unread.Warnings = m.out.Revision, m.out.Snapshots, m.out.Warnings
		m.out = unread
		return
	}
	o := m.out
	o.Folder = source.Recorded(source.Abs(folder), m.scope, source.Abs(name))
	f := fields{in, m.scope, source.Abs(name) + ": "}
	o.Architectures = f.list("architectures")
	o.Type = f.text("model_type")
	text := f
	// Models that also see or hear keep the language model's numbers one level down.
	if inner, err := object(in["text_config"]); err == nil && in["num_hidden_layers"] == nil {
		text = fields{inner, m.scope, source.Abs(name) + ": text_config."}
	}
	o.DType = fact.FirstKnown(f.text("dtype"), f.text("torch_dtype"), text.text("dtype"), text.text("torch_dtype"))
	o.Layers, o.HiddenSize = text.count("num_hidden_layers"), text.count("hidden_size")
	o.Heads = text.count("num_attention_heads")
	o.KeyValueHeads, o.Vocabulary = text.count("num_key_value_heads"), text.count("vocab_size")
	o.MaxPositions = text.count("max_position_embeddings")
	o.Experts = fact.FirstKnown(text.count("num_local_experts"), text.count("num_experts"),
		text.count("n_routed_experts"))
	raw, at := in["quantization_config"], "quantization_config"
	if absent(raw) {
		raw, at = in["compression_config"], "compression_config" // the older name of compressed-tensors
	}
	if absent(raw) && !absent(text.in["quantization_config"]) {
		raw, at = text.in["quantization_config"], "text_config.quantization_config"
	}
	if absent(raw) {
		none := source.Abs(name) + ": no quantization_config"
		o.Quantization = fact.Known("none", "", m.scope, none)
		o.QuantizationFormat, o.QuantizationBits = fact.Unknown[string]("", m.scope, none), fact.Unknown[int64]("",
			m.scope, none)
		return
	}
	inner, err := object(raw)
	if err != nil {
		reason := source.Abs(name) + ": " + at + ": " + err.Error()
		o.Quantization, o.QuantizationFormat = fact.Unknown[string]("", m.scope, reason), fact.Unknown[string]("",
			m.scope, reason)
		o.QuantizationBits = fact.Unknown[int64]("", m.scope, reason)
		return
	}
	q := fields{inner, m.scope, source.Abs(name) + ": " + at + "."}
	o.Quantization = q.text("quant_method")
	o.QuantizationFormat = fact.FirstKnown(q.text("fmt"), q.text("format"))
	o.QuantizationBits = fact.FirstKnown(q.count("bits"), q.count("w_bit"))
}

// parseModelConfig returns the fields of a config.json.
func parseModelConfig(b []byte) (map[string]json.RawMessage, error) {
	if len(b) > source.LargeFile {
		return nil, source.TooLarge{Bound: source.LargeFile, Unit: "bytes"}
	}
	return object(b)
}

func object(raw []byte) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil {
		return nil, fmt.Errorf("not a JSON object: %s", fact.Clip(err.Error()))
	}
	if out == nil {
		return nil, errors.New("not a JSON object: null")
	}
	return out, nil
}

func absent(raw json.RawMessage) bool { return raw == nil || string(raw) == "null" }

// fields reads the fields of a JSON object as values.
type fields struct {
	in     map[string]json.RawMessage
	scope  fact.Scope
	source string // up to the field's name
}

func (f fields) text(name string) fact.Value[string] {
	var s string
	if absent(f.in[name]) {
		return fact.Unknown[string]("", f.scope, f.source+name+": not there")
	}
	if err := json.Unmarshal(f.in[name], &s); err != nil {
		return fact.Unknown[string]("", f.scope, f.source+name+": not a string")
	}
	return source.Recorded(s, f.scope, f.source+name)
}

func (f fields) count(name string) fact.Value[int64] {
	if absent(f.in[name]) {
		return fact.Unknown[int64]("", f.scope, f.source+name+": not there")
	}
	n, err := strconv.ParseInt(string(f.in[name]), 10, 64)
	if err != nil || n < 0 {
		return fact.Unknown[int64]("", f.scope, f.source+name+": not a count")
	}
	return fact.Known(n, "", f.scope, f.source+name)
}

func (f fields) list(name string) []fact.Value[string] {
	var all []string
	if absent(f.in[name]) {
		return []fact.Value[string]{fact.Unknown[string]("", f.scope, f.source+name+": not there")}
	}
	if err := json.Unmarshal(f.in[name], &all); err != nil {
		return []fact.Value[string]{fact.Unknown[string]("", f.scope, f.source+name+": not a list of strings")}
	}
	out := []fact.Value[string]{}
	for _, s := range all[:min(len(all), source.MaxList)] {
		out = append(out, source.Recorded(s, f.scope, f.source+name))
	}
	return out
}
