// Package wholefile writes files that appear whole or not at all: a disk that fills up, or a crash, leaves what was
// there before, and never a part that reads as the whole.
package wholefile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes a file below root, in a folder that there is. The error names the file, and not the temporary one
// beside it.
func Write(root *os.Root, name string, text []byte) error {
	temporary := name + "." + rand.Text()
	err := write(root, temporary, text)
	if err == nil {
		err = root.Rename(temporary, name)
	}
	if err == nil {
		return nil
	}
	_ = root.Remove(temporary)
	if part, ok := errors.AsType[*fs.PathError](err); ok {
		err = part.Err
	} else if part, ok := errors.AsType[*os.LinkError](err); ok {
		err = part.Err
	}
	return &fs.PathError{Op: "write", Path: filepath.Join(root.Name(), name), Err: err}
}

// WriteIn is [Write] in a directory.
func WriteIn(dir, name string, text []byte) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return Write(root, name, text)
}

// write writes a new file, synced: some file systems say only then that they are full.
func write(root *os.Root, name string, text []byte) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}
