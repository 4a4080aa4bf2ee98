package openai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// An UncalibratedError says why the prompts for a server cannot be made to measure, although it answers. Text then has
// as many tokens as it has; results say how many.
type UncalibratedError struct {
	Reason string
	Err    error // of a request that failed for it; nil: none did
}

func (e *UncalibratedError) Error() string {
	return "text of a known number of tokens cannot be made: " + e.Reason
}

func (e *UncalibratedError) Unwrap() error { return e.Err }

const (
	calibrationTime = time.Minute // in all, of some 70 to 300 short requests
	enoughWords     = 32          // are looked for

	// After that, or once a request has failed, no more are sent. Those under way may end, for so long: a server that
	// does not notice who has gone away would work on them while it is measured.
	calibrationGrace = 30 * time.Second
	fewestWords      = 16 // will do: prompts of any length still differ from their first words on

	// A word is counted so many times over, and as many times more: the difference is what it takes inside a text. Not
	// once, which some servers refuse as too short a prompt.
	repetitions = 8

	// words, beside each other: a server that takes a second for a request is asked 66 times in under 10
	askedAtOnce = 8
	tries       = 3 // of a request that a busy server refuses, or fails
)

// Calibrate finds words that are one token each for the model of c, and what else its prompts have. There is no
// tokenizer in this library that could know; so the server is asked, word by word: at /tokenize, where it has that as
// vLLM does, or else by requests for one token, whose usage tells. Whichever it was, two such requests with words at
// random then prove the result, so that it holds for the usage that a measurement goes by.
//
// Of c, Workload, Whole and ContinuousUsage do not count. There must be one model, whose tokenizer it is: more, or what
// else is wrong with c, is a [*loadgen.InvalidError]. If the server answers, but such words are not found within a
// minute, be it that it refuses such requests (also after a while, where it is busy), the error is an
// [*UncalibratedError]. Any other is that of the request that failed: there was no connection, a key is wanted (401,
// 403), or ctx is over.
//
// progress, if it is not nil, is called now and then from the goroutine of the caller with how many words were found,
// and how many are wanted.
func Calibrate(ctx context.Context, c Config, progress func(found, wanted int)) (*workload.Calibration, error) {
	if len(c.Models) > 1 {
		return nil, &loadgen.InvalidError{Field: "models", Value: c.Models, Want: "one: each has its own tokens"}
	}
	inTime, cancel := context.WithTimeoutCause(ctx, calibrationTime,
		fmt.Errorf("it is not done after %v", calibrationTime))
	defer cancel()
	asking, cancelAsking := context.WithTimeout(ctx, calibrationTime+calibrationGrace)
	defer cancelAsking()
	q := &counting{asking: asking}
	c.Workload, c.Whole, c.ContinuousUsage = q, true, false
	var err error
	if q.target, err = New(c); err != nil {
		return nil, err
	}
	defer q.target.Close()
	if q.client = q.target.client; q.client == nil {
		transport := newTransport(newTLS(c.TLS), http.ProxyFromEnvironment, false)
		defer transport.CloseIdleConnections()
		q.client = newClient(transport)
	}
	if progress == nil {
		progress = func(int, int) {}
	}
	progress(0, enoughWords)
	found, err := q.calibrate(inTime, progress)
	if err != nil && ctx.Err() == nil {
		err = uncalibrated(inTime, err)
	}
	return found, err
}

// uncalibrated tells a server that does not let itself be asked from one that cannot be measured either.
func uncalibrated(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*UncalibratedError](err); ok {
		return err
	}
	if ctx.Err() != nil {
		return &UncalibratedError{Reason: context.Cause(ctx).Error(), Err: err}
	}
	e, ok := errors.AsType[*loadgen.Error](err)
	if !ok || e.Class == loadgen.ClassDial || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden {
		return err
	}
	return &UncalibratedError{Reason: "a request for it fails: " + err.Error(), Err: err}
}

// A counting asks a server how many tokens texts have. It is the workload of its own target: prompt i is text i.
type counting struct {
	target *Target
	client *http.Client    // for what the target does not ask
	asking context.Context // of each request

	mu    sync.Mutex
	texts []string
}

// Prompt implements [workload.Workload].
func (q *counting) Prompt(i int, p *workload.Prompt) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	p.Text, p.Output = q.texts[i], 1
	return nil
}

func (q *counting) calibrate(ctx context.Context, progress func(found, wanted int)) (*workload.Calibration, error) {
	words, err := q.singles(ctx, progress)
	if err != nil {
		return nil, err
	}
	found := &workload.Calibration{Words: words}
	const fewer, more = 24, 72
	var has [2]int
	for i, n := range []int{fewer, more} {
		var p workload.Prompt
		if err := (workload.RandomWords{Seed: uint64(i), Input: n, Output: 1, Calibration: found}).Prompt(i,
			&p); err != nil {
			return nil, err
		}
		if has[i], err = q.patiently(ctx, q.byUsage, p.Text); err != nil {
			return nil, err
		}
	}
	if has[1]-has[0] != more-fewer || has[0] < fewer {
		return nil, &UncalibratedError{Reason: fmt.Sprintf("of words that are one token each, %d had %d tokens "+
			"and %d had "+
			"%d", fewer, has[0], more, has[1])}
	}
	found.Overhead = has[0] - fewer
	return found, nil
}

