package openai

import (
	"encoding/json"

	goopenai "github.com/sashabaranov/go-openai"
)

// ChatRequests is a workload of requests as an application builds them, in go-openai's types: put what your program sends
// under load. Each is sent as [ReadDataset] says of a whole body, in the order given: stream and stream_options are the
// measurement's, the model is the [Config]'s where the request names none. The error is a [*DatasetError] whose Line is
// the request's number, from 1.
func ChatRequests(requests ...goopenai.ChatCompletionRequest) (Dataset, error) {
	var d Dataset
	for i, request := range requests {
		// go-openai writes a model that is empty; ours takes its place, and leaves it out.
		body, err := json.Marshal(struct {
			goopenai.ChatCompletionRequest
			Model string `json:"model,omitempty"`
		}{request, request.Model})
		if err != nil {
			return Dataset{}, &DatasetError{i + 1, err}
		}
		e := entry{line: i + 1}
		if err := e.parseContent("body", body); err != nil {
			return Dataset{}, &DatasetError{i + 1, err}
		}
		d.lines = append(d.lines, e)
	}
	return d, nil
}
