package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/itchyny/gojq"
)

// A recipe is a call of jq in files.md: the program, and the file that it reads.
//
//	jq -r '.knee | [.kind, .low, .high] | @tsv' results.json
var recipe = regexp.MustCompile(`(?:gunzip -c (\S+) \| )?jq (?:-[a-z]+ )?'([^']+)'(?: ([a-z]+\.jsonl?))?`)

// recipes runs each program of files.md on an experiment's files. Each says something, but for that of requests
// that were slow.
func recipes(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile("../files.md")
	if err != nil {
		t.Fatal(err)
	}
	found := recipe.FindAllStringSubmatch(string(text), -1)
	if len(found) < 6 {
		t.Fatalf("%d recipes", len(found))
	}
	for _, r := range found {
		lines, err := jq(filepath.Join(dir, r[1]+r[3]), r[2])
		if err != nil {
			t.Errorf("%s: %v", r[0], err)
		}
		if lines == 0 && !strings.Contains(r[2], "> 1e9") {
			t.Errorf("%s says nothing", r[0])
		}
		if r[1] != "" { // whose condition none meets here
			all := strings.Replace(r[2], "> 1e9", "> 0", 1)
			if lines, err := jq(filepath.Join(dir, r[1]), all); err != nil || lines == 0 {
				t.Errorf("%s: %d lines, %v", all, lines, err)
			}
		}
	}
}

// jq counts what a program says of each of the values in a file.
func jq(name, program string) (lines int, err error) {
	query, err := gojq.Parse(program)
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	var from io.Reader = bytes.NewReader(text)
	if strings.HasSuffix(name, ".gz") {
		if from, err = gzip.NewReader(from); err != nil {
			return 0, err
		}
	}
	for in := json.NewDecoder(from); ; {
		var v any
		if err := in.Decode(&v); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return lines, err
		}
		for out := query.Run(v); ; lines++ {
			said, ok := out.Next()
			if !ok {
				break
			}
			if err, ok := said.(error); ok {
				return lines, err
			}
		}
	}
}
