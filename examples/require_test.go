package examples_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/internal/busy"
	"github.com/servegauge/servegauge/protocol"
)

// What is required is an exit code: 0 where it holds, 1 where it is broken, 3 where it is undecided, 2 where it cannot
// be meant.
func TestRequire(t *testing.T) {
	t.Parallel()
	// Too few waves of requests to know whether the server is warm, which a busy machine would make of it.
	small := []string{"-levels", "8,16", "-requests", "40", "-runs", "3", "-warmup", "0", "-cooldown", "0s",
		"-server-view=false"}
	one := []string{"-requests", "60", "-concurrency", "4"}
	for _, c := range []struct {
		name    string
		args    []string
		require string
		code    int
		prints  []string // on standard output
		error   []string
	}{
		{"loadtest", one, "success_rate>=90%, e2e_p50<1min", 0, []string{"Required", "holds", "within one run"}, nil},
		{"loadtest", one, "e2e_p50<1us", 1, []string{"broken", "e2e_p50<0.001ms", "within one run"},
			[]string{"-require: broken: e2e_p50<0.001ms at concurrency 4"}},
		{"loadtest", one, "e2e_mean<1min", 0, []string{"holds", "e2e_mean<60000ms", "within one run"}, nil},
		{"loadtest", one, "requests_per_s>=0.001", 3, []string{"undecided", "one run has no spread"},
			[]string{"-require: undecided: requests_per_s"}},
		{"loadtest", one, "requests_per_s>=0.001,e2e_p50<1us", 1, []string{"undecided", "broken"},
			[]string{"-require: broken: e2e_p50"}},
		{"loadtest", append(one, "-goodput", "e2e:60000"), "attainment>=90%", 0, []string{"holds", "attainment>=90%"},
			nil},
		{"multirun", small, "success_rate>=50%,success_rate@16>=99.9%", 3,
			[]string{"concurrency 8", "holds", "the bound is inside the interval"},
			[]string{"-require: undecided: success_rate@16>=99.9% at concurrency 16"}},

		{"loadtest", one, "tftt_p99<500ms", 2, nil, []string{"character 1", "ttft_p99 is meant?"}},
		{"loadtest", one, "ttft_p99<500", 2, nil, []string{"character 13", "the unit"}},
		{"loadtest", one, "ttft_p99@16<500ms", 2, nil, []string{"no point is at concurrency 16"}},
		{"loadtest", []string{"-rate", "50", "-requests", "60"}, "response_p50@51/s<1s", 2, nil,
			[]string{"no point is at 51/s", "poisson 50/s"}},
		{"loadtest", one, "attainment>=99%", 2, nil, []string{"-goodput says what is to be attained"}},
		{"loadtest", one, "response_p50<1s", 2, nil, []string{"response_p50"}}, // a closed loop has none
		{"multirun", small, "ttft_p99@3<500ms", 2, nil, []string{"concurrency 8", "concurrency 16"}},
		{"multirun", small, "server_e2e_mean<1s", 2, nil, []string{"server_e2e_mean"}}, // nobody looks
		{"finesweep", small, "success_rate>=50", 2, nil, []string{"as in 99%"}},
	} {
		busy.Check(t, func(f *busy.Faults) {
			p := run(t, c.name, append(c.args, "-require", c.require)...)
			if p.code != c.code {
				f.Addf("%s -require %q: exit code %d, want %d\n%s\n%s", c.name, c.require, p.code, c.code, p.stdout,
					p.stderr)
				return
			}
			for _, s := range c.prints {
				if !p.says(s) {
					f.Addf("%s -require %q does not print %q:\n%s", c.name, c.require, s, p.stdout)
				}
			}
			for _, s := range c.error {
				if line := p.errorLine(t); !strings.Contains(line, s) {
					f.Addf("%s -require %q: %q does not say %q", c.name, c.require, line, s)
				}
			}
		})
	}
	// As JSON the result stays one, and the verdict is beside it.
	busy.Check(t, func(f *busy.Faults) {
		p := run(t, "finesweep", append(small, "-json", "-require", "e2e_p50@8<1us")...)
		var a protocol.Analysis
		err := json.Unmarshal([]byte(p.stdout), &a)
		if err != nil || p.code != 1 || !strings.Contains(p.stderr, "broken  e2e_p50@8<0.001ms") {
			f.Addf("exit code %d, %v\n%s", p.code, err, p.stderr)
		}
	})
}
