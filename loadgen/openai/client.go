package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

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

	Text bool // random prompts are words for Completions too

	// Vocabulary is the model's, in tokens, SmallestVocabulary or more: random ids are safe ones of these
	// ([workload.SafeTokens]). Zero: ids from 1,000 to 3,999.
	Vocabulary int

	// Prefix is how many tokens of each random prompt's Input, the first, are the same in all of a level. Zero: none.
	Prefix int

	// Workload makes the prompts of a level, in the place of all of the above. Zero: by these.
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

// Validate returns what Target and Ready would refuse in the client for levels of s, whatever the server at url answers.
func (c *Client) Validate(url string, s workload.Spec) error {
	config := c.at(url)
	if len(config.Models) == 0 && config.Model == "" {
		config.Model = "any"
	}
	if c.Vocabulary != 0 && (c.Workload != nil || c.Dataset != nil || c.inWords(config)) {
		return &loadgen.InvalidError{Field: "vocabulary", Value: c.Vocabulary,
			Want: "0: only random prompts of token ids need it"}
	}
	t, err := c.target(config, s, nil)
	if err != nil {
		return err
	}
	return t.Close()
}

// at is the configuration for the server at url.
func (c *Client) at(url string) Config {
	config := c.Config
	config.URL = url
	return config
}

// Ready returns nil when the server at url can be measured: as [API.Wait] has it, or at once where it is Running. Where
// models were given, the server need not list them: one that says that it is well is ready, if it takes a request for a
// token. The error is a [*NotReadyError] after a wait, otherwise a [*ProbeError], or a [*loadgen.InvalidError] for the
// client itself.
func (c *Client) Ready(ctx context.Context, url string) error {
	config := c.at(url)
	api, err := NewAPI(config)
	if err != nil {
		return err
	}
	given := config.models()
	switch {
	case c.Running:
		_, err := c.modelsAt(ctx, url)
		return err
	case len(given) == 0:
		return api.Wait(ctx, c.Readiness)
	}
	return c.Readiness.wait(ctx, shown(api.address.root), func(ctx context.Context) error {
		return c.serves(ctx, api, config, given)
	})
}

// serves returns nil if the server has the models, or takes requests for them all the same.
func (c *Client) serves(ctx context.Context, api *API, config Config, given []string) error {
	timeout := c.Readiness.requestTimeout()
	if err := api.healthy(ctx, timeout); err != nil {
		if e, ok := errors.AsType[*ProbeError](err); !ok || !e.wantsKey() {
			return err
		}
	}
	listed, err := api.someModels(ctx, timeout)
	if e, ok := errors.AsType[*ProbeError](err); ok && !e.Connected {
		return err
	}
	if err == nil && len(unlisted(given, listed)) == 0 {
		return nil
	}
	asked := takesRequests(ctx, config)
	e, ok := errors.AsType[*loadgen.Error](asked)
	switch {
	case asked == nil:
		return nil
	case !ok:
		return hopeless{asked}
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return hopeless{fmt.Errorf("a request for one token: %w; check the API key (Config.APIKey or Header; -api-key-env NAME)", asked)}
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusBadRequest, e.Status == http.StatusUnprocessableEntity:
		return nil // whoever says so understood the request, and does serve; why, each of a level's requests will say
	case e.Status == http.StatusNotFound && err == nil:
		return hopeless{fmt.Errorf("%w; a request for one token: %w", notListed(given, listed), asked)}
	}
	return fmt.Errorf("a request for one token: %w", asked)
}

// oneToken asks for one.
type oneToken struct{}

// Prompt implements [workload.Workload].
func (oneToken) Prompt(_ int, p *workload.Prompt) error {
	p.Text, p.Output = "Hello", 1
	return nil
}

// takesRequests returns nil if the server answers a request for a token.
func takesRequests(ctx context.Context, c Config) error {
	const coldStart = time.Minute // the first request may have to wait for what is compiled at it
	ctx, cancel := context.WithTimeoutCause(ctx, coldStart, fmt.Errorf("no answer within %v", coldStart))
	defer cancel()
	c.Workload = oneToken{}
	t, err := New(c)
	if err != nil {
		return err
	}
	defer t.Close()
	return t.Do(ctx, 0, new(loadgen.Record))
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
	config.Workload, err = c.prompts(config, s, calibration)
	if err != nil {
		return nil, err
	}
	return New(config)
}

// prompts makes the prompts of a level.
func (c *Client) prompts(config Config, s workload.Spec, calibration *workload.Calibration) (workload.Workload, error) {
	switch {
	case c.Workload != nil:
		return c.Workload(s)
	case c.Dataset != nil:
		prompts := c.Dataset.Shuffled(s.Seed)
		prompts.Output = s.Output
		return repeating{prompts, c}, nil
	case c.inWords(config):
		words := workload.RandomWords{Seed: s.Seed, Input: s.Input, Output: s.Output, Prefix: c.Prefix,
			Calibration: calibration}
		return words, words.Validate()
	}
	ids := workload.RandomTokens{Seed: s.Seed, Input: s.Input, Output: s.Output, Prefix: c.Prefix}
	if c.Vocabulary != 0 {
		if c.Vocabulary < SmallestVocabulary || c.Vocabulary > 1<<30 {
			return nil, &loadgen.InvalidError{Field: "vocabulary", Value: c.Vocabulary,
				Want: "the number of tokens that the model knows, from 256 up"}
		}
		ids.Low, ids.High = workload.SafeTokens(c.Vocabulary)
	}
	return ids, ids.Validate()
}

