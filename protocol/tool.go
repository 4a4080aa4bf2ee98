package protocol

import (
	"runtime/debug"
	"strings"
)

// modulePath is that of this library.
const modulePath = "github.com/servegauge/servegauge"

// Tool names this library and its version, as the build knows it: "servegauge v0.1.0", or, of a checkout, "servegauge
// (devel) 4c0fd80, modified".
func Tool() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "servegauge (unknown version)"
	}
	return toolOf(info)
}

func toolOf(info *debug.BuildInfo) string {
	version, ours := "", info.Main.Path == modulePath
	if ours {
		version = info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			version = dep.Version
			if dep.Replace != nil {
				version += " (replaced)"
			}
		}
	}
	if version == "" {
		version = "(devel)"
	}
	var more []string
	for _, s := range info.Settings {
		switch {
		case !ours: // the revision is the program's, and not ours
		case s.Key == "vcs.revision" && len(s.Value) >= 12 && !strings.Contains(version, s.Value[:12]):
			more = append(more, s.Value[:12])
		case s.Key == "vcs.modified" && s.Value == "true":
			more = append(more, "modified")
		}
	}
	if len(more) > 0 {
		version += " " + strings.Join(more, ", ")
	}
	return "servegauge " + version
}
