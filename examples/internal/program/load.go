package program

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Load is what is asked of the server, and where it is: the flags that all programs share which load one.
type Load struct {
	warned []loadgen.Warning // what the client noticed, which is in no result

	URL      string
	model    string
	access   Access
	http2    bool
	body     string
	endpoint string
	stream   bool
	usage    bool
	Input    int
	Output   int
	Seed     uint64
	Timeout  time.Duration
	audit    int
	examples bool
	known    string
	share    float64
	sending  sending
	workload workloadFlags

	flags  *flag.FlagSet
	client openai.Client // once they are checked
	made   made          // likewise
}

// Register registers the flags. input and output are the defaults; 0 leaves them to the plan.
func (l *Load) Register(flags *flag.FlagSet, input, output int, timeout time.Duration) {
	l.flags = flags
	l.registerWorkload(flags)
	flags.StringVar(&l.URL, "url", "", "the server's `URL`: its root, its /v1, or the whole path of an endpoint; none: "+
		"a simulated server, started as a child of this program (http://127.0.0.1:8000 for a -server that is started by "+
		"commands)")
	flags.StringVar(&l.model, "model", "", "`name` of the model, or several with commas between them, which are asked "+
		"in turn, one three times as often as NAME*3 (LoRA adapters have names like models); the server need not list "+
		"them; none: the first that its /v1/models names")
	l.access.Register(flags)
	flags.BoolVar(&l.http2, "http2", false, "send requests over HTTP/2, on shared connections, with arrivals by the "+
		"client's own clock; without it over HTTP/1.1")
	flags.StringVar(&l.body, "body", "", "`JSON` object of fields to add to each request's body; null removes a field")
	flags.StringVar(&l.endpoint, "endpoint", "",
		"completions (exact input length, by token ids), chat, responses, embeddings or rerank; none: the one that -url "+
			"names, or else completions")
	flags.BoolVar(&l.stream, "stream", true, "stream the answers")
	flags.BoolVar(&l.usage, "continuous-usage", false,
		"ask for the usage so far in every chunk, so that the tokens of each chunk, and of requests that are cut off, are "+
			"known")
	plans := ""
	if input == 0 {
		plans = "; 0: the plan's"
	}
	flags.IntVar(&l.Input, "input", input, "input `tokens` of each request"+plans)
	flags.IntVar(&l.Output, "output", output, "output `tokens` of each request"+plans)
	flags.IntVar(&l.sending.Prefix, "prefix", 0, "how many of the input `tokens`, the first, are the same in all prompts of a "+
		"level, for a prefix cache to find; 0: none")
	flags.Var(&fileFlag{&l.sending, "dataset"}, "dataset",
		"`file` of JSON lines (prompt, prompt_token_ids, messages, conversations or body) to take prompts from, instead of "+
			"random ones of -input tokens; -seed shuffles it for each level")
	flags.BoolVar(&l.sending.Text, "text", false, "random prompts as text of -input tokens, as chat has them anyway, instead "+
		"of token ids")
	flags.IntVar(&l.sending.Vocabulary, "vocabulary", 0, "size of the model's vocabulary in `tokens`, for the ids of random prompts; "+
		"0: ids from 1,000 to 3,999, which nearly every model has")
	flags.Uint64Var(&l.Seed, "seed", 0, "seed of the prompts; 0: another each time, so that no cache of the server "+
		"knows them (a plan that is saved has it)")
	flags.IntVar(&l.audit, "audit", 0, "after each level, on the quiet server, check so many of its `answers` by what "+
		"the server itself says of them: 300, and at most 640; 0: none")
	flags.BoolVar(&l.examples, "audit-examples", false, "with -audit: show the beginnings of two wrong answers, which "+
		"may be private")
	flags.StringVar(&l.known, "audit-known", "", "with -audit: `file` of JSON lines (prompt, accept: a regular "+
		"expression, max_tokens) with questions whose answers are known, asked beside each level and counted apart, for "+
		"servers that tell neither token ids nor probabilities")
	flags.Float64Var(&l.share, "audit-known-share", 0, "with -audit-known: most `questions` for each request of a "+
		"level, up to 0.05; 0: 0.01")
	flags.DurationVar(&l.Timeout, "timeout", timeout, "most `time` for one request; 0s: no limit")
}

