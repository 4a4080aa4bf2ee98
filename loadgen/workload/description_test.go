package workload_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// Workloads say what they are made of, as data and in words.
func ExampleDescribe() {
	w := workload.RandomTokens{Seed: 1, Input: 2048, Output: 512, Prefix: 1024, Prefixes: 4}
	d := workload.Describe(w)
	d.Endpoint = "completions" // a target says the rest
	fmt.Println(d)
	// Output: completions, streamed; random token ids; the first 1024 tokens one of 4 prefixes
}

// own is a program's own workload, which says nothing of itself.
type own struct{}

func (own) Prompt(int, *workload.Prompt) error { return nil }

func TestDescribe(t *testing.T) {
	calibration := &workload.Calibration{Words: []string{"a"}, Overhead: 1}
	for _, test := range []struct {
		w     workload.Workload
		want  workload.Description
		words string
	}{
		{workload.RandomTokens{Input: 3, Output: 1},
			workload.Description{Prompts: workload.TokenIDs, InputIn: "tokens", IDs: []int{1000, 3999}},
			"streamed; random token ids"},
		{workload.RandomTokens{Input: 3, InputMax: 5, Output: 1, OutputMax: 2, Low: 5, High: 6},
			workload.Description{Prompts: workload.TokenIDs, InputIn: "tokens", InputMax: 5, OutputMax: 2,
				IDs: []int{5, 5}}, "streamed; random token ids"},
		{workload.RandomWords{Input: 3, Output: 1, Prefix: 2},
			workload.Description{Prompts: workload.Words, InputIn: "words", Prefix: 2},
			"streamed; random words, as many as there should be tokens; the first 2 words the same in all prompts " +
				"of a level"},
		{workload.RandomWords{Input: 3, Output: 1, Calibration: calibration},
			workload.Description{Prompts: workload.Words, InputIn: "tokens"},
			"streamed; random words of one token each"},
		{own{}, workload.Description{Prompts: "workload_test.own"}, "streamed; workload_test.own"},
	} {
		got := workload.Describe(test.w)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%+v: −want +got:\n%s", test.w, diff)
		}
		if got.String() != test.words {
			t.Errorf("%+v: %q, want %q", test.w, got, test.words)
		}
	}
}

// The hash is that of the file, down to its last byte, however it is read.
func TestDatasetIsDescribedByItsBytes(t *testing.T) {
	for _, file := range []string{"{\"prompt\":\"a\"}", "\ufeff{\"prompt\":\"a\"}\r\n\r\n",
		strings.Repeat("{\"prompt\":\"a\"}\n", 5000) + " \n\n"} {
		d, err := workload.ReadDataset(iotest.HalfReader(strings.NewReader(file)), workload.DatasetLimits{})
		if err != nil {
			t.Fatal(err)
		}
		d.Name = "a.jsonl"
		sum := sha256.Sum256([]byte(file))
		want := &workload.File{Name: "a.jsonl", SHA256: hex.EncodeToString(sum[:]), Prompts: d.Len()}
		if diff := cmp.Diff(want, workload.Describe(d.Shuffled(3)).File); diff != "" {
			t.Errorf("%.20q: −want +got:\n%s", file, diff)
		}
	}
}

// Bodies are as the lines of a file are, and have none.
func TestBodies(t *testing.T) {
	d, err := workload.Bodies(json.RawMessage(`{"prompt":"a","stream":true}`),
		json.RawMessage(`{"model":"b","max_tokens":4,"ignore_eos":true}`))
	if err != nil || d.Len() != 2 {
		t.Fatalf("%d, %v", d.Len(), err)
	}
	if got := prompt(t, d, 1); string(got.Body) != `{"max_tokens":4,"ignore_eos":true}` || got.Model != "b" ||
		got.Output != 4 {
		t.Errorf("%+v", got)
	}
	n := 0
	for line, p := range d.All() {
		if n++; line != n || len(p.Body) == 0 {
			t.Errorf("line %d: %+v", line, p)
		}
	}
	if file := workload.Describe(d).File; n != 2 || file.SHA256 != "" || file.Prompts != 2 {
		t.Errorf("%d prompts, %+v", n, file)
	}
	for range d.All() {
		break
	}
	_, err = workload.Bodies(json.RawMessage(`{}`), json.RawMessage(`[]`))
	if e, ok := errors.AsType[*workload.DatasetError](err); !ok || e.Line != 2 {
		t.Errorf("%v", err)
	}
}

// Words to try are each there once, and nobody can change them.
func TestCommonWords(t *testing.T) {
	seen := map[string]bool{}
	for _, word := range workload.CommonWords() {
		if seen[word] || strings.TrimSpace(word) != word || word == "" {
			t.Errorf("%q", word)
		}
		seen[word] = true
	}
	workload.CommonWords()[0] = "changed"
	if workload.CommonWords()[0] == "changed" {
		t.Error("the words can be changed")
	}
}
