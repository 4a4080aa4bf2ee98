package report

import (
	"io"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// ClientText writes a client validation: the seed's columns, beside them what was truly in flight and what the client
// added, and a verdict. need is how many requests/s the experiment will need, 0 where that is not stated.
func ClientText(w io.Writer, a *protocol.Analysis, need float64) error {
	out := &printer{w: w}
	out.f("Client overhead against a server that answers at once. Tokens/s: output tokens. In flight: mean over the makespan.\n")
	out.f("TTFT and ITL error: what client, kernel and loopback added to the server's own stamps, p50 and p99.\n\n")
	table := newTable(out)
	table.f("concurrency\treq/s\ttokens/s\tp50 (ms)\tp95 (ms)\tp99 (ms)\tsuccess\tin flight\tTTFT error p50\tp99\tITL error p50\tp99\t  flags\n")
	for i := range a.Points {
		p := &a.Points[i]
		table.f("%d\t", p.Concurrency)
		for _, f := range []struct {
			name   string
			digits int
		}{
			{loadgen.RequestThroughput, 0},
			{loadgen.OutputThroughput, 0},
			{loadgen.QuantileName(loadgen.E2E, 50), 2},
			{loadgen.QuantileName(loadgen.E2E, 95), 2},
			{loadgen.QuantileName(loadgen.E2E, 99), 2},
			{loadgen.SuccessRate, 1},
			{loadgen.MeanInFlight, 1},
			{loadgen.QuantileName(loadgen.TTFTError, 50), 2},
			{loadgen.QuantileName(loadgen.TTFTError, 99), 2},
			{loadgen.QuantileName(loadgen.ITLError, 50), 3},
			{loadgen.QuantileName(loadgen.ITLError, 99), 3},
		} {
			e, err := p.Figure(f.name)
			switch {
			case e.Name == "":
				table.f("–\t")
				continue
			case f.name == loadgen.SuccessRate:
				table.f("%s %%\t", decimal(e.Summary.Mean, f.digits))
				continue
			}
			table.f("%s%s\t", decimal(e.Summary.Mean, f.digits), mark(err))
		}
		table.f("  %s\n", flags(p))
	}
	table.flush()
	out.f("\n")
	if c, ok := ClientCapacity(a); !ok {
		out.f("Verdict: none. No level held the concurrency that it is named after, so nothing is known of the client at any.\n")
	} else {
		out.f("Verdict: the client sustained %s requests/s and %s output tokens/s at concurrency %d, the highest rate of a level that held 95 %% of its concurrency.\n",
			decimal(c.Requests, 0), decimal(c.Tokens, 0), c.Concurrency)
		switch headroom := c.Requests / need; {
		case need == 0:
			out.f("Headroom: not stated; give the requests/s that the experiment needs, total tokens/s ÷ (input + output tokens).\n")
		case headroom < 1:
			out.f("Headroom: %.2f × the %g requests/s that are needed. The client is the limit.\n", headroom, need)
		default:
			out.f("Headroom: %s × the %g requests/s that are needed.\n", decimal(headroom, 1), need)
		}
	}
	return warnings(out, a)
}

// A Capacity is what a client was seen to do.
type Capacity struct {
	Concurrency int
	Requests    float64 // per second, in the steady window
	Tokens      float64 // output tokens per second, likewise
}

// ClientCapacity is the highest steady request rate among the levels that held their concurrency; false where none
// did. The rest may have gone faster or slower: they were not at the concurrency that they are named after.
func ClientCapacity(a *protocol.Analysis) (best Capacity, ok bool) {
	for i := range a.Points {
		p := &a.Points[i]
		requests, err := p.Figure(loadgen.SteadyRequestThroughput)
		if err != nil || requests.Summary.Mean <= best.Requests {
			continue
		}
		tokens, _ := p.Figure(loadgen.SteadyOutputThroughput)
		best, ok = Capacity{p.Concurrency, requests.Summary.Mean, tokens.Summary.Mean}, true
	}
	return best, ok
}
