package program

import (
	"errors"
	"flag"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/nearest"
)

// elsewhere are the flags of other load generators and of our other programs, and ours for the same: what hands know.
// Of several with | between them the first that a program has is meant. Where there is none of ours, a sentence says
// why not.
var elsewhere = map[string]string{
	// our own, in programs that have another for it
	"concurrency": "levels", "rate": "rates", "levels": "concurrency", "rates": "rate", "duration": "level-budget",
	"runs": "blocks|" + oneLevel, "blocks": "runs|" + oneLevel, "resume": oneLevel, "save-requests": oneLevel,
	"server": "url", "output": "out", "server-view": oneLevel,
	"limit": "require", "require": "limit",

	// hey, wrk, ab, oha, vegeta, k6, locust
	"c": inFlight, "connections": inFlight, "vus": inFlight, "users": inFlight, "u": inFlight, "iterations": "requests",
	"n": "requests", "z": "duration|level-budget", "d": "duration|level-budget", "run-time": "duration|level-budget",
	"q": "rate|rates", "R": "rate|rates", "H": "header", "host": "url|address|nats", "port": "url|address", "m": "model",
	"o": "out", "csv": "out", "html": "out", "summary-export": "out", "results-dir": "out", "stages": "ramp-up|levels",
	"stage": "ramp-up|levels", "spawn-rate": "ramp-up", "threads": noThreads, "t": noThreads, "threads-per-user": noThreads,
	"latency": "Latencies are always measured; -percentiles chooses those that are shown.",
	"script":  "There are no scripts: -dataset takes prompts, and loadgen.TargetFunc any code of your own.",
	"k":       "ca-file", "insecure": "ca-file", "threshold": "margin|require", "thresholds": "require",
	"summary-trend-stats": "percentiles",

	// vllm bench serve, SGLang, evalscope, and the clients made after them
	"num-prompts": "requests", "num-prompt": "requests", "number": "requests", "max-concurrency": inFlight,
	"parallel": inFlight, "request-rate": "rate|rates", "random-input-len": "input", "random-output-len": "output",
	"random-input": "input", "random-output": "output", "input-len": "input", "output-len": "output",
	"sharegpt-output-len": "output", "sonnet-input-len": "input", "sonnet-output-len": "output", "max-tokens": "output",
	"prompt-length": "input", "random-prefix-len": "prefix", "random-range-ratio": lengths, "base-url": "url",
	"backend": "endpoint", "dataset-path": "dataset", "dataset-name": "dataset", "hf-name": byName, "hf-split": byName,
	"save-result": "out", "result-dir": "out", "result-filename": "out", "output-file": "out", "output-json": "out",
	"save-detailed": "save-requests|" + oneLevel, "append-result": "out", "plot-timeline": "out",
	"percentile-metrics": "percentiles", "metric-percentiles": "percentiles", "num-warmups": "warmup",
	"warmup-requests": "warmup", "extra-body": "body", "extra-request-body": "body", "served-model-name": "model",
	"ramp-up-strategy": "ramp-up", "ramp-up-start-rps": "ramp-up", "ramp-up-end-rps": "ramp-up", "lora-modules": "model",
	"temperature": "body", "top-p": "body", "top-k": "body", "min-p": "body", "frequency-penalty": "body",
	"presence-penalty": "body", "repetition-penalty": "body", "logprobs": "body", "use-beam-search": "body",
	"no-stream": "stream=false", "disable-stream": "stream=false",
	"ignore-eos": `Answers always have the -output tokens that were asked for (ignore_eos); ` +
		`-body '{"ignore_eos":null}' leaves it out.`,
	"tokenizer": noTokenizer, "tokenizer-mode": noTokenizer, "tokenizer-path": noTokenizer, "processor": noTokenizer,
	"disable-tqdm": progressIs, "disable-console": progressIs, "no-progress": progressIs, "quiet": progressIs,
	"trust-remote-code": "No tokenizer is loaded, and no code of a model.",

	// GuideLLM, AIPerf, genai-perf, genai-bench, inference-perf, llmperf
	"target": "url", "server-url": "url", "api-base": "url", "rate-type": "arrivals", "profile": "arrivals",
	"data": "dataset", "outputs": "out", "max-seconds": "duration|level-budget", "max-requests": "requests",
	"max-duration": "duration|level-budget", "request-count": "requests", "num-requests": "requests",
	"max-requests-per-run": "requests", "max-num-completed-requests": "requests", "num-concurrency": "levels|concurrency",
	"num-concurrent-requests": inFlight, "max-time-per-run": "level-budget|duration", "llm-api": "endpoint",
	"benchmark-duration": "duration|level-budget", "measurement-interval": "duration|level-budget",
	"synthetic-input-tokens-mean": "input", "synthetic-input-tokens-stddev": lengths, "output-tokens-mean": "output",
	"output-tokens-stddev": "output-lengths", "isl": "input", "isl-stddev": lengths, "osl": "output", "osl-stddev": "output-lengths",
	"mean-input-tokens": "input", "stddev-input-tokens": lengths, "mean-output-tokens": "output",
	"stddev-output-tokens": "output-lengths", "prompt-tokens": "input", "output-tokens": "output", "input-tokens": "input",
	"input-file": "dataset|trace", "streaming": "stream", "warmup-request-count": "warmup", "warmup-percent": "warmup",
	"endpoint-type": "endpoint", "service-kind": "endpoint", "output-dir": "out", "output-path": "out",
	"artifact-dir": "out", "profile-export-file": "out", "generate-plots": "out", "extra-inputs": "body",
	"additional-sampling-params": "body", "random-seed": "seed", "fixed-schedule": "trace",
	"conversation-num": "sessions", "num-sessions": "sessions", "conversation-turn-mean": "turns",
	"conversation-turn-delay-mean": "think", "concurrency-ramp-duration": "ramp-up", "image-width-mean": "image-size",
	"image-height-mean": "image-size", "gpu-telemetry": "server-view|" + oneLevel,
	"server-metrics": "server-view|" + oneLevel,
	"api-key":        "api-key-env", "apikey": "api-key-env", "key": "api-key-env", "token": "api-key-env",
	"auth-token": "api-key-env", "request-timeout": "timeout", "timeout-seconds": "timeout", "num-runs": repeats,
	"num-profile-runs": repeats, "repeat": repeats, "repeats": repeats, "replications": repeats,
	"concurrencies": "levels|concurrency", "qps": "rate|rates", "rps": "rate|rates", "slo": "limit|require",
	"prompts": "requests",
}

