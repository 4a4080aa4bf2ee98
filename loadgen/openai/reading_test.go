package openai

import (
	"io"
	"net/http"

	"github.com/servegauge/servegauge/loadgen"
)

// readStream and readWhole read an answer of whose text nothing is kept.
func readStream(body io.Reader, head http.Header, r *loadgen.Record) error {
	return reading{}.stream(body, head, r)
}

func readWhole(body io.Reader, head http.Header, r *loadgen.Record) error {
	return reading{}.whole(body, head, r)
}
