package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/protocol"
)

// GPUs is a probe of this host's GPUs, by [envinfo.Snapshot]: power, load, memory, clock and temperature of each, and
// of all together the sum of power and memory, and the mean of the rest. It is of use where the server runs on this
// host. The zero GPUs is ready for use.
type GPUs struct {
	Every   time.Duration   // between samples; zero: a second, below which NVIDIA's tool is not asked
	Options envinfo.Options // what is read; zero: this host
}

var errNoGPU = errors.New("no GPU whose state could be read")

// Watch implements [protocol.Probe]. It fails where there is no GPU.
func (p GPUs) Watch(ctx context.Context, i *protocol.Instance, s protocol.Step) (func() (protocol.Reading, error),
	error) {
	every := p.Every
	if every == 0 {
		every = time.Second
	}
	return Sampled("gpus", every, func(ctx context.Context, _ *protocol.Instance) ([]Sample, error) {
		return p.sample(ctx)
	}).Watch(ctx, i, s)
}

// A quantity of a GPU, as it is now.
type quantity struct {
	name, unit string
	sum        bool // the whole is the sum over the GPUs; else their mean
	of         map[string]float64
	missing    bool // of one GPU at least
}

func (p GPUs) sample(ctx context.Context) ([]Sample, error) {
	now, err := envinfo.Snapshot(ctx, p.Options)
	if err != nil {
		return nil, err
	}
	power := &quantity{name: protocol.PowerSeries, unit: "W", sum: true}
	memory := &quantity{name: "gpu_memory_used", unit: "GiB", sum: true}
	busy := &quantity{name: "gpu_busy", unit: "%"}
	clock := &quantity{name: "gpu_clock", unit: "MHz"}
	hot := &quantity{name: "gpu_temperature", unit: "°C"}
	for i, d := range now.AMD.Devices {
		name := location(d.Location, "AMD", i)
		watts := d.Power
		if _, ok := watts.Get(); !ok {
			watts = d.PowerMean
		}
		take(power, name, watts, 1)
		take(memory, name, d.VRAMUsed, 1<<30)
		take(busy, name, d.Busy, 1)
		take(clock, name, d.Clock, 1)
		take(hot, name, d.Junction, 1)
	}
	for i, d := range now.NVIDIA.Devices {
		name := location(d.Location, "NVIDIA", i)
		take(power, name, d.Power, 1)
		take(memory, name, d.VRAMUsed, 1<<30)
		take(busy, name, d.Busy, 1)
		take(clock, name, d.Clock, 1)
		take(hot, name, d.Temperature, 1)
	}
	var out []Sample
	for _, q := range []*quantity{power, memory, busy, clock, hot} {
		out = append(out, q.samples()...)
	}
	if len(out) == 0 {
		return nil, errNoGPU
	}
	return out, nil
}

// location is the PCI address of a GPU, or its number where that is not known.
func location(v fact.Value[string], maker string, i int) string {
	if at, ok := v.Get(); ok {
		return at
	}
	return fmt.Sprintf("%s GPU %d", maker, i)
}

func take[T int64 | float64](q *quantity, of string, v fact.Value[T], per float64) {
	x, ok := v.Get()
	if !ok {
		q.missing = true
		return
	}
	if q.of == nil {
		q.of = map[string]float64{}
	}
	q.of[of] = float64(x) / per
}

// samples are those of each GPU, and of the whole where none is missing: a sum without one would be another quantity.
func (q *quantity) samples() (out []Sample) {
	total := 0.0
	for _, name := range sortedNames(q.of) {
		out = append(out, Sample{Name: q.name, Unit: q.unit, Of: name, Value: q.of[name]})
		total += q.of[name]
	}
	if len(out) == 0 || q.missing {
		return out
	}
	if !q.sum {
		total /= float64(len(out))
	}
	return append(out, Sample{Name: q.name, Unit: q.unit, Value: total})
}
