package state

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/leaves"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// MinInterval is the shortest interval of a [Sampler]. The firmware of the cards averages over about as long, so that
// asking more often only costs.
const MinInterval = 100 * time.Millisecond

const (
	maxSeries     = 1024 // points that are kept of a quantity
	maxQuantities = 4096
)

// Sampler takes the state of the host again and again while something else is measured, in a goroutine of its own and
// in bounded memory. Processes are counted and not listed. For eight AMD GPUs a sample is some 130 reads of small
// files; Samples.Spent says what they have taken.
//
// NVIDIA GPUs are in it at intervals of one second or more, since each of their samples is a run of nvidia-smi, whose
// deadline is that of Options.Tools, from the beginning of the sample. Below that they are left out, and nvidia.count
// says so; it also counts the samples in which the tool failed, of which the cards know nothing.
type Sampler struct {
	cancel context.CancelFunc
	done   chan struct{}
	out    *Samples
}

// Samples is what a [Sampler] has seen.
type Samples struct {
	Start time.Time     `json:"start"`
	End   time.Time     `json:"end"`
	Every time.Duration `json:"every"` // ns, the interval that was asked for
	// samples; fewer than there were intervals where the host could not be read as fast
	Taken int `json:"taken"`
	// ns, in reading and waiting for tools: what the sampling has cost, of one processor at most
	Spent time.Duration `json:"spent"`
	// Quantities is in the order of the state. Nil: no sample was taken.
	Quantities []Quantity `json:"quantities,omitempty"`
}

// Quantity is one number of a [State] over time.
type Quantity struct {
	// its path in the JSON form of the state: "amd.devices[0000:05:00.0].power"
	Name    string              `json:"name"`
	N       int                 `json:"n"`       // samples in which it was known
	Unknown int                 `json:"unknown"` // samples in which it was not, for the reason of Mean if N is 0
	Min     fact.Value[float64] `json:"min"`
	Mean    fact.Value[float64] `json:"mean"`
	Max     fact.Value[float64] `json:"max"`
	First   fact.Value[float64] `json:"first"`
	Last    fact.Value[float64] `json:"last"`
	// Series is the first known value and every Stride-th after it: at most 1,024, so that Stride doubles as time goes
	// on.
	Series []Point `json:"series,omitempty"`
	Stride int     `json:"stride,omitempty"`
}

// Point is a number at a time.
type Point struct {
	At    float64 `json:"at"` // s since Samples.Start
	Value float64 `json:"value"`
}

