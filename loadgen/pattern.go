package loadgen

import "time"

// Bunching counts the completed measured requests whose answers came in a stream by whether their chunks can have
// come as they were generated.
//
// Something on the way may hold chunks back and pass them on together: a proxy that buffers the whole answer, or some
// kilobytes of it. Then the first chunk is late, and the gaps say nothing of the server. It is told from what is
// physically possible. A model generates one token after the other, so that the first one comes alone, and no model
// needs less than 0.3 ms for the next: chunks closer than that came together. Several tokens in one chunk are no
// bunch, nor are up to nine chunks at a time behind a first one that came alone, as from speculative decoding. Where
// the server stamps its chunks, only those that it sent further apart came together on the way.
//
// What this misses: chunks that left the buffer further apart than 0.3 ms, as over a slow network; a bunch of three
// chunks or fewer at the front with fewer than ten in each behind it, which may be a server's own; chunks that came
// faster than 1,000 a second for one user, but for whole answers; answers of fewer than 4 chunks (8 for bunches), or
// within 5 ms, or a level where over half of them are; a level of over 2,000 requests or 50,000 chunks a second; and
// whatever happens to no more than a tenth of the requests (half, where only the first chunks were held back). What
// it takes for a bunch that is none: a server that generates four tokens or more in its first step (block diffusion),
// ten in each, or over 3,300 a second for one user, and sends each as a chunk of its own; and a client so busy that
// it reads many chunks at a time.
type Bunching struct {
	Judged  int `json:"judged"`            // long enough to tell
	Quick   int `json:"quick,omitempty"`   // over within 5 ms, whatever came in them: no buffer does harm there
	Whole   int `json:"whole,omitempty"`   // came all at once, at the end
	Bunched int `json:"bunched,omitempty"` // came in bunches, from the first on
	Held    int `json:"held,omitempty"`    // began with a bunch, and went on chunk by chunk
}

// ChunkGaps counts the gaps between chunks of the completed measured requests whose chunks came at a millisecond each
// or slower on average, 8 of them at least. Together are those under 0.3 ms, in which no model generates a token for
// one user: where they are many, ITL is how chunks were sent, as of speculative decoding and of what passes them on
// at times of its own, and not how tokens came.
type ChunkGaps struct {
	Judged   int `json:"judged"`   // gaps of such requests
	Together int `json:"together"` // of those, how many are under 0.3 ms
}

// Add adds the counts of more.
func (g *ChunkGaps) Add(more ChunkGaps) {
	g.Judged += more.Judged
	g.Together += more.Together
}

// add counts the gaps of a completed request whose chunks came like p.
func (g *ChunkGaps) add(r *Record, p *pattern) {
	if gaps := p.all - 1; r.E2E() >= atOnce && p.all >= bunchedChunks &&
		p.last-p.first >= slowChunks*time.Duration(gaps) {
		g.Judged += gaps
		g.Together += p.together
	}
}

// Add adds the counts of more.
func (b *Bunching) Add(more Bunching) {
	b.Judged += more.Judged
	b.Quick += more.Quick
	b.Whole += more.Whole
	b.Bunched += more.Bunched
	b.Held += more.Held
}

const (
	wholeChunks   = 4 // at least, to be judged
	bunchedChunks = 8 // likewise
	// chunks that came together with the first one; speculative decoding begins after the first token
	headBunch = 4
	meanBunch = 10 // chunks in a bunch; speculative decoding has up to 8 tokens in a step
	someBunch = 2  // chunks in a bunch that began with a head; a client that stands still now and then has fewer

	slowChunks = time.Millisecond // between chunks on average; where they come faster, nobody is misled by a bunch
	wholeShare = 5                // × the time in which a whole answer came is less than the time before it

	bunchingLimit = 0.1 // share of requests
	gapsLimit     = 0.4 // share of gaps: then the median is about to be one of them, or is
	heldLimit     = 0.5 // with those that only began with a bunch, as some do in a client that stands still at the time
)