// singles are the words of one token each, all of which have the same number of tokens where they begin a text. Which
// they are does not depend on how many were asked at once.
func (q *counting) singles(ctx context.Context, progress func(found, wanted int)) ([]string, error) {
	candidates := workload.CommonWords()
	count := q.byTokenize
	if _, err := q.patiently(ctx, count, candidates[0]); err != nil {
		count = q.byUsage
	}
	var found []string           // the largest group
	groups := map[int][]string{} // of words that have as many tokens where they begin a text
	for from := 0; from < len(candidates) && len(found) < enoughWords; from += askedAtOnce {
		asked := candidates[from:min(from+askedAtOnce, len(candidates))]
		starts, inside := make([]int, len(asked)), make([]int, len(asked))
		all, ctx := errgroup.WithContext(ctx)
		for i, word := range asked {
			all.Go(func() error {
				few := strings.TrimSpace(strings.Repeat(" "+word, repetitions))
				n, err := q.patiently(ctx, count, few)
				if err != nil {
					return err
				}
				more, err := q.patiently(ctx, count, few+strings.Repeat(" "+word, repetitions))
				starts[i], inside[i] = n, more-n
				return err
			})
		}
		if err := all.Wait(); err != nil {
			return nil, err
		}
		for i, word := range asked {
			if n := starts[i]; inside[i] == repetitions && len(found) < enoughWords {
				if groups[n] = append(groups[n], word); len(groups[n]) > len(found) {
					found = groups[n]
				}
			}
		}
		progress(len(found), enoughWords)
	}
	if len(found) < fewestWords {
		return nil, &UncalibratedError{Reason: fmt.Sprintf("only %d of %d common words seem to be one token each, "+
			"and %d "+
			"are needed",
			len(found), len(candidates), fewestWords)}
	}
	return found, nil
}

// patiently asks, while ctx allows it, and again where a busy server refuses, or fails, what it may answer the next
// time. The answer to the last try stands.
func (q *counting) patiently(ctx context.Context, count func(string) (int, error), text string) (int, error) {
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		n, err := count(text)
		e, ok := errors.AsType[*loadgen.Error](err)
		again := ok && (e.Class == loadgen.ClassStale || e.Class == loadgen.ClassTruncated ||
			e.Class == loadgen.ClassServer ||
			e.Status == http.StatusTooManyRequests || e.Status >= 500)
		if !again || try == tries {
			return n, err
		}
		pause := min(max(e.RetryAfter, time.Duration(try)*250*time.Millisecond), 10*time.Second)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0, err
		}
	}
}

// byUsage is how many tokens a request with the text has.
func (q *counting) byUsage(text string) (int, error) {
	q.mu.Lock()
	i := len(q.texts)
	q.texts = append(q.texts, text)
	q.mu.Unlock()
	r := new(loadgen.Record)
	if err := q.target.Do(q.asking, i, r); err != nil {
		return 0, err
	}
	if !r.Counted {
		return 0, &UncalibratedError{Reason: "the server does not tell how many tokens a request has"}
	}
	return r.Input, nil
}

// byTokenize is how many tokens the server's /tokenize counts in the text. What a chat template makes of it there may
// differ from what it makes of a request, always by the same.
func (q *counting) byTokenize(text string) (int, error) {
	t := q.target
	ask := map[string]any{"model": t.config.Models[0]}
	if t.config.Endpoint == Chat {
		ask["messages"] = []map[string]string{{"role": "user", "content": text}}
	} else {
		ask["prompt"] = text
	}
	body, err := json.Marshal(ask)
	if err != nil {
		return 0, err
	}
	request, err := http.NewRequestWithContext(q.asking, http.MethodPost, below(t.address.root, "/tokenize").String(),
		bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = t.header.Clone()
	request.Host = request.Header.Get("Host")
	failed := func(class loadgen.Class, err error) (int, error) {
		return 0, &loadgen.Error{Class: class, Err: fmt.Errorf("/tokenize: %w", t.secrets.clean(err))}
	}
	response, err := q.client.Do(request)
	switch {
	case refused(err):
		return failed(loadgen.ClassDial, err)
	case err != nil:
		return failed(loadgen.ClassTruncated, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		e := statusError(response).(*loadgen.Error)
		e.Err = t.secrets.clean(e.Err)
		return 0, e
	}
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxCounted))
	if err != nil {
		return failed(loadgen.ClassTruncated, err)
	}
	var said struct{ Count int }
	if err := json.Unmarshal(answer, &said); err != nil || said.Count < 1 || said.Count > mostTokens {
		return failed(loadgen.ClassProtocol, errors.New("it does not count: "+excerpt(answer)))
	}
	return said.Count, nil
}

const maxCounted = 1 << 20 // bytes of an answer of /tokenize, which lists the tokens of some ten words
