package program

import (
	"flag"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// openLoop are the flags that make an open loop of a plan: rates of arrivals in the place of concurrencies.
type openLoop struct {
	rates       FloatList
	arrivals    string
	burstiness  float64
	maxInFlight int
}

func (o *openLoop) register(flags *flag.FlagSet) {
	flags.Var(&o.rates, "rates", "an open loop instead of -levels: `requests/s` with commas between them, whatever "+
		"became of those before")
	flags.StringVar(&o.arrivals, "arrivals", string(loadgen.PoissonArrivals), "with -rates: constant, poisson or gamma")
	flags.Float64Var(&o.burstiness, "burstiness", 1, "with -arrivals gamma: `shape` of the gaps; 1 is poisson, less "+
		"comes in bursts, more is more even")
	flags.IntVar(&o.maxInFlight, "max-in-flight", 0, "with -rates or -trace: most `requests` in flight, beyond which "+
		"arrivals wait; 0: no bound")
}

// openFlags are the flags' names.
var openFlags = []string{"rates", "arrivals", "burstiness", "max-in-flight"}

// check refuses flags that would have no effect.
func (o *openLoop) check(flags *flag.FlagSet) error {
	if given(flags, "rates") && given(flags, "levels") {
		return Usagef("-rates %v: want either them or -levels", &o.rates)
	}
	for _, name := range openFlags[1:] {
		if given(flags, name) && !given(flags, "rates") && !(name == "max-in-flight" && given(flags, "trace")) {
			return Usagef("-%s: want -rates with it; -levels are of a closed loop", name)
		}
	}
	if given(flags, "burstiness") && o.arrivals != string(loadgen.GammaArrivals) {
		return Usagef("-burstiness %g: want -arrivals gamma with it", o.burstiness)
	}
	return nil
}

// change has a plan offer rates, where they were given.
func (o *openLoop) change(p *protocol.Plan, flags *flag.FlagSet) {
	if !given(flags, "rates") {
		return
	}
	p.Levels, p.Rates, p.MaxInFlight = nil, o.rates, o.maxInFlight
	p.Arrivals = loadgen.Arrivals{Process: loadgen.Process(o.arrivals)}
	if o.arrivals == string(loadgen.GammaArrivals) {
		p.Arrivals.Burstiness = o.burstiness
	}
}

// A FloatList is a flag of numbers above 0 with commas between them.
type FloatList []float64

func (l *FloatList) String() string {
	var parts []string
	for _, x := range *l {
		parts = append(parts, strconv.FormatFloat(x, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

func (l *FloatList) Set(s string) error {
	*l = nil
	for part := range strings.SplitSeq(s, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || !(x > 0) || math.IsInf(x, 0) {
			return fmt.Errorf("%q: want numbers above 0 with commas between them, such as 0.5,5,20", part)
		}
		*l = append(*l, x)
	}
	return nil
}
