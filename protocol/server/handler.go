package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// Handler returns a server that is made anew for each start, the first of which is 1, and listens on the loopback: for
// restarts inside a test.
func Handler(handler func(start int) http.Handler) protocol.Server {
	return &handlers{make: handler}
}

type handlers struct {
	make   func(start int) http.Handler
	starts int
}

// Start implements [protocol.Server].
func (h *handlers) Start(context.Context) (*protocol.Instance, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &protocol.ServerError{Phase: "start", Err: err}
	}
	h.starts++
	server := &http.Server{Handler: h.make(h.starts), ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		_ = server.Serve(listener) // that it was closed
		close(served)
	}()
	id := protocol.Identity{Kind: "handler", Proof: fmt.Sprintf("start %d of %p", h.starts, h)}
	return &protocol.Instance{
		URL:      "http://" + listener.Addr().String(),
		Identity: func(context.Context) (protocol.Identity, error) { return id, nil },
		Stop: func(context.Context) (protocol.Stop, error) {
			err := server.Close()
			<-served
			return protocol.Stop{}, err
		},
	}, nil
}
