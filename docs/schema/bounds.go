package main

import (
	"fmt"
	"reflect"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// written are the types that are written otherwise than as what they are in Go.
var written = map[reflect.Type]func() *object{
	reflect.TypeFor[protocol.Prompts](): func() *object { return typed("string").add("pattern", "^[1-9][0-9]*x?$") },
	reflect.TypeFor[protocol.Order](): func() *object {
		return oneOf(append(protocol.Orders(),
			protocol.AsGiven)...)
	},
	reflect.TypeFor[loadgen.Direction](): func() *object {
		return oneOf(loadgen.HigherIsBetter, loadgen.LowerIsBetter, loadgen.Neither)
	},
	reflect.TypeFor[stats.KneeKind](): func() *object {
		return oneOf(stats.KneeNotResolved, stats.KneeBracketed, stats.KneeAbove, stats.KneeAtMost)
	},
	reflect.TypeFor[protocol.Decision](): func() *object {
		return oneOf(protocol.Undecided, protocol.Holds,
			protocol.Broken)
	},
	reflect.TypeFor[loadgen.Distribution](): func() *object { return typed("string").add("pattern", "^[a-z0-9]+:") },
	reflect.TypeFor[fact.Limit](): func() *object {
		return (&object{}).add("anyOf", []any{typed("number"), (&object{}).add("const", "max")})
	},
}

// oneOf is the schema of a type that has names for its values.
func oneOf[T any](values ...T) *object {
	names := make([]string, len(values))
	for i, v := range values {
		names[i] = fmt.Sprint(v)
	}
	return typed("string").add("enum", names)
}

// A bound is what a struct's type does not say of its JSON.
type bound struct {
	optional []string // members that may be left out, although whoever writes them never does
	members  map[string]*object
	more     *object // of the whole
}

func within(least, most any) *object {
	o := &object{}
	if least != nil {
		o.add("minimum", least)
	}
	if most != nil {
		o.add("maximum", most)
	}
	return o
}

// safeInteger is the largest of the whole numbers that jq and JavaScript, whose numbers are float64s, can tell apart.
const safeInteger = 1<<53 - 1

var bounds = map[string]bound{
	"protocol.Plan": {
		optional: []string{"name", "restart", "seed"},
		members: map[string]*object{
			"runs":          within(1, 1000),
			"cooldown_ns":   within(0, int64(86_400_000_000_000)),
			"warmup":        within(0, loadgen.MaxRequests),
			"input_tokens":  within(1, 10_000_000),
			"output_tokens": within(1, 10_000_000),
			"levels": (&object{}).add("items", typed("integer").add("minimum", 1).add("maximum",
				loadgen.MaxConcurrency)).
				add("minItems", 1).add("maxItems", 1000).add("uniqueItems", true),
			"timeout_ns":           within(0, nil),
			"warm_until_steady_ns": within(0, nil),
			"budget_ns":            within(0, nil),
			"level_budget_ns":      within(0, nil),
		},
	},
	"protocol.Retry": {
		optional: []string{"times", "causes"},
		members: map[string]*object{
			"times":  within(0, 100),
			"causes": (&object{}).add("items", typed("string").add("pattern", "^[a-z-]+$")),
		},
		// Neither of the two without the other.
		more: (&object{}).add("if", (&object{}).add("anyOf", []any{
			needs("times", within(1, nil)), needs("causes", (&object{}).add("minItems", 1)),
		})).add("then", (&object{}).add("allOf", []any{
			needs("times", within(1, nil)), needs("causes", (&object{}).add("minItems", 1)),
		})),
	},
	"loadgen.Objective": {members: map[string]*object{
		"metric": (&object{}).add("minLength", 1),
		"limit":  (&object{}).add("exclusiveMinimum", 0),
	}},
	"server.Configuration": {members: map[string]*object{
		"runtime": (&object{}).add("enum", []string{"", "docker", "podman"}),
		"image":   (&object{}).add("pattern", "^[a-zA-Z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?$"),
		"digest":  (&object{}).add("pattern", "^(sha256:[0-9a-f]{64})?$"),
		"model":   (&object{}).add("pattern", "^[^-]"),
		"name":    (&object{}).add("pattern", "^([a-zA-Z0-9][a-zA-Z0-9_.@:-]*)?$"),
		"port":    within(0, 65535),
	}},
	"protocol.Entry": {
		members: map[string]*object{"schema": (&object{}).add("const", protocol.SchemaVersion)},
		more: (&object{}).add("oneOf", []any{
			has("begin"), has("client"), has("start"), has("trace"), has("measurement"), has("rewarm"), has("stop"),
			has("resume"), has("end"),
		}),
	},
	"protocol.Analysis": {members: map[string]*object{"schema": (&object{}).add("const", protocol.ResultsSchema)}},
	"protocol.Step":     {members: map[string]*object{"seed": within(nil, safeInteger)}},
	"loadgen.Level":     {members: map[string]*object{"seed": within(nil, safeInteger)}},
}

// needs is the schema of an object that has a member, which is as of says.
func needs(member string, of *object) *object {
	return (&object{}).add("properties", (&object{}).add(member, of)).add("required", []string{member})
}

func has(member string) *object { return (&object{}).add("required", []string{member}) }

// abouts are the meanings of members whose fields have no comment, or one that says nothing without its neighbours.
var abouts = map[string]string{
	"protocol.Entry.schema":                "Version of the shape of the line.",
	"protocol.Entry.time":                  "When the line was written.",
	"protocol.Plan.name":                   "Of the plan, for people.",
	"protocol.ClientCheck.time":            "When it was measured.",
	"protocol.ClientCheck.concurrency":     "Requests in flight while it was measured.",
	"protocol.ClientCheck.input_tokens":    "Tokens of each prompt.",
	"protocol.ClientCheck.output_tokens":   "Tokens of each answer.",
	"protocol.Resume.tool":                 "The program that took it up.",
	"protocol.Series.name":                 "What was sampled.",
	"protocol.Series.unit":                 "Of the values.",
	"protocol.Start.run":                   "The run that it was for, from 1.",
	"protocol.Start.arm":                   "Which server of a comparison; none: there is one.",
	"protocol.Stop.run":                    "The run whose server it was, from 1.",
	"protocol.Stop.arm":                    "Which server of a comparison; none: there is one.",
	"protocol.Request.run":                 "The run, from 1.",
	"protocol.Request.seq":                 "Position of the step in the run, from 0.",
	"protocol.Request.arm":                 "Which server of a comparison; none: there is one.",
	"protocol.Request.discard":             "Of a step that is in no analysis.",
	"protocol.Request.output_tokens":       "Tokens of the answer, as the server counted; without counted not known.",
	"protocol.Request.counted":             "The server told how many tokens there were.",
	"protocol.Request.asked_input_tokens":  "Tokens of the prompt as it was made.",
	"protocol.Request.asked_output_tokens": "Tokens that were asked for.",
	"protocol.Request.chunks":              "Pieces in which the content came.",
	"protocol.Request.finish":              "Why the answer ended, in the server's words.",
	"protocol.Request.error_class":         "Kind of failure; none: the request completed.",
	"protocol.Request.error":               "What failed, in words.",
	"protocol.Estimate.unit":               "Of the values, the summary and the interval: ms, tok/s, req/s, %, …",
	"protocol.Point.input_tokens":          "Tokens of each prompt.",
	"protocol.Point.output_tokens":         "Tokens asked of each answer.",
	"protocol.Try.input_tokens":            "Tokens of each prompt.",
	"protocol.Try.output_tokens":           "Tokens asked of each answer.",
	"protocol.Try.figures":                 "As they were measured, whatever the warnings say.",
	"protocol.PointWarning.runs":           "The runs that gave rise to it.",
	"loadgen.Accounting.issued":            "Requests that were sent.",
	"loadgen.Accounting.completed":         "Requests that were answered whole.",
	"loadgen.Accounting.failed":            "Requests that failed.",
	"loadgen.Chunking.requests":            "Streamed answers whose tokens were counted.",
	"loadgen.Chunking.chunks":              "Chunks of content in them.",
	"loadgen.Chunking.tokens":              "Tokens in them.",
	"loadgen.Deviation.requests":           "Requests whose count is not what was asked for.",
	"loadgen.DraftTokens.accepted":         "Draft tokens that were taken.",
	"loadgen.DraftTokens.rejected":         "Draft tokens that were not.",
	"loadgen.ErrorCount.class":             "Kind of failure.",
	"loadgen.ErrorCount.status":            "HTTP status; none: it failed otherwise.",
	"loadgen.ErrorCount.count":             "Requests that failed so.",
	"loadgen.Figure.unit":                  "Of the value: ms, tok/s, req/s, %, …",
	"loadgen.Figure.value":                 "The figure, in its unit.",
	"loadgen.GC.cycles":                    "Garbage collections of the client in the level.",
	"loadgen.SchedulingLag.mean_ms":        "Mean of the delays, in ms.",
	"loadgen.SchedulingLag.p99_ms":         "99th percentile of the delays, in ms.",
	"loadgen.SchedulingLag.max_ms":         "The longest delay, in ms.",
	"loadgen.Tokens.input":                 "Tokens of the prompts, as the server counted.",
	"loadgen.Tokens.output":                "Tokens of the answers, as the server counted.",
	"stats.KneeTest.level":                 "The level that is tested: a concurrency.",
	"host.NUMANode.index":                  "The system's number for it.",
	"host.RDMAPort.index":                  "The system's number for it.",
	"fact.Setting.name":                    "Of the setting.",
}
