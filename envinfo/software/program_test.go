package software

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

func TestProgram(t *testing.T) {
	ours := func(version string) debug.Module { return debug.Module{Path: modulePath, Version: version} }
	dep := ours("v1.2.3")
	replaced := dep
	replaced.Replace = &debug.Module{Path: "../fork"}
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.modified", Value: "true"}}
	other := debug.Module{Path: "example.com/bench", Version: "v9.9.9"}
	for _, test := range []struct {
		name              string
		info              *debug.BuildInfo
		version, revision string // or the reason
		known             bool   // of version
		vcs               bool   // whether revision is known
	}{
		{"own program", &debug.BuildInfo{Main: ours("v1.2.3"), Settings: vcs}, "v1.2.3", "abc123", true, true},
		{"working tree", &debug.BuildInfo{Main: ours("(devel)")}, "working tree", "without version control", false,
			false},
		{"dependency", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&dep}, Settings: vcs}, "v1.2.3", "not ours",
			true, false},
		{"replaced", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&replaced}}, "replaced by another",
			"not ours", false, false},
		{"copied in", &debug.BuildInfo{Main: other}, "not in the build information", "not ours", false, false},
		{"none", nil, "no build information", "no build information", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := programOf(test.info, test.info != nil)
			check := func(name string, v fact.Value[string], want string, known bool) {
				got, ok := v.Get()
				if ok != known || known && got != want || !known && !strings.Contains(v.Reason(), want) {
					t.Errorf("%s is %v, want %q (known: %v)", name, v, want, known)
				}
				if v.Scope() != fact.ScopeProgram {
					t.Errorf("scope of %s is %q", name, v.Scope())
				}
			}
			check("version", p.Version, test.version, test.known)
			check("revision", p.Revision, test.revision, test.vcs)
			if m, ok := p.Modified.Get(); ok != test.vcs || m != test.vcs {
				t.Errorf("modified is %v", p.Modified)
			}
		})
	}
}
