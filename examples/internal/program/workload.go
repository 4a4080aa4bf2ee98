package program

import (
	"maps"
	"slices"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
)

// workload is what the flags have the program send, as it stands in the journal.
func (l *Load) workload() (*protocol.Workload, error) {
	body, err := openai.Config{URL: l.URL, APIKey: l.apiKey, Header: l.header(), Body: l.extra}.PublicBody()
	if err != nil {
		return nil, err
	}
	w := &protocol.Workload{
		Endpoint: l.endpoint, Whole: !l.stream, Prefix: l.prefix,
		Headers: slices.Sorted(maps.Keys(l.header())), Body: body,
	}
	switch {
	case l.prompts != nil:
		w.Prompts, w.Dataset = "dataset", &l.file
	case openai.Endpoint(l.endpoint) == openai.Chat:
		w.Prompts = "random words"
	default:
		w.Prompts = "random token ids"
	}
	return w, nil
}
