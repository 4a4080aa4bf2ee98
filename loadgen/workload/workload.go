// Package workload makes the prompts that a level sends: at random, to measure ([RandomTokens], [RandomWords], with
// [Lengths] by any [Distribution], as a [Tree] of shared beginnings, [WithMedia]), from a file ([ReadDataset]), or as a
// [Trace] has them. Any other [Workload] is one method. Sessions are [Conversations]: of random words ([Talks]), from a
// file ([ReadTalks]), or any other type with one method for them and one for each.
//
// It knows no server and no HTTP: how a [Prompt] becomes a request is the affair of the target, and so is what was sent
// in the end, which the target says as a [Description].
package workload

import "encoding/json"

// A Workload makes the prompts of a level. It is seeded when it is built; from then on prompt i is always the same.
//
// One that has a method Describe(*[Description]) says there what it is made of. Of others a description has the name of
// their type.
type Workload interface {
	// Prompt writes prompt i into p, which is empty but may bring memory along. It is called from many goroutines
	// at once, and must not keep p.
	Prompt(i int, p *Prompt) error
}

// A Prompt is what one request asks for. Its content is the first of Body, Tokens, Messages and Text that is not empty.
type Prompt struct {
	Tokens   []int           // token ids, to be appended to; for endpoints of completions
	Text     string          // for chat it is the one message, of the user
	Messages json.RawMessage // a JSON array of messages, sent as it is; for chat

	// Body is a whole request, a JSON object without "stream" and "stream_options", sent as it is: no max_tokens,
	// temperature or ignore_eos is added, whatever Output says. Only what the measurement needs is put in front of its
	// fields: the model, where it names none, stream and stream_options; and the target's own additions are applied as
	// to any other.
	Body json.RawMessage

	Model  string // which model is asked; "": the one that the target has for this request
	Input  int    // tokens that the server should count in the prompt, 0: not known beforehand
	Media  int    // images and sounds in Messages; 0: none, or nobody counted them
	Output int    // tokens to generate; in a Body that leaves the end to the model, 0: not known beforehand
}

// A Spec is what a plan says of the prompts of one level: the rest is the same in all of its levels.
type Spec struct {
	Input  int    `json:"input_tokens"`  // tokens of each prompt
	Output int    `json:"output_tokens"` // tokens asked of each request
	Seed   uint64 `json:"seed"`          // of the prompts: another for each level, so that no cache can know them
}

// MaxTokens is more than any model takes or gives in one request.
const MaxTokens = 10_000_000
