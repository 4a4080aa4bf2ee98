package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
	"github.com/servegauge/servegauge/protocol"
)

// sourceless is a value that lacks its source, as the tests write them for brevity.
var sourceless = regexp.MustCompile(`("value": [^{}]*"scope": "\w+")}`)

// environment is one as it is read from a file, of which only what is given is known.
func environment(t *testing.T, members string) *envinfo.Environment {
	t.Helper()
	var e envinfo.Environment
	if err := json.Unmarshal([]byte("{"+sourceless.ReplaceAllString(members, `$1, "source": "a test"}`)+"}"),
		&e); err != nil {
		t.Fatal(err)
	}
	return &e
}

// measured is an experiment with something for each section of the page.
func measured(t *testing.T, levels []int, prompts protocol.Prompts) *protocol.Experiment {
	t.Helper()
	e := experiment(levels, prompts)
	e.Tool, e.Time = "servegauge v0.1.0", time.Date(2026, 3, 11, 9, 30, 0, 0, time.UTC)
	plan := protocol.Plan{
		Name: "mine", Runs: 3, Restart: true, Cooldown: time.Minute, Warmup: 10, Input: 256, Output: 64, Levels: levels,
		Prompts: prompts, Seed: 42, Objectives: []loadgen.Objective{{Metric: loadgen.TTFT, Limit: 100}},
	}
	e.Design, _ = json.Marshal(plan)
	e.Environment = environment(t, `"host": {"cpu_model": {"value": "AMD EPYC 9575F", "scope": "host"}, "cpu_threads": {"value": 128, "scope": "host"},
		"bios": {}, "kernel": {"value": "6.8.0", "scope": "host"}, "microcode": {"unknown": "/proc/cpuinfo: no microcode", "scope": "host"}}`)
	gpu := `{"model": {"value": "AMD Instinct MI325X", "scope": "host"}}`
	served := environment(t, `"host": {"cpu_model": {"value": "AMD EPYC 9575F", "scope": "host"}}, "amd": {"count": {"value": 2, "scope": "host"}, "cards": [`+gpu+","+gpu+`]},
		"server": {"version": {"value": "0.14.1", "scope": "server"}, "models": [{"id": {"value": "llama", "scope": "server"},
			"root": {"value": "meta-llama/Llama", "scope": "server"}, "max_model_len": {"value": 8192, "scope": "server"}}],
			"facts": [{"name": "block_size", "value": {"value": "16", "scope": "server"}}]},
		"model": {"revision": {"value": "be673f326cab", "scope": "host"}}`)
	for run := 1; run <= 3; run++ {
		e.Starts = append(e.Starts, protocol.Start{Run: run, Instance: fmt.Sprint(run), URL: "http://10.0.0.7:8000",
			Server: served,
			Asked:  json.RawMessage(`["vllm","serve","llama"]`)})
	}
	e.Clients = []protocol.ClientCheck{{Time: e.Time, Concurrency: 64, Input: 256, Output: 64, Requests: 900,
		Chunks: 70000,
		Errors: []loadgen.Figure{{Name: "ttft_error_p99", Unit: "ms", Value: 0.4}}}}
	for i := range e.Measurements {
		m := &e.Measurements[i]
		m.Models = []string{"llama"}
		m.Readings = []protocol.Reading{
			{Name: "server", Figures: []loadgen.Figure{
				{Name: "server_waiting_mean", Unit: "requests", Value: 2},
				{Name: "server_kv_usage_mean", Unit: "%", Value: 40},
				{Name: "server_kv_usage_peak", Unit: "%", Value: 91},
				{Name: "server_ttft_mean", Unit: "ms", Value: 9}}},
			{Name: "gpus", Error: "no GPU can be read: permission denied"},
		}
	}
	e.Workload = &workload.Description{Endpoint: "completions", Prompts: workload.TokenIDs}
	return e
}

func subjectOf(e *protocol.Experiment) Subject {
	return Subject{Experiment: e, Analysis: protocol.Analyze(e), Charts: []Chart{{
		Name: "throughput", Title: "Throughput", Place: PlaceResults,
		Drawings: []Drawing{{SVG: "<svg>log</svg>", Scale: "log", Basis: "total"}, {SVG: "<svg>gpu</svg>",
			Scale: "linear", Basis: "gpu", Narrow: true}},
		Data: Table{Head: []string{"x"}, Rows: [][]Cell{{{Text: "1", Number: 1, Is: true}}}},
	}}}
}

