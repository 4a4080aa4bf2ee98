package compare

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/protocol"
)

// A Difference is one between the conditions of two experiments.
type Difference struct {
	// What differs: "hardware", of the client or the server; "load", what was asked of the server; "software", what ran
	// on the hardware and how it was set up, which may be what is to be compared; "unknown", what one of them does not
	// tell.
	What string `json:"what"`
	Text string `json:"text"`

	// Forbids says that a comparison makes no sense, unless the difference is what is meant.
	Forbids bool `json:"forbids,omitempty"`
}

func (d Difference) String() string { return d.What + ": " + d.Text }

// An IncomparableError says why two sides cannot be compared.
type IncomparableError struct{ Differences []Difference }

func (e *IncomparableError) Error() string {
	var parts []string
	for i, d := range e.Differences {
		if i == 8 {
			parts = append(parts, fmt.Sprintf("and %d more", len(e.Differences)-i))
			break
		}
		parts = append(parts, d.String())
	}
	return "the two cannot be compared: " + strings.Join(parts, "; ")
}

// differences are those between two experiments, each once.
func differences(a, b Part) (out []Difference) {
	add := func(what string, forbids bool, format string, args ...any) {
		out = append(out, Difference{what, fmt.Sprintf(format, args...), forbids})
	}
	environments(add, "client", a.Client, b.Client)
	environments(add, "server", a.Server, b.Server)
	x, y := a.Analysis, b.Analysis
	if (a.Client == nil || b.Client == nil) && x.Host != y.Host {
		if x.Machines.Client != "" && y.Machines.Client != "" && x.Machines.Client != y.Machines.Client {
			add("hardware", true, "the client's: %s → %s", x.Machines.Client, y.Machines.Client)
		} else {
			add("unknown", false, "the environments of the client differ, and %s or %s would tell in what", protocol.EnvironmentFile, protocol.JournalFile)
		}
	}
	if x.Machines.Server != y.Machines.Server && x.Machines.Server != "" && y.Machines.Server != "" {
		unknown := strings.HasPrefix(x.Machines.Server, "unknown") || strings.HasPrefix(y.Machines.Server, "unknown")
		add(map[bool]string{true: "unknown", false: "hardware"}[unknown], !unknown, "the server's: %s → %s", x.Machines.Server, y.Machines.Server)
	}
	switch {
	case x.Workload == nil && y.Workload == nil:
	case x.Workload == nil || y.Workload == nil:
		add("unknown", false, "what was sent is told by one of the two only")
	default:
		if was, is := text(x.Workload), text(y.Workload); was != is {
			add("load", true, "requests: %s → %s", was, is)
		}
	}
	if !slices.Equal(x.Models, y.Models) && len(x.Models) > 0 && len(y.Models) > 0 {
		add("load", true, "models: %s → %s", strings.Join(x.Models, ", "), strings.Join(y.Models, ", "))
	}
	if was, is := objectives(x), objectives(y); was != is {
		add("load", true, "objectives: %s → %s", was, is)
	}
	for _, p := range x.Points {
		q := pointAt(y, p.Load)
		if q == nil {
			continue
		}
		for _, c := range []struct {
			name    string
			was, is any
			forbids bool
		}{
			{"requests", p.Requests, q.Requests, true}, {"sessions", p.Sessions, q.Sessions, true},
			{"requests that lead it in", p.Warmup, q.Warmup, true},
			{"trace", p.Trace, q.Trace, true}, {"timeout", p.Timeout, q.Timeout, false},
		} {
			if c.was != c.is {
				add("load", c.forbids, "%s at %v: %v → %v", c.name, p.Load, c.was, c.is)
			}
		}
	}
	if x.Unit != y.Unit && x.Runs > 1 && y.Runs > 1 {
		add("unknown", false, "what was repeated: %s → %s", x.Unit, y.Unit)
	}
	if x.Tool != y.Tool {
		add("software", false, "the program that measured: %s → %s", x.Tool, y.Tool)
	}
	return out
}

func text(v any) string {
	t, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(t)
}

// objectives are what the attainment is the share of, as a plan has them; "none" where there are none.
func objectives(a *protocol.Analysis) string {
	var design struct {
		Objectives []struct {
			Metric string
			Limit  float64
		}
	}
	_ = json.Unmarshal(a.Design, &design)
	if len(design.Objectives) == 0 {
		return "none"
	}
	var parts []string
	for _, o := range design.Objectives {
		parts = append(parts, fmt.Sprintf("%s:%g", o.Metric, o.Limit))
	}
	return strings.Join(parts, ",")
}

func environments(add func(string, bool, string, ...any), whose string, a, b *envinfo.Environment) {
	if a == nil || b == nil {
		return
	}
	for _, d := range envinfo.Diff(a, b) {
		switch {
		case !d.Matters:
		case d.Kind == envinfo.NotComparable:
			add("unknown", false, "the %s's %v", whose, d)
		case ballooned(d):
			add("unknown", false, "the %s's %v, which a virtual machine may have from one hour to the next", whose, d)
		case hardware(d.Path):
			add("hardware", true, "the %s's %v", whose, d)
		default:
			add("software", false, "the %s's %v", whose, d)
		}
	}
}

// balloon is how much of a host's memory may come or go without its being another host: less than a module is.
const balloon = 0.2

// ballooned reports whether a difference is that a virtual machine has a little more memory or less:
//
//	changed: host.numa.nodes[0].memory: 15797612544 B → 16602918912 B
func ballooned(d envinfo.Difference) bool {
	if d.Kind != envinfo.Changed || !strings.HasPrefix(d.Path, "host.") || !strings.HasSuffix(d.Path, "memory") {
		return false
	}
	var a, b float64
	if _, err := fmt.Sscanf(d.A+" "+d.B, "%g B %g B", &a, &b); err != nil {
		return false
	}
	return a > 0 && b > 0 && max(a, b)/min(a, b) < 1+balloon
}

// hardware reports whether what is at a path of an environment is the machine itself and not what runs on it. The list
// is of what is software in the parts that describe machines, so that what nobody thought of is hardware.
func hardware(path string) bool {
	part, rest, _ := strings.Cut(path, ".")
	if part != "host" && part != "amd" && part != "nvidia" && part != "process" {
		return false
	}
	for _, soft := range []string{
		"kernel", "kernel_build", "command_line", "distribution", "tuning.", "frequency.governor", "frequency.driver",
		"frequency.energy_preference", "container", "numa.balancing", "machine.bios_", "microcode",
	} {
		if part == "host" && (rest == soft || strings.HasPrefix(rest, soft) && strings.HasSuffix(soft, ".") || soft == "machine.bios_" && strings.HasPrefix(rest, soft)) {
			return false
		}
	}
	for _, soft := range []string{"driver", "driver_version", "firmware", "vbios", "persistence_mode", "open_files", "open_files_hard", "stack", "stack_hard"} {
		if strings.HasSuffix(rest, "."+soft) || rest == soft || strings.Contains(rest, "."+soft+"[") {
			return false
		}
	}
	return true
}
