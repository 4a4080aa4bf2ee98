package program

import (
	"errors"
	"flag"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/nearest"
)

// elsewhere are the flags of other load generators, and ours for the same: what hands know. Where there is none of
// ours, a sentence says why not.
var elsewhere = map[string]string{
	// hey, wrk, ab, k6
	"c": "concurrency", "connections": "concurrency", "vus": "concurrency", "users": "concurrency", "u": "concurrency",
	"n": "requests", "iterations": "requests", "z": "duration", "d": "duration", "q": "rate", "R": "rate",
	"H": "header", "host": "url", "port": "url", "k": "ca-file", "m": "model", "o": "out",
	"t": "There are no threads to choose: one process drives the whole load.",

	// vllm bench serve, SGLang, and the clients made after them
	"num-prompts": "requests", "num-prompt": "requests", "max-concurrency": "concurrency", "request-rate": "rate",
	"random-input-len": "input", "random-output-len": "output", "random-input": "input", "random-output": "output",
	"input-len": "input", "output-len": "output", "random-prefix-len": "prefix", "base-url": "url", "backend": "endpoint",
	"dataset-path": "dataset", "dataset-name": "dataset", "save-result": "out", "save-detailed": "save-requests",
	"result-dir": "out", "result-filename": "out", "output-file": "out", "output-json": "out",
	"percentile-metrics": "percentiles",
	"metric-percentiles": "percentiles", "num-warmups": "warmup", "warmup-requests": "warmup", "extra-body": "body",
	"extra-request-body": "body", "served-model-name": "model", "ramp-up-strategy": "ramp-up", "lora-modules": "model",
	"ignore-eos": `Answers always have the -output tokens that were asked for (ignore_eos); ` +
		`-body '{"ignore_eos":null}' leaves it out.`,
	"tokenizer":         "No tokenizer is needed: prompts are token ids, and the server counts.",
	"disable-tqdm":      "Progress is a line now and then where stderr is no terminal.",
	"trust-remote-code": "No tokenizer is loaded, and no code of a model.",

	// GuideLLM, AIPerf, genai-perf, genai-bench, inference-perf
	"target": "url", "server-url": "url", "api-base": "url", "rate-type": "arrivals", "profile": "arrivals",
	"data":        "dataset",
	"max-seconds": "duration", "max-requests": "requests", "max-duration": "duration", "request-count": "requests",
	"num-requests": "requests", "max-requests-per-run": "requests", "num-concurrency": "levels",
	"max-time-per-run":   "level-budget",
	"benchmark-duration": "duration", "synthetic-input-tokens-mean": "input", "output-tokens-mean": "output",
	"isl": "input",
	"osl": "output", "prompt-tokens": "input", "output-tokens": "output", "input-tokens": "input", "input-file": "dataset",
	"streaming": "stream", "warmup-request-count": "warmup", "warmup-percent": "warmup", "endpoint-type": "endpoint",
	"output-dir": "out", "output-path": "out", "artifact-dir": "out", "output": "output", "random-seed": "seed",
	"api-key": "api-key-env", "apikey": "api-key-env", "key": "api-key-env", "token": "api-key-env",
	"request-timeout": "timeout", "timeout-seconds": "timeout", "num-runs": "runs", "repeat": "runs", "repeats": "runs",
	"num-profile-runs": "runs", "fixed-schedule": "trace", "fixed-schedule-start-offset": "window",
	"fixed-schedule-end-offset": "window", "conversation-num": "sessions", "num-sessions": "sessions",
	"conversation-turn-mean": "turns", "session-turns-mean": "turns", "conversation-turn-delay-mean": "think",
	"session-turn-delay-mean": "think", "session-concurrency": "concurrency", "image-batch-size": "media-each",
	"concurrencies": "levels", "qps": "rate", "rps": "rate", "slo": "limit", "prompts": "requests",
	"server-metrics": "server-view",
}

// isDuration reports whether the value of a flag is a time.
func isDuration(f *flag.Flag) bool {
	getter, ok := f.Value.(flag.Getter)
	if !ok {
		return false
	}
	_, ok = getter.Get().(time.Duration)
	return ok
}

// Explain puts an error of the flags in words that say what to do: with our name for what was meant, or with an example
// of what a value looks like.
func Explain(flags *flag.FlagSet, err error) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return errors.New("there is no flag -" + name + suggestion(flags, name) + "; -help lists them")
	}
	if rest, ok := strings.CutPrefix(text, "invalid value "); ok {
		value, rest, _ := strings.Cut(rest, " for flag -")
		name, why, _ := strings.Cut(rest, ": ")
		if f := flags.Lookup(name); f != nil && isDuration(f) {
			return errors.New("-" + name + " " + value + ": want a time with its unit, such as 5s or 2m")
		}
		if why == "parse error" {
			why = "want a number"
		}
		return errors.New("-" + name + " " + value + ": " + why)
	}
	if rest, ok := strings.CutPrefix(text, "flag needs an argument: "); ok {
		return errors.New(rest + ": want a value after it; -help says which")
	}
	return errors.New(text + "; -help lists the flags")
}

// suggestion names our flag for one that we do not have, or says why there is none.
func suggestion(flags *flag.FlagSet, name string) string {
	key := strings.ReplaceAll(name, "_", "-")
	ours := elsewhere[key]
	if strings.Contains(ours, " ") {
		return ": " + strings.TrimSuffix(lowerFirst(ours), ".")
	}
	if flags.Lookup(key) != nil {
		ours = key
	}
	if ours == "" || flags.Lookup(ours) == nil {
		ours = nearestFlag(flags, key)
	}
	if ours == "" {
		return ""
	}
	if ours == "api-key-env" {
		return "; here it is -api-key-env NAME, of the variable that has the key"
	}
	return "; here it is -" + ours
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// nearestFlag is the flag that is fewest letters away from a name, if these are few.
func nearestFlag(flags *flag.FlagSet, name string) string {
	var names []string
	flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
	return nearest.Name(name, names)
}
