package program

import (
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// Flags of a program that has most of them.
func manyFlags() *flag.FlagSet {
	flags := flag.NewFlagSet("multirun", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	Experiment(protocol.MultiRun(), protocol.MultiRun())(flags)
	flags.Duration("duration", 0, "issue requests for so long")
	flags.Int("concurrency", 8, "`requests` kept in flight")
	return flags
}

// Each flag has a heading of its kind, and help fits 80 columns.
func TestHelp(t *testing.T) {
	flags := manyFlags()
	flags.VisitAll(func(f *flag.Flag) {
		if groupOf(f.Name) == len(flagGroups)-1 {
			t.Errorf("-%s has no heading; put it into flagGroups", f.Name)
		}
	})
	var out strings.Builder
	Help(&out, "multirun: what it is for\n\n  multirun -url URL", flags)
	at := -1
	for _, want := range []string{"multirun: what", "multirun -url URL", "What is measured", "\n  -url URL", "-input tokens", "The load",
		"-budget time", "The server", "-server server", "Access", "What is kept"} {
		next := strings.Index(out.String(), want)
		if next <= at {
			t.Errorf("%q is at %d, want it after %d", want, next, at)
		}
		at = next
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// What hands know from other tools is answered with our name for it, and what they mistype with the nearest.
func TestUnknownFlags(t *testing.T) {
	for arg, want := range map[string]string{
		"-c":                    "-concurrency",
		"-n":                    "-requests",
		"--num-prompts":         "-requests",
		"--max-concurrency":     "-concurrency",
		"--random-input-len":    "-input",
		"--random_output_len":   "-output",
		"--base-url":            "-url",
		"--max-seconds":         "-duration",
		"--save-result":         "-out",
		"--target":              "-url",
		"--fixed-schedule":      "-trace",
		"--num-profile-runs":    "-runs",
		"--tokenizer":           "no tokenizer is needed",
		"--ignore-eos":          "answers always have",
		"--api-key":             "-api-key-env NAME",
		"-concurency":           "-concurrency",
		"-wamrup":               "-warmup",
		"-entirely-unheard-of":  "-help",
		"-duration=5":           "such as 5s",
		"-budget=half an hour":  "such as 5s",
		"-concurrency=many":     "want a number",
		"-concurrency":          "want a value",
		"-levels=1,x":           `"x": want whole numbers`,
		"--request-rate":        "-rates",
		"--gpu-telemetry":       "-server-view",
		"--outputs":             "-out;",
		"--temperature":         "-body JSON",
		"--no-stream":           "-stream=false",
		"--hf-name":             "no data set is fetched",
		"--num-runs":            "-runs;",
		"-blocks=4":             "-runs;",
		"--threads":             "no threads",
		"-cooldown=":            "such as 5s",
		"--disable-tqdm=always": "stderr",
	} {
		flags := manyFlags()
		err := flags.Parse([]string{arg})
		if err == nil {
			t.Errorf("%s: no error", arg)
			continue
		}
		if got := Explain(flags, err).Error(); !strings.Contains(got, want) || !strings.Contains(got, "-") {
			t.Errorf("%s: %s; want %s in it", arg, got, want)
		}
	}
}

// What one of the programs calls otherwise than another is found too.
func TestFlagsOfOtherPrograms(t *testing.T) {
	one := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	one.Int("concurrency", 8, "")
	one.Int("sessions", 0, "")
	one.String("input-lengths", "", "")
	many := flag.NewFlagSet("multirun", flag.ContinueOnError)
	many.String("levels", "", "")
	many.Duration("level-budget", 0, "")
	for _, c := range []struct {
		flags     *flag.FlagSet
		arg, want string
	}{
		{one, "-levels=4", "-concurrency"},
		{one, "--conversation-num=4", "-sessions"},
		{one, "--isl-stddev=4", "-input-lengths"},
		{one, "--max-concurrency=4", "-concurrency"},
		{one, "-runs=3", "multirun has that flag"},
		{one, "--save-detailed", "multirun has that flag"},
		{many, "-concurrency=4", "-levels"},
		{many, "-c=4", "-levels"},
		{many, "--duration=5s", "-level-budget"},
		{many, "--resume=x", "-help"},
	} {
		c.flags.SetOutput(io.Discard)
		err := c.flags.Parse([]string{c.arg})
		if err == nil {
			t.Fatalf("%s: no error", c.arg)
		}
		if got := Explain(c.flags, err).Error(); !strings.Contains(got, c.want) {
			t.Errorf("%s of %s: %s; want %s in it", c.arg, c.flags.Name(), got, c.want)
		}
	}
	one.String("url", "", "")
	for arg, want := range map[string]string{
		"http://127.0.0.1:8000": "-url http://127.0.0.1:8000", "tpot:50": "commas", "8": "-help",
	} {
		if err := unexpected(one, arg); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s in it", arg, err, want)
		}
	}
}

// Each flag that is answered for another tool's is one of ours.
func TestSuggestionsAreFlags(t *testing.T) {
	for theirs, ours := range elsewhere {
		for may := range strings.SplitSeq(ours, "|") {
			name, _, _ := strings.Cut(may, "=")
			if !strings.Contains(may, " ") && groupOf(name) == len(flagGroups)-1 {
				t.Errorf("for -%s there is -%s, which no program has", theirs, name)
			}
		}
	}
}

// Two dashes are as good as one.
func TestTwoDashes(t *testing.T) {
	flags := manyFlags()
	if err := flags.Parse([]string{"--duration", "5s", "--concurrency=3"}); err != nil {
		t.Fatal(err)
	}
	if d := flags.Lookup("duration").Value.(flag.Getter).Get(); d != 5*time.Second {
		t.Errorf("-duration is %v", d)
	}
	if err := Explain(flags, errors.New("bad flag syntax: ---c")); !strings.Contains(err.Error(), "-help") {
		t.Error(err)
	}
}
