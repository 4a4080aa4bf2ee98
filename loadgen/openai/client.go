package openai

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Client loads servers of which it need not be told more than the URL: it waits until one is ready, asks which model
// it has, finds out how many tokens a text has there, and makes the [Target] of each level. Where a server does not
// answer such a question, but can be measured all the same, it goes on without, and says so by Warn. It is what a
// protocol.Runner asks for. The zero value is good, for a server that needs no key; a Client may be used by several
// goroutines, and must not be copied once it is in use.
type Client struct {
	// Config is how each target asks. Its URL does not count, since each call has one, nor its Workload. Without Model
	// and Models the first that the server lists is asked.
	Config Config

	// Dataset is where the prompts are from, shuffled by the seed of each level; its Output is the level's. Zero: they
	// are random, of token ids for Completions and words for Chat.
	Dataset *workload.Dataset

	// Talks are sessions of random words, for levels of sessions: their Seed is the level's, and so are lengths that they
	// do not have; and they are calibrated. Zero: none.
	Talks *workload.Talks

	// Conversations make the sessions of a level, of another kind, such as those of a file. Zero: none.
	Conversations func(workload.Spec) (workload.Conversations, error)

	Text bool // random prompts are words for Completions too

	// Vocabulary is the model's, in tokens, SmallestVocabulary or more: random ids are safe ones of these
	// ([workload.SafeTokens]). Zero: ids from 1,000 to 3,999.
	Vocabulary int

	// Prefix is how many tokens of each random prompt's Input, the first, are the same in all of a level. Zero: none.
	Prefix int

	// Lengths are those of random prompts and their answers, in the place of the level's. What of them is zero is the
	// level's.
	Lengths workload.Lengths

	// Media makes what stands before each prompt of a level, MediaEach of them (zero: 1), by chat: images and sounds. Zero:
	// none.
	Media     func(workload.Spec) (workload.Media, error)
	MediaEach int

	// Workload makes the prompts of a level, in the place of all of the above but the Media. One that has a method AsText()
	// [workload.Workload] is asked for it where the endpoint takes no token ids. Zero: by these.
	Workload func(workload.Spec) (workload.Workload, error)

	// Running says that the server is not ours to start, so that it has to be there: Ready does not wait for it. Zero:
	// it waits.
	Running bool

	Readiness Readiness // how it is waited for

	// Warn, if not nil, is told what the client noticed that whoever reads the results should know, each thing once.
	// The codes are WarnModelNotListed, WarnWords and WarnPromptsRepeat. Calls do not overlap.
	Warn func(loadgen.Warning)

	// Calibrating, if not nil, is told how a calibration goes on: see [Calibrate].
	Calibrating func(found, wanted int)

	mu      sync.Mutex
	servers map[string]*known // by URL
	warning sync.Mutex
	warned  map[string]bool // what Warn was told
}

// known is what a Client knows of a server.
type known struct {
	models      []string              // to ask; nil: not known yet
	calibrated  bool                  // it was tried
	calibration *workload.Calibration // nil: not to be had
}

// Codes of the warnings of a [Client]. None of them spoils a figure.
const (
	// the model that was given is not among those that the server lists, or there is no list
	WarnModelNotListed = "model-not-listed"
	WarnWords          = "words"          // text could not be calibrated: prompts have so many words, not tokens
	WarnPromptsRepeat  = "prompts-repeat" // a level has more requests than the dataset has prompts
)

// With returns a client that asks as c does, but by another Config, and knows nothing of servers yet.
func (c *Client) With(config Config) *Client {
	return &Client{Config: config, Dataset: c.Dataset, Talks: c.Talks, Conversations: c.Conversations, Text: c.Text,
		Vocabulary: c.Vocabulary, Prefix: c.Prefix, Lengths: c.Lengths, Media: c.Media, MediaEach: c.MediaEach,
		Workload: c.Workload, Running: c.Running, Readiness: c.Readiness, Warn: c.Warn, Calibrating: c.Calibrating}
}