// Start starts a Sampler that reads what in says.
//
// The error says that every is shorter than [MinInterval].
func Start(ctx context.Context, in source.Config, every time.Duration) (*Sampler, error) {
	if every < MinInterval {
		return nil, fmt.Errorf("envinfo: the interval of a sampler is %v; give %v or more", every, MinInterval)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Sampler{cancel: cancel, done: make(chan struct{}), out: &Samples{Start: time.Now(), Every: every}}
	go s.run(&capture{Reader: in.Reader(ctx)}, in)
	return s, nil
}

// Stop ends the sampling and returns what was seen; it can be called again, and after the end of ctx.
func (s *Sampler) Stop() *Samples {
	s.cancel()
	<-s.done
	return s.out
}

func (s *Sampler) run(c *capture, in source.Config) {
	defer close(s.done)
	defer s.cancel()
	ticker := time.NewTicker(s.out.Every)
	defer ticker.Stop()
	monitors, count := c.monitors()
	seen := &accumulator{index: map[string]int{}}
	for c.Ctx.Err() == nil {
		start := time.Now()
		c.Begin(0)
		if c.box = source.NotRun(errToolInterval); s.out.Every >= minToolInterval {
			c.box = in.Toolbox(c.Ctx)
		}
		state := c.sample(monitors, count)
		c.box.Stop()
		s.out.Spent += time.Since(start)
		if c.Ctx.Err() == nil { // else part of it is unknown for that reason
			s.out.Taken++
			seen.at = start.Sub(s.out.Start).Seconds()
			seen.add("", reflect.ValueOf(*state))
		}
		select {
		case <-ticker.C:
		case <-c.Ctx.Done():
		}
	}
	s.out.End = time.Now()
	s.out.Quantities = seen.quantities()
}

// sample is a snapshot without warnings, of which nobody would hear.
func (c *capture) sample(monitors []monitor, count fact.Value[int64]) *State {
	nvidia := startNVIDIAState(c.box)
	state := c.snapshot(monitors, count)
	c.nvidiaState(&state.NVIDIA, nvidia)
	state.NVIDIA.Processes.Count = fact.Unknown[int64]("", fact.ScopeHost, "a sampler does not ask for them")
	c.Warnings = nil
	return state
}

// accumulator keeps what is known of each number so far.
type accumulator struct {
	at    float64
	index map[string]int
	all   []running
}

type running struct {
	name                        string
	n, unknown, stride          int
	min, mean, max, first, last float64
	series                      []Point
	fact.Reading                // the last one, for unit, scope, source and reason
}

// add takes in all numbers below v.
func (a *accumulator) add(path string, v reflect.Value) {
	if r, ok := leaves.AsLeaf(v); ok {
		switch v.Interface().(type) {
		case fact.Value[int64], fact.Value[float64], fact.Value[bool]:
			a.take(path, r)
		}
		return
	}
	switch {
	case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]():
		for _, f := range leaves.StructFields(v) {
			a.add(leaves.Join(path, f.Name), f.Value)
		}
	case v.Kind() == reflect.Slice:
		names, _ := leaves.Keys(v)
		for i, name := range names {
			a.add(path+"["+name+"]", v.Index(i))
		}
	}
}

func (a *accumulator) take(path string, r fact.Reading) {
	i, ok := a.index[path]
	if !ok {
		if len(a.all) == maxQuantities {
			return
		}
		i = len(a.all)
		a.index[path] = i
		a.all = append(a.all, running{name: path, stride: 1, min: math.Inf(1), max: math.Inf(-1)})
	}
	q := &a.all[i]
	var x float64
	switch v := r.Value.(type) {
	case int64:
		x = float64(v)
	case float64:
		x = v
	case bool:
		if v {
			x = 1
		}
	default:
		q.unknown++
		if q.n == 0 {
			q.Reading = r
		}
		return
	}
	q.Reading = r
	if q.n == 0 {
		q.first = x
	}
	if q.n%q.stride == 0 {
		if len(q.series) == maxSeries {
			for j := range maxSeries / 2 {
				q.series[j] = q.series[2*j]
			}
			q.series = q.series[:maxSeries/2]
			q.stride *= 2
		}
		q.series = append(q.series, Point{a.at, x})
	}
	q.n++
	q.min, q.max, q.last = min(q.min, x), max(q.max, x), x
	q.mean += (x - q.mean) / float64(q.n)
}

func (a *accumulator) quantities() []Quantity {
	var out []Quantity
	for _, r := range a.all {
		q := Quantity{Name: r.name, N: r.n, Unknown: r.unknown, Series: r.series}
		if r.n == 0 {
			v := fact.Unknown[float64](r.Unit, r.Scope, r.Reason)
			q.Min, q.Mean, q.Max, q.First, q.Last = v, v, v, v, v
			out = append(out, q)
			continue
		}
		q.Stride = r.stride
		known := func(x float64, what string) fact.Value[float64] {
			return fact.Known(x, r.Unit, r.Scope, fmt.Sprintf("%s of %d samples of %s", what, r.n, r.Source))
		}
		q.Min, q.Mean, q.Max = known(r.min, "least"), known(r.mean, "mean"), known(r.max, "most")
		q.First, q.Last = known(r.first, "first"), known(r.last, "last")
		out = append(out, q)
	}
	return out
}
