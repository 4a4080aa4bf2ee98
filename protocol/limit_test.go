package protocol

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

func TestParseLimits(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  []Limit
		again string // how it is written back, "" for as it was
	}{
		{"ttft_p99<500ms", []Limit{{Figure: "ttft_p99", Max: 500, Strict: true, Unit: "ms"}}, ""},
		{"ttft_p99<500ms,attainment>=99%", []Limit{
			{Figure: "ttft_p99", Max: 500, Strict: true, Unit: "ms"}, {Figure: "attainment", Min: 99, Unit: "%"}}, ""},
		{" ttft_p99 @ 16 < 0.5 s , e2e_p50 ≤ 2min", []Limit{
			{Figure: "ttft_p99", At: Load{Concurrency: 16}, Max: 500, Strict: true, Unit: "ms"},
			{Figure: "e2e_p50", Max: 120000, Unit: "ms"}}, "ttft_p99@16<500ms,e2e_p50<=120000ms"},
		{"tpot_mean<=800us", []Limit{{Figure: "tpot_mean", Max: 0.8, Unit: "ms"}}, "tpot_mean<=0.8ms"},
		{"output_tokens_per_s>1.2k", []Limit{{Figure: "output_tokens_per_s", Min: 1200, Strict: true}}, "output_tokens_per_s>1200"},
		{"output_tokens_per_s>1.2ktok/s", []Limit{{Figure: "output_tokens_per_s", Min: 1200, Strict: true, Unit: "tok/s"}},
			"output_tokens_per_s>1200 tok/s"},
		{"total_tokens_per_s>=2M tok/s", []Limit{{Figure: "total_tokens_per_s", Min: 2e6, Unit: "tok/s"}}, "total_tokens_per_s>=2000000 tok/s"},
		{"success_rate>=99.9 %", []Limit{{Figure: "success_rate", Min: 99.9, Unit: "%"}}, "success_rate>=99.9%"},
		{"e2e_p95@20/s<1e3ms", []Limit{{Figure: "e2e_p95", At: Load{Rate: 20}, Max: 1000, Strict: true, Unit: "ms"}}, "e2e_p95@20/s<1000ms"},
		{"e2e_p95@b:1024x128:poisson:20/s:8<2s", []Limit{{Figure: "e2e_p95", Max: 2000, Strict: true, Unit: "ms",
			At: Load{Arm: "b", Input: 1024, Output: 128, Arrivals: loadgen.PoissonArrivals, Rate: 20, Concurrency: 8}}},
			"e2e_p95@b:1024x128:poisson:20/s:8<2000ms"},
		{"attainment_ttft>95%", []Limit{{Figure: "attainment_ttft", Min: 95, Strict: true, Unit: "%"}}, ""},
		{"in_flight_peak<=16", []Limit{{Figure: "in_flight_peak", Max: 16}}, ""},
		{"ttft_p99.9<1s", []Limit{{Figure: "ttft_p99.9", Max: 1000, Strict: true, Unit: "ms"}}, "ttft_p99.9<1000ms"},
		{"my_own<3furlong", []Limit{{Figure: "my_own", Max: 3, Strict: true, Unit: "furlong"}}, "my_own<3 furlong"},
		{"ttft_p99{turn=2}@8<500ms", []Limit{{Figure: "ttft_p99{turn=2}", At: Load{Concurrency: 8}, Max: 500, Strict: true, Unit: "ms"}}, ""},
		{"cached_share{model=org/base:a}>=5%", []Limit{{Figure: "cached_share{model=org/base:a}", Min: 5, Unit: "%"}}, ""},
		{"energy_per_token<0.2J", []Limit{{Figure: "energy_per_token", Max: 0.2, Strict: true, Unit: "J"}}, ""},
	} {
		got, err := ParseLimits(c.text)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v; want %+v", c.text, got, err, c.want)
			continue
		}
		var parts []string
		for _, l := range got {
			parts = append(parts, l.String())
		}
		text := strings.Join(parts, ",")
		if want := c.again; want == "" && text != c.text || want != "" && text != want {
			t.Errorf("%s is written back as %s, want %s", c.text, text, want)
		}
		if again, err := ParseLimits(text); err != nil || !slices.Equal(again, got) {
			t.Errorf("%s is read back as %+v, %v", text, again, err)
		}
	}
}

