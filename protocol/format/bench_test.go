package format

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

// 5 runs × 20 levels × 10,000 requests: analysed, as JSON, and in all formats of this package.
func BenchmarkWrite(b *testing.B) {
	levels := make([]int, 20)
	for i := range levels {
		levels[i] = i + 1
	}
	e := measuredHere(levels, 5, 10_000)
	b.ReportAllocs()
	for b.Loop() {
		a := protocol.Analyze(e)
		if err := json.NewEncoder(io.Discard).Encode(a); err != nil {
			b.Fatal(err)
		}
		for _, f := range written {
			if err := f.Write(func(string) (io.WriteCloser, error) { return discard{}, nil }, e, a); err != nil {
				b.Fatal(err)
			}
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close() error                { return nil }
