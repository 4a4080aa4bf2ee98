package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// compiled is a published schema. closed has it refuse members that it does not name, so that a member that the code
// writes and the schema lacks is found.
func compiled(t *testing.T, name string, closed bool) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if closed {
		closeObjects(doc)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.AssertVocabs()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name) // against the draft's own schema too
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeObjects(doc any) {
	switch doc := doc.(type) {
	case map[string]any:
		for _, v := range doc {
			closeObjects(v)
		}
		if _, has := doc["properties"]; has && doc["type"] == "object" {
			doc["additionalProperties"] = false
		}
	case []any:
		for _, v := range doc {
			closeObjects(v)
		}
	}
}

func validate(s *jsonschema.Schema, text []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// What is published is what the code says now.
func TestSchemasAreCurrent(t *testing.T) {
	for _, f := range files {
		want, err := f.schema()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(f.name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the types are now, %v: run go generate ./docs/schema", f.name, err)
		}
		compiled(t, f.name, false)
	}
}

// Each member says what it is: itself, or by what it is of.
func TestMembersAreDescribed(t *testing.T) {
	for _, f := range files {
		text, err := os.ReadFile(f.name)
		if err != nil {
			t.Fatal(err)
		}
		type node struct {
			Description string
			Ref         string `json:"$ref"`
			Items       *node
			AnyOf       []node
			Properties  map[string]node
			Defs        map[string]node `json:"$defs"`
		}
		var root node
		if err := json.Unmarshal(text, &root); err != nil {
			t.Fatal(err)
		}
		var described func(n *node) bool
		described = func(n *node) bool {
			if n == nil {
				return false
			}
			of := root.Defs[strings.TrimPrefix(n.Ref, "#/$defs/")]
			return n.Description != "" || of.Description != "" || described(n.Items) ||
				len(n.AnyOf) > 0 && described(&n.AnyOf[0])
		}
		all := map[string]node{"": root}
		for name, of := range root.Defs {
			all[name] = of
			if of.Description == "" && !strings.HasPrefix(name, "fact.") {
				t.Errorf("%s: %s has no description", f.name, name)
			}
		}
		for name, of := range all {
			for member, m := range of.Properties {
				if !described(&m) && !strings.HasPrefix(name, "fact.Value.") {
					t.Errorf("%s: %s.%s has no description: comment its field, or say it in bounds.go", f.name, name,
						member)
				}
			}
		}
	}
}

// Every member that encoding/json writes of a type is in its schema, and with the type that it has there.
func TestEveryMemberIsInTheSchema(t *testing.T) {
	for _, f := range files {
		v := reflect.New(f.of).Elem()
		fill(v, 0)
		text, err := json.Marshal(v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if f.of == reflect.TypeFor[protocol.Entry]() { // which has one of its members
			var members map[string]json.RawMessage
			if err := json.Unmarshal(text, &members); err != nil {
				t.Fatal(err)
			}
			for name := range members {
				if name == "schema" || name == "time" {
					continue
				}
				one, _ := json.Marshal(map[string]any{"schema": 1, "time": members["time"], name: members[name]})
				if err := validate(compiled(t, f.name, true), one); err != nil {
					t.Errorf("%s: %s: %v", f.name, name, err)
				}
			}
			continue
		}
		if err := validate(compiled(t, f.name, true), text); err != nil {
			t.Errorf("%s: %v\n%.2000s", f.name, err, text)
		}
	}
}

// fill sets everything in v to what is not zero, and what a file may hold.
func fill(v reflect.Value, depth int) {
	if depth > 40 {
		return
	}
	switch v.Type() {
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(1, 0).UTC()))
		return
	case reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{"any":1}`))
		return
	case reflect.TypeFor[protocol.Prompts]():
		v.Set(reflect.ValueOf(protocol.Prompts{PerConcurrency: 10}))
		return
	case reflect.TypeFor[protocol.Order]():
		v.SetString(string(protocol.Latin))
		return
	case reflect.TypeFor[server.Configuration]():
		v.Set(reflect.ValueOf(server.Configuration{
			Name: "a", Runtime: "podman", Image: "a:b", Digest: "sha256:" + strings.Repeat("0", 64),
			Flags: []string{"--rm"}, Env: map[string]string{"A": "b"}, PassEnv: []string{"HF_TOKEN"},
			Command: []string{"serve"}, Model: "m", Revision: "r", Args: []string{"-x"}, Port: 8000,
		}))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.String:
		v.SetString("a")
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth+1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), depth+1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		of := reflect.New(v.Type().Elem()).Elem()
		fill(of, depth+1)
		v.SetMapIndex(reflect.ValueOf("a").Convert(v.Type().Key()), of)
	case reflect.Struct:
		for field, of := range v.Fields() {
			if field.IsExported() {
				fill(of, depth+1)
			}
		}
	}
}

// Every plan of ours is one by the schema, and what is none by the schema is none to the reader, with an error.
func TestPlans(t *testing.T) {
	s := compiled(t, "plan.schema.json", false)
	whole := protocol.MultiRun()
	whole.Order, whole.Objectives = protocol.Latin, []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 500}}
	whole.Budget, whole.LevelBudget = time.Hour, time.Minute
	whole.Retry = protocol.Retry{Times: 1, Causes: []string{protocol.WarnServerDied}}
	whole.Levels, whole.Seed = []int{1}, 1<<64-1
	plans := []protocol.Plan{
		protocol.MultiRun(), protocol.FineSweep(), protocol.ClientValidation(), protocol.MultiRun().Corrected(), whole,
	}
	for _, order := range protocol.Orders() {
		p := protocol.MultiRun()
		p.Order = order
		plans = append(plans, p)
	}
	for _, p := range plans {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(s, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	const good = `{"name":"x","runs":2,"input_tokens":1,"output_tokens":1,"levels":[1],"prompts":"10x","seed":1}`
	const least = `{"runs":2,"input_tokens":1,"output_tokens":1,"levels":[1],"prompts":"10x"}`
	retried := `{"retry":{"times":1,"causes":["server-died"]},` + least[1:]
	for _, text := range []string{good, least, retried} {
		_, err := protocol.ReadPlan(strings.NewReader(text))
		if invalid := validate(s, []byte(text)); err != nil || invalid != nil {
			t.Errorf("%s: %v, %v", text, err, invalid)
		}
	}
	for _, c := range []struct{ old, new string }{
		{`"runs"`, `"rums"`}, {`"runs":2`, `"runs":0`}, {`"runs":2`, `"runs":1001`},
		{`"runs":2`, `"runs":"2"`}, {`"runs":2,`, ``},
		{`"10x"`, `"x"`}, {`"10x"`, `"0"`}, {`"10x"`, `"-1"`}, {`"10x"`, `10`},
		{`[1]`, `[]`}, {`[1]`, `[1,1]`}, {`[1]`, `[0]`},
		{`[1]`, `[1.5]`}, {`[1]`, `[100001]`}, {`"seed":1`, `"seed":-1`},
		{`"seed":1`, `"order":"up"`}, {`"seed":1`, `"cooldown_ns":-1`},
		{`"seed":1`, `"cooldown_ns":86400000000001`}, {`"seed":1`, `"objectives":[{"metric":"ttft","limit":0}]`},
		{`"seed":1`, `"objectives":[{"metric":"","limit":1}]`}, {`"seed":1`, `"retry":{"times":1,"causes":[]}`},
		{`"seed":1`, `"retry":{"causes":["server-died"]}`},
		{`"seed":1`, `"retry":{"times":0,"causes":["server-died"]}`},
		{`"seed":1`, `"retry":{"times":1}`}, {`"seed":1`, `"retry":{"times":101,"causes":["server-died"]}`},
		{`"seed":1`, `"retry":{"times":1,"causes":["TTFT"]}`}, {`"seed":1`, `"warmup":-1`},
		{`"seed":1`, `"timeout_ns":-1`}, {`"seed":1`, `"warm_until_steady_ns":-1`},
		{`"seed":1`, `"budget_ns":-1`},
		{`"input_tokens":1`, `"input_tokens":10000001`}, {`"output_tokens":1`, `"output_tokens":0`},
	} {
		text := strings.Replace(good, c.old, c.new, 1)
		if err := validate(s, []byte(text)); err == nil {
			t.Errorf("%s is a plan by the schema", text)
		}
		if _, err := protocol.ReadPlan(strings.NewReader(text)); err == nil {
			t.Errorf("%s is a plan to the reader", text)
		}
	}
}

func TestConfigurations(t *testing.T) {
	s := compiled(t, "server.schema.json", false)
	read := func(text string) error {
		name := filepath.Join(t.TempDir(), "server.json")
		if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := server.ReadConfiguration(name)
		return err
	}
	digest := "sha256:" + strings.Repeat("a", 64)
	for _, text := range []string{
		`{"image":"vllm/vllm-openai:v0.11.0","model":"m"}`,
		`{"name":"x","runtime":"podman","image":"a/b:c","digest":"` + digest + `","flags":["--network=host"],"env":{"A":"b"},
			"pass_env":["HF_TOKEN"],"command":["vllm","serve"],
			"model":"m","revision":"main","args":["--max-model-len","4096"],"port":8000}`,
		`{"image":"a@` + digest + `","model":"m"}`,
	} {
		if schema, reader := validate(s, []byte(text)), read(text); schema != nil || reader != nil {
			t.Errorf("%s: %v, %v", text, schema, reader)
		}
	}
	for _, text := range []string{
		`{"model":"m"}`, `{"image":"a"}`, `{"image":"-rm","model":"m"}`,
		`{"image":"a","model":"--privileged"}`, `{"image":"a","model":""}`,
		`{"image":"a","model":"m","digest":"sha256:12"}`,
		`{"image":"a","model":"m","runtime":"lxc"}`, `{"image":"a","model":"m","port":65536}`,
		`{"image":"a","model":"m","port":"8000"}`, `{"image":"a","model":"m","name":"-x"}`,
		`{"image":"a","model":"m","arg":["x"]}`,
		`{"image":"a","model":"m","args":"x"}`, `{"image":"a","model":"m","env":["A=b"]}`, `[]`,
	} {
		if schema, reader := validate(s, []byte(text)), read(text); schema == nil || reader == nil {
			t.Errorf("%s: schema says %v, reader %v", text, schema, reader)
		}
	}
}

// Environments as they are written, of the hosts whose trees are shipped, are environments by the schema.
func TestEnvironments(t *testing.T) {
	s := compiled(t, "environment.schema.json", true)
	names, err := filepath.Glob("../../envinfo/testdata/shipped-*.json")
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	var one []byte
	for _, name := range names {
		if strings.HasSuffix(name, "-state.json") { // of the moment, and no environment
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(s, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		one = text
	}
	here, err := envinfo.Capture(t.Context(), envinfo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(here)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(s, text); err != nil {
		t.Error(err)
	}
	open := compiled(t, "environment.schema.json", false)
	for _, change := range []func(map[string]any){
		func(e map[string]any) { delete(e, "schema") },
		func(e map[string]any) { e["live"] = map[string]any{"value": true} }, // no source
		func(e map[string]any) {
			e["live"] = map[string]any{"value": true, "source": "x", "unknown": "permission"}
		}, // both
		func(e map[string]any) { e["live"] = map[string]any{} }, // neither
		func(e map[string]any) { e["live"] = map[string]any{"value": "yes", "source": "x"} },
		func(e map[string]any) { e["live"] = true },
		func(e map[string]any) { e["software"] = "ROCm" },
	} {
		var e map[string]any
		if err := json.Unmarshal(one, &e); err != nil {
			t.Fatal(err)
		}
		change(e)
		text, _ := json.Marshal(e)
		if err := validate(open, text); err == nil {
			t.Errorf("an environment with %v is one", fmt.Sprint(e["live"]))
		}
	}
}
