package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// ResetCache has the server forget the prompts that it has cached, by POST /reset_prefix_cache, which vLLM has in its
// development mode (VLLM_SERVER_DEV_MODE=1). It believes the body and not the status: vLLM answers 200 as well where it
// could not, because requests hold blocks, and says so:
//
//	{"success":false}
//
// An answer without a body, as of older servers, is taken for success.
func (a *API) ResetCache(ctx context.Context) error {
	said, err := a.ask(ctx, http.MethodPost, below(a.address.root, "/reset_prefix_cache"))
	if err != nil {
		return fmt.Errorf("the prefix cache was not emptied: %w", err)
	}
	var answer struct {
		Success *bool `json:"success"`
	}
	if json.Unmarshal(said, &answer) == nil && answer.Success != nil && !*answer.Success {
		return fmt.Errorf("the prefix cache was not emptied: the server says %s (requests may hold its blocks)",
			excerpt(said))
	}
	return nil
}
