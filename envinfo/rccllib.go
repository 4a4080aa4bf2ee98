package envinfo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxScan is how much of a library is searched. librccl.so has hundreds of MB, nearly all of them code for GPUs; its strings come
// before those.
const maxScan = 64 << 20

var rcclMark = []byte("RCCL version : ")

// rcclLibrary is the version of RCCL in the library file, by the line that it prints when it starts.
func (c *Inventory) rcclLibrary(file string, scope Scope) Value[string] {
	text, err := c.after(file, rcclMark, 64)
	if err == nil {
		var version string
		if version, err = parseRCCLMark(text); err == nil {
			return Known(version, "", scope, abs(file)+": the string "+strconv.Quote(string(rcclMark)))
		}
		err = &readError{file, err}
	}
	if missing(err) {
		return Unknown[string]("", scope, "")
	}
	return Unknown[string]("", scope, err.Error())
}

var ncclVersion = regexp.MustCompile(`^[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}`)

// parseRCCLMark reads what follows the mark: "2.26.6-HEAD:f224e2c", up to whatever is not part of it. Some builds have a format there,
// and the numbers elsewhere.
func parseRCCLMark(b []byte) (string, error) {
	if v := ncclVersion.Find(b); v != nil {
		return string(v), nil
	}
	return "", fmt.Errorf("%q follows %q, and is not a version", clip(string(b)), rcclMark)
}

// after returns what follows the first mark in a file, at most n bytes. It reads a piece at a time, since the file may be larger than
// memory, and at most maxScan.
func (r *reader) after(name string, mark []byte, n int) ([]byte, error) {
	return bounded(r, name, func() ([]byte, error) {
		f, err := r.open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		// A scan that takes long ends by itself: it must not count as a read that hangs, of which only so many are suffered.
		end := time.Now().Add(r.wait / 2)
		return findAfter(func() error {
			if time.Now().After(end) {
				return errSlow
			}
			return r.ctx.Err()
		}, io.LimitReader(f, maxScan), mark, n)
	})
}

var errSlow = errors.New("the search took too long and was given up")

// findAfter is after on a reader; stop says why to give up.
func findAfter(stop func() error, f io.Reader, mark []byte, n int) ([]byte, error) {
	buf := make([]byte, 256<<10)
	kept := 0 // bytes at the start of buf that the last piece left
	for {
		if err := stop(); err != nil {
			return nil, err
		}
		got, err := io.ReadFull(f, buf[kept:])
		end := kept + got
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return nil, err
		}
		if i := bytes.Index(buf[:end], mark); i >= 0 && (last || i+len(mark)+n <= end) {
			return bytes.Clone(buf[i+len(mark) : min(end, i+len(mark)+n)]), nil
		}
		if last {
			return nil, fmt.Errorf("no %q in its first %d MiB", mark, maxScan>>20)
		}
		kept = copy(buf, buf[end-len(mark)-n:end]) // a mark may lie across two pieces
	}
}

// rocmByLibrary is the version of ROCm in the name of a library: librccl.so.1.0.60402 is RCCL as built for ROCm 6.4.2.
func (c *Inventory) rocmByLibrary() Value[string] {
	groups, _ := c.rocmDirs()
	for _, group := range groups {
		for _, dir := range group {
			names, err := c.dir(dir + "/lib")
			if err != nil {
				continue
			}
			for _, name := range names {
				if v, ok := parseLibraryName(name); ok {
					return Known(v, "", c.userland, abs(dir+"/lib/"+name)+": its name")
				}
			}
		}
	}
	return Unknown[string]("", c.userland, "no librccl.so.1.0.N in the folders of ROCm")
}

// parseLibraryName reads librccl.so.1.0.60402 as 6.4.2: major·10000 + minor·100 + patch.
func parseLibraryName(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, "librccl.so.")
	if !ok {
		return "", false
	}
	i := strings.LastIndexByte(rest, '.')
	code, err := strconv.ParseUint(rest[i+1:], 10, 20)
	if i < 0 || err != nil || code < 10000 {
		return "", false
	}
	return fmt.Sprintf("%d.%d.%d", code/10000, code/100%100, code%100), true
}