// A pattern is how the chunks of one request came. The zero pattern has none yet. Chunks that the server sent
// together, by its own stamps, are one.
type pattern struct {
	first, last time.Duration
	sent        int64 // of the first chunk of those that were sent together; 0: the server does not stamp
	n           int
	head        int // chunks in the first bunch
	bunches     int

	all, together int // chunks, those that were sent together too, and how many came less than fastToken after another
}

// add takes the next chunk, which came at that time.
func (p *pattern) add(c *Chunk, at time.Duration) {
	before := p.last
	p.last = at
	if p.all++; p.all > 1 && at-before < fastToken {
		p.together++
	}
	switch {
	case p.n == 0:
		p.first, p.head, p.bunches = at, 1, 1
	case p.sent != 0 && c.Sent != 0 && c.Sent-p.sent < int64(fastToken):
		return
	case at-before >= fastToken:
		p.bunches++
	case p.bunches == 1:
		p.head++
	}
	p.n, p.sent = p.n+1, c.Sent
}

// add counts a completed request whose chunks came like p.
func (b *Bunching) add(r *Record, p *pattern) {
	switch {
	case r.E2E() < atOnce:
		if r.chunks.n > 0 {
			b.Quick++
		}
		return
	case p.n < wholeChunks:
		return
	}
	b.Judged++
	before, span := p.first-r.Sent, p.last-p.first
	behind := time.Duration(p.n - p.head) // chunks behind the first bunch
	bunched := p.n >= meanBunch*p.bunches || p.head >= headBunch && p.n >= someBunch*p.bunches
	switch {
	case bunched && span*wholeShare < before && span < fastToken*time.Duration(p.n):
		b.Whole++
	case r.Several: // whose tokens come together by nature
	case p.n < bunchedChunks || behind == 0 || span < slowChunks*behind:
	case bunched:
		b.Bunched++
	case p.head >= headBunch:
		b.Held++
	}
}

// What a level of one model does not reach, and servers that answer at once do, such as those that a client is checked
// against: under load their answers wait for their turn and then come whole, with nothing on the way to blame.
const (
	atOnceRequests = 2_000  // a second
	atOnceChunks   = 50_000 // a second
)

// answersAtOnce reports whether the server answered at such a rate that it cannot have taken its time over each
// token, or took none over most answers.
func (r *Result) answersAtOnce() bool {
	span := r.Makespan.Seconds()
	return 2*r.Bunching.Quick > r.Accounting.Completed || span > 0 &&
		(float64(r.Accounting.Completed) > atOnceRequests*span || float64(r.Stamps.Chunks()) > atOnceChunks*span)
}

// bunchingWarning says that gaps are not the server's.
func (r *Result) bunchingWarning(warn func(code string, spoils []string, format string, args ...any)) {
	b := r.Bunching
	n := float64(b.Judged)
	if r.answersAtOnce() {
		return
	}
	if float64(b.Whole+b.Bunched) <= bunchingLimit*n && float64(b.Whole+b.Bunched+b.Held) <= heldLimit*n {
		if g := r.Gaps; float64(g.Together) > gapsLimit*float64(g.Judged) {
			warn(WarnChunksTogether, r.Level.spoiledWith(ITL),
				"%d of %d gaps between chunks are under 0.3 ms, though a chunk took over 1 ms on average: several "+
					"come at "+
					"a time, as they leave a server that decodes speculatively, or something on the way that "+
					"passes them on "+
					"every so often; ITL tells how they were sent, and not how tokens came; use TPOT",
				g.Together, g.Judged)
		}
		return
	}
	warn(WarnBunched, r.Level.spoiledWith(TTFT, FirstChoice, FirstAnswer, TPOT, Interactivity, ITL),
		"of %d streamed answers, %d came whole, all chunks at once after the time in which they were generated, "+
			"%d in bunches, several chunks at once again and again from the first on, and %d began with a bunch: "+
			"something on the way held them back, as a proxy that buffers does (nginx: proxy_buffering off and "+
			"proxy_http_version 1.1), or a client that stood still; the time of a token is not known, and no figure "+
			"of it must be used",
		b.Judged, b.Whole, b.Bunched, b.Held)
}
