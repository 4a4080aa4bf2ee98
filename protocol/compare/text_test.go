package compare_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol/compare"
)

func TestText(t *testing.T) {
	spoiled := experiment(tuesday, map[string][]float64{"ttft_p50": times(baseTTFT, 1.1), "ttft_p99": times(baseTTFT, 3), "output_tokens_per_s": baseRate})
	spoiled.Measurements[2].Result.Warnings = []loadgen.Warning{{Code: "bent", Spoils: []string{"ttft_p99"}}}
	b := compare.Of("now", spoiled)
	base := experiment(monday, map[string][]float64{"ttft_p50": baseTTFT, "ttft_p99": times(baseTTFT, 3), "output_tokens_per_s": baseRate})
	base.Tool = "servegauge v0"
	r, err := compare.Compare(compare.Of("then", base), b, compare.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := compare.Text(&out, r); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		"A  then: runs: 5, from 2026-11-02 06:00 UTC\n", "B  now: runs: 5", "Margin 2 %; each value is one run with restart; verdicts hold together at 95 %.",
		"Equivalent by itself is what has its 90 % interval, which is narrower",
		"+10.04 %", "worse", "equivalent", "Left out:\n  ttft_p99 at concurrency 8: now: it must not be used: bent\n",
		"What differs:\n  software: the program that measured: servegauge v0 → servegauge v1\n", "Regression: worse in B: ttft_p50 at concurrency 8 (+10.04 %)\n",
	} {
		if !strings.Contains(out.String(), s) {
			t.Errorf("it does not say %q:\n%s", s, &out)
		}
	}
	// What came from outside is shown, and does nothing to the terminal.
	hostile := *r
	hostile.A.Name = "then\x1b[31m"
	hostile.Warnings = append(slices.Clone(r.Warnings), loadgen.Warning{Code: "c", Message: "\u202eturned\x07\u009b2J"})
	out.Reset()
	if err := compare.Text(&out, &hostile); err != nil {
		t.Fatal(err)
	}
	if s := out.String(); strings.ContainsAny(s, "\x1b\x07\u202e\u009b") || !strings.Contains(s, "then\ufffd[31m") || !strings.Contains(s, "turned") {
		t.Errorf("%q", s)
	}
	if err := compare.Text(full{}, r); !errors.Is(err, errFull) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

var errFull = errors.New("no space")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
