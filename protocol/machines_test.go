package protocol

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/loadgen"
)

// The client's machine is the server's only where that is known: a tunnel ends at a loopback address too.
func TestMachines(t *testing.T) {
	there := &envinfo.Environment{}
	there.Host.CPUModel = fact.Known("EPYC", "", fact.ScopeHost, "test")
	for name, c := range map[string]struct {
		start Start
		want  string
	}{
		"loopback":                {Start{URL: "http://127.0.0.1:8000"}, onClient},
		"an address of this host": {Start{URL: "http://10.1.2.3:8000", Path: &Path{Known: true}}, onClient},
		"a container's proxy": {Start{URL: "http://127.0.0.1:8000",
			Path: &Path{Known: true, Via: "docker-proxy"}}, onClient},
		"a tunnel": {Start{URL: "http://127.0.0.1:8000", Path: &Path{Known: true, Via: "ssh"}},
			"unknown: ssh "},
		"a port-forward": {Start{URL: "http://localhost:8000", Path: &Path{Known: true, Via: "kubectl"}},
			"unknown: kubectl "},
		"another host":           {Start{URL: "http://gpu-1:8000", Path: &Path{}}, "unknown: its URL"},
		"another host, captured": {Start{URL: "http://gpu-1:8000", Server: there}, "EPYC"},
		"another, not captured": {Start{URL: "http://gpu-1:8000", Server: &envinfo.Environment{}},
			"unknown: its URL"},
	} {
		if got := machines(&Experiment{Starts: []Start{{URL: "http://[::1]:1"},
			c.start}}).Server; !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// What a probe missed is told of the level, what it never saw of the experiment, and neither spoils a figure.
func TestGaps(t *testing.T) {
	seen := Reading{Name: "server", Figures: []loadgen.Figure{{Name: "server_running_mean", Value: 1, N: 9}}}
	missed := seen
	missed.Error = "3 of 60 samples failed"
	blind := Reading{Name: "gpus", Error: "no GPU"}
	e := &Experiment{Complete: true}
	for run, readings := range [][]Reading{{seen, blind}, {missed, blind}} {
		m := withPercentiles(run+1, 1000)
		m.Readings = readings
		e.Measurements = append(e.Measurements, m)
	}
	a := Analyze(e)
	if len(a.Unwatched) != 1 || a.Unwatched["gpus"] != "no GPU" {
		t.Errorf("%v", a.Unwatched)
	}
	w := a.Points[0].Warnings
	if len(w) != 1 || w[0].Code != WarnProbeGaps || len(w[0].Spoils) > 0 || len(w[0].Runs) != 1 || w[0].Runs[0] != 2 {
		t.Errorf("%+v", w)
	}
}
