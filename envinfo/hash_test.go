package envinfo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/host"
	"github.com/servegauge/servegauge/envinfo/serving"
)

// variant returns the environment with the leaf at a path of its JSON form changed by change.
func variant(
	t *testing.T,
	env *envinfo.Environment,
	path string,
	change func(leaf map[string]any),
) *envinfo.Environment {
	t.Helper()
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	at := root
	for _, part := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			var i int
			fmt.Sscan(part, &i)
			at = v[i]
		}
	}
	change(at.(map[string]any))
	if b, err = json.Marshal(root); err != nil {
		t.Fatal(err)
	}
	out := new(envinfo.Environment)
	if err := json.Unmarshal(b, out); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// Every leaf of a host is changed, and made unknown, one at a time: the hash changes with all that matters and nothing
// else, and Diff finds that one difference, says which kind it is, and agrees about what matters.
func TestEveryLeaf(t *testing.T) {
	env := capture(t, mi325x().with(tree{"proc/self/environ": "NCCL_DEBUG=INFO\x00HF_HOME=/data\x00"}).fs())
	immaterial := []string{"live", "program.", "host.hostname", "unique_id", "hive_id", "location", "variables.count"}
	hash, tried := env.Hash(), 0
	for path, leaf := range checkLeaves(t, env) {
		value, ok := leaf["value"]
		if !ok || strings.HasPrefix(path, "amd.cards[") && !strings.HasPrefix(path, "amd.cards[3]") {
			continue // of cards that are alike one will do
		}
		tried++
		matters := true
		for _, s := range immaterial {
			matters = matters && !strings.Contains(path, s)
		}
		changed := variant(t, env, path, func(leaf map[string]any) {
			switch v := value.(type) {
			case string:
				leaf["value"] = v + "x"
				if v == "max" {
					leaf["value"] = 1
				}
			case float64:
				leaf["value"] = v + 1
			case bool:
				leaf["value"] = !v
			}
		})
		differences := envinfo.Diff(env, changed)
		if strings.HasSuffix(path, "cards[3].location") { // it is what cards are matched by
			if len(differences) != 2 || differences[0].Kind != envinfo.OnlyFirst ||
				differences[1].Kind != envinfo.OnlySecond {
				t.Errorf("%s: %v", path, differences)
			}
		} else if len(differences) != 1 || differences[0].Kind != envinfo.Changed || differences[0].Matters != matters {
			t.Errorf("%s changed, which matters: %t: differences are %v", path, matters, differences)
		}
		if got := changed.Hash() != hash; got != matters {
			t.Errorf("%s changed: the hash changes: %t, want %t", path, got, matters)
		}

		gone := variant(t, env, path, func(leaf map[string]any) {
			delete(leaf, "value")
			delete(leaf, "source")
			leaf["unknown"] = "gone"
		})
		for _, d := range envinfo.Diff(env, gone) {
			if d.Kind == envinfo.Changed {
				t.Errorf("%s became unknown: %v", path, d)
			}
		}
		if len(envinfo.Diff(env, gone)) == 0 && !strings.HasSuffix(path, ".location") {
			t.Errorf("%s became unknown, and there is no difference", path)
		}

		elsewhere := variant(t, env, path, func(leaf map[string]any) { leaf["source"] = "/elsewhere" })
		if elsewhere.Hash() != hash || len(envinfo.Diff(env, elsewhere)) != 0 {
			t.Errorf("%s was read elsewhere: %v", path, envinfo.Diff(env, elsewhere))
		}
	}
	if tried < 40 {
		t.Errorf("only %d leaves were changed", tried)
	}
}

