package container

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/serving"
	"github.com/servegauge/servegauge/envinfo/software"
	"github.com/servegauge/servegauge/internal/secret"
)

// inside reads the software and the model of the container: through the root of its first process, which needs the
// right to trace it and costs nothing, or else from the few files that the runtime copies out.
func (c *capture) inside() {
	fsys, err := c.processRoot("/proc")
	if err != nil {
		var other error
		if fsys, other = c.copyOut(); other != nil {
			err = fmt.Errorf("%w; %w", err, other)
		} else {
			err = nil
		}
	}
	if err != nil {
		c.out.Software = []fact.Component{{Name: "software", Version: fact.Unknown[string]("", c.scope, err.Error())}}
	} else {
		if closer, ok := fsys.(io.Closer); ok {
			defer closer.Close()
		}
		rocm, python := "", ""
		if p := c.environ["ROCM_PATH"]; path.IsAbs(p) {
			rocm = p
		}
		if p := c.environ["VIRTUAL_ENV"]; path.IsAbs(p) {
			python = path.Clean(p)
		}
		inside := software.New(source.NewReader(c.ctx, fsys), c.scope, rocm, python)
		inside.ROCm()
		inside.RCCL()
		inside.CUDA()
		inside.NCCL()
		inside.Python()
		c.out.Software = inside.Found
		c.out.Warnings = append(c.out.Warnings, inside.Warnings...)
	}
	if c.out.Engine == nil {
		return
	}
	if err != nil {
		c.out.Model = serving.UnreadModel(c.out.Engine.Model, c.scope, err.Error())
		return
	}
	name, ok := c.out.Engine.Model.Get()
	if !ok {
		c.out.Model = serving.UnreadModel(c.out.Engine.Model, c.scope, c.out.Engine.Model.Reason())
		return
	}
	revision, _ := c.out.Engine.Revision.Get()
	opts := serving.ModelOptions{
		FS:          fsys,
		Variables:   c.environ,
		Folder:      c.workdir,
		Revision:    revision,
		DownloadDir: c.out.Engine.DownloadDir,
		Scope:       c.scope,
	}
	// The error is of the options, which come from the container's command line, or of the time.
	if c.out.Model, err = serving.CaptureModel(c.ctx, name, opts); c.out.Model == nil {
		c.out.Model = serving.UnreadModel(c.out.Engine.Model, c.scope, err.Error())
	}
}

// patterns are the files to copy out.
func (c *capture) patterns() []string {
	out := software.Files(c.environ["ROCM_PATH"], c.environ["VIRTUAL_ENV"])
	if c.out.Engine == nil {
		return out
	}
	if name, ok := c.out.Engine.Model.Get(); ok {
		opts := serving.ModelOptions{Variables: c.environ, Folder: c.workdir, DownloadDir: c.out.Engine.DownloadDir}
		for _, p := range serving.ModelPatterns(name, opts) {
			if software.SafePath.MatchString(strings.ReplaceAll(p, "*", "")) {
				out = append(out, p)
			}
		}
	}
	return out
}

// copyOut has the runtime run a shell in the container that writes a tar file: one call, where one for each file would
// take as many tenths of a second. docker cp, which needs no shell, copies whole folders and knows no patterns.
func (c *capture) copyOut() (fs.FS, error) {
	if c.exec == nil {
		return nil, errors.New("no program can be run inside: it is not running")
	}
	patterns := c.patterns()
	script := `cd / && set -- && for f in ` + strings.Join(patterns, " ") +
		`; do if [ -f "$f" ]; then set -- "$@" "$f"; fi; done; if [ $# -gt 0 ]; then exec tar -chf - "$@"; fi`
	what := strings.Join(c.exec, " ") + " sh -c … tar"
	b, err := c.run(c.ctx, c.exec[0], append(slices.Clone(c.exec[1:]), "sh", "-c", script)...)
	if err != nil {
		text := strings.ReplaceAll(err.Error(), script, "…")
		return nil, errors.New(what + ": " + fact.Clip300(secret.Scrub(text)))
	}
	files, err := source.Untar(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return source.NewCopied(files, patterns), nil
}

// processRoot is the root of the container's first process, in the proc filesystem at proc.
func (c *capture) processRoot(proc string) (fs.FS, error) {
	switch {
	case c.id == "":
		return nil, errors.New("the container's id is unknown")
	case !c.local:
		return nil, errors.New("the runtime is not this machine's")
	case c.pid <= 0:
		return nil, errors.New("the runtime names no process of it on this machine")
	}
	return source.OpenProcessRoot(c.ctx, proc, c.pid, c.id)
}
