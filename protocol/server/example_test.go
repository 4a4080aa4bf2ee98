package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/server"
)

// A plan with real restarts inside a test: each run has a server of its own, and the experiment has the proof.
func ExampleHandler() {
	runner := protocol.Runner{
		Server: server.Handler(func(start int) http.Handler { return &loadgentest.Echo{} }),
		Client: &openai.Client{},
	}
	plan := protocol.Plan{
		Runs: 3, Restart: true, Input: 8, Output: 4, Levels: []int{1, 4}, Prompts: protocol.Prompts{Count: 20},
	}
	experiment, err := runner.Run(context.Background(), plan)
	if err != nil {
		fmt.Println(err)
		return
	}
	instances := map[string]bool{}
	for _, m := range experiment.Measurements {
		instances[m.Instance] = true
	}
	fmt.Println(len(experiment.Measurements), "levels measured, on", len(instances), "servers")
	// Output: 6 levels measured, on 3 servers
}

// A new kind of server is its commands, and how to read from one of them who answers now. This one is for a service
// manager that prints JSON. Once it is in a file of this package and in Parse's table, -server takes it.
func ExampleControl() {
	manager := server.Control{
		Kind: "manager", Name: "vllm", URL: server.DefaultURL,
		Start:   []string{"manager", "up", "vllm"},
		Stop:    []string{"manager", "down", "vllm"},
		Inspect: []string{"manager", "show", "vllm"},
		Identity: func(text []byte) (protocol.Identity, error) { // {"state": "up", "run": "7f3a", "pid": 4711}
			var shown struct {
				State, Run string
				PID        int
			}
			if err := json.Unmarshal(text, &shown); err != nil {
				return protocol.Identity{}, err
			}
			if shown.State != "up" {
				return protocol.Identity{}, &server.EndedError{State: shown.State}
			}
			return protocol.Identity{Kind: "manager", Proof: "run " + shown.Run, PIDs: []int{shown.PID}}, nil
		},
	}
	var restartable protocol.Server = manager.Server() // what a Runner takes
	_ = restartable

	now, err := manager.Identity([]byte(`{"state": "up", "run": "7f3a", "pid": 4711}`))
	fmt.Println(now.Proof, err)
	_, err = manager.Identity([]byte(`{"state": "down"}`))
	fmt.Println(err)
	// Output:
	// run 7f3a <nil>
	// it does not run (down)
}