func TestHashIsStable(t *testing.T) {
	env := capture(t, mi325x().fs())
	want := env.Hash()
	if len(want) != len("sha256:")+64 || !strings.HasPrefix(want, "sha256:") {
		t.Errorf("hash is %q", want)
	}
	if got := capture(t, mi325x().fs()).Hash(); got != want {
		t.Errorf("captured again: %s, want %s", got, want)
	}
	b, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	var back envinfo.Environment
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Hash(); got != want {
		t.Errorf("from JSON: %s, want %s", got, want)
	}
	// Another host that is alike, its cards in another order.
	cards := back.AMD.Cards
	cards[0], cards[7] = cards[7], cards[0]
	back.Host.Hostname = fact.Known("gpu-02", "", fact.ScopeHost, "/proc/sys/kernel/hostname")
	back.Warnings = append(back.Warnings, fact.Warning{About: "host", Text: "x"})
	if got := back.Hash(); got != want {
		t.Errorf("of a host that is alike: %s, want %s", got, want)
	}
	// The scope is a part of a value, the id of a container is not.
	back.Software[1].Version = fact.Known("6.4.2-120", "", "container:1234", "/opt/rocm/.info/version")
	one := back.Hash()
	back.Software[1].Version = fact.Known("6.4.2-120", "", "container:5678", "/opt/rocm/.info/version")
	if two := back.Hash(); one == want || one != two {
		t.Errorf("of the host %s, of a container %s, of the same restarted %s", want, one, two)
	}
	// Written down, so that a change of the form is a decision.
	empty := (&envinfo.Environment{}).Hash()
	if empty != "sha256:74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b" {
		t.Errorf("of nothing: %s", empty)
	}
}

// What changes by itself on a host that nobody touches is not of its configuration.
func TestHashOfABusyHost(t *testing.T) {
	idle := capture(t,
		epyc().with(tree{"proc/loadavg": "0.20 0.18 0.12 1/80 11206\n", "proc/uptime": "350735.47 234388.90\n"}).fs())
	busy := capture(t,
		epyc().with(tree{"proc/loadavg": "9.20 8.18 7.12 1/80 11206\n", "proc/uptime": "350745.47 234388.90\n"}).fs())
	if idle.Hash() != busy.Hash() {
		t.Errorf("the hashes differ, by %v", envinfo.Diff(idle, busy))
	}
	for _, d := range envinfo.Diff(idle, busy) {
		t.Error(d)
	}
}

// Another model, a flaw that is open and a link that is down matter; another name of the same container and another
// port do not.
func TestWhatMatters(t *testing.T) {
	v := func(s string) fact.Value[string] { return fact.Known(s, "", serving.ScopeServer, "x") }
	env := func(model, url, id, flaw, link, slot string) *envinfo.Environment {
		e := &envinfo.Environment{
			Server:     &serving.Server{URL: v(url), Models: []serving.ServedModel{{ID: v(model)}}},
			Containers: []container.Container{{ID: v(id), Name: v("vllm"), State: v(id)}},
		}
		e.Host.Tuning.Vulnerabilities = []host.Vulnerability{{Name: "spectre_v2", State: v(flaw)}}
		e.Host.Network.Cards = []host.NetworkCard{{Name: "eth0", State: v(link), PCIAddress: v(slot)}}
		return e
	}
	a := env("m", "http://a", "1", "Mitigation: x", "up", "0000:01:00.0")
	for _, test := range []struct {
		b       *envinfo.Environment
		path    string
		matters bool
	}{
		{env("n", "http://a", "1", "Mitigation: x", "up", "0000:01:00.0"), "server.models[0].id", true},
		{env("m", "http://a", "1", "Vulnerable", "up", "0000:01:00.0"),
			"host.tuning.vulnerabilities[spectre_v2].state", true},
		{env("m", "http://a", "1", "Mitigation: x", "down", "0000:01:00.0"), "host.network.cards[eth0].state", true},
		{env("m", "http://b", "1", "Mitigation: x", "up", "0000:01:00.0"), "server.url", false},
		{env("m", "http://a", "2", "Mitigation: x", "up", "0000:01:00.0"), "containers[vllm].id", false},
		{env("m", "http://a", "1", "Mitigation: x", "up", "0000:02:00.0"), "host.network.cards[eth0].pci_address",
			false},
	} {
		d := envinfo.Diff(a, test.b)
		if len(d) == 0 || d[0].Path != test.path || d[0].Matters != test.matters {
			t.Errorf("%s matters, want %t: %v", test.path, test.matters, d)
		}
		if got := a.Hash() != test.b.Hash(); got != test.matters {
			t.Errorf("%s changes the hash: %t, want %t", test.path, got, test.matters)
		}
	}
}
