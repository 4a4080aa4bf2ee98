package openai

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

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
		return hopeless{fmt.Errorf("a request for one token: %w; check the API key (Config.APIKey or Header; "+
			"-api-key-env "+
			"NAME)", asked)}
	case e.Status == http.StatusTooManyRequests, e.Status == http.StatusBadRequest,
		e.Status == http.StatusUnprocessableEntity:
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