func rendered(t *testing.T, write func(io.Writer, ...Subject) error, subjects ...Subject) string {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, subjects...); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGoldenPages(t *testing.T) {
	e := measured(t, []int{1, 4, 16, 32}, protocol.Prompts{Count: 20})
	for name, write := range map[string]func(io.Writer, ...Subject) error{"page.html": HTML, "page.md": Markdown} {
		page := rendered(t, write, subjectOf(e))
		if again := rendered(t, write, subjectOf(e)); again != page {
			t.Errorf("%s: the same experiment gives other bytes", name)
		}
		// The style and the script are files of their own.
		page = strings.Replace(strings.Replace(page, pageStyle, "STYLE", 1), pageScript, "SCRIPT", 1)
		page = strings.Replace(page, policy, "POLICY", 1)
		golden(t, name, []byte(page))
	}
	after := measured(t, []int{1, 4, 16, 32}, protocol.Prompts{PerConcurrency: 10})
	golden(t, "pages.md", []byte(rendered(t, Markdown, subjectOf(e), Subject{Name: "after", Experiment: after})))
}

// The page has the methodology page's sections in its order, then its own, and each section is reached by a link.
func TestSections(t *testing.T) {
	subject := subjectOf(measured(t, []int{1, 4, 16}, protocol.Prompts{PerConcurrency: 10}))
	subject.Analysis.Findings = []protocol.Finding{{Name: "knee", Answer: "(4, 16]", Reason: "measured"}}
	subject.Analysis.Points[0].Audits = []protocol.RunAudit{{Run: 1}}
	page := rendered(t, HTML, subject)
	at := 0
	for _, p := range pageParts {
		i := strings.Index(page[at:], `<section id="`+p.id+`">`)
		if i < 0 {
			t.Fatalf("section %s is not there, or not in its place", p.id)
		}
		at += i
		if !strings.Contains(page, `<a href="#`+p.id+`">`) {
			t.Errorf("no link leads to %s", p.id)
		}
	}
	for _, question := range []string{"How fast is it?", "How sure is that?", "What limits it?", "Can I trust it?"} {
		if !strings.Contains(page[:strings.Index(page, "<nav")], question) {
			t.Errorf("%q is not on the first screen", question)
		}
	}
}

// Every link within a page leads somewhere, and no two things have one anchor; also with several subjects.
func TestAnchors(t *testing.T) {
	one := subjectOf(measured(t, []int{1, 4, 16}, protocol.Prompts{PerConcurrency: 10}))
	for _, subjects := range [][]Subject{{one}, {one, subjectOf(measured(t, []int{1, 4, 64},
		protocol.Prompts{Count: 20}))}} {
		page := rendered(t, HTML, subjects...)
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if ids[m[1]] {
				t.Errorf("%d subjects: two things are called %s", len(subjects), m[1])
			}
			ids[m[1]] = true
		}
		for _, m := range regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if !ids[m[1]] {
				t.Errorf("%d subjects: a link leads to %s, which is not there", len(subjects), m[1])
			}
		}
		if len(ids) < 20 || !ids[Prefix(0, len(subjects))+"level-concurrency-16"] {
			t.Errorf("%d subjects: anchors %v", len(subjects), ids)
		}
	}
}

// What is loaded is in the page: there is nothing in it that a browser would fetch.
func TestNoNetwork(t *testing.T) {
	page := rendered(t, HTML, subjectOf(measured(t, []int{1, 4, 16}, protocol.Prompts{PerConcurrency: 10})))
	for _, tag := range []string{"<link", "<img", "<iframe", "@import", "url(", "fetch(", "XMLHttp", "src="} {
		if strings.Contains(page, tag) {
			t.Errorf("the page has %s", tag)
		}
	}
	if !strings.Contains(page, "default-src &#39;none&#39;") && !strings.Contains(page, "default-src 'none'") {
		t.Error("no policy keeps the page from the network")
	}
}

// planted is what somebody may call a model, who wishes the reader ill.
const planted = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>[x](javascript:alert(1)) " +
	"![y](http://evil.example/z) `a` | b\x1b[31m\u202e\n# =cmd|' /C calc'!A0"

