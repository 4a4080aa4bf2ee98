package report

import (
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// ClientText writes a client validation for a terminal of 80 columns: the page's columns, beside them what was truly in flight and what the client
// added, and a verdict. server says in words what was measured against; need is how many requests/s the experiment will
// need, 0 where that is not stated.
func ClientText(w io.Writer, a *protocol.Analysis, server string, need float64) error {
	out := &printer{w: w, width: textWidth}
	out.f("The client against %s.\n", server)
	out.f("Tokens/s: output tokens. In flight: mean over the makespan. TTFT and ITL error: what client, kernel and " +
		"loopback added to the server's own stamps, in ms.\n")
	sent(out, a)
	if a.Stamps.Chunks() > 0 {
		out.f("Arrivals stamped by: %s.\n", stampedBy(a.Stamps))
	}
	out.f("\n")
	table := newTable(out)
	table.f("concurrency\treq/s\ttokens/s\tsteady req/s\tp50 (ms)\tp95 (ms)\tp99 (ms)\tsuccess\tin flight\tTTFT error p50\tp99\tITL error p50\tp99\t  flags\n")
	figures := []struct {
		name   string
		digits int
	}{
		{loadgen.RequestThroughput, 0},
		{loadgen.OutputThroughput, 0},
		{loadgen.SteadyRequestThroughput, 0},
		{loadgen.QuantileName(loadgen.E2E, 50), 2},
		{loadgen.QuantileName(loadgen.E2E, 95), 2},
		{loadgen.QuantileName(loadgen.E2E, 99), 2},
		{loadgen.SuccessRate, 1},
		{loadgen.MeanInFlight, 1},
		{loadgen.QuantileName(loadgen.TTFTError, 50), 2},
		{loadgen.QuantileName(loadgen.TTFTError, 99), 2},
		{loadgen.QuantileName(loadgen.ITLError, 50), 3},
		{loadgen.QuantileName(loadgen.ITLError, 99), 3},
	}
	for i := range a.Points {
		p := &a.Points[i]
		table.f("%d\t", p.Concurrency)
		for _, f := range figures {
			e, err := p.Figure(f.name)
			switch {
			case e.Name == "":
				table.f("–\t")
				continue
			case f.name == loadgen.SuccessRate:
				table.f("%s %%\t", decimal(e.Summary.Mean, f.digits))
				continue
			}
			table.f("%s%s\t", decimal(e.Summary.Mean, f.digits), mark(e, err))
		}
		table.f("  %s\n", flags(p))
	}
	table.flush()
	var shown []string
	for _, f := range figures {
		shown = append(shown, f.name)
	}
	histograms(out, a, shown)
	out.f("\n")
	v := NewClientVerdict(a, need)
	out.f("Verdict: %s\n", v)
	out.f("Headroom: %s\n", v.headroom())
	out.f("Client-bound: %s\n", clientBound(a))
	return warnings(out, a)
}

// clientBound says at which levels the client judged itself to be the limit. One that fell behind its level is not
// called free of it, whatever it thinks of itself.
func clientBound(a *protocol.Analysis) string {
	var bound, behind, free, unjudged []string
	for i := range a.Points {
		p := &a.Points[i]
		c := strconv.Itoa(p.Concurrency)
		switch {
		case given(p, loadgen.WarnClientBound):
			bound = append(bound, c)
		case p.ClientJudged == 0:
			unjudged = append(unjudged, c)
		case given(p, loadgen.WarnConcurrencyNotReached):
			behind = append(behind, c)
		default:
			free = append(free, c)
		}
	}
	var parts []string
	if len(bound) > 0 {
		parts = append(parts, "at "+strings.Join(bound, ", ")+", as it must be sooner or later where the server answers at once")
	}
	if len(behind) > 0 {
		parts = append(parts, "not to be told at "+strings.Join(behind, ", ")+", where the client shows no sign of it and fewer were in flight than asked")
	}
	if len(free) > 0 {
		parts = append(parts, "not at "+strings.Join(free, ", "))
	}
	if len(unjudged) > 0 {
		parts = append(parts, "not judged at "+strings.Join(unjudged, ", ")+", in less than 1 s or 100 requests")
	}
	if len(parts) == 0 {
		return "no level was measured."
	}
	return strings.Join(parts, "; ") + "."
}

// given reports whether a point has a warning.
func given(p *protocol.Point, code string) bool {
	return slices.ContainsFunc(p.Warnings, func(w protocol.PointWarning) bool { return w.Code == code })
}

// A ClientVerdict is what a client was seen to sustain: the highest steady request rate of all levels. It is a lower
// bound, whatever else the levels were: the client did that much, and nobody saw that it could not do more.
//
// Against a server that answers at once the client is the limit sooner or later, and fewer than the concurrency are in
// flight. The rate is then no figure at the concurrency that the level is named after, and so it is marked as unusable
// where levels are told; as what the client did it stands. Held is false then.
type ClientVerdict struct {
	Concurrency int      `json:"concurrency"`         // of the level with the highest rate; 0: no level had a steady window of use
	Held        bool     `json:"held"`                // that level held 95 % of its concurrency in the steady window
	Limited     bool     `json:"limited"`             // the client, or the machine, was seen to be the limit, there or above
	InFlight    float64  `json:"in_flight"`           // on average over that level
	Requests    float64  `json:"requests_per_s"`      // in its steady window: the client can do at least that
	Tokens      float64  `json:"output_tokens_per_s"` // likewise
	Need        float64  `json:"need_requests_per_s"` // 0: not stated
	Headroom    *float64 `json:"headroom,omitempty"`  // Requests ÷ Need, a lower bound too; nil where either is unknown
}

// NewClientVerdict judges a client validation.
func NewClientVerdict(a *protocol.Analysis, need float64) ClientVerdict {
	v := ClientVerdict{Need: need}
	for i := range a.Points {
		p := &a.Points[i]
		requests, err := p.Figure(loadgen.SteadyRequestThroughput)
		for _, code := range requests.SpoiledBy {
			if code != loadgen.WarnConcurrencyNotReached {
				requests.Name = "" // no steady window worth the name
			}
		}
		if requests.Name == "" || !(requests.Summary.Mean > v.Requests) {
			continue
		}
		tokens, _ := p.Figure(loadgen.SteadyOutputThroughput)
		inFlight, _ := p.Figure(loadgen.MeanInFlight)
		v.Concurrency, v.Held, v.InFlight = p.Concurrency, err == nil, inFlight.Summary.Mean
		v.Requests, v.Tokens = requests.Summary.Mean, tokens.Summary.Mean
	}
	for i := range a.Points {
		p := &a.Points[i]
		limited := given(p, loadgen.WarnClientBound) || given(p, loadgen.WarnConcurrencyNotReached)
		v.Limited = v.Limited || v.Concurrency > 0 && p.Concurrency >= v.Concurrency && limited
	}
	if v.Concurrency > 0 && need > 0 {
		headroom := v.Requests / need
		v.Headroom = &headroom
	}
	return v
}

// Enough reports whether the client was seen to do what is needed, and false also where that is not stated.
func (v ClientVerdict) Enough() bool { return v.Headroom != nil && *v.Headroom >= 1 }

// String is the verdict in a sentence.
func (v ClientVerdict) String() string {
	if v.Concurrency == 0 {
		return "none. No level had a steady window that can be used, so nothing is known of what the client can sustain."
	}
	s := number.Sprintf("the client can sustain at least %s requests/s and %s output tokens/s, as it did in the steady window at concurrency %d",
		decimal(v.Requests, 0), decimal(v.Tokens, 0), v.Concurrency)
	if v.Held {
		return s + ", which it held."
	}
	return s + number.Sprintf(". It did not hold that concurrency (%s were in flight on average over the level), so the rate is none "+
		"at %d in flight, and is marked in the table; what the client did is a lower bound all the same.",
		decimal(v.InFlight, 1), v.Concurrency)
}

// headroom is what the verdict means for what is needed, in a sentence.
func (v ClientVerdict) headroom() string {
	switch {
	case v.Need <= 0:
		return "not stated; it takes the requests/s that the experiment needs, total tokens/s ÷ (input + output tokens)."
	case v.Headroom == nil:
		return number.Sprintf("not known, of the %g requests/s that are needed.", v.Need)
	case v.Enough():
		return number.Sprintf("at least %s × the %g requests/s that are needed.", decimal(*v.Headroom, 2), v.Need)
	}
	return v.Shortage() + "."
}

// Shortage says what is wrong where the client was not seen to do what is needed; "" where it was, or where nothing is
// needed or known.
func (v ClientVerdict) Shortage() string {
	if v.Headroom == nil || v.Enough() {
		return ""
	}
	s := number.Sprintf("%s requests/s were seen, %s × the %g that are needed; ", decimal(v.Requests, 0), decimal(*v.Headroom, 2), v.Need)
	if v.Limited {
		return s + "the client, or the machine that it shares with the server, was the limit"
	}
	return s + "nothing limited the client, so that it may do more: measure higher levels to know"
}
