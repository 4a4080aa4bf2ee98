package openai_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// What answers look like is counted without any request more, streamed and whole.
func TestTexts(t *testing.T) {
	text := func(s string) http.Handler {
		return answers(func(w http.ResponseWriter, r *http.Request) {
			sends(w, `data: {"choices":[{"text":"`+s+`"}]}`+"\n\n"+`data: {"choices":[{"text":"","finish_reason":"stop"}]}`+
				"\n\n"+`data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":1}}`+"\n\ndata: [DONE]\n\n")
		})
	}
	whole := answers(func(w http.ResponseWriter, r *http.Request) {
		sends(w, `{"choices":[{"text":" a\ufffd","finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}`)
	})
	const said = `{"type":"response.output_text.delta","delta":" a\ufffd"}`
	response := answers(func(w http.ResponseWriter, r *http.Request) {
		sends(w, "data: "+said+"\n\ndata: "+said+"\n\n"+`data: {"type":"response.completed","response":{"status":"completed",`+
			`"output":[{"type":"message","content":[{"type":"output_text","text":" a\ufffd a\ufffd"}]}],`+
			`"usage":{"input_tokens":7,"output_tokens":3}}}`+"\n\n")
	})
	wholeResponse := answers(func(w http.ResponseWriter, r *http.Request) {
		sends(w, `{"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":" a\ufffd"}]}],`+
			`"usage":{"input_tokens":7,"output_tokens":3}}`)
	})
	words := workload.RandomWords{Seed: 1, Input: 7, Output: 5}
	for _, c := range []struct {
		name    string
		server  http.Handler
		config  openai.Config
		want    loadgen.Texts // but for Repeats and SquaredOutput
		repeats int           // of the first 16
	}{
		{"each its own", &loadgentest.Greedy{Model: "m"}, openai.Config{}, loadgen.Texts{Texts: 20}, 0},
		{"all the same", text(" a"), openai.Config{}, loadgen.Texts{Texts: 20, Short: 20, OneToken: 20}, 15},
		{"the same to one prompt", text(" a"), openai.Config{Workload: sameAgain{}},
			loadgen.Texts{Texts: 20, Short: 20, OneToken: 20}, 0},
		{"U+FFFD", text(" a\ufffd"), openai.Config{}, loadgen.Texts{Texts: 20, Short: 20, OneToken: 20, Replaced: 20},
			15},
		{"U+FFFD, escaped", text(` a\uFFFD`), openai.Config{},
			loadgen.Texts{Texts: 20, Short: 20, OneToken: 20, Replaced: 20}, 15},
		{"others beyond ASCII", text(` ａ\u00ff\\ufffe`), openai.Config{},
			loadgen.Texts{Texts: 20, Short: 20, OneToken: 20}, 15},
		{"nothing", text(""), openai.Config{}, loadgen.Texts{Short: 20, OneToken: 20}, -1},
		{"responses", response, openai.Config{Endpoint: openai.Responses, Workload: words},
			loadgen.Texts{Texts: 20, Short: 20, Replaced: 20}, 15},
		{"a whole response", wholeResponse, openai.Config{Endpoint: openai.Responses, Workload: words, Whole: true},
			loadgen.Texts{Texts: 20, Short: 20, Replaced: 20}, 15},
		{"whole", whole, openai.Config{Whole: true}, loadgen.Texts{Texts: 20, Short: 20, Replaced: 20}, 15},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.config.URL = serve(t, c.server).URL
			r, _ := measure(t, loadgen.Level{Concurrency: 2, Requests: 20, Warmup: 2}, newTarget(t, c.config))
			got := r.Texts
			got.Repeats, got.SquaredOutput = nil, 0
			if got.Texts != c.want.Texts || got.Short != c.want.Short || got.OneToken != c.want.OneToken ||
				got.Replaced != c.want.Replaced {
				t.Errorf("%+v, want %+v", r.Texts, c.want)
			}
			repeats := -1
			for _, s := range r.Texts.Repeats {
				if s.Of == 16 {
					repeats = s.Count
				}
			}
			if repeats != c.repeats {
				t.Errorf("%d of the first 16 were another's, want %d", repeats, c.repeats)
			}
		})
	}
}

// sameAgain asks the same each time.
type sameAgain struct{}

func (sameAgain) Prompt(_ int, p *workload.Prompt) error {
	p.Text, p.Input, p.Output = "again", 7, 5
	return nil
}

// The same answer in other chunks is the same answer.
func TestDigestIsOfTheTextAndNotOfItsChunks(t *testing.T) {
	hashes := map[uint64]bool{}
	for _, chunks := range []string{`" a"`, `" ","a"`, `"","  a"`} {
		body := ""
		for _, text := range strings.Split(chunks, ",") {
			body += `data: {"choices":[{"text":` + text + `}]}` + "\n\n"
		}
		server := serve(t, answers(func(w http.ResponseWriter, r *http.Request) { sends(w, body+"data: [DONE]\n\n") }))
		hashes[measureOne(t, newTarget(t, openai.Config{URL: server.URL})).Text] = true
	}
	if len(hashes) != 2 { // the last has a space more
		t.Errorf("%d hashes", len(hashes))
	}
}