// Whatever came from outside is text, in every place that it can come from.
func TestHostileTexts(t *testing.T) {
	plant := func() *protocol.Experiment {
		e := measured(t, []int{1, 4, 16, 32}, protocol.Prompts{Count: 20})
		quoted, _ := json.Marshal(planted)
		h := string(quoted)
		e.Tool, e.Error, e.Complete, e.Shortened = planted, planted, false, planted
		e.Design = json.RawMessage(strings.Replace(string(e.Design), `"mine"`, h, 1))
		value := `{"value": ` + h + `, "scope": "host"}`
		unknown := `{"unknown": ` + h + `, "scope": "host"}`
		env := `"host": {"cpu_model": ` + value + `, "kernel": ` + value + `, "distribution": ` + value + `, "hostname": ` + value + `, "microcode": ` + unknown + `},
			"software": [{"name": ` + h + `, "version": ` + value + `}, {"name": "b", "version": ` + unknown + `}],
			"amd": {"count": {"value": 1, "scope": "host"}, "cards": [{"model": ` + value + `}]},
			"containers": [{"image": ` + value + `, "command": ` + value + `, "environment": [{"name": ` + h + `, "value": ` + value + `}]}],
			"server": {"version": ` + value + `, "engine": ` + value + `, "models": [{"id": ` + value + `, "root": ` + value + `, "max_model_len": {"value": 5, "scope": "server"}}],
				"facts": [{"name": ` + h + `, "value": ` + value + `}]},
			"model": {"revision": ` + value + `}`
		e.Environment = environment(t, env)
		for i := range e.Starts {
			e.Starts[i].URL, e.Starts[i].Asked, e.Starts[i].Server = "http://"+planted, quoted, environment(t, env)
			e.Starts[i].Warnings = []loadgen.Warning{{Code: planted, Message: planted}}
		}
		e.Clients[0].Error = planted
		e.Workload.Headers, e.Workload.Body, e.Workload.Prompts = []string{planted}, quoted, planted
		for i := range e.Measurements {
			m := &e.Measurements[i]
			m.Models, m.Step.Arm = []string{planted}, planted
			m.Result.Errors = []loadgen.ErrorCount{{Class: "http", Count: 1, Example: planted}}
			m.Result.Warnings = append(m.Result.Warnings, loadgen.Warning{Code: planted, Message: planted,
				Spoils: []string{planted}})
			m.Readings[1].Name, m.Readings[1].Error = planted, planted
			m.Readings[0].Warnings = []loadgen.Warning{{Code: "x", Message: planted}}
		}
		return e
	}
	one, two := subjectOf(plant()), subjectOf(plant())
	two.Name = planted
	for _, subjects := range [][]Subject{{one}, {one, two}} {
		page := rendered(t, HTML, subjects...)
		for _, wrong := range []string{"<script>alert", "<img", "onerror=alert(1)>\"", "\x1b", "\u202e",
			"javascript:alert(1)\""} {
			if strings.Contains(page, wrong) {
				t.Errorf("HTML of %d has %q", len(subjects), wrong)
			}
		}
		if n := strings.Count(page, "&lt;script&gt;"); n < 20 {
			t.Errorf("HTML of %d: the text is seen in %d places only: it was planted in more", len(subjects), n)
		}
		marked := rendered(t, Markdown, subjects...)
		for _, wrong := range []string{"<script", "<img", "\x1b", "\u202e", "\n# =", "://"} {
			if i := strings.Index(marked, wrong); i >= 0 && !indentedAt(marked, i) {
				t.Errorf("Markdown of %d has %q: %q", len(subjects), wrong, marked[max(0, i-80):i+40])
			}
		}
		if link := regexp.MustCompile(`[^\\]\]\([^)]*`).FindAllString(withoutCode(marked),
			-1); len(link) != strings.Count(marked, "throughput.svg)") {
			t.Errorf("Markdown of %d has links that are no chart's: %q", len(subjects), link)
		}
		tableRows(t, marked)
	}
}

func withoutCode(text string) string {
	return regexp.MustCompile(`(?m)^    .*$`).ReplaceAllString(text, "")
}

// indentedAt is whether a place is in a block of code, in which nothing means anything.
func indentedAt(text string, at int) bool {
	line := text[strings.LastIndexByte(text[:at], '\n')+1:]
	return strings.HasPrefix(line, "    ")
}

