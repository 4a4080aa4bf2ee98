package loadgen

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/servegauge/servegauge/stats"
)

// collect makes the result of requests that were recorded one after the other, without running any: each is filled
// from its Sent on, and done when it says.
func collect(t *testing.T, l Level, n int, fill func(i int, r *Record)) *Result {
	t.Helper()
	if err := l.Validate(); err != nil {
		t.Fatal(err)
	}
	s := newSlots(l)
	c := newCollector(&Generator{}, l, s.epoch, &hooks{})
	s.next, s.measuredAt, s.peak = n, 0, s.own.Concurrency
	for i := range n {
		r := new(Record)
		r.reset(i, false, s.epoch)
		fill(i, r)
		if err := r.check(); err != nil {
			t.Fatal(err)
		}
		r.Left = r.Done
		c.count(outcome{record: r, nth: i, view: view{never, never, never}})
	}
	r, err := c.result(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A stall is a client that stands still for so long in each period, and reads all that has come when it goes on: what
// it reads has the stamp of the last of it. Otherwise it reads each chunk when it comes.
type stall struct{ period, still time.Duration }

// record gives r the chunks that came at these times, as the client stamps them. What ends the stream comes with the
// last chunk's read where trailed.
func (s stall) record(r *Record, arrivals []time.Duration, phase time.Duration, trailed bool) {
	wakes := func(at time.Duration) time.Duration {
		if s.period == 0 {
			return at
		}
		if in := (at + phase) % s.period; in < s.still {
			return at + s.still - in
		}
		return at
	}
	for i, since := 0, time.Duration(0); i < len(arrivals); {
		read := wakes(arrivals[i])
		j := i
		for j+1 < len(arrivals) && arrivals[j+1] <= read {
			j++
		}
		for k := i; k <= j; k++ {
			r.Chunk(Chunk{Seen: read, Arrived: arrivals[j], Since: since, Shared: k < j || trailed &&
				j == len(arrivals)-1})
		}
		i, since = j+1, read
	}
	r.Done = r.LastArrival()
}

// The stall: 40 of every 200 ms, against gaps of 5 ms and a first token after 20. What the client then says
// of p99 is its own, and is spoiled; what it says of the middle is true, and is not.
func TestStalledClient(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name            string
		stall           stall
		trailed         bool
		gap             time.Duration
		chunks          int
		spoiled, intact []string
	}{
		{"no stall", stall{}, false, 5 * ms, 100, nil, []string{"itl_mean", "itl_p50", "itl_p90", "itl_p95", "itl_p99",
			"ttft_mean", "ttft_p50", "ttft_p99", Attainment}},
		{"40 of 200 ms", stall{200 * ms, 40 * ms}, false, 5 * ms, 100,
			[]string{"itl_p99", "ttft_p99", "ttft_p95", "ttft_p90", "ttft_mean", Attainment}, []string{"itl_mean",
				"itl_p50", "ttft_p50", "e2e_p99", "tpot_p99"}},
		{"20 of 500 ms", stall{500 * ms, 20 * ms}, false, 5 * ms, 100, []string{"itl_p99", "ttft_p99"},
			[]string{"itl_mean", "itl_p50", "itl_p90", "ttft_p50"}},
		{"300 of 10,000 ms, of gaps of 30", stall{10_000 * ms, 300 * ms}, false, 30 * ms, 200, []string{"ttft_p99"},
			[]string{"itl_mean", "itl_p50", "itl_p95", "ttft_p50"}},
		{"half of the time", stall{100 * ms, 50 * ms}, false, 5 * ms, 100,
			[]string{"itl_p50", "itl_p99", "ttft_mean"}, nil},
		{"the end comes with the last chunk", stall{}, true, 5 * ms, 16,
			nil, []string{"itl_mean", "itl_p50", "itl_p90", "itl_p95", "itl_p99", "ttft_mean", "ttft_p50", "ttft_p99"}},
		{"the end comes with the last chunk, of gaps of 20 ms", stall{}, true, 20 * ms, 64,
			nil, []string{"itl_mean", "itl_p50", "itl_p90", "itl_p95", "itl_p99", "ttft_mean", "ttft_p99"}},
		{"one chunk an answer, with its end", stall{}, true, 5 * ms, 1, []string{"ttft_mean"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, 2))
			var truth []float64
			level := Level{Concurrency: 1, Requests: 300, Objectives: []Objective{{TTFT, 30}}}
			r := collect(t, level, 300, func(i int, r *Record) {
				r.Sent = time.Duration(i) * 10 * time.Second
				at := r.Sent + 20*ms + time.Duration(random.IntN(1000))*time.Microsecond
				arrivals := []time.Duration{at}
				for range c.chunks - 1 {
					gap := time.Duration(float64(c.gap) * math.Exp(0.12*random.NormFloat64()))
					truth = append(truth, float64(gap)/1e6)
					at += gap
					arrivals = append(arrivals, at)
				}
				c.stall.record(r, arrivals, time.Duration(random.Int64N(int64(max(c.stall.period, 1)))), c.trailed)
				r.Counted, r.Input, r.Output = true, 4, c.chunks
			})
			checkSpoiled(t, r, c.spoiled, c.intact)
			// What is not spoiled is true.
			slices.Sort(truth)
			for _, p := range quantiles {
				f, ok := r.Figure(QuantileName(ITL, p))
				if !ok || slices.ContainsFunc(r.Warnings, func(w Warning) bool { return w.SpoilsFigure(f.Name) }) {
					continue
				}
				if want, _ := stats.Sorted(truth).Quantile(p / 100); math.Abs(f.Value-want) > 0.15*want {
					t.Errorf("%s is %.3g, and %.3g in truth, and not spoiled", f.Name, f.Value, want)
				}
			}
		})
	}
}

