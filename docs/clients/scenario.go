//go:build unix

package main

import (
	"math"
	"time"
)

// inputTokens is the length of every prompt, in tokens, for the clients that can be told it.
const inputTokens = 64

// A scenario is one load on one server. The server has no limit, so what a request is to take is known.
type scenario struct {
	Name        string
	Title       string
	Concurrency int
	Tokens      int  // of each answer, a token a chunk
	Whole       bool // not streamed
	Pace        pace
	Once        bool // one request for each in flight: what counts is that all are there together
	Only        int  // that many requests and no more; 0: as many as the time allows
	Figures     []figure
}

// pace is how the server answers; the zero pace: at once, and many chunks to a write.
type pace struct {
	FirstToken time.Duration
	Gap        time.Duration
	FlushEach  bool // each chunk in a write of its own, as inference servers do
}

// service is what a request takes on a perfect network with a perfect client.
func (s scenario) service() time.Duration {
	return s.Pace.FirstToken + time.Duration(s.Tokens-1)*s.Pace.Gap
}

// requests is how many requests keep a client busy for about that long, by what it is expected to manage. All in
// flight send equally many, and at least two, of which only the first has to dial.
func (s scenario) requests(c client, target time.Duration) int {
	switch {
	case s.Only > 0:
		return s.Only
	case s.Once:
		return s.Concurrency
	}
	rate := min(c.RequestRate, c.ChunkRate/float64(s.Tokens))
	if took := s.service(); took > 0 {
		rate = min(rate, float64(s.Concurrency)/took.Seconds())
	}
	each := math.Ceil(target.Seconds() * rate / float64(s.Concurrency))
	return s.Concurrency * max(2, int(each))
}

const startName = "start"

// scenarios are what the clients are compared in. The first tells what a client costs before it does anything, which
// the CPU time of the others leaves out.
func scenarios() []scenario {
	first := pace{FirstToken: 50 * time.Millisecond}
	limitless := pace{FirstToken: 58 * time.Millisecond}
	slow := pace{FirstToken: 5 * time.Second, Gap: time.Second}
	return []scenario{
		{Name: startName, Title: "One request: what a client costs before it does anything", Concurrency: 1,
			Tokens: 1, Only: 1,
			Figures: []figure{wallTime, cpuTime, peakMemory}},
		{Name: "requests", Title: "Streamed, 1 token, at once, 100 in flight", Concurrency: 100, Tokens: 1,
			Figures: []figure{requestRate, peakInFlight}},
		{Name: "chunks", Title: "Streamed, 500 tokens, at once, 100 in flight", Concurrency: 100, Tokens: 500,
			Figures: []figure{chunkRate, chunkCPU}},
		{Name: "chunks-flushed", Title: "The same, each chunk in a write of its own", Concurrency: 100, Tokens: 500,
			Pace: pace{FlushEach: true}, Figures: []figure{chunkRate, chunkCPU}},
		{Name: "ttft-1", Title: "50 ms to the token, 1 in flight", Concurrency: 1, Tokens: 1, Pace: first,
			Figures: []figure{overServer, overTruth}},
		{Name: "ttft-100", Title: "50 ms to the token, 100 in flight", Concurrency: 100, Tokens: 1, Pace: first,
			Figures: []figure{overServer, overTruth}},
		{Name: "ttft-1000", Title: "50 ms to the token, 1,000 in flight", Concurrency: 1000, Tokens: 1, Pace: first,
			Figures: []figure{overServer, overTruth}},
		{Name: "limitless-40", Title: "No limit, 58 ms a request, 40 in flight", Concurrency: 40, Tokens: 1,
			Pace:    limitless,
			Figures: []figure{ofTruth, meanInFlight}},
		{Name: "limitless-200", Title: "No limit, 58 ms a request, 200 in flight", Concurrency: 200, Tokens: 1,
			Pace:    limitless,
			Figures: []figure{ofTruth, meanInFlight}},
		{Name: "limitless-1000", Title: "No limit, 58 ms a request, 1,000 in flight", Concurrency: 1000, Tokens: 1,
			Pace:    limitless,
			Figures: []figure{ofTruth, meanInFlight}},
		{Name: "whole", Title: "Not streamed, 1 token, at once, 100 in flight", Concurrency: 100, Tokens: 1,
			Whole:   true,
			Figures: []figure{requestRate, peakInFlight}},
		{Name: "memory-1000", Title: "1,000 streams of 15 s at once", Concurrency: 1000, Tokens: 11, Pace: slow,
			Once:    true,
			Figures: []figure{peakMemory, peakInFlight, dropped}},
		{Name: "memory-10000", Title: "10,000 streams of 15 s at once", Concurrency: 10000, Tokens: 11, Pace: slow,
			Once:    true,
			Figures: []figure{peakMemory, peakInFlight, dropped}},
	}
}
