package program

import (
	"errors"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A code that no warning has is refused before anything is measured, and the nearest one is named.
func TestStrictCodes(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "all": "", "spoiled": "", "client-bound": "", "cache-hits,few-samples": "", "all,-words": "",
		"all,few-samples": "",
		"few-sample":      "want few-samples?", "client_bound": "want client-bound?", "Client-Bound": "want client-bound?",
		"clientbound": "want client-bound?", "all,-cold-start": `"cold-start"`, "prompts-capped": "want prompt-capped?",
		"a,,b": "want one of", ",": "want one of", "cold, words": `" words"`, "p99": "want one of",
		"every":  "want one of",
		"-words": "such as all,-words", "-few-samples,all": "such as all,-few-samples", "all,-all": `"all"`,
	} {
		err := strict(text).validate()
		if _, usage := errors.AsType[*UsageError](err); (err == nil) != (want == "") || err != nil &&
			(!usage || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// What marks is not fatal for all, and what spoils is for spoiled; later words take out of earlier ones.
func TestStrict(t *testing.T) {
	hits := loadgen.Warning{Code: "cache-hits", Spoils: []string{loadgen.All}}
	few := loadgen.Warning{Code: protocol.WarnFewSamples}
	words := loadgen.Warning{Code: "words"}
	with := func(w ...loadgen.Warning) *protocol.Analysis {
		a := &protocol.Analysis{Warnings: w[:len(w)/2]}
		point := protocol.Point{}
		for _, w := range w[len(w)/2:] {
			point.Warnings = append(point.Warnings, protocol.PointWarning{Warning: w})
		}
		a.Points = append(a.Points, point)
		return a
	}
	for _, c := range []struct {
		strict   string
		analysis *protocol.Analysis
		want     string // in the error; "": none
	}{
		{"", with(hits, few, words), ""},
		{"all", with(), ""},
		{"all", with(few), ""},
		{"all", with(few, words), "the warning words"},
		{"all", with(hits, few, words), "the warnings cache-hits, words were"},
		{"all,few-samples", with(few), "few-samples"},
		{"all,-words", with(few, words), ""},
		{"all,-words,words", with(words), "words"},
		{"spoiled", with(few, words), ""},
		{"spoiled", with(hits, few), "cache-hits"},
		{"spoiled,words", with(few, words), "words"},
		{"spoiled,-cache-hits", with(hits, few), ""},
		{"cold,cache-hits", with(hits), "cache-hits"},
		{"cold", with(hits, few, words), ""},
	} {
		err := strict(c.strict).check(c.analysis, nil)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.strict, err, c.want)
		}
	}
}

// What the client noticed is in no analysis, and counts.
func TestStrictOfTheClient(t *testing.T) {
	words := []loadgen.Warning{{Code: "words"}}
	for text, fatal := range map[string]bool{"words": true, "all": true, "all,-words": false, "spoiled": false,
		"": false} {
		if err := strict(text).check(&protocol.Analysis{}, words); (err != nil) != fatal {
			t.Errorf("%q: %v", text, err)
		}
	}
}