func TestParseLimitsSaysWhereItIsWrong(t *testing.T) {
	known := loadgen.PossibleFigures(loadgen.Level{Concurrency: 8, Requests: 80})
	for _, c := range []struct {
		text     string
		position int
		found    string
		says     string // a part of the message
	}{
		{"", 0, "", "character 1: the end"},
		{"ttft_p99", 8, "", "one of <, <=, > and >="},
		{"ttft_p99<", 9, "", "a number above 0"},
		{"ttft_p99{turm=2}<5ms", 8, "{", "a group of requests"},
		{"ttft_p99{turn=2<5ms", 8, "{", "a group of requests"},
		{"ttft_p99=500ms", 8, "=", "one of <"},
		{"ttft_p99<500ms,", 15, "", "the name of a figure"},
		{"ttft_p99<500ms;tpot_p99<5ms", 14, ";", "a comma"},
		{"ttft_p99<500ms ttft_p50<5ms", 15, "ttft_p50", "a comma"},
		{"ttft_p99<500", 12, "", "the unit behind the number: ms"},
		{"ttft_p99<500%", 12, "%", "a unit of time"},
		{"ttft_p99<5km", 10, "km", "a unit of time"},
		{"ttft_p99<5kms", 10, "kms", "a unit of time"},
		{"success_rate>0.99", 17, "", "as in 99%"},
		{"success_rate>99ms", 15, "ms", "the figure's unit, %"},
		{"output_tokens_per_s>5req/s", 21, "req/s", "tok/s"},
		{"ttft_p99<-5ms", 9, "-5", "a number above 0"},
		{"ttft_p99<0ms", 9, "0", "a number above 0"},
		{"ttft_p99<1e999ms", 9, "1e999", "a number above 0"},
		{"ttft_p99<NaN", 9, "NaN", "a number above 0"},
		{"ttft_p99<1.2.3ms", 9, "1.2.3", "a number above 0"},
		{"ttft_p99@<5ms", 9, "<", "a load"},
		{"ttft_p99@0<5ms", 9, "0", "each part of a load once"},
		{"ttft_p99@8:16<5ms", 11, "16", "each part of a load once"},
		{"ttft_p99@-5/s<5ms", 9, "-5/s", "each part of a load once"},
		{"ttft_p99@8:<5ms", 11, "<", "a load"},
		{"tftt_p99<500ms", 0, "tftt_p99", "ttft_p99 is meant?"},
		{"success_rate>99%, tpot_p98<5ms", 18, "tpot_p98", "tpot_p9"},
		{"attainment>99%", 0, "attainment", "there are"},
		{"é<5ms", 0, "é", "the name of a figure that there can be"},
		{"ttft_p99<5ms,é…", 13, "é", "the name of a figure that there can be"},
		{"\x00ttft<5", 0, "\x00", "the name of a figure"},
	} {
		got, err := ParseLimits(c.text, known...)
		var wrong *LimitError
		if !errors.As(err, &wrong) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
			continue
		}
		if wrong.Position != c.position || wrong.Found != c.found || wrong.Text != c.text || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: at %d %q: %v; want at %d %q: %s", c.text, wrong.Position, wrong.Found, err, c.position, c.found, c.says)
		}
	}
	var wrong *LimitError
	if _, err := ParseLimits("tftt_p99<500ms", known...); errors.As(err, &wrong) && !slices.Contains(wrong.Figures, "ttft_p99") {
		t.Errorf("what figures exist is not said: %v", wrong.Figures)
	}
	// Of a percentile that nobody listed the unit is that of its metric.
	if _, err := ParseLimits("ttft_p99.9<0.5"); !errors.As(err, &wrong) || wrong.Position != 14 {
		t.Errorf("%v", err)
	}
	many := loadgen.PossibleFigures(loadgen.Level{Concurrency: 8, Requests: 80, Percentiles: []float64{99.9}})
	if _, err := ParseLimits("ttft_p99.9<500ms", many...); err != nil {
		t.Error(err)
	}
	// The position is in characters for people, and in bytes for programs.
	_, err := ParseLimits("ttft_p99≤5ms,ttft_p99=5ms")
	if errors.As(err, &wrong); wrong.Position != 23 || !strings.Contains(err.Error(), "character 22:") {
		t.Errorf("%d, %v", wrong.Position, err)
	}
}

func FuzzParseLimits(f *testing.F) {
	for _, s := range []string{"ttft_p99@16<500ms,attainment>=99%", "a@b:1x2:20/s<=1.5kreq/s", "x>1e", "x<\xff", "µ@<"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		limits, err := ParseLimits(s)
		var wrong *LimitError
		if err != nil {
			if !errors.As(err, &wrong) || wrong.Position < 0 || wrong.Position > len(s) || err.Error() == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, l := range limits {
			if err := l.validate(); err != nil {
				t.Fatalf("%q gives %+v: %v", s, l, err)
			}
			again, err := ParseLimits(l.String())
			if err != nil || len(again) != 1 || again[0] != l {
				t.Fatalf("%q gives %+v, written as %q, which gives %+v, %v", s, l, l.String(), again, err)
			}
		}
	})
}

func TestLimitInGo(t *testing.T) {
	for _, l := range []Limit{{Figure: "ttft_p99", Max: math.Inf(1)}, {Figure: "", Max: 1}, {Figure: "x"}, {Figure: "x", Min: 2, Max: 1}, {Figure: "x", Min: math.NaN()}} {
		if l.validate() == nil {
			t.Errorf("%+v is taken", l)
		}
	}
	text, err := json.Marshal(Limit{Figure: "ttft_p99", Max: 500})
	if err != nil || string(text) != `{"figure":"ttft_p99","max":500}` {
		t.Errorf("%s, %v", text, err)
	}
}

// A limit on the good side of a figure is one that a bad server holds.
func TestLimitBackwards(t *testing.T) {
	for text, want := range map[string]bool{
		"ttft_p99<500ms": false, "ttft_p99>500ms": true, "ttft_p99.9>=1s": true, "e2e_mean<=1s": false,
		"attainment>=99%": false, "attainment<99%": true, "output_tokens_per_s>1k": false, "output_tokens_per_s<1k": true,
		"interactivity_p50>20": false, "interactivity_p50<20": true, "mine<3": false, "mine>3": false,
	} {
		limits, err := ParseLimits(text)
		if err != nil || len(limits) != 1 {
			t.Fatalf("%s: %v", text, err)
		}
		if got := limits[0].Backwards(); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if (Limit{Figure: "ttft_p99", Min: 1, Max: 500}).Backwards() {
		t.Error("what is bounded on both sides is bounded on the bad one")
	}
}
