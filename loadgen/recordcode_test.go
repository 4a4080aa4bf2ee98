package loadgen

import (
	"reflect"
	"testing"
	"time"
)

// Whatever a record says arrives on the other machine, also what is added to it one day: but for hashes, which only one
// process understands.
func TestRecordsTravelWhole(t *testing.T) {
	local := map[string]bool{"Prompt": true, "Text": true}
	var sent Record
	sent.reset(0, false, time.Now())
	v := reflect.ValueOf(&sent).Elem()
	for i := range v.NumField() {
		field, f := v.Type().Field(i), v.Field(i)
		if !field.IsExported() || local[field.Name] {
			continue
		}
		switch f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(1000 + i))
		case reflect.String:
			f.SetString(field.Name)
		default:
			t.Fatalf("%s is of a kind that this test does not know", field.Name)
		}
	}
	sent.Prompt, sent.Text = 1, 2
	sent.Chunk(Chunk{Seen: time.Hour, Tokens: 3})
	text, err := sent.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	var got Record
	if err := got.UnmarshalBinary(text); err != nil {
		t.Fatal(err)
	}
	w := reflect.ValueOf(&got).Elem()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		switch want := v.Field(i); {
		case !field.IsExported():
		case local[field.Name] && !w.Field(i).IsZero():
			t.Errorf("%s is %v, though it means nothing here", field.Name, w.Field(i))
		case !local[field.Name] && !w.Field(i).Equal(want):
			t.Errorf("%s is %v, want %v", field.Name, w.Field(i), want)
		}
	}
	for n := range text {
		if err := new(Record).UnmarshalBinary(text[:n]); err == nil {
			t.Fatalf("%d of %d bytes are a record", n, len(text))
		}
	}
}
