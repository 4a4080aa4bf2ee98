// Simserver serves a simulated inference server, or one that answers at once, whose truth is known: for trying tools.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/servegauge/servegauge/examples/internal/program"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

func main() {
	program.Main(`simserver: an OpenAI-compatible server whose truth is known

  simserver -max-sequences 16 -prefill 8000 -decode 500 -concurrency 32
  simserver -echo -address 127.0.0.1:0`, setup)
}

func setup(flags *flag.FlagSet) func(context.Context, <-chan struct{}) error {
	var s program.Simulation
	address := flags.String("address", "127.0.0.1:8000", "`host:port` to listen at; port 0 takes a free one")
	flags.BoolVar(&s.Echo, "echo", false, "answer at once; of the other flags only -flush-each has a meaning then")
	flags.BoolVar(&s.FlushEach, "flush-each", false, "the echo server writes each chunk on its own, as inference "+
		"servers do")
	flags.IntVar(&s.MaxSequences, "max-sequences", 16, "`requests` that run at once, the others wait; 0: no limit")
	flags.Float64Var(&s.PrefillRate, "prefill", 8000, "`tokens/s` at which each prompt is read; 0: in no time")
	flags.Float64Var(&s.DecodeRate, "decode", 500, "`tokens/s` at which each answer is generated; 0: in no time")
	flags.DurationVar(&s.StepPerSequence, "step-per-sequence", 0, "`time` that each further request in the batch adds "+
		"to a step; 0s: a step takes the same for any number")
	flags.IntVar(&s.TokenBudget, "token-budget", 0,
		"`tokens` that a step may process, prefill and decode together; 0: "+
			"no limit")
	flags.IntVar(&s.KVBlocks, "kv-blocks", 0, "`blocks` of KV cache that the running requests share, with preemption; "+
		"0: no limit")
	flags.IntVar(&s.BlockTokens, "block-tokens", 16, "`tokens` that a block of the KV cache holds")
	flags.BoolVar(&s.PrefixCache, "prefix-cache", false, "find the full blocks of a prompt again that another prompt "+
		"began with; needs -kv-blocks")
	flags.Float64Var(&s.Cold, "cold", 0, "how many `times` as long everything takes for the first request, as on an "+
		"engine just started; 0: warm from the start")
	flags.IntVar(&s.ColdRequests, "cold-requests", 100, "`requests` that halve what -cold has beyond 1")
	flags.IntVar(&s.Engines, "engines", 1,
		"how many `engines` of this kind stand behind the address, each with its own "+
			"counters in /metrics")
	flags.StringVar(&s.Route, "route", program.RouteEven, "`how` requests go to the engines: even (each in turn) or "+
		"idle (the last has none)")
	flags.Float64Var(&s.Noise, "noise", 0.05, "relative standard `deviation` of each prefill and each step")
	flags.DurationVar(&s.Grammar, "grammar", 5*time.Millisecond,
		"`time` that a request with a response_format waits for "+
			"its grammar before it queues")
	flags.Float64Var(&s.Corrupt, "corrupt", 0, "`share` of streamed answers that are garbage, repetition or another "+
		"request's, while more than one request is in flight, for a client that checks answers; 0: none")
	flags.Uint64Var(&s.Seed, "seed", 1, "seed of the noise")
	input := flags.Int("input", 64, "input `tokens` of the requests for which the truth is printed")
	output := flags.Int("output", 16, "output `tokens` of the requests for which the truth is printed")
	concurrency := flags.Int("concurrency", 0, "`requests` in flight for which the truth is printed too; 0: for none")
	return func(_ context.Context, stop <-chan struct{}) error {
		if *input < 1 || *output < 1 {
			return program.Usagef("-input %d, -output %d: want numbers of tokens, at least 1", *input, *output)
		}
		if *concurrency < 0 {
			return program.Usagef("-concurrency %d: want a number of requests, at least 0", *concurrency)
		}
		if s.BlockTokens < 1 {
			return program.Usagef("-block-tokens %d: want a number of tokens, at least 1", s.BlockTokens)
		}
		if s.Engines < 1 || s.Engines > 1024 {
			return program.Usagef("-engines %d: want a number from 1 to 1024", s.Engines)
		}
		handler, err := s.Handler()
		if err != nil {
			return err
		}
		engine := handler
		if corrupting, ok := handler.(*loadgentest.Corrupting); ok {
			engine = corrupting.Handler
		}
		simulated, ok := engine.(*loadgentest.Simulated)
		if replicas, several := engine.(*loadgentest.Replicas); several {
			simulated, ok = replicas.Servers[0], true
			fmt.Fprintf(os.Stderr, "%d engines, each of them: ", len(replicas.Servers))
		}
		if room := s.KVBlocks * s.BlockTokens; ok && s.KVBlocks > 0 && *input+*output > room {
			return program.Usagef("-input %d, -output %d: the KV blocks hold no more than %d tokens; allow more with "+
				"-kv-blocks", *input, *output, room)
		}
		listener, err := program.Listen(*address) // a port that is taken is said before any truth
		if err != nil {
			return err
		}
		if ok {
			truth := simulated.Truth(*input, *output)
			fmt.Fprintf(os.Stderr, "%d tokens in, %d out: TTFT %v, ITL %v, E2E %v without a queue; ",
				truth.Input, truth.Output, truth.TTFT, truth.ITL, truth.Service)
			switch {
			case truth.Preempts:
				fmt.Fprintf(os.Stderr, "%d of them fit into the KV blocks, more preempt each other: no formula "+
					"for the "+
					"saturation, but at most %.1f requests/s\n",
					truth.Fit, truth.RequestBound())
			case truth.SaturationConcurrency == 0:
				fmt.Fprintln(os.Stderr, "no saturation, since nothing caps the requests that run at once")
			default:
				fmt.Fprintf(os.Stderr, "saturation at %d in flight: %.1f requests/s, %.0f input + output tokens/s\n",
					truth.SaturationConcurrency, truth.SaturationRequests, truth.SaturationTokens)
			}
			if c := *concurrency; c > 0 {
				if x := truth.RequestThroughput(c); math.IsNaN(x) {
					fmt.Fprintf(os.Stderr, "%d in flight: not known\n", c)
				} else {
					fmt.Fprintf(os.Stderr,
						"%d in flight: %.2f requests/s, %.0f output tokens/s, mean TTFT %v, mean E2E %v\n",
						c, x, truth.OutputThroughput(c), truth.MeanTTFT(c), truth.MeanE2E(c))
				}
			}
		}
		return program.Serve(stop, listener, handler)
	}
}
