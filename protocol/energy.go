package protocol

import (
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// PowerSeries is the name of the series of a device's power, in W: what a level's energy is the area under, of all
// devices that have one.
const PowerSeries = "gpu_power"

// Names of the figures of energy. They are of the devices whose power was watched, idle power included, over the
// makespan.
const (
	Energy           = "energy"             // J
	EnergyPerToken   = "energy_per_token"   // J ÷ output tokens
	EnergyPerRequest = "energy_per_request" // J ÷ completed requests
)

// WarnEnergyUnknown is the code of the warning that power was watched, and the energy cannot be told from it.
const WarnEnergyUnknown = "energy-unknown"

// energy adds up what the devices used while the measured requests were served, from the power that probes watched.
// Where samples of one device are missing nothing is told, with the reason: the others' sum would flatter the server.
func (m *Measurement) energy() (Reading, bool) {
	out := Reading{Name: "energy"}
	from := m.Result.Start.Add(m.Result.FirstSent)
	to := from.Add(m.Result.Makespan)
	devices, joules := 0, 0.0
	var wrong []string
	for _, r := range m.Readings {
		wrong = append(wrong, powerless(r)...)
		for _, s := range r.Series {
			if s.Name != PowerSeries || s.Of == "" {
				continue
			}
			devices++
			area, err := s.Integral(from, to)
			if err != nil {
				wrong = append(wrong, err.Error())
			}
			joules += area
		}
	}
	if devices == 0 || m.Result.Makespan <= 0 {
		return out, false
	}
	if len(wrong) > 0 {
		out.Warnings = append(out.Warnings, loadgen.Warning{Code: WarnEnergyUnknown,
			Message: "power was watched, but the energy cannot be told: " + strings.Join(wrong, "; ")})
		return out, true
	}
	add := func(name string, n int, better loadgen.Direction) {
		if n > 0 {
			out.Figures = append(out.Figures, loadgen.Figure{Name: name, Unit: "J", Better: better,
				Value: joules / float64(n), N: devices})
		}
	}
	add(Energy, 1, loadgen.Neither)
	add(EnergyPerRequest, m.Result.Accounting.Completed, loadgen.LowerIsBetter)
	if m.Result.Tokens.Uncounted == 0 {
		add(EnergyPerToken, m.Result.Tokens.Output, loadgen.LowerIsBetter)
	}
	return out, true
}

// powerless says which devices of a reading have some state, while others have a power, and no power of their own: a
// sum without them would be of other devices than those that served.
func powerless(r Reading) (out []string) {
	power := map[string]bool{}
	for _, s := range r.Series {
		if s.Name == PowerSeries && s.Of != "" {
			power[s.Of] = true
		}
	}
	if len(power) == 0 {
		return nil
	}
	for _, s := range r.Series {
		if _, known := power[s.Of]; s.Of != "" && !known {
			power[s.Of] = false
			out = append(out, (&SeriesError{PowerSeries + " of " + s.Of, "it could never be read"}).Error())
		}
	}
	return out
}
