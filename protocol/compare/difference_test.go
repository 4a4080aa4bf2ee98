package compare

import (
	"errors"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/protocol"
)

func machine(model, kernel string, cores int64) *envinfo.Environment {
	e := &envinfo.Environment{Schema: envinfo.Schema}
	e.Host.CPUModel = fact.Known(model, "", fact.ScopeHost, "test")
	e.Host.Kernel = fact.Known(kernel, "", fact.ScopeHost, "test")
	if cores > 0 {
		e.Host.CPUCores = fact.Known(cores, "", fact.ScopeHost, "test")
	}
	return e
}

// Other hardware is refused, and other software is what may be compared. What one side does not know is said.
func TestHardware(t *testing.T) {
	part := func(client, server *envinfo.Environment) Part {
		return Part{Analysis: protocol.Analyze(&protocol.Experiment{Environment: client}), Client: client,
			Server: server}
	}
	same := machine("EPYC 9575F", "6.8", 64)
	for _, c := range []struct {
		name   string
		b      Part
		forbid bool
		says   string
	}{
		{"the same", part(machine("EPYC 9575F", "6.8", 64), machine("EPYC 9575F", "6.8", 64)), false, ""},
		{"another client", part(machine("Xeon", "6.8", 64), same), true,
			"hardware: the client's changed: host.cpu_model: EPYC 9575F → Xeon"},
		{"another server", part(same, machine("EPYC 9575F", "6.8", 32)), true,
			"hardware: the server's changed: host.cpu_cores"},
		{"another kernel", part(machine("EPYC 9575F", "6.9", 64), same), false,
			"software: the client's changed: host.kernel: 6.8 → 6.9"},
		{"not known", part(machine("EPYC 9575F", "6.8", 0), same), false,
			"unknown: the client's not comparable: host.cpu_cores"},
	} {
		got := differences(part(same, same), c.b)
		var forbid bool
		var lines []string
		for _, d := range got {
			forbid = forbid || d.Forbids
			lines = append(lines, d.String())
		}
		if all := strings.Join(lines, "\n"); forbid != c.forbid || !strings.Contains(all, c.says) ||
			(c.says == "") != (len(got) == 0) {
			t.Errorf("%s: %v, %s; want %v, %s", c.name, forbid, all, c.forbid, c.says)
		}
	}
	with := func(bytes int64) *envinfo.Environment {
		e := machine("EPYC 9575F", "6.8", 64)
		e.Host.Memory = fact.Known(bytes, "B", fact.ScopeHost, "test")
		return e
	}
	for bytes, forbids := range map[int64]bool{15797612544: false, 14e9: false, 12e9: true, 32e9: true} {
		got := differences(part(with(16602918912), nil), part(with(bytes), nil))
		if len(got) != 1 || got[0].Forbids != forbids {
			t.Errorf("%d bytes: %v", bytes, got)
		}
	}
	// Of results alone the machine is known in words.
	a, b := part(same, nil), part(machine("Xeon", "6.8", 64), nil)
	a.Client, b.Client = nil, nil
	got := differences(a, b)
	if len(got) != 1 || !got[0].Forbids || !strings.Contains(got[0].Text, "64 cores of EPYC 9575F → 64 cores of Xeon") {
		t.Errorf("%v", got)
	}
	_, err := Compare(&Side{Name: "a", Parts: []Part{a}}, &Side{Name: "b", Parts: []Part{b}}, Options{})
	if e, ok := errors.AsType[*IncomparableError](err); !ok || e.Differences[0].What != "hardware" {
		t.Errorf("%v", err)
	}
	b = part(machine("EPYC 9575F", "6.9", 64), nil)
	b.Client = nil
	if got := differences(a, b); len(got) != 1 || got[0].Forbids || got[0].What != "unknown" {
		t.Errorf("%v", got)
	}
}

func TestWhatIsHardware(t *testing.T) {
	for path, want := range map[string]bool{
		"host.cpu_model": true, "host.memory": true, "host.numa.nodes[0].memory": true,
		"host.network.cards[eth0].speed": true,
		"amd.cards[0000:05:00.0].model":  true, "amd.count": true, "amd.cards[0].compute_partition": true,
		"nvidia.cards[0].vram":        true,
		"nvidia.cards[0].power_limit": true, "process.cpu_limit": true, "process.usable_cpus": true,
		"host.kernel": false, "host.tuning.transparent_hugepages": false, "host.frequency.governor": false,
		"host.machine.bios_version":               false,
		"host.network.cards[eth0].driver_version": false, "amd.cards[0].firmware[SMC].version": false,
		"nvidia.cards[0].vbios":       false,
		"software[ROCm@host].version": false, "server.version": false, "containers[0].image": false,
		"variables.list[HSA_X].value": false,
		"model.revision":              false, "process.open_files": false,
	} {
		if got := hardware(path); got != want {
			t.Errorf("%s is hardware: %v", path, got)
		}
	}
}
