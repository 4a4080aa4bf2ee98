package source

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// rootFS is a container's root that must be closed. Opens do not leave it: the reader resolves links as the container
// would, and what the container changes in between is refused by os.Root.
type rootFS struct {
	fs.ReadLinkFS
	io.Closer
}

// OpenProcessRoot is the root of the process pid, the first of the container with the id, in the proc filesystem at
// proc.
func OpenProcessRoot(ctx context.Context, proc string, pid int, id string) (fs.FS, error) {
	dir := proc + "/" + strconv.Itoa(pid)
	r := &Reader{Ctx: ctx, wait: DefaultWait}
	root, err := bounded(r, strings.TrimPrefix(dir, "/")+"/root",
		func() (*os.Root, error) { return os.OpenRoot(dir + "/root") })
	if err != nil {
		return nil, err
	}
	// The daemon may be on another machine (DOCKER_HOST) or in a virtual one, and the process of that number here
	// another. Looked at after the root is open: if the process had ended before that, this is not its group any more.
	r.fsys = os.DirFS(dir)
	ours := false
	for _, name := range []string{"cgroup", "mountinfo"} { // in a cgroup namespace the first may say "0::/"
		b, err := r.File(name, LargeFile)
		ours = ours || err == nil && bytes.Contains(b, []byte(id))
	}
	fsys, ok := root.FS().(fs.ReadLinkFS)
	if !ours || !ok {
		root.Close()
		return nil, fmt.Errorf(
			"%s: neither its control group nor its mounts name the container, so it may be another machine's",
			dir,
		)
	}
	return rootFS{fsys, root}, nil
}