// What several of them mean.
const (
	inFlight = "concurrency|levels"
	lengths  = "input-lengths"
	repeats  = "runs|blocks|" + oneLevel

	oneLevel    = "This program measures one level, once; multirun has that flag, and repeats."
	noThreads   = "There are no threads to choose: one process drives the whole load."
	noTokenizer = "No tokenizer is needed: prompts are token ids, and the server counts."
	progressIs  = "Progress is a line now and then where stderr is no terminal."
	byName      = "No data set is fetched by its name: -dataset takes a file of JSON lines."
)

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
	rest, ok := strings.CutPrefix(text, "invalid value ")
	if boolean, is := strings.CutPrefix(text, "invalid boolean value "); is {
		value, name, _ := strings.Cut(strings.TrimSuffix(boolean, ": parse error"), " for -")
		return errors.New("-" + name + " " + value + ": want true or false, or nothing, which is true")
	}
	if ok {
		value, rest, _ := strings.Cut(rest, " for flag -")
		name, why, _ := strings.Cut(rest, ": ")
		if f := flags.Lookup(name); f != nil && isDuration(f) {
			return errors.New("-" + name + " " + value + ": want a time with its unit, such as 5s or 2m")
		}
		if _, after, own := strings.Cut(why, value); own { // an error of the value's own names it again: order "x": want …
			return errors.New("-" + name + " " + value + after)
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
	has := func(name string) bool {
		name, _, _ = strings.Cut(name, "=")
		return flags.Lookup(name) != nil
	}
	ours := ""
	for may := range strings.SplitSeq(elsewhere[key], "|") {
		if strings.Contains(may, " ") {
			if may == oneLevel && !has("concurrency") { // of loadtest alone
				continue
			}
			return ": " + strings.TrimSuffix(lowerFirst(may), ".")
		}
		if may != "" && has(may) {
			ours = may
			break
		}
	}
	if has(key) {
		ours = key
	}
	if ours == "" {
		ours = nearestFlag(flags, key)
	}
	switch ours {
	case "":
		return ""
	case "api-key-env":
		return "; here it is -api-key-env NAME, of the variable that has the key"
	case "body":
		return "; here it is -body JSON, such as -body '{\"temperature\": 0}'"
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

// unexpected says what an argument may have been meant for, in a program that takes none.
func unexpected(flags *flag.FlagSet, arg string) error {
	switch {
	case flags.Lookup("url") != nil && (strings.HasPrefix(arg, "http://") || strings.HasPrefix(arg, "https://")):
		return Usagef("unexpected argument %q; here it is -url %[1]s", arg)
	case strings.ContainsAny(arg, ":,"): // as in -goodput ttft:500 tpot:50
		return Usagef("unexpected argument %q; several values of one flag have commas between them, and no blanks", arg)
	}
	return Usagef("unexpected argument %q; flags start with a dash, -help lists them", arg)
}
