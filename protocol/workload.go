package protocol

import (
	"encoding/json"
	"net/url"
)

// A Workload says what was sent to the server beyond the numbers that each [Step] has, so that it can be sent again. It is
// the whole of an experiment's, and stands in its journal, where everybody reads it: it must hold no secret. The zero
// value of a field says nothing of it.
type Workload struct {
	Endpoint string `json:"endpoint,omitempty"` // "completions", "chat"
	Whole    bool   `json:"whole,omitempty"`    // answers came in one piece; false: they were streamed

	Prompts string   `json:"prompts,omitempty"`       // their kind: "random token ids", "random words", "dataset"
	Prefix  int      `json:"prefix_tokens,omitempty"` // of each prompt, the first: the same in all of a level
	Dataset *Dataset `json:"dataset,omitempty"`       // nil: the prompts are made up, from the step's seed

	Headers []string        `json:"headers,omitempty"` // names of those beside the usual; no values, which may be secret
	Body    json.RawMessage `json:"body,omitempty"`    // fields added to each request's body: a JSON object, its secrets hidden
}

// A Dataset is a file that prompts were taken from.
type Dataset struct {
	Name    string `json:"name"`    // of the file, without its directories
	SHA256  string `json:"sha256"`  // of its bytes, in hexadecimal
	Prompts int    `json:"prompts"` // how many it has
}

// PublicURL is a server's URL without what may be secret in it: user, password and query. It is "" for what is no URL.
func PublicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
