// Vllm stands in for vLLM in the tests of servers: it takes its arguments, and serves a simulated model.
package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve takes MODEL and flags, or "serve" before them, as the two images of the cookbook do.
func serve(args []string) error {
	if len(args) > 0 && args[0] == "serve" {
		args = args[1:]
	}
	if len(args) == 0 {
		return errors.New("vllm serve: a model is needed")
	}
	port := "8000"
	if i := slices.Index(args, "--port"); i >= 0 && i+1 < len(args) {
		port = args[i+1]
	}
	host := "127.0.0.1"
	if i := slices.Index(args, "--host"); i >= 0 && i+1 < len(args) {
		host = args[i+1]
	}
	if os.Getenv("SIM_STUBBORN") != "" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		// The first process of a container has no default for signals.
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		go func() {
			<-terminated
			os.Exit(0)
		}()
	}
	if wait, err := time.ParseDuration(os.Getenv("SIM_LOADING")); err == nil {
		fmt.Println("loading", args[0])
		time.Sleep(wait)
	}
	if os.Getenv("SIM_FAILS") != "" {
		return errors.New("torch.OutOfMemoryError: HIP out of memory")
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	fmt.Println("serving", args[0], "at", listener.Addr())
	model := &loadgentest.Simulated{
		Model: args[0], MaxSequences: 16, DecodeRate: 500, PrefillRate: 8000, Seed: uint64(os.Getpid()),
	}
	var refused atomic.Int64
	lies := os.Getenv("SIM_LIES") != ""
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/version":
			fmt.Fprint(w, `{"version":"0.14.1+simulated"}`)
		case r.URL.Path == "/health":
			fmt.Fprint(w, "ok")
		case r.URL.Path == "/metrics":
			fmt.Fprintln(w, `vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="4711"} 1.0`)
		case lies && r.Method == http.MethodPost && refused.Add(1) <= 3:
			http.Error(w, "the engine is not there yet", http.StatusServiceUnavailable)
		default:
			model.ServeHTTP(w, r)
		}
	}))
}
