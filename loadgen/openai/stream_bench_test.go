package openai

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// stream is a whole stream of n content chunks, as vLLM sends them.
func stream(n int) string {
	var s strings.Builder
	for range n {
		s.WriteString(`data: {"id":"cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f","object":"text_completion","created":1767225600,"model":"meta-llama/Llama-3.1-8B-Instruct",` +
			`"choices":[{"index":0,"text":" token","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}` +
			"\n\n")
	}
	return s.String() + stop + usage + done
}

// Records come from a level, as in use, so that their memory is reused.
func BenchmarkReadStream(b *testing.B) {
	const chunks = 500
	for _, test := range []struct {
		name  string
		chunk func(i int) string
		end   string
		write int // bytes a read brings
	}{
		{"alike", func(int) string { return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", "null") },
			"\n\n", 1 << 20},
		{"alike, one a read", func(int) string {
			return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f",
				"null")
		}, "\n\n", 1},
		{"with usage", func(i int) string {
			return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f",
				fmt.Sprintf(`{"prompt_tokens":7,"total_tokens":%d,"completion_tokens":%d}`, 8+i, 1+i))
		}, "\n\n", 1 << 20},
		{"CRLF", func(int) string { return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f", "null") },
			"\r\n\r\n", 1 << 20},
		{"each differs", func(i int) string { return fmt.Sprintf(benchChunk, fmt.Sprintf("cmpl-%032d", i), "null") },
			"\n\n", 1 << 20},
		{"without empty lines", func(int) string {
			return fmt.Sprintf(benchChunk, "cmpl-8f1c9e3d5b7a4c2e9d6f0a1b2c3d4e5f",
				"null")
		}, "\n", 1 << 20},
	} {
		b.Run(strings.ReplaceAll(test.name, " ", "-"), func(b *testing.B) {
			var text strings.Builder
			for i := range chunks {
				text.WriteString("data: " + test.chunk(i) + test.end)
			}
			text.WriteString(stop + strings.Replace(usage, `"completion_tokens":5`, `"completion_tokens":500`, 1) +
				done)
			body := text.String()
			target := loadgen.TargetFunc(func(_ context.Context, _ int, r *loadgen.Record) error {
				from := io.Reader(strings.NewReader(body))
				if test.write == 1 {
					from = &lineReader{body}
				}
				return readStream(from, nil, r)
			})
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			result, err := loadgen.Measure(b.Context(), loadgen.Level{Concurrency: 1, Requests: b.N}, target)
			if err != nil || result.Accounting.Completed != b.N {
				b.Fatal(err, result.Errors)
			}
			b.ReportMetric(float64(chunks*b.N)/b.Elapsed().Seconds(), "chunks/s")
		})
	}
}
