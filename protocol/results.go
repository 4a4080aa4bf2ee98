package protocol

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// maxResults bounds a file of results that is read: many times what an experiment writes.
const maxResults = 256 << 20

// ReadResults reads an analysis as [ResultsFile] holds it. One of another version is a [*SchemaError].
func ReadResults(r io.Reader) (*Analysis, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxResults+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("results: %w", err)
	case len(text) > maxResults:
		return nil, fmt.Errorf("results: more than %d MiB; want a file that Save wrote", maxResults>>20)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, fmt.Errorf("results: the file is empty")
	}
	// The version comes first: nothing else of another one means what it does here.
	var version struct {
		Schema int
		Tool   string
	}
	if err := json.Unmarshal(text, &version); version.Schema != ResultsSchema && (err == nil || version.Schema != 0) {
		if version.Schema == 0 {
			return nil, fmt.Errorf("results: it is no file of results, which says its schema")
		}
		return nil, &SchemaError{Schema: version.Schema, Tool: version.Tool, Reads: ResultsSchema}
	}
	a := &Analysis{}
	if err := json.Unmarshal(text, a); err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	for _, p := range a.Points {
		for _, e := range p.Estimates {
			if len(e.Values) != len(e.Runs) || len(e.Samples) != 0 && len(e.Samples) != len(e.Values) {
				return nil, fmt.Errorf("results: %s at %v has %d values of %d runs", e.Name, p.Load, len(e.Values),
					len(e.Runs))
			}
		}
	}
	return a, nil
}
