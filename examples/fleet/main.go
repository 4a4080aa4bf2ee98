// Fleet is the workers of a level that several machines drive as one, what a Kubernetes cluster is to be told to run them,
// and a look at those that are there. Coordinating them is -fleet of loadtest, multirun and finesweep.
package main

import (
	"fmt"
	"os"

	"github.com/servegauge/servegauge/examples/internal/program"
)

const about = `fleet: generators on several machines that behave as one

  fleet worker    -nats URL -allow URL    take part in a fleet, until it is interrupted
  fleet status    -nats URL               who is there, and what they do
  fleet manifest  -workers N -allow URL   print the Kubernetes manifests of NATS and of the workers

Each has its own flags: fleet worker -help. What drives them is -fleet URL -workers N of loadtest, multirun and finesweep.
`

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
		os.Args = append(os.Args[:1:1], os.Args[2:]...)
	}
	switch command {
	case "worker":
		program.Main("fleet worker: one generator of several, until it is interrupted", worker)
	case "status":
		program.Main("fleet status: who is there, and what they do", status)
	case "manifest":
		program.Main("fleet manifest: the Kubernetes manifests of NATS and of a fleet's workers", manifest)
	case "-h", "-help", "--help", "help":
		fmt.Print(about)
	default:
		if os.Getenv(program.ChildVariable) != "" { // the server of its own that a worker measures itself by
			program.Main("", nil)
		}
		fmt.Fprint(os.Stderr, about)
		os.Exit(2)
	}
}