// Validate returns what Target and Ready would refuse in the client for levels of s, whatever the server at url
// answers; or what such a level sends, as far as that does not depend on the server.
func (c *Client) Validate(url string, s workload.Spec) (*workload.Description, error) {
	config := c.at(url)
	if len(config.Models) == 0 && config.Model == "" {
		config.Model = "any"
	}
	if c.Vocabulary != 0 && (c.Workload != nil || c.Dataset != nil || c.inWords(config)) {
		return nil, &loadgen.InvalidError{Field: "vocabulary", Value: c.Vocabulary,
			Want: "0: only random prompts of token ids need it"}
	}
	t, err := c.target(config, s, nil)
	if err != nil {
		return nil, err
	}
	sent := t.Sent()
	return &sent, t.Close()
}

// at is the configuration for the server at url.
func (c *Client) at(url string) Config {
	config := c.Config
	config.URL = url
	if config.Endpoint == "" && (c.Talks != nil || c.Conversations != nil || c.Media != nil) {
		if where, err := parseAddress(url); err == nil && where.endpoint == "" {
			config.Endpoint = Chat
		}
	}
	return config
}

// Target makes what a level of s puts under load at url: a [*Target], to be closed. Before its first it asks the server
// which models it has, and where the prompts are text, what that takes. The errors are those of New, or a [*ProbeError]
// where the server could not be reached, or has to name the model and does not.
func (c *Client) Target(ctx context.Context, url string, s workload.Spec) (loadgen.Target, error) {
	models, err := c.modelsAt(ctx, url)
	if err != nil {
		return nil, err
	}
	config := c.at(url)
	config.Model, config.Models = "", models
	calibration, err := c.calibrate(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("how many tokens a text has there: %w", err)
	}
	return c.target(config, s, calibration)
}

func (c *Client) target(config Config, s workload.Spec, calibration *workload.Calibration) (*Target, error) {
	var err error
	switch {
	case c.Conversations != nil:
		config.Conversations, err = c.Conversations(s)
		if checks, ok := config.Conversations.(interface{ Validate() error }); ok && err == nil {
			err = checks.Validate()
		}
	case c.Talks != nil:
		talks := *c.Talks
		talks.Seed, talks.Calibration = s.Seed, calibration
		lengths := workload.Lengths{Input: talks.Input, Output: talks.Output}.Or(s.Input, s.Output)
		talks.Input, talks.Output = lengths.Input, lengths.Output
		config.Conversations, err = talks, talks.Validate()
	default:
		if config.Workload, err = c.prompts(config, s, calibration); err == nil && c.Media != nil {
			var media workload.Media
			media, err = c.Media(s)
			config.Workload = workload.WithMedia{Text: config.Workload, Media: media, Each: c.MediaEach}
		}
	}
	if err != nil {
		return nil, err
	}
	if config.Audit != nil { // each level has a sample of its own
		kept := *config.Audit
		kept.Seed ^= s.Seed
		config.Audit = &kept
	}
	return New(config)
}

// prompts makes the prompts of a level.
func (c *Client) prompts(config Config, s workload.Spec, calibration *workload.Calibration) (workload.Workload, error) {
	switch {
	case c.Workload != nil:
		made, err := c.Workload(s)
		if tokens, ok := made.(interface{ AsText() workload.Workload }); ok && c.asText(config) {
			made = tokens.AsText()
		}
		return made, err
	case c.Dataset != nil:
		prompts := c.Dataset.Shuffled(s.Seed)
		prompts.Output = s.Output
		return repeating{prompts, c}, nil
	case c.inWords(config):
		words := workload.RandomWords{Seed: s.Seed, Input: s.Input, Output: s.Output, Prefix: c.Prefix,
			Lengths: c.lengths(s), Calibration: calibration}
		err := words.Validate()
		if err != nil && calibration != nil {
			// A template alone may have more tokens than there should be.
			if words.Calibration = nil; words.Validate() == nil {
				c.warn(WarnWords, "text of so few tokens cannot be made: %v; %s", err, inWordsInstead)
				return words, nil
			}
		}
		return words, err
	}
	ids := workload.RandomTokens{Seed: s.Seed, Input: s.Input, Output: s.Output, Prefix: c.Prefix, Lengths: c.lengths(s)}
	if c.Vocabulary != 0 {
		if c.Vocabulary < SmallestVocabulary || c.Vocabulary > 1<<30 {
			return nil, &loadgen.InvalidError{Field: "vocabulary", Value: c.Vocabulary,
				Want: "the number of tokens that the model knows, from 256 up"}
		}
		ids.Low, ids.High = workload.SafeTokens(c.Vocabulary)
	}
	return ids, ids.Validate()
}