// tableRows holds that each row of a Markdown table has as many cells as its head.
func tableRows(t *testing.T, text string) {
	t.Helper()
	cells := regexp.MustCompile(`(^|[^\\])\|`)
	want, rows := 0, 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			want = 0
			continue
		}
		n := len(cells.FindAllString(strings.ReplaceAll(line, "||", "| |"), -1))
		if want == 0 {
			want = n
		}
		if rows++; n != want {
			t.Errorf("a row of %d cells under a head of %d: %s", n, want, line)
		}
	}
	if rows < 10 {
		t.Errorf("%d rows of tables", rows)
	}
}

// A page of nothing, and of what only the analysis is known, is a page.
func TestPageOfLittle(t *testing.T) {
	empty := &protocol.Experiment{}
	for name, subjects := range map[string][]Subject{
		"none": nil, "empty": {{Experiment: empty}},
		"analysis alone": {{Analysis: analysis(protocol.Prompts{Count: 20})}},
		"two of nothing": {{Experiment: empty},
			{}}, "a start": {{Experiment: &protocol.Experiment{Starts: []protocol.Start{{}}}}},
	} {
		for _, write := range []func(io.Writer, ...Subject) error{HTML, Markdown} {
			if page := rendered(t, write, subjects...); len(page) < 20 || strings.Contains(page, "NaN") ||
				strings.Contains(page, "%!(") {
				t.Errorf("%s: %.200s", name, page)
			}
			if err := write(full{}, subjects...); !errors.Is(err, errFull) {
				t.Errorf("%s: a full disk is %v", name, err)
			}
		}
	}
}

// What must not be used is marked wherever it stands, and its flags are beside it.
func TestFlagsBesideNumbers(t *testing.T) {
	a := analysis(protocol.Prompts{Count: 20})
	s := newSubject(Subject{Experiment: experiment([]int{1, 4, 16, 32, 64}, protocol.Prompts{Count: 20}), Analysis: a})
	marked := 0
	for _, row := range s.across(loadgen.TotalThroughput).Rows {
		p, err := a.Point(protocol.Load{Concurrency: int(row[0].Number)})
		if err != nil {
			t.Fatal(err)
		}
		_, spoiled := p.Figure(loadgen.TotalThroughput)
		if row[1].Bad != (spoiled != nil) || (row[1].Flag == "") != (spoiled == nil) ||
			(row[len(row)-1].Text == "none") != (spoiled == nil) {
			t.Errorf("%v: %+v, flags %q; %v", p.Load, row[1], row[len(row)-1].Text, spoiled)
		}
		if row[1].Bad {
			marked++
		}
	}
	if marked == 0 {
		t.Error("no level of the example is spoiled: this test holds nothing")
	}
}

// GPUs are those that the engine uses, where it says so.
func TestCountGPUs(t *testing.T) {
	card := `{"model": {"value": "MI325X", "scope": "host"}}`
	cards := `"amd": {"cards": [` + strings.Repeat(card+",", 7) + card + `]}`
	for name, c := range map[string]struct {
		server string
		want   GPUs
	}{
		"all": {cards, GPUs{8, "8 × MI325X"}},
		"four": {cards + `, "containers": [{"engine": {"tensor_parallel_size": {"value": 4, "scope": "server"}}}]`,
			GPUs{4, "4 of 8 × MI325X"}},
		"two by 2": {cards + `, "containers": [{"engine": {"tensor_parallel_size": {"value": 2, "scope": "server"}, "data_parallel_size": {"value": 2, "scope": "server"}}}]`, GPUs{4, "4 of 8 × MI325X"}},
		"nvidia":   {`"nvidia": {"cards": [{"model": {"value": "H100", "scope": "host"}}]}`, GPUs{1, "1 × H100"}},
		"nothing":  {`"schema": 1`, GPUs{}},
	} {
		e := &protocol.Experiment{Starts: []protocol.Start{{URL: "http://10.1.1.1", Server: environment(t, c.server)}}}
		if got := CountGPUs(e); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	// What the client's machine has is not the server's, where that is another.
	e := &protocol.Experiment{Environment: environment(t, cards), Starts: []protocol.Start{{URL: "http://10.1.1.1"}}}
	if got := CountGPUs(e); got != (GPUs{}) {
		t.Errorf("another machine's: %+v", got)
	}
}
