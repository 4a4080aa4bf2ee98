package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// What starts of a server had is told where they can differ in it: in a line as text, and start by start on the page.
func TestStarts(t *testing.T) {
	e := experiment([]int{4, 16}, protocol.Prompts{PerConcurrency: 100})
	a := protocol.Analyze(e)
	a.Starts = []protocol.StartRecord{
		{Run: 1, Ready: 61 * time.Second, KVBlocks: 9271}, {Run: 2, Ready: 43 * time.Second, KVBlocks: 4711},
		{Run: 3, Ready: 43 * time.Second},
	}
	var text, page bytes.Buffer
	if err := WideText(&text, a); err != nil {
		t.Fatal(err)
	}
	want := "Starts: 3, ready after 49.0 s (SD 10.4, from 43.0 to 61.0); KV cache: from 4,711 to 9,271 blocks " +
		"(96.8 % more), not known of 1"
	if !strings.Contains(text.String(), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
	if err := Markdown(&page, Subject{Experiment: e, Analysis: a}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{want, "| Run | Ready after, s | KV cache, blocks |", "| 1 | 61.0 | 9,271 |",
		"| 3 | 43.0 | – |"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("no %q in\n%s", want, page.String())
		}
	}
	// Those of a comparison are two configurations.
	a.Starts[1].Arm = "b"
	if lines := startLines(a); len(lines) != 2 || !strings.Contains(lines[1],
		"Starts of b: 1, ready after 43.0 s; KV cache: 4,711 blocks in each") {
		t.Errorf("%q", lines)
	}
	a.Starts = a.Starts[:1]
	if lines := startLines(a); lines != nil {
		t.Errorf("one start differs from none: %q", lines)
	}
}