const inWordsInstead = "prompts have as many words as there should be tokens, and results say how many tokens"

// SmallestVocabulary is that of a model of bytes.
const SmallestVocabulary = 256

// inWords says that random prompts are words.
func (c *Client) inWords(config Config) bool {
	if c.Workload != nil || c.Dataset != nil || c.Conversations != nil {
		return false
	}
	return c.Talks != nil || c.asText(config)
}

// lengths are those that are drawn at a level; zero: all are the level's.
func (c *Client) lengths(s workload.Spec) workload.Lengths {
	if c.Lengths.IsZero() {
		return c.Lengths
	}
	return c.Lengths.Or(s.Input, s.Output)
}

// asText says that prompts that could be token ids are text.
func (c *Client) asText(config Config) bool {
	if config.Endpoint == "" {
		if where, err := parseAddress(config.URL); err == nil {
			config.Endpoint = where.endpoint
		}
	}
	return c.Text || c.Media != nil || config.Endpoint.inText()
}

// A repeating dataset says when it begins again.
type repeating struct {
	workload.Dataset
	client *Client
}

// Prompt implements [workload.Workload].
func (r repeating) Prompt(i int, p *workload.Prompt) error {
	if i == r.Len() {
		r.client.warn(WarnPromptsRepeat, "the dataset %s has %d prompts, fewer than the level has requests, so they "+
			"repeat, and a prefix cache may know them", r.Name, r.Len())
	}
	return r.Dataset.Prompt(i, p)
}

// warn tells Warn, once.
func (c *Client) warn(code, format string, args ...any) {
	c.warning.Lock()
	defer c.warning.Unlock()
	w := loadgen.Warning{Code: code, Message: number.Sprintf(format, args...)}
	if c.Warn == nil || c.warned[w.String()] {
		return
	}
	if c.warned == nil {
		c.warned = map[string]bool{}
	}
	c.warned[w.String()] = true
	c.Warn(w)
}

// server is what is known of the one at url. c.mu is held.
func (c *Client) server(url string) *known {
	if c.servers == nil {
		c.servers = map[string]*known{}
	}
	if c.servers[url] == nil {
		c.servers[url] = &known{}
	}
	return c.servers[url]
}

// calibrate asks a server, once, what makes a text one of so many tokens. Where that is not to be had it says so, and
// returns nil. Rerank is not asked: how often it counts a query depends on the documents.
func (c *Client) calibrate(ctx context.Context, config Config) (*workload.Calibration, error) {
	if !c.inWords(config) || reranks(config) {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	server := c.server(config.URL)
	if server.calibrated {
		return server.calibration, nil
	}
	if len(config.Models) > 1 {
		c.warn(WarnWords, "of several models each has its own tokens; %s", inWordsInstead)
		server.calibrated = true
		return nil, nil
	}
	found, err := Calibrate(ctx, config, c.Calibrating)
	if _, ok := errors.AsType[*UncalibratedError](err); ok {
		c.warn(WarnWords, "%v; %s", err, inWordsInstead)
	} else if err != nil {
		return nil, err
	}
	server.calibrated, server.calibration = true, found
	return found, nil
}

// reranks reports whether the endpoint is that, by its name or by the URL.
func reranks(config Config) bool {
	where, err := parseAddress(config.URL)
	return config.Endpoint == Rerank || config.Endpoint == "" && err == nil && where.endpoint == Rerank
}
