package probe

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

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

// A ServerView is a probe of what a server tells of itself at /metrics, in Prometheus' text format, with the names of vLLM,
// SGLang and llama.cpp: gauges while a level runs, as series for each engine and figures of the whole; counters and
// histograms before and after it. The zero ServerView is ready for use.
type ServerView struct {
	Every  time.Duration // between samples; zero: a second
	Client *http.Client  // zero: http.DefaultClient
	Header http.Header   // of each request, as the load has it; zero: none
	URL    string        // of the metrics; zero: /metrics at the instance's root

	// Unique says that no prompt of a level should be known to the server: hits of a cache are then a warning, which spoils
	// what the cache makes cheap. Zero: hits are only told.
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
	var first, last families
	poll, err := startPoll(ctx, every, func(ctx context.Context) ([]Sample, error) {
		ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
		defer cancel()
		f, err := scrape(ctx, client, address, v.Header)
		if err != nil {
			return nil, err
		}
		if first == nil {
			first = f
		}
		last = f
		return f.gauges(), nil
	})
	if err != nil {
		return nil, fmt.Errorf("the server's own view: %w", err)
	}
	return func() (protocol.Reading, error) {
		poll.stop()
		r := protocol.Reading{Name: "server", Figures: poll.figures(), Series: poll.series(), Error: poll.failed()}
		v.between(&r, first, last, s)
		return r, nil
	}, nil
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

// between adds what the counters say, from before a level to after it.
func (v ServerView) between(r *protocol.Reading, before, after families, s protocol.Step) {
	warn := func(code string, spoils []string, format string, args ...any) {
		r.Warnings = append(r.Warnings, loadgen.Warning{Code: code, Spoils: spoils, Message: fmt.Sprintf(format, args...)})
	}
	figure := func(name, unit string, better loadgen.Direction, value float64, n float64) {
		r.Figures = append(r.Figures, loadgen.Figure{Name: name, Unit: unit, Better: better, Value: value, N: int(min(n, math.MaxInt32))})
	}
	if why := restarted(before, after); why != "" {
		warn(WarnRestarted, []string{loadgen.All}, "the server began anew within the level (%s): what it served before and after is not one load on one server", why)
		return // differences over a restart mean nothing
	}
	for _, c := range counters {
		if d, ok := increase(before, after, c.names); ok {
			figure(c.name, c.unit, loadgen.Neither, d.total(), 1)
		}
	}
	if d, ok := increase(before, after, preempted.names); ok && d.total() > 0 {
		warn(WarnPreempted, nil, "the server sent running requests back to its queue %.0f times, because its KV cache was full: their tokens were computed twice", d.total())
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
		v.shares(d, s, warn)
	}
}

// hitsLimit is the share of prompt tokens found in a cache above which prompts that should be new were not: a chat template's
// first block is the same in all of them, and is no more than that.
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

// shareFloor is how far below its fair share an engine may be before its load is not the one that the level is named after.
const shareFloor = 0.5

// shares looks at what share of the output tokens each engine served.
func (v ServerView) shares(d engines, s protocol.Step, warn func(string, []string, string, ...any)) {
	n := max(len(d), v.Engines)
	total := d.total()
	if n < 2 || total <= 0 {
		return
	}
	if len(d) < v.Engines {
		warn(WarnReplicaUnused, nil, "the server's metrics tell %d engines apart, and %d were said to be there: whether each served its share is not known", len(d), v.Engines)
		if len(d) < 2 {
			return
		}
	}
	fair := 1 / float64(len(d))
	// As many requests as this make chance a poor reason: the SD of an engine's share is √(fair(1 − fair)/requests).
	requests := float64(max(s.Level.Requests+s.Level.Warmup, 1))
	noise := 3 * math.Sqrt(fair*(1-fair)/requests)
	for _, engine := range sortedNames(d) {
		share := d[engine] / total
		switch {
		case d[engine] == 0:
			warn(WarnReplicaUnused, []string{loadgen.All}, "engine %s served nothing of the %.0f output tokens, where its share is %.3g %%: the throughput is that of fewer engines", engine, total, 100*fair)
		case share < shareFloor*fair && share < fair-noise:
			warn(WarnReplicaUnused, []string{loadgen.All}, "engine %s served %.3g %% of the output tokens, where its share is %.3g %%: the load was not even, and the throughput is not that of all engines", engine, 100*share, 100*fair)
		}
	}
}

// increase is by how much a counter went up, for each engine; false where it was not told before and after. One that is new
// began at 0.
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
