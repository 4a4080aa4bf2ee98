package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

// What an experiment was there to find out stands before all else, and the picture of it beside the answers, once.
func TestFirstScreen(t *testing.T) {
	e := measured(t, []int{1, 4, 16}, protocol.Prompts{PerConcurrency: 10})
	s := subjectOf(e)
	s.Analysis.Findings = []protocol.Finding{{Name: "largest load with <b>", Answer: "concurrency 13: surely", Reason: "because"}}
	page := rendered(t, HTML, s)
	at := -1
	for _, want := range []string{"What was asked?", "Concurrency 13<", "largest load with &lt;b&gt;", "How fast is it?",
		`<figure id="chart-throughput">`, `aria-label="Sections"`, "at the top of this page"} {
		next := strings.Index(page, want)
		if next <= at {
			t.Errorf("%q is at %d, want it after %d", want, next, at)
		}
		at = next
	}
	if n := strings.Count(page, `id="chart-throughput"`); n != 1 {
		t.Errorf("the first chart is there %d times", n)
	}
	if md := rendered(t, Markdown, s); strings.Count(md, "](throughput.svg)") != 1 ||
		strings.Index(md, "](throughput.svg)") > strings.Index(md, "\n## ") {
		t.Errorf("Markdown has the chart elsewhere:\n%.1500s", md)
	}
	knee := protocol.Finding{Name: "saturation knee", Answer: s.Analysis.Knee.String()}
	short := protocol.Finding{Name: "most", Answer: "concurrency 13"}
	with := func(f protocol.Finding) string {
		return rendered(t, HTML, Subject{Experiment: e, Analysis: withFindings(s.Analysis, f)})
	}
	if strings.Contains(with(knee), "What was asked?") || !strings.Contains(with(short), ">most.<") {
		t.Error("the knee, or a short answer, is told twice")
	}
	for range mostAsked {
		s.Analysis.Findings = append(s.Analysis.Findings, s.Analysis.Findings[0])
	}
	if page := rendered(t, HTML, s); !strings.Contains(page, "5 answers") || !strings.Contains(page, "1 more, and what decided each") {
		t.Error("five findings are not counted")
	}
	// Of several experiments each has its own charts in its sections.
	if page := rendered(t, HTML, subjectOf(e), subjectOf(e)); strings.Contains(page, "at the top of this page") {
		t.Error("a page of two has one chart at its top")
	}
}

func withFindings(a *protocol.Analysis, f ...protocol.Finding) *protocol.Analysis {
	b := *a
	b.Findings = f
	return &b
}

// A check of the client answers for the client: no throughput of a server is looked for, and none is missed.
func TestFirstScreenOfAClientCheck(t *testing.T) {
	e := measured(t, []int{1, 4, 16}, protocol.Prompts{PerConcurrency: 10})
	plan := protocol.ClientValidation().Corrected()
	e.Design, _ = json.Marshal(plan)
	e.Clients = nil
	page := rendered(t, HTML, subjectOf(e))
	for _, want := range []string{"At least ", " requests/s</p>", "the client can sustain at least", "The client, sooner or later"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not there", want)
		}
	}
	if strings.Contains(page, "was not measured") {
		t.Error("it says that the client was not measured")
	}
}

func TestGlue(t *testing.T) {
	for text, want := range map[string]string{
		"± 7.3 %":                     "±_7.3_%",
		"p99 78.7! ms; TPOT p50 1.99": "p99 78.7!_ms; TPOT p50 1.99",
		"at least 11.4 × what":        "at least 11.4_× what",
		"5 of 6 levels":               "5 of 6 levels",
		"33,204 tok/s, over 3 seeds":  "33,204_tok/s, over 3 seeds",
	} {
		if got := strings.ReplaceAll(glue(text), "\u00a0", "_"); got != want {
			t.Errorf("glue(%q) = %q, want %q", text, got, want)
		}
	}
}

// Numbers have three digits that count, and what is around them ends where they do.
func TestSized(t *testing.T) {
	for x, want := range map[float64]string{33204.2: "33,204", 100: "100", 45.92: "45.9", 8.876: "8.88", 0.9237: "0.924",
		0.0264: "0.0264", 0: "0.00", -0.5: "−0.500"} {
		if got := sized(x); got != want {
			t.Errorf("sized(%v) = %s, want %s", x, got, want)
		}
	}
	for _, c := range []struct {
		half, mean float64
		want       string
	}{{0.4963, 8.88, "0.50"}, {2428.4, 33204, "2,428"}, {0.0014, 2.01, "0.0014"}, {112, 78.7, "112.0"}, {0.2642, 152, "0.264"}} {
		if got := sizedLike(c.half, c.mean); got != c.want {
			t.Errorf("± %v around %v is %s, want %s", c.half, c.mean, got, c.want)
		}
	}
}

// Tables of many runs are as wide as a sheet of paper, and all runs are in them.
func TestManyRuns(t *testing.T) {
	e := measured(t, []int{1, 4}, protocol.Prompts{PerConcurrency: 10})
	for k, few := 1, slices.Clone(e.Measurements); k < 8; k++ {
		for _, m := range few {
			m.Step.Run += 3 * k
			m.Instance = fmt.Sprint(m.Step.Run)
			e.Measurements = append(e.Measurements, m)
		}
	}
	d := newDocument([]Subject{subjectOf(e)})
	runs := map[string]int{}
	for _, s := range d.Sections {
		for _, b := range s.Blocks {
			if b.Table == nil || s.ID != "variance" && s.ID != "levels" {
				continue
			}
			if n := len(b.Table.Head); n > 5+mostAcross {
				t.Errorf("a table of %s has %d columns: %v", s.ID, n, b.Table.Head)
			}
			for _, head := range b.Table.Head {
				if strings.HasPrefix(head, "Run ") {
					runs[s.ID]++
				}
			}
		}
	}
	if runs["variance"] != 24 || runs["levels"] != 48 {
		t.Errorf("columns of runs: %v, want 24 and twice 24", runs)
	}
}

// How it is repeated is a command of the program that it was made by.
func TestProgramOf(t *testing.T) {
	for design, want := range map[string]string{
		`{"name": "p", "runs": 3, "levels": [1], "restart": true}`:                         "multirun -server …",
		`{"name": "p", "runs": 3, "levels": [1]}`:                                          "multirun",
		`{"name": "clientcheck-corrected", "runs": 1, "levels": [1]}`:                      "",
		`{"design": "ablation", "plan": {"runs": 3, "levels": [1], "restart": true}}`:      "ablation -a … -b …",
		`{"design": "slo", "plan": {"runs": 3, "levels": [1], "restart": true}}`:           "slo -server …",
		`{"design": "until-precise", "plan": {"runs": 3, "levels": [1], "restart": true}}`: "multirun -server …",
		`[{"run": 1}]`: "",
		``:             "",
	} {
		program, servers := programOf(json.RawMessage(design))
		if program+servers != want {
			t.Errorf("%s: %q, want %q", design, program+servers, want)
		}
	}
}
