package loadgen

import "time"

// A TPOTBasis counts the completed measured requests that have a TPOT, by how the tokens are known that it divides
// by: those that came after the first content that could be seen. The first chunk may hold several tokens, and tokens
// may have come before it that nobody could see, so that these are not always all but one.
type TPOTBasis struct {
	// Known: by the usage that came with the chunks, or because as many chunks of content came as there are output
	// tokens.
	Known int `json:"known"`

	// Estimated: they are taken as output tokens − 1. It is off by what the first chunk held beyond one token.
	Estimated int `json:"estimated,omitempty"`

	// Unmatched: as Estimated, but the chunks and the count do not match: what the chunks leave unexplained, over a
	// tenth of the tokens, may have been generated before the first of them, unseen.
	Unmatched int `json:"unmatched,omitempty"`
}

// Add adds the counts of more.
func (b *TPOTBasis) Add(more TPOTBasis) {
	b.Known += more.Known
	b.Estimated += more.Estimated
	b.Unmatched += more.Unmatched
}

func (b TPOTBasis) requests() int { return b.Known + b.Estimated + b.Unmatched }

// add counts a completed request.
func (b *TPOTBasis) add(r *Record) {
	n, basis := r.tokensAfterFirst()
	if n < 1 {
		return
	}
	switch basis {
	case tokensKnown:
		b.Known++
	case tokensEstimated:
		b.Estimated++
	case tokensUnmatched:
		b.Unmatched++
	}
}

const (
	tokensUnknown = iota // the server did not count, or nothing came in a stream
	tokensKnown
	tokensEstimated
	tokensUnmatched
)

const (
	atOnce    = 5 * time.Millisecond   // an answer in less is never held against a server: it may be that fast
	fastToken = 300 * time.Microsecond // no model generates faster for one user: 3,300 tokens/s
	noTime    = fastToken / 10         // for a token: whatever is said of models, such tokens came together

	unexplainedLimit = 0.1  // of the output tokens, that the chunks may leave unexplained
	unmatchedLimit   = 0.01 // share of requests above which a quantile may be one of theirs
)

// tokensAfterFirst is how many output tokens came after the first content that could be seen, and how that is known.
func (r *Record) tokensAfterFirst() (n, basis int) {
	l := &r.chunks
	if l.seen == 0 || !r.Counted {
		return 0, tokensUnknown
	}
	// Usage is believed where it came with that chunk, or where the chunks' add up, and where it leaves a token for
	// each chunk that followed.
	if l.tokensUntil > 0 && l.tokens <= r.Output && (l.visible.Tokens > 0 || l.tokens == r.Output) {
		if after := r.Output - l.tokensUntil; after >= l.seen-1 {
			return after, tokensKnown
		}
	}
	switch {
	case r.Output < 2 || l.seen == r.Output:
		return max(r.Output-1, 0), tokensKnown
	case r.mayHideHead():
		return r.Output - 1, tokensUnmatched
	}
	return r.Output - 1, tokensEstimated
}

// mayHideHead reports whether a good part of the output may have been generated before the first content that could be
// seen, as where a parser keeps what a model thinks to itself, and tells no usage meanwhile.
//
// Chunks explain a token each. A silence behind the last one, until the answer's end, explains as many as there are
// mean gaps in it: tokens that decode to nothing, or a tail that is hidden. One more has no text, because it ends the
// answer. What is left was either in chunks of several tokens, which is no harm to output tokens − 1, or before the
// first chunk. It cannot have been before where the TTFT had no time for it: half of the time that it would have
// taken at the pace of the chunks. Where there is no such pace, of one chunk or of chunks that all came at once, the
// time before and after the first chunk decides, as if tokens had come evenly over both.
func (r *Record) mayHideHead() bool {
	if r.E2E() < atOnce {
		return false
	}
	l := &r.chunks
	output := float64(r.Output)
	first, after := float64(l.visible.At()-r.Sent), float64(r.Done-l.visible.At())
	hidden := output - 1 - float64(l.seen)
	if r.DraftTold { // a chunk has one token of the model's own, and those of its draft that were accepted
		hidden -= float64(r.AcceptedDraft)
	}
	pace := 0.0
	if l.seen > 1 {
		pace = float64(l.last.At()-l.visible.At()) / float64(l.seen-1)
	}
	if pace < float64(fastToken) {
		return min(hidden, output*first/(first+after)) > unexplainedLimit*output
	}
	hidden -= float64(r.Done-l.last.At()) / pace
	return hidden > unexplainedLimit*output && first >= hidden*pace/2
}

// tpot is (E2E − TTFT) ÷ the tokens that came in that time, in ms.
func tpot(r *Record) (float64, bool) {
	n, _ := r.tokensAfterFirst()
	if n < 1 {
		return 0, false
	}
	first, _ := r.TTFT()
	return float64(r.E2E()-first) / millisecond / float64(n), true
}

// interactivity is 1000 ÷ TPOT, of a request whose tokens took time: those that came together have a TPOT of some
// nanoseconds, and a reciprocal of a billion in which every mean is lost.
func interactivity(r *Record) (float64, bool) {
	each, ok := tpot(r)
	return 1000 / each, ok && each >= float64(noTime)/millisecond
}

// noneAfterFirst reports whether nobody waited for a token after the first content: there was none, or all came at
// once.
func (r *Record) noneAfterFirst() bool {
	n, basis := r.tokensAfterFirst()
	if basis == tokensUnknown {
		return false
	}
	each, _ := tpot(r)
	return n == 0 || each < float64(noTime)/millisecond
}

// tpotWarnings say how far TPOT is an estimate.
func (r *Result) tpotWarnings(warn func(code string, spoils []string, format string, args ...any)) {
	b, n := r.TPOT, r.TPOT.requests()
	if b.Unmatched > 0 && float64(b.Unmatched) > unmatchedLimit*float64(n) && !r.answersAtOnce() {
		warn(WarnTokensUnmatched, r.Level.spoiledWith(TPOT, Interactivity),
			"in %d of %d requests the chunks of content explain less than nine tenths of the output tokens, and "+
				"the time before the first one is long enough for the rest: how many came after it is not known, and "+
				"TPOT and interactivity must not be used; ask for the usage in every chunk (continuous_usage_stats), "+
				"which tells",
			b.Unmatched, n)
	}
	if b.Estimated > 0 {
		warn(WarnTPOTEstimated, nil,
			"TPOT of %d of %d requests divides by output tokens − 1: how many tokens their first chunk held was "+
				"not told, and they had other than one chunk of content for each output token; it is too low by the "+
				"share of the tokens that came with the first chunk beyond one",
			b.Estimated, n)
	}
}
