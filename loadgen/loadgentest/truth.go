package loadgentest

import (
	"math"
	"time"
)

// Truth is what a perfect client would measure against a [Simulated] server with
// requests of one shape, Input tokens in and Output tokens out: the closed form
// of its behaviour, without network, HTTP and the lateness of timers. With
//
//	p = Input / PrefillRate       time to prefill a prompt
//	d = 1 / DecodeRate            a step
//	S = p + (Output − 1)·d        a request's time in its place
//	M = MaxSequences              the places
//
// (a rate of 0 is infinitely fast), C clients that each send the next request as soon
// as they have the answer to the last are served, in the long run, at the
// request throughput
//
//	X(C) = min(C, M) / S
//
// and by Little's law, C = X·(S + W), a request waits for its place for
//
//	W(C) = C/X(C) − S = max(0, C/M − 1)·S
//
// in the mean. Hence TTFT(C) = W(C) + p and E2E(C) = W(C) + S; ITL and TPOT are d
// at every C. Noise has a mean factor of 1, so that all of this holds with Noise
// too, then of expectations.
type Truth struct {
	// Input and Output are the request's tokens, as asked of [Simulated.Truth].
	Input, Output int

	// Service is S, the E2E latency of a request that need not wait.
	Service time.Duration
	// ServiceSD is the standard deviation of S between requests,
	// Noise·√(p² + (Output − 1)·d²); 0 without noise.
	ServiceSD time.Duration
	// TTFT is p, the time to first token of a request that need not wait.
	TTFT time.Duration
	// ITL is d, the time between two chunks of one token each, and the TPOT.
	// It is d for Output 1 too, where there is none to measure.
	ITL time.Duration

	// SaturationConcurrency is M, the C from which on the throughput grows no
	// further. 0: there is none, MaxSequences being 0.
	SaturationConcurrency int
	// SaturationRequests is M/S, in requests/s: the highest request throughput.
	// +Inf for no cap, or no service time.
	SaturationRequests float64
	// SaturationTokens is (Input + Output)·M/S, in tokens/s: the highest total
	// throughput, tokens in and out. +Inf as SaturationRequests.
	SaturationTokens float64
}

// Truth returns the closed form for requests with input tokens of prompt and
// output tokens of answer. A request has at least one of each, so that less than
// 1 is taken as 1. The server's configuration must be valid.
func (s *Simulated) Truth(input, output int) Truth {
	input, output = max(1, input), max(1, output)
	p, d := s.times(input)
	steps := float64(output - 1)
	t := Truth{
		Input: input, Output: output,
		Service:               duration(p + steps*d),
		ServiceSD:             duration(s.Noise * math.Sqrt(p*p+steps*d*d)),
		TTFT:                  duration(p),
		ITL:                   duration(d),
		SaturationConcurrency: s.MaxSequences,
		SaturationRequests:    math.Inf(1),
	}
	if s.MaxSequences > 0 {
		t.SaturationRequests = float64(s.MaxSequences) / ((p + steps*d) / 1e9)
	}
	t.SaturationTokens = float64(input+output) * t.SaturationRequests
	return t
}

// running is min(C, M).
func (t Truth) running(concurrency int) int {
	if t.SaturationConcurrency > 0 {
		return min(concurrency, t.SaturationConcurrency)
	}
	return concurrency
}

// RequestThroughput is X(C), in requests/s. +Inf without service time; 0 for a
// concurrency of 0 or less.
func (t Truth) RequestThroughput(concurrency int) float64 {
	if concurrency <= 0 {
		return 0
	}
	return float64(t.running(concurrency)) / t.Service.Seconds()
}

// OutputThroughput is Output·X(C), in tokens/s.
func (t Truth) OutputThroughput(concurrency int) float64 {
	return float64(t.Output) * t.RequestThroughput(concurrency)
}

// TotalThroughput is (Input + Output)·X(C), in tokens/s.
func (t Truth) TotalThroughput(concurrency int) float64 {
	return float64(t.Input+t.Output) * t.RequestThroughput(concurrency)
}

// Wait is W(C), the mean time in the queue. TTFT and E2E latency at a
// concurrency are TTFT and Service with it added.
func (t Truth) Wait(concurrency int) time.Duration {
	m := t.running(concurrency)
	if m <= 0 || concurrency == m {
		return 0
	}
	return duration((float64(concurrency)/float64(m) - 1) * float64(t.Service))
}

// duration rounds nanoseconds, and holds what is longer than a Duration can be
// (292 years) at its end.
func duration(ns float64) time.Duration {
	if ns >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(math.Round(ns))
}
