// Fleet is the workers of a level that several machines drive as one, what a Kubernetes cluster is to be told to run
// them, and a look at those that are there. Coordinating them is -fleet of loadtest, multirun and finesweep.
package main

import (
	"fmt"
	"os"

	"github.com/servegauge/servegauge/examples/internal/program"
)

const about = `fleet: generators on several machines that behave as one

  fleet worker -nats URL -allow URL       take part, until it is interrupted
  fleet status -nats URL                  who is there, and what they do
  fleet manifest -workers N -allow URL    print Kubernetes manifests of NATS and
                                          the workers

Each has its own flags: fleet worker -help. What drives them is -fleet URL
-workers N of loadtest, multirun, finesweep, ablation and slo.
`

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
		os.Args = append(os.Args[:1:1], os.Args[2:]...)
	}
	switch command {
	case "worker":
		program.Main(`fleet worker: one generator of several, until it is interrupted

  fleet worker -nats tls://nats.lan:4222 -allow http://10.0.0.7:8000
  fleet worker -nats nats://127.0.0.1 -allow http://127.0.0.1:8000 -name left`, worker)
	case "status":
		program.Main(`fleet status: who is there, and what they do

  fleet status -nats tls://nats.lan:4222
  fleet status -nats nats://127.0.0.1 -for 10s -json`, status)
	case "manifest":
		program.Main(`fleet manifest: the Kubernetes manifests of NATS and of a fleet's workers

  fleet manifest -workers 4 -allow http://vllm:8000 -server-label app=vllm
  fleet manifest -workers 16 -allow http://vllm:8000 -server-label app=vllm \
    -plan results/plan.json -namespace load`, manifest)
	case "-h", "-help", "--help", "help":
		fmt.Print(about)
	case "-version", "--version":
		fmt.Println(program.Version())
	default:
		if os.Getenv(program.ChildVariable) != "" { // the server of its own that a worker measures itself by
			program.Main("", nil)
		}
		if command != "" {
			fmt.Fprintf(os.Stderr, "error: there is no command %q\n\n", command)
		}
		fmt.Fprint(os.Stderr, about)
		os.Exit(2)
	}
}
