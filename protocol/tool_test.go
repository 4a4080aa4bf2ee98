package protocol

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestTool(t *testing.T) {
	setting := func(k, v string) debug.BuildSetting { return debug.BuildSetting{Key: k, Value: v} }
	const revision = "0123456789abcdef0123"
	for want, info := range map[string]*debug.BuildInfo{
		"servegauge (devel) 0123456789ab, modified": {Main: debug.Module{Path: modulePath, Version: "(devel)"},
			Settings: []debug.BuildSetting{setting("vcs.revision", revision), setting("vcs.modified", "true")}},
		"servegauge v0.1.0": {Main: debug.Module{Path: "example.org/x"},
			Deps:     []*debug.Module{{Path: modulePath, Version: "v0.1.0"}},
			Settings: []debug.BuildSetting{setting("vcs.revision", revision)}},
		"servegauge v0.1.0 (replaced)": {Deps: []*debug.Module{{Path: modulePath, Version: "v0.1.0",
			Replace: &debug.Module{Path: "../x"}}}},
		"servegauge (devel)": {},
	} {
		if got := toolOf(info); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := Tool(); !strings.HasPrefix(got, "servegauge ") {
		t.Error(got)
	}
}
