package software

import (
	"runtime"
	"runtime/debug"

	"github.com/servegauge/servegauge/envinfo/fact"
)

const modulePath = "github.com/servegauge/servegauge"

// Program is the program that measures: all of it is of [fact.ScopeProgram]. The host may have other versions of
// everything.
type Program struct {
	Go      fact.Value[string] `json:"go"`      // the Go version the program was built with: "go1.26.0"
	Version fact.Value[string] `json:"version"` // of the servegauge module in the program: "v1.2.3"
	// Revision is the commit the program was built from. It is known only when the program's main module is servegauge
	// itself.
	Revision fact.Value[string] `json:"revision"`
	Modified fact.Value[bool]   `json:"modified"` // whether Revision had uncommitted changes
}

// ReadProgram returns what the running program says of itself.
func ReadProgram() Program {
	info, ok := debug.ReadBuildInfo()
	return programOf(info, ok)
}

// programOf takes the build information as an argument because a test binary's own has neither versions nor a revision.
func programOf(info *debug.BuildInfo, ok bool) Program {
	const source = "runtime/debug.ReadBuildInfo"
	unknown := func(reason string) fact.Value[string] { return fact.Unknown[string]("", fact.ScopeProgram, reason) }
	p := Program{
		Go:       fact.Known(runtime.Version(), "", fact.ScopeProgram, "runtime.Version"),
		Version:  unknown("the program holds no build information"),
		Revision: unknown("the program holds no build information"),
		Modified: fact.Unknown[bool]("", fact.ScopeProgram, "the program holds no build information"),
	}
	if !ok || info == nil {
		return p
	}
	module := func(m *debug.Module) fact.Value[string] {
		if m.Replace != nil {
			return unknown("the servegauge module is replaced by another") // which may be a private path
		}
		if m.Version == "" || m.Version == "(devel)" {
			return unknown("built from a working tree, which has no version")
		}
		return fact.Known(m.Version, "", fact.ScopeProgram, source)
	}
	if info.Main.Path != modulePath {
		p.Version = unknown("the servegauge module is not in the build information")
		for _, m := range info.Deps {
			if m.Path == modulePath {
				p.Version = module(m)
			}
		}
		const reason = "the program's main module is not servegauge, and its revision is not ours"
		p.Revision, p.Modified = unknown(reason), fact.Unknown[bool]("", fact.ScopeProgram, reason)
		return p
	}
	p.Version = module(&info.Main)
	const reason = "the program was built without version control information"
	p.Revision, p.Modified = unknown(reason), fact.Unknown[bool]("", fact.ScopeProgram, reason)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Revision = fact.Known(s.Value, "", fact.ScopeProgram, source+": vcs.revision")
		case "vcs.modified":
			p.Modified = fact.Known(s.Value == "true", "", fact.ScopeProgram, source+": vcs.modified")
		}
	}
	return p
}
