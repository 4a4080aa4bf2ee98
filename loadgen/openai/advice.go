package openai

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// advise says what to do about a prompt of token ids that the server refuses, where its complaint is one of the two that
// token ids meet with: that it does not know one of them, or that it takes no array of them. Each server words these in
// its own way, so that a complaint about something else may look like one; it is kept as it is. The advice is in front,
// because a long complaint loses its end.
//
// vLLM says the first in a stream, after a status of 200.
func (p *payload) advise(err error) error {
	e, ok := err.(*loadgen.Error)
	if !ok || !p.ids || e.Class != loadgen.ClassServer && e.Status != http.StatusBadRequest && e.Status != http.StatusUnprocessableEntity {
		return err
	}
	said := strings.ToLower(e.Err.Error())
	about := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(said, word) })
	}
	switch {
	case about("vocab"):
		e.Err = fmt.Errorf("token ids must lie inside the model's vocabulary (RandomTokens.Low and High, or -vocabulary): %w", e.Err)
	case about("string", "str type", "array", "sequence", "list of int"):
		e.Err = fmt.Errorf("a server that takes no token ids needs text (RandomWords with a Calibration, or -text): %w", e.Err)
	}
	return err
}
