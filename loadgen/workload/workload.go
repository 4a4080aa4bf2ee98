// Package workload makes what is sent.
package workload

// A Spec says which prompts a level has.
type Spec struct {
	Input  int    `json:"input_tokens"`  // tokens of each prompt
	Output int    `json:"output_tokens"` // tokens asked of each request
	Seed   uint64 `json:"seed"`          // of the prompts: another for each level, so that no cache can know them
}
