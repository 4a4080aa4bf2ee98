package openai_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A client makes what a level sends from the level's seed and lengths: other content at another seed, and the level's
// lengths where it has none of its own; in text where the endpoint takes no token ids.
func TestClientMakesEachLevel(t *testing.T) {
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	tree := func(s workload.Spec) (workload.Workload, error) {
		return workload.Tree{Seed: s.Seed, Levels: []workload.TreeLevel{{Tokens: 4, Branches: 1}},
			Own: workload.Fixed(float64(s.Input)), Output: workload.Fixed(float64(s.Output))}, nil
	}
	file, err := workload.ReadTalks(strings.NewReader(strings.Repeat(
		`{"messages":[{"role":"user","content":"a"}]}`+"\n"+`{"messages":[{"role":"user","content":"b"}]}`+"\n", 20)),
		workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client func() *openai.Client
		is     func(workload.Description) bool
	}{
		"talks": {func() *openai.Client { return &openai.Client{Talks: &workload.Talks{Turns: workload.Fixed(2)}} },
			func(d workload.Description) bool {
				return d.Endpoint == "chat" && d.Sessions.Input == "9" && d.Sessions.Output == "3"
			}},
		"conversations": {func() *openai.Client {
			return &openai.Client{Conversations: func(s workload.Spec) (workload.Conversations, error) {
				f := file.Shuffled(s.Seed)
				f.Output = workload.Fixed(float64(s.Output))
				return f, nil
			}}
		}, func(d workload.Description) bool { return d.Endpoint == "chat" && d.Sessions.Output == "3" }},
		"a length of its own": {func() *openai.Client {
			return &openai.Client{Lengths: workload.Lengths{Output: workload.Fixed(2)}}
		}, func(d workload.Description) bool {
			return d.Lengths == "input 9, output 2" && d.Endpoint == "completions"
		}},
		"token ids": {func() *openai.Client { return &openai.Client{Workload: tree} },
			func(d workload.Description) bool { return d.Prompts == workload.TokenIDs }},
		"the same as text": {func() *openai.Client { return &openai.Client{Workload: tree, Text: true} },
			func(d workload.Description) bool { return d.Prompts == workload.Words }},
		"the same by chat": {func() *openai.Client {
			return &openai.Client{Workload: tree, Config: openai.Config{Endpoint: openai.Chat}}
		}, func(d workload.Description) bool { return d.Prompts == workload.Words && d.Endpoint == "chat" }},
		"images": {func() *openai.Client {
			return &openai.Client{Workload: tree, Media: func(s workload.Spec) (workload.Media, error) {
				return workload.MakeImages(s.Seed, 2, 8, 8, "png")
			}}
		}, func(d workload.Description) bool { return d.Endpoint == "chat" && d.Media.Number == 2 }},
	} {
		client := c.client()
		prints := map[string]bool{}
		for _, seed := range []uint64{1, 2, 1} {
			made, err := client.Target(t.Context(), server.URL, workload.Spec{Input: 9, Output: 3, Seed: seed})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			target := made.(*openai.Target)
			if sent := target.Sent(); !c.is(sent) {
				t.Errorf("%s: %s", name, sent)
			}
			prints[target.Fingerprint()] = true
			if err := target.Close(); err != nil {
				t.Error(err)
			}
		}
		if len(prints) != 2 {
			t.Errorf("%s: levels of two seeds have %d contents", name, len(prints))
		}
		sent, err := client.Validate(server.URL, workload.Spec{Input: 9, Output: 3, Seed: 1})
		if err != nil || !c.is(*sent) {
			t.Errorf("%s: %v, %v", name, sent, err)
		}
	}
}
