package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
)

// maxScan is how much of a library is searched. librccl.so has hundreds of MB, nearly all of them code for GPUs; its
// strings come before those.
const maxScan = 64 << 20

// After returns what follows the first mark in a file, at most n bytes. It reads a piece at a time, since the file may
// be larger than memory, and at most maxScan.
func (r *Reader) After(name string, mark []byte, n int) ([]byte, error) {
	return bounded(r, name, func() ([]byte, error) {
		f, err := r.open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		// A scan that takes long ends by itself: it must not count as a read that hangs, of which only so many are
		// suffered.
		end := time.Now().Add(r.wait / 2)
		return findAfter(func() error {
			if time.Now().After(end) {
				return errSlow
			}
			return r.Ctx.Err()
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
