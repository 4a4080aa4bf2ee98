package source

import (
	"context"
	"io/fs"
	"os"
	"time"
)

// Config says what is read, and how long that may take.
type Config struct {
	FS          fs.FS         // the root that is read; nil: of the running host
	ReadTimeout time.Duration // of one read; 0: one second
	Tools       ToolConfig
}

// ToolConfig says which programs may be run.
type ToolConfig struct {
	Off     bool          // none
	Path    string        // folders in which they are looked for; "": PATH for the running host, none for another root
	Timeout time.Duration // of all of them together; 0: the default
}

// Reader reads the root within the bounds of one capture, which begins now.
func (in Config) Reader(ctx context.Context) *Reader {
	r := &Reader{Ctx: ctx, fsys: in.FS, wait: in.ReadTimeout}
	if in.FS == nil {
		r.fsys = os.DirFS("/")
	} else {
		r.links, _ = in.FS.(fs.ReadLinkFS) // an FS without links needs no resolving
	}
	if r.wait == 0 {
		r.wait = DefaultWait
	}
	r.Begin(in.Tools.Timeout + killGrace)
	return r
}

// NewReader reads a root under the bounds of ctx, and of each read, alone.
func NewReader(ctx context.Context, fsys fs.FS) *Reader {
	r := &Reader{Ctx: ctx, fsys: fsys, wait: DefaultWait}
	r.links, _ = fsys.(fs.ReadLinkFS)
	return r
}

// Environ returns the named variables of this program's environment.
func Environ(names ...string) map[string]string {
	out := map[string]string{}
	for _, name := range names {
		out[name] = os.Getenv(name)
	}
	return out
}
