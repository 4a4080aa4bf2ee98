package envinfo

import (
	"runtime"
	"runtime/debug"
)

const modulePath = "github.com/servegauge/servegauge"

// Program is the program that measures: all of it is of [ScopeProgram]. The host may have other versions of everything.
type Program struct {
	Go      Value[string] `json:"go"`      // the Go version the program was built with: "go1.26.0"
	Version Value[string] `json:"version"` // of the servegauge module in the program: "v1.2.3"
	// Revision is the commit the program was built from. It is known only when the program's main module is servegauge itself.
	Revision Value[string] `json:"revision"`
	Modified Value[bool]   `json:"modified"` // whether Revision had uncommitted changes
}

// ReadProgram returns what the running program says of itself.
func ReadProgram() Program {
	info, ok := debug.ReadBuildInfo()
	return programOf(info, ok)
}

// programOf takes the build information as an argument because a test binary's own has neither versions nor a revision.
func programOf(info *debug.BuildInfo, ok bool) Program {
	const source = "runtime/debug.ReadBuildInfo"
	unknown := func(reason string) Value[string] { return Unknown[string]("", ScopeProgram, reason) }
	p := Program{
		Go:       Known(runtime.Version(), "", ScopeProgram, "runtime.Version"),
		Version:  unknown("the program holds no build information"),
		Revision: unknown("the program holds no build information"),
		Modified: Unknown[bool]("", ScopeProgram, "the program holds no build information"),
	}
	if !ok || info == nil {
		return p
	}
	module := func(m *debug.Module) Value[string] {
		if m.Replace != nil {
			return unknown("the servegauge module is replaced by another") // which may be a private path
		}
		if m.Version == "" || m.Version == "(devel)" {
			return unknown("built from a working tree, which has no version")
		}
		return Known(m.Version, "", ScopeProgram, source)
	}
	if info.Main.Path != modulePath {
		p.Version = unknown("the servegauge module is not in the build information")
		for _, m := range info.Deps {
			if m.Path == modulePath {
				p.Version = module(m)
			}
		}
		const reason = "the program's main module is not servegauge, and its revision is not ours"
		p.Revision, p.Modified = unknown(reason), Unknown[bool]("", ScopeProgram, reason)
		return p
	}
	p.Version = module(&info.Main)
	const reason = "the program was built without version control information"
	p.Revision, p.Modified = unknown(reason), Unknown[bool]("", ScopeProgram, reason)
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			p.Revision = Known(s.Value, "", ScopeProgram, source+": vcs.revision")
		case "vcs.modified":
			p.Modified = Known(s.Value == "true", "", ScopeProgram, source+": vcs.modified")
		}
	}
	return p
}