// Check reads the environment and the files, and validates what does not need a server.
func (l *Load) Check() error {
	config := openai.Config{
		Endpoint: openai.Endpoint(l.endpoint), Whole: !l.stream, ContinuousUsage: l.usage,
		Header: l.access.headers.header(), HTTP2: l.http2,
	}
	switch {
	case l.audit < 0 || l.audit > audit.Most:
		return Usagef("-audit %d: want how many answers of a level to check, %d or at most %d, or 0 for none",
			l.audit, audit.Usual, audit.Most)
	case l.audit > 0:
		config.Audit = &openai.Audit{Answers: l.audit, Examples: l.examples, Share: l.share}
	case l.examples, l.known != "", l.share != 0:
		return Usagef("-audit-examples, -audit-known, -audit-known-share: want -audit with it")
	}
	if l.known == "" && l.share != 0 {
		return Usagef("-audit-known-share %g: want -audit-known with it", l.share)
	}
	var err error
	if l.known != "" {
		if config.Audit.Questions, err = readQuestions(l.known); err != nil {
			return err
		}
	}
	if config.APIKey, err = l.access.key(); err != nil {
		return err
	}
	if l.body != "" {
		if config.Body, err = readBody("body", l.body); err != nil {
			return err
		}
	}
	if config.Models, err = models(l.model); err != nil {
		return err
	}
	if config.TLS, err = trust(l.access.caFile); err != nil {
		return err
	}
	if err := l.checkWorkload(); err != nil {
		return err
	}
	switch s := &l.sending; {
	case l.Input < 0 || l.Output < 0:
		return Usagef("-input %d, -output %d: want numbers of tokens, at least 1", l.Input, l.Output)
	case s.Vocabulary != 0 && config.Endpoint == openai.Chat:
		return Usagef("-vocabulary %d with -endpoint chat: only prompts of token ids need it", s.Vocabulary)
	case s.Vocabulary != 0 && s.Vocabulary < openai.SmallestVocabulary:
		return Usagef("-vocabulary %d: want the number of tokens that the model knows, from %d up", s.Vocabulary,
			openai.SmallestVocabulary)
	case l.usage && !l.stream:
		return Usagef("-continuous-usage: an answer in one piece (-stream=false) has no chunks")
	case s.Prefix < 0 || l.Input > 0 && s.Prefix > l.Input && s.Input == "":
		return Usagef("-prefix %d: want a number of tokens from 0 to those of -input", s.Prefix)
	case l.Timeout < 0:
		return Usagef("-timeout %v: want 0s (no limit) or more", l.Timeout)
	}
	if l.Seed == 0 {
		l.Seed = rand.Uint64N(1 << 53) // what jq and JavaScript keep of a number
	}
	l.client = openai.Client{Config: config, Warn: func(w loadgen.Warning) {
		warn(w)
		l.warned = append(l.warned, w)
	}}
	if l.made, err = l.sending.apply(&l.client, disk{}); err != nil {
		return err
	}
	// Whatever else is wrong is found by building a target once, against a server that need not be there.
	_, err = l.describe(workload.Spec{Input: max(l.Input, l.sending.Prefix, 1), Output: max(l.Output, 1), Seed: l.Seed})
	if line, ok := errors.AsType[*workload.DatasetError](err); ok {
		flag := l.firstGiven([]string{"conversations", "dataset"})
		return Usagef("-%s %s: %v", flag, l.sending.Files[flag].path, line)
	}
	return err
}

// readBody reads the fields of a flag that adds some to each request's body.
func readBody(name, text string) (fields map[string]any, err error) {
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber() // a seed of 64 bits is no float64
	if err := in.Decode(&fields); err != nil || fields == nil || in.More() {
		return nil, Usagef("-%s %s: want a JSON object such as {\"top_p\": 0.9}", name, text)
	}
	if _, ok := fields["stream"]; ok {
		return nil, Usagef("-%s %s: stream is not for the body; use -stream=false", name, text)
	}
	return fields, nil
}

func warn(w loadgen.Warning) { fmt.Fprintln(os.Stderr, "warning:", oneLine(w.Message)) }

// readQuestions reads a file of questions.
func readQuestions(name string) ([]audit.Question, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, Usagef("-audit-known: %v", err)
	}
	defer file.Close()
	questions, err := audit.ReadQuestions(file)
	if err != nil {
		return nil, Usagef("-audit-known %s: %v", name, err)
	}
	return questions, nil
}

// describe says what a level of s sends, as far as that does not depend on the server; or why none can.
func (l *Load) describe(s workload.Spec) (*workload.Description, error) {
	return l.client.Validate(cmp.Or(l.URL, "http://127.0.0.1"), s)
}

// unique reports whether no prompt of a level should be known to a server: they are random, and share no prefix.
func (l *Load) unique() bool { return !l.sending.known() }
