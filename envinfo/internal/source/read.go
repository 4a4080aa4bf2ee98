// Package source is all of envinfo's input: files within bounds of size and time, from the running host or a copied
// tree; tools within a deadline, each in a process group that is killed; a server's answers; and a container's files.
// Nothing else in envinfo reads anything.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/internal/secret"
)

// What a read may cost. Everything under sysfs is a page at most (Documentation/filesystems/sysfs.rst), so a file that
// goes over its bound is not what it claims to be. It is refused and not cut: half a file parses into numbers that look
// like readings.
const (
	SmallFile   = 64 << 10 // sysfs, version files
	LargeFile   = 8 << 20  // proc/cpuinfo takes 1.5 KiB a hardware thread; headers
	MaxEntries  = 4096     // of one directory
	maxLinks    = 40       // as the kernel
	maxHung     = 4        // abandoned reads after which no other is tried: each holds a thread until it returns
	DefaultWait = time.Second
	// maxReading is when the last read of a capture is over, where one may take defaultWait, so that a capture ends
	// within three seconds however slow everything is. It is after defaultTools and killGrace: what is read after the
	// tools has afterTools at least.
	maxReading = 2900 * time.Millisecond
	afterTools = 150 * time.Millisecond
)

var (
	errHung       = errors.New("the read did not return and was abandoned")
	errManyHung   = errors.New("not read: earlier reads did not return")
	errLate       = errors.New("not read: earlier reads took all the time that there was")
	errNotRegular = errors.New("not a regular file")
	errManyLinks  = errors.New("too many levels of symbolic links")
)

// TooLarge is the error of a file or directory over its bound.
type TooLarge struct {
	Bound int
	Unit  string
}

func (e TooLarge) Error() string { return fmt.Sprintf("larger than %d %s, refused", e.Bound, e.Unit) }

// ReadError names the path, as on the host that was read, and what was wrong with it.
type ReadError struct {
	Name string
	Err  error
}

func (e *ReadError) Unwrap() error { return e.Err }

func (e *ReadError) Error() string {
	err := e.Err
	// A PathError would name the path a second time, and the words for a missing file differ between kinds of fs.FS; a
	// reason should not, or two environments that lack the same thing would look different.
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Abs(e.Name) + ": no such file"
	case errors.Is(err, fs.ErrPermission):
		return Abs(e.Name) + ": permission denied"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Abs(e.Name) + ": not read, the capture was cut short: " + err.Error()
	}
	return Abs(e.Name) + ": " + err.Error()
}

// Missing tells whether err is that a file is not there.
func Missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// Abs is the path of name on the host that was read.
func Abs(name string) string {
	if name == "." {
		return "/"
	}
	return "/" + name
}

// Reader reads files of the host, each within a bound of size and time.
type Reader struct {
	Ctx  context.Context
	fsys fs.FS
	// links resolves symbolic links inside the tree that was given. It is nil for the running host, where the kernel
	// does it.
	links fs.ReadLinkFS
	wait  time.Duration
	until time.Time // when all of them are to be over; zero: no bound but each one's
	Hung  int
}

// Begin sets when the reads from now on, up to the next begin, are to be over. tools is when tools beside them end at
// the latest.
func (r *Reader) Begin(tools time.Duration) {
	r.until = time.Now().Add(max(maxReading, time.Duration(maxReading.Seconds()*float64(r.wait)), tools+afterTools))
}

// bounded runs op in a goroutine of its own and leaves it behind when it does not return: a read from a dead mount or a
// wedged driver cannot be interrupted, and the rest of the environment is still worth having.
func bounded[T any](r *Reader, name string, op func() (T, error)) (T, error) {
	var zero T
	if err := r.Ctx.Err(); err != nil {
		return zero, &ReadError{name, err}
	}
	if r.Hung >= maxHung {
		return zero, &ReadError{name, errManyHung}
	}
	wait := r.wait
	if !r.until.IsZero() {
		if wait = min(wait, time.Until(r.until)); wait <= 0 {
			return zero, &ReadError{name, errLate}
		}
	}
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1) // buffered, so that an abandoned read can end
	go func() {
		v, err := op()
		done <- result{v, err}
	}()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case res := <-done:
		if res.err != nil {
			return zero, &ReadError{name, res.err}
		}
		return res.v, nil
	case <-timer.C:
		r.Hung++
		return zero, &ReadError{name, errHung}
	case <-r.Ctx.Done():
		return zero, &ReadError{name, r.Ctx.Err()}
	}
}

