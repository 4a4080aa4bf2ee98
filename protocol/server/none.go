package server

import (
	"context"

	"github.com/servegauge/servegauge/protocol"
)

// None is a server that runs already and is not ours to restart: its URL. All runs share it, so intervals over them are
// within-server. Where the system tells who listens there, a server that another restarted meanwhile is noticed.
type None string

// Start returns the server as it is.
func (n None) Start(context.Context) (*protocol.Instance, error) {
	url := string(n)
	return &protocol.Instance{
		URL: url,
		Identity: func(context.Context) (protocol.Identity, error) {
			id := listenerIdentity("none", url)
			id.Proof = "" // of a new instance there is none
			return id, nil
		},
		Path: func(ctx context.Context) protocol.Path { return path(ctx, url) },
	}, nil
}
