package probe

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// Codes of the warnings that a server's own view gives rise to.
const (
	WarnCacheHits     = "cache-hits"     // prompts that were to be new were found in a cache
	WarnPreempted     = "preempted"      // the server sent running requests back to its queue
	WarnRestarted     = "restarted"      // the server's counters began anew within the level
	WarnReplicaUnused = "replica-unused" // an engine served nothing, or far from its share
)

// A ServerView is a probe of what a server tells of itself at /metrics, in Prometheus' text format, with the names of
// vLLM, SGLang and llama.cpp: gauges while a level runs, as series for each engine and figures of the whole; counters
// and histograms before and after it. The zero ServerView is ready for use.
type ServerView struct {
	Every  time.Duration // between samples; zero: a second
	Client *http.Client  // zero: http.DefaultClient
	Header http.Header   // of each request, as the load has it; zero: none
	URL    string        // of the metrics; zero: /metrics at the instance's root

	// Unique says that no prompt of a level should be known to the server: hits of a cache are then a warning, which
	// spoils what the cache makes cheap. Zero: hits are only told.
	Unique bool

	// Engines is how many engines or replicas there should be. More than the metrics tell apart cannot be looked after,
	// which the reading says. Zero: as many as the metrics tell apart.
	Engines int
}

// limit of one scrape.
const scrapeLimit = 5 * time.Second

// Watch implements [protocol.Probe]. It fails where the server has no metrics to begin with.
func (v ServerView) Watch(ctx context.Context, i *protocol.Instance, s protocol.Step) (func() (protocol.Reading, error), error) {
	address := v.URL
	if address == "" {
		var err error
		if address, err = metricsAt(i.URL); err != nil {
			return nil, err
		}
	}
	client := v.Client
	if client == nil {
		client = http.DefaultClient
	}
	every := v.Every
	if every == 0 {
		every = time.Second
	}
	var seen course
	poll, err := startPoll(ctx, every, func(ctx context.Context) ([]Sample, error) {
		ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
		defer cancel()
		f, err := scrape(ctx, client, address, v.Header)
		seen.note(f, err)
		if err != nil {
			return nil, err
		}
		return f.gauges(), nil
	})
	if err != nil {
		return nil, fmt.Errorf("the server's own view: %w", err)
	}
	return func() (protocol.Reading, error) {
		poll.stop()
		r := protocol.Reading{Name: "server", Figures: poll.figures(), Series: poll.series(), Error: poll.failed()}
		v.between(&r, seen, s)
		return r, nil
	}, nil
}

// A course is what the scrapes of a level said, one after another. Of those between the first and the last nothing is
// kept but whether the server began anew: counters that fall to 0 and rise above what they were before the level
// look, from its ends alone, as though nothing had happened.
type course struct {
	first, last families
	restarted   string // by what it was seen to begin anew; "": it was not
	failed      error  // of the latest scrape
}

func (c *course) note(f families, err error) {
	if c.failed = err; err != nil {
		return
	}
	if c.first == nil {
		c.first = f
	} else if c.restarted == "" {
		c.restarted = restarted(c.last, f)
	}
	c.last = f
}

// gauges are what is sampled: of the whole, and of each engine where there are several.
func (f families) gauges() (out []Sample) {
	for _, g := range gauges {
		of := f.values(g.names...)
		if len(of) == 0 {
			continue
		}
		whole := of.total()
		if !g.sum {
			whole /= float64(len(of))
		}
		out = append(out, Sample{Name: g.name, Unit: g.unit, Value: g.scale * whole})
		if len(of) == 1 {
			continue
		}
		for _, engine := range sortedNames(of) {
			out = append(out, Sample{Name: g.name, Unit: g.unit, Of: "engine " + engine, Value: g.scale * of[engine]})
		}
	}
	return out
}

// between adds what the counters say, from before a level to after it. Where the scrape after it failed the counters
// are those of some moment within the level, and nothing is told of them.
func (v ServerView) between(r *protocol.Reading, seen course, s protocol.Step) {
	before, after := seen.first, seen.last
	warn := func(code string, spoils []string, format string, args ...any) {
		r.Warnings = append(r.Warnings, loadgen.Warning{Code: code, Spoils: spoils, Message: number.Sprintf(format, args...)})
	}
	figure := func(name, unit string, better loadgen.Direction, value float64, n float64) {
		r.Figures = append(r.Figures, loadgen.Figure{Name: name, Unit: unit, Better: better, Value: value, N: int(min(n, math.MaxInt32))})
	}
	if seen.restarted != "" {
		warn(WarnRestarted, []string{loadgen.All}, "the server began anew within the level (%s): what it served before and after is not one load on one server", seen.restarted)
		return // differences over a restart mean nothing
	}
	if seen.failed != nil {
		return // the reading's error says so
	}
	for _, c := range counters {
		if d, ok := increase(before, after, c.names); ok {
			figure(c.name, c.unit, loadgen.Neither, d.total(), 1)
		}
	}
	if d, ok := increase(before, after, preempted.names); ok && d.total() > 0 {
		warn(WarnPreempted, nil, "the server sent running requests back to its queue %s, because its KV cache was full: their tokens were computed twice", times(d.total()))
	}
	v.caches(r, before, after, warn, figure)
	for _, t := range timings {
		a, b := before.histogram(t.names...), after.histogram(t.names...)
		if b == nil {
			continue
		}
		if d := b.since(a); d.count > 0 {
			figure(loadgen.MeanName(t.name), "ms", loadgen.LowerIsBetter, 1000*d.sum/d.count, d.count)
			if low, high, ok := d.quantile(.5); ok && !math.IsInf(high, 1) {
				figure(loadgen.QuantileName(t.name, 50), "ms", loadgen.LowerIsBetter, 1000*(low+high)/2, d.count)
				r.Figures[len(r.Figures)-1].Method = fmt.Sprintf("bucket from %.4g to %.4g ms", 1000*low, 1000*high)
			}
		}
	}
	if d, ok := increase(before, after, generated.names); ok {
		served, _ := increase(before, after, finished.names)
		v.shares(d, served.total(), s, warn)
	}
}

