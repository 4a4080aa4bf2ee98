package protocol

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
)

// Machines are those of an experiment, in words. What was captured where the client ran is the client's, and says
// nothing of a server that is elsewhere.
type Machines struct {
	Client string `json:"client,omitempty"` // "": it was not captured
	Server string `json:"server,omitempty"` // "the client's", another in words, or "unknown: " and why; "": it was never started
}

// machines tells where client and server were. Where the starts differ in that, the first one that is not the
// client's counts.
func machines(e *Experiment) (m Machines) {
	if e.Environment != nil {
		m.Client = machine(e.Environment)
	}
	for _, s := range e.Starts {
		where := s.machine()
		if m.Server == "" || m.Server == onClient {
			m.Server = where
		}
	}
	return m
}

const onClient = "the client's"

// machine is that on which a start's server runs.
func (s Start) machine() string {
	if s.Server != nil {
		if there := machine(s.Server); there != "" {
			return there
		}
	}
	path := Path{}
	if s.Path != nil {
		path = *s.Path
	}
	switch {
	case path.MayLeaveHost():
		return fmt.Sprintf("unknown: %s takes the connections, and may pass them on to another host", path.Via)
	case path.Known || loopback(s.URL):
		return onClient
	case s.URL == "":
		return "unknown: it has no URL"
	}
	return "unknown: its URL is of another host, and nothing was captured there"
}

func loopback(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()).IsLoopback())
}

// machine is an environment's in a few words: "64 cores of AMD EPYC 9575F, Ubuntu 24.04.2 LTS, 8 GPUs"; "" where
// nothing of it is known.
func machine(e *envinfo.Environment) string {
	var parts []string
	model, known := e.Host.CPUModel.Get()
	if cores, ok := e.Host.CPUCores.Get(); ok && known {
		parts = append(parts, fmt.Sprintf("%d cores of %s", cores, model))
	} else if known {
		parts = append(parts, model)
	}
	if name, ok := e.Host.Distribution.Get(); ok {
		parts = append(parts, name)
	}
	if n := len(e.AMD.Cards) + len(e.NVIDIA.Cards); n > 0 {
		parts = append(parts, fmt.Sprintf("GPUs: %d", n))
	}
	return strings.Join(parts, ", ")
}

// WarnProbeGaps is the code of the warning that a probe could not see all of a level.
const WarnProbeGaps = "probe-gaps"

// gaps says what the probes of a level that saw something did not see.
func gaps(m Measurement) (out []loadgen.Warning) {
	for _, r := range m.Readings {
		if r.Error != "" && !r.empty() {
			out = append(out, loadgen.Warning{Code: WarnProbeGaps,
				Message: fmt.Sprintf("the probe %s: %s", r.Name, r.Error)})
		}
	}
	return out
}

func (r Reading) empty() bool { return len(r.Figures)+len(r.Series)+len(r.Warnings) == 0 }

// unwatched is why probes saw nothing in any level, by their names.
func unwatched(measured []Measurement) map[string]string {
	why := map[string]string{}
	var seen []string
	for _, m := range measured {
		for _, r := range m.Readings {
			switch _, known := why[r.Name]; {
			case !r.empty():
				seen = append(seen, r.Name)
			case r.Error != "" && !known:
				why[r.Name] = r.Error
			}
		}
	}
	for _, name := range slices.Compact(seen) {
		delete(why, name)
	}
	if len(why) == 0 {
		return nil
	}
	return why
}