// SmallestVocabulary is that of a model of bytes.
const SmallestVocabulary = 256

// inWords says that random prompts are words.
func (c *Client) inWords(config Config) bool {
	if c.Workload != nil || c.Dataset != nil {
		return false
	}
	if config.Endpoint == "" {
		if where, err := parseAddress(config.URL); err == nil {
			config.Endpoint = where.endpoint
		}
	}
	return c.Text || config.Endpoint == Chat
}

// A repeating dataset says when it begins again.
type repeating struct {
	workload.Dataset
	client *Client
}

// Prompt implements [workload.Workload].
func (r repeating) Prompt(i int, p *workload.Prompt) error {
	if i == r.Len() {
		r.client.warn(WarnPromptsRepeat, "the dataset %s has %d prompts, fewer than the level has requests, so they repeat, and a prefix cache may know them", r.Name, r.Len())
	}
	return r.Dataset.Prompt(i, p)
}

// warn tells Warn, once.
func (c *Client) warn(code, format string, args ...any) {
	c.warning.Lock()
	defer c.warning.Unlock()
	w := loadgen.Warning{Code: code, Message: fmt.Sprintf(format, args...)}
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

// models are those that were given.
func (c *Config) models() []string {
	if c.Model != "" {
		return []string{c.Model}
	}
	return slices.Clone(c.Models)
}

// unlisted are those of the models that a list does not have.
func unlisted(given []string, listed []Model) (missing []string) {
	for _, name := range given {
		if !slices.ContainsFunc(listed, func(m Model) bool { return m.ID == name }) {
			missing = append(missing, name)
		}
	}
	return missing
}

// notListed says which models a list does not have.
func notListed(given []string, listed []Model) error {
	const most = 10 // names, for people
	var has []string
	for _, m := range listed {
		has = append(has, m.ID)
	}
	if len(has) > most {
		has = append(has[:most], fmt.Sprintf("%d more", len(listed)-most))
	}
	return fmt.Errorf("model %s: the server lists others, it has %s", quoted(unlisted(given, listed)),
		strings.Join(has, ", "))
}

// quoted are names, for people.
func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, strconv.Quote(name))
	}
	return strings.Join(all, ", ")
}

// slowList is how long a gateway may take to gather its models where there is no going on without.
const slowList = 30 * time.Second

// modelsAt are the models to ask for: those given, or the first that the server names. What it says of those given is a
// warning at most: aliases and gateways' wildcards are in no list.
func (c *Client) modelsAt(ctx context.Context, url string) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	server := c.server(url)
	if server.models != nil {
		return server.models, nil
	}
	config := c.at(url)
	api, err := NewAPI(config)
	if err != nil {
		return nil, err
	}
	given := config.models()
	timeout := c.Readiness.requestTimeout()
	if len(given) == 0 && c.Readiness.RequestTimeout == 0 {
		timeout = slowList
	}
	listed, err := api.someModels(ctx, timeout)
	e, ok := errors.AsType[*ProbeError](err)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case len(given) == 0 && err != nil:
		if ok && e.Status != 0 && !e.wantsKey() {
			return nil, fmt.Errorf("which models the server has: %w; name one (Config.Model, or -model)", err)
		}
		return nil, fmt.Errorf("which models the server has: %w", err)
	case len(given) == 0:
		given = []string{listed[0].ID}
	case ok && (!e.Connected || e.Advice == adviceHTTPS):
		return nil, err
	case err != nil:
		c.warn(WarnModelNotListed, "model %s: whether the server has it is not known: %v; it is asked for all the same",
			quoted(given), err)
	case len(unlisted(given, listed)) > 0:
		c.warn(WarnModelNotListed, "%v; it is asked for all the same (Config.Model, or -model)",
			notListed(given, listed))
	}
	server.models = given
	return given, nil
}

// calibrate asks a server, once, what makes a text one of so many tokens. Where that is not to be had it says so, and
// returns nil.
func (c *Client) calibrate(ctx context.Context, config Config) (*workload.Calibration, error) {
	if !c.inWords(config) {
		return nil, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	server := c.server(config.URL)
	if server.calibrated {
		return server.calibration, nil
	}
	const so = "prompts have as many words as there should be tokens, and results say how many tokens"
	if len(config.Models) > 1 {
		c.warn(WarnWords, "of several models each has its own tokens; %s", so)
		server.calibrated = true
		return nil, nil
	}
	found, err := Calibrate(ctx, config, c.Calibrating)
	if _, ok := errors.AsType[*UncalibratedError](err); ok {
		c.warn(WarnWords, "%v; %s", err, so)
	} else if err != nil {
		return nil, err
	}
	server.calibrated, server.calibration = true, found
	return found, nil
}