// open opens a regular file. Anything else is refused before it is opened: opening a FIFO blocks, and opening a device
// can do anything. It may block, and belongs inside of bounded.
func (r *Reader) open(name string) (fs.File, error) {
	name, err := r.resolve(name)
	if err != nil {
		return nil, err
	}
	info, err := fs.Stat(r.fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return r.fsys.Open(name)
}

// File returns the contents of a regular file of at most limit bytes.
func (r *Reader) File(name string, limit int) ([]byte, error) {
	return bounded(r, name, func() ([]byte, error) {
		f, err := r.open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		// The size in info is 0 for procfs and 4096 for sysfs whatever they hold; only reading tells.
		b, err := io.ReadAll(io.LimitReader(f, int64(limit)+1))
		if err != nil {
			return nil, err
		}
		if len(b) > limit {
			return nil, TooLarge{limit, "bytes"}
		}
		return b, nil
	})
}

// Dir returns the names in a directory, sorted.
func (r *Reader) Dir(name string) ([]string, error) {
	return bounded(r, name, func() ([]string, error) {
		name, err := r.resolve(name)
		if err != nil {
			return nil, err
		}
		f, err := r.fsys.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		d, ok := f.(fs.ReadDirFile)
		if !ok {
			return nil, errors.New("not a directory")
		}
		entries, err := d.ReadDir(MaxEntries + 1)
		if err != nil && err != io.EOF {
			return nil, err
		}
		if len(entries) > MaxEntries {
			return nil, TooLarge{MaxEntries, "entries"}
		}
		names := make([]string, len(entries))
		for i, e := range entries {
			names[i] = e.Name()
		}
		slices.Sort(names)
		return names, nil
	})
}

// Stat returns nil when name exists.
func (r *Reader) Stat(name string) error {
	_, err := bounded(r, name, func() (struct{}, error) {
		name, err := r.resolve(name)
		if err != nil {
			return struct{}{}, err
		}
		_, err = fs.Stat(r.fsys, name)
		return struct{}{}, err
	})
	return err
}

// Text returns the contents of a small file as a value, without secrets: what is burnt into boards is whatever somebody
// typed.
func (r *Reader) Text(name string, scope fact.Scope) fact.Value[string] {
	b, err := r.File(name, SmallFile)
	if err != nil {
		return fact.Unknown[string]("", scope, err.Error())
	}
	return fact.Known(secret.Scrub(strings.TrimRight(string(b), "\x00")), "", scope, Abs(name))
}

// resolve follows the symbolic links in name as chroot(2) would. Without it, a link to an absolute path in a tree
// copied from another host (opt/rocm → /etc/alternatives/rocm is one) leads os.DirFS out of the tree, and files of this
// machine would be reported as the other's. os.Root would refuse such a link, and the value would be lost.
func (r *Reader) resolve(name string) (string, error) {
	if r.links == nil {
		return name, nil
	}
	todo, done := strings.Split(name, "/"), "."
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done) // of "." it is "."
			continue
		}
		next := path.Join(done, part)
		info, err := r.links.Lstat(next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", errManyLinks
		}
		target, err := r.links.ReadLink(next)
		if err != nil {
			return "", err
		}
		if path.IsAbs(target) {
			done = "."
		}
		todo = append(strings.Split(target, "/"), todo...)
	}
	return done, nil
}

// ErrNotLink is that a file is there and is no link.
var ErrNotLink = errors.New("not a symbolic link")

// ReadLink returns where a symbolic link points to, as it is written.
func (r *Reader) ReadLink(name string) (string, error) {
	return bounded(r, name, func() (string, error) {
		dir, err := r.resolve(path.Dir(name))
		if err != nil {
			return "", err
		}
		name := path.Join(dir, path.Base(name))
		info, err := fs.Lstat(r.fsys, name)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return "", ErrNotLink
		}
		return fs.ReadLink(r.fsys, name)
	})
}

// Lines splits the text of a file into lines without the white space around them, whichever line ends it has.
func Lines(b []byte) []string {
	out := strings.Split(string(b), "\n")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}
