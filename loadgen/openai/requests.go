package openai

import (
	"encoding/json"

	goopenai "github.com/sashabaranov/go-openai"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// ChatRequests is a workload of requests as an application builds them, in go-openai's types: put what your program
// sends under load. Each is sent as [workload.ReadDataset] says of a whole body, in the order given: stream and
// stream_options are the measurement's, the model is the [Config]'s where the request names none. The error is a
// [*workload.DatasetError] whose Line is the request's number, from 1.
func ChatRequests(requests ...goopenai.ChatCompletionRequest) (workload.Dataset, error) {
	bodies := make([]json.RawMessage, len(requests))
	for i, request := range requests {
		// go-openai writes a model that is empty; ours takes its place, and leaves it out.
		body, err := json.Marshal(struct {
			goopenai.ChatCompletionRequest
			Model string `json:"model,omitempty"`
		}{request, request.Model})
		if err != nil {
			return workload.Dataset{}, &workload.DatasetError{Line: i + 1, Err: err}
		}
		bodies[i] = body
	}
	return workload.Bodies(bodies...)
}