func times(n float64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%.0f times", n)
}

// hitsLimit is the share of prompt tokens found in a cache above which prompts that should be new were not: a chat
// template's first block is the same in all of them, and is no more than that.
const hitsLimit = 0.02

func (v ServerView) caches(r *protocol.Reading, before, after families, warn func(string, []string, string, ...any), figure func(string, string, loadgen.Direction, float64, float64)) {
	for _, c := range caches {
		queries, asked := increase(before, after, c.queries)
		hits, told := increase(before, after, c.hits)
		if !asked || !told || queries.total() <= 0 {
			continue
		}
		share := hits.total() / queries.total()
		if c.name == "prefix" {
			figure("server_cache_hits", "%", loadgen.Neither, 100*share, queries.total())
		}
		if v.Unique && share > hitsLimit {
			warn(WarnCacheHits, []string{loadgen.All}, "%.3g %% of what was looked up in the server's %s cache was found there, although the prompts should be new to it: the server did less work than it seems; use another -seed, or empty the cache (-reset-cache)", 100*share, c.name)
		}
	}
}

// shareFloor is how far below its fair share an engine may be before its load is not the one that the level is named
// after.
const shareFloor = 0.5

// shareP is how seldom chance alone leaves an engine idle of which that is said: with two engines, seven requests
// suffice.
const shareP = 0.01

// shares looks at what share of the output tokens each engine served, of so many requests that it finished; 0: not
// told. With fewer in flight than engines some idle in all fairness, and nothing is said.
func (v ServerView) shares(d engines, served float64, s protocol.Step, warn func(string, []string, string, ...any)) {
	n := max(len(d), v.Engines)
	total := d.total()
	if n < 2 || total <= 0 {
		return
	}
	if len(d) < v.Engines {
		warn(WarnReplicaUnused, nil, "the server's metrics tell %s apart, and %d were said to be there: whether each served its share is not known", enginesOf(len(d)), v.Engines)
	}
	if len(d) < 2 || s.Level.Concurrency > 0 && s.Level.Concurrency < n {
		return
	}
	fair := 1 / float64(len(d))
	if served == 0 {
		served = float64(max(s.Level.Requests, s.Level.Sessions) + s.Level.Warmup)
	}
	served = max(served, 1)
	// What chance would do to requests that go to any engine alike: leave one without any, or move its share, whose
	// SD is √(fair(1 − fair)/requests).
	idle := math.Pow(1-fair, served) < shareP
	noise := 3 * math.Sqrt(fair*(1-fair)/served)
	for _, engine := range sortedNames(d) {
		share := d[engine] / total
		uneven := share < shareFloor*fair && share < fair-noise
		if !uneven && !(share == 0 && idle) {
			continue
		}
		did, therefore := "nothing", "the throughput is that of fewer engines"
		if d[engine] > 0 {
			did, therefore = fmt.Sprintf("%.3g %%", 100*share), "the load was not even, and the throughput is not that of all engines"
		}
		warn(WarnReplicaUnused, []string{loadgen.All}, "engine %s served %s of the %.0f output tokens, where its share is %.3g %%: %s",
			engine, did, total, 100*fair, therefore)
	}
}

func enginesOf(n int) string {
	if n == 1 {
		return "no engines" // one is not told from another
	}
	return fmt.Sprintf("%d engines", n)
}

// increase is by how much a counter went up, for each engine; false where it was not told before and after. One that
// is new began at 0.
func increase(before, after families, names []string) (engines, bool) {
	b := after.values(names...)
	if b == nil {
		return nil, false
	}
	a := before.values(names...)
	out := engines{}
	for engine, v := range b {
		out[engine] = v - a[engine]
	}
	return out, true
}

// restarted says by what the server is seen to have begun anew, "" where it has not.
func restarted(before, after families) string {
	a, b := before.values(started...), after.values(started...)
	if len(a) == 1 && len(b) == 1 && math.Abs(a.total()-b.total()) > 1 {
		return fmt.Sprintf("its process started at %.0f, and at %.0f", a.total(), b.total())
	}
	for _, c := range []counter{generated, prompts} {
		d, ok := increase(before, after, c.names)
		if !ok {
			continue
		}
		for engine, v := range d {
			if v < 0 {
				return fmt.Sprintf("%s of engine %q went down by %.0f", c.name, engine, -v)
			}
		}
	}
	return ""
}

// since is what was observed after a.
func (b *buckets) since(a *buckets) *buckets {
	if a == nil {
		return b
	}
	out := &buckets{count: b.count - a.count, sum: b.sum - a.sum, upTo: map[float64]float64{}}
	for bound, n := range b.upTo {
		out.upTo[bound] = n - a.upTo[bound]
	}
	return out
}

// quantile is between which bounds the quantile q lies: no more is known.
func (b *buckets) quantile(q float64) (low, high float64, ok bool) {
	for _, bound := range slices.Sorted(maps.Keys(b.upTo)) {
		if b.upTo[bound] >= q*b.count && b.count > 0 {
			return low, bound, true
		}
		low = bound
	}
	return 0, 0, false
}