// A short answer whose chunks all came in one read has no time for a token that anybody knows, and no percentile of it,
// of all issued neither, that could meet a limit; of a long answer the first chunk hardly matters.
func TestTPOTOfOneRead(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		chunks  int
		behind  time.Duration // after the others, which came in one read with it
		spoiled []string
		intact  []string
	}{
		{3, 0, []string{"ttft_p50", "ttft_p99", "ttft_p99_issued", "first_choice_p50", "first_answer_mean", "itl_p50",
			"tpot_mean", "tpot_p50", "tpot_p99_issued", "interactivity_p50", Attainment, AttainmentName(TPOT)},
			[]string{"e2e_p50", "e2e_p99_issued"}},
		{3, 2000 * ms, []string{"ttft_p50"}, []string{"tpot_p50", "tpot_mean", "tpot_p99_issued",
			AttainmentName(TPOT)}},
	} {
		level := Level{Concurrency: 1, Requests: 50, Objectives: []Objective{{TPOT, 20}}}
		r := collect(t, level, 50, func(i int, r *Record) {
			r.Sent = time.Duration(i) * 10 * time.Second
			at := r.Sent + 200*ms
			for k := range c.chunks {
				last := k == c.chunks-1
				if last {
					at += c.behind
				}
				r.Chunk(Chunk{Seen: at, Arrived: at, Shared: !last})
			}
			r.Done = r.LastArrival()
			r.Opened, r.FirstAnswer = r.Sent+200*ms, r.Sent+200*ms
			r.Counted, r.Input, r.Output = true, 4, c.chunks
		})
		checkSpoiled(t, r, c.spoiled, c.intact)
		if u := r.Unsure[TPOT]; u == nil || u.Told.Len() != 50 {
			t.Errorf("%d chunks: %+v", c.chunks, u)
		}
	}
}

// The figures with some of their samples replaced are those of the samples so replaced, exact or not.
func TestReplaced(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 7, 1000, MaxExact + 5} {
		var d, told, other, want Distribution
		for i := range n {
			x := random.ExpFloat64()
			d.Add(x)
			if i%5 == 0 {
				y := 3 * random.Float64()
				told.Add(x)
				other.Add(y)
				want.Add(y)
			} else {
				want.Add(x)
			}
		}
		quantile := d.replaced(&told, &other)
		for _, p := range []float64{0, 10, 50, 90, 99, 100} {
			w, _ := want.Quantile(p)
			if got := quantile(p); math.Abs(got-w) > 2e-3*w+1e-8 {
				t.Errorf("%d: p%v %v, want %v", n, p, got, w)
			}
		}
	}
}

// Where nothing is known but that a chunk came after the one before, its interval goes back to that; results merge, and
// come back from JSON, with what is unsure.
func TestUnsureMergesAndTravels(t *testing.T) {
	const ms = time.Millisecond
	fill := func(i int, r *Record) {
		r.Sent = time.Duration(i) * time.Second
		r.Chunk(Chunk{Seen: r.Sent + 30*ms, Shared: true})
		r.Chunk(Chunk{Seen: r.Sent + 60*ms, Shared: true})
		r.Chunk(Chunk{Seen: r.Sent + 90*ms})
		r.Done = r.Sent + 90*ms
	}
	var parts []*Result
	for k := range 2 {
		parts = append(parts, collect(t, Level{Concurrency: 2, Requests: 20, Shard: k, Shards: 2}, 10, fill))
	}
	parts[1].Start = parts[0].Start
	merged, err := MergeResults(parts...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(merged)
	if err != nil {
		t.Fatal(err)
	}
	var back Result
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*Result{"part": parts[0], "merged": merged, "read back": &back} {
		n := r.Accounting.Completed
		for metric, want := range map[string][5]float64{
			TTFT: {float64(n), 30, 0, 30, 30 * float64(n)},
			// From a chunk that came within its first 30 ms to one within its first 60, and from there to 90 ms.
			ITL: {2 * float64(n), 30, (0 + 30) / 2.0, (60 + 90) / 2.0, 30 * float64(n)},
		} {
			u := r.Unsure[metric]
			told, _ := u.Told.Mean()
			least, _ := u.Least.Mean()
			most, _ := u.Most.Mean()
			if got := [5]float64{float64(u.Told.Len()), told, least, most, u.Sum}; got != want {
				t.Errorf("%s: %s is %v, want %v", name, metric, got, want)
			}
		}
		if !hasWarning(r, WarnArrivalsUnsure) {
			t.Errorf("%s: %v", name, r.Warnings)
		}
	}
	parts[1].Unsure[ITL].Least = Distribution{}
	if _, err := MergeResults(parts...); err == nil {
		t.Error("samples are missing, and nobody says so")
	}
}

// What is unsure costs nothing where all is sure.
func TestUnsureCostsNothing(t *testing.T) {
	r := mustMeasure(t, Level{Concurrency: 1, Requests: 3}, TargetFunc(func(ctx context.Context, i int,
		r *Record) error {
		for range 5 {
			r.Chunk(Chunk{})
		}
		return nil
	}))
	if r.Unsure != nil {
		t.Errorf("%v", r.Unsure)
	}
}
