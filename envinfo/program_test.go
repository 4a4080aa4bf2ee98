package envinfo

import (
	"runtime/debug"
	"strings"
	"testing"
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
		{"working tree", &debug.BuildInfo{Main: ours("(devel)")}, "working tree", "without version control", false, false},
		{"dependency", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&dep}, Settings: vcs}, "v1.2.3", "not ours", true, false},
		{"replaced", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&replaced}}, "replaced by another", "not ours", false, false},
		{"copied in", &debug.BuildInfo{Main: other}, "not in the build information", "not ours", false, false},
		{"none", nil, "no build information", "no build information", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := programOf(test.info, test.info != nil)
			check := func(name string, v Value[string], want string, known bool) {
				got, ok := v.Get()
				if ok != known || known && got != want || !known && !strings.Contains(v.Reason(), want) {
					t.Errorf("%s is %v, want %q (known: %v)", name, v, want, known)
				}
				if v.Scope() != ScopeProgram {
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

func TestNumber(t *testing.T) {
	for _, test := range []struct {
		x        float64
		decimals int
		want     string
	}{
		{0, 0, "0"}, {999, 0, "999"}, {1000, 0, "1,000"}, {274542362624, 0, "274,542,362,624"}, {-1234.5, 1, "-1,234.5"}, {1307.4, 0, "1,307"},
		{1.50, 2, "1.5"}, {2, 2, "2"}, {255.6878, 1, "255.7"},
	} {
		if got := number(test.x, test.decimals); got != test.want {
			t.Errorf("number(%v, %d) = %q, want %q", test.x, test.decimals, got, test.want)
		}
	}
}
