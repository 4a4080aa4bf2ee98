package openai

import (
	"math/bits"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// An account is what an answer has said of itself so far, and what its record is to say in the end.
type account struct {
	r               *loadgen.Record
	whole           bool   // it came in one piece
	begun, finished uint64 // choices, a bit each, by their index
	visible         int    // chunks of content
	texts           int    // texts in them, which are a token each at least
	reasoned        bool
	answered        bool

	usage      usageSoFar
	most       int  // the most output tokens that were told at once
	impossible bool // the latest usage cannot be

	keeps  *kept  // nil: nothing of the answer is kept
	digest digest // of its text

	chunks  recorder
	waits   bool // a chunk that has only a usage, which grew, is the latest
	waiting arrival
}

// An arrival is a chunk and how it came.
type arrival struct {
	loadgen.Chunk
	read arrived // that brought its end
	from uint64  // the number of the one that brought its start
}

// complete reports whether each choice has said why it ended.
func (a *account) complete() bool { return a.begun != 0 && a.finished == a.begun }

// add takes over what a chunk, scanned from text, says beside when it came.
func (a *account) add(c *chunk, text []byte) error {
	a.begun |= c.begun
	a.finished |= c.finished
	if len(c.finish) > 0 {
		a.r.Finish = finishText(c.finish)
	}
	if err := c.complaint(text); err != nil {
		return err
	}
	if c.content {
		if c.choices == 1 && c.finished == 0 {
			a.finished &^= c.begun // it goes on: the reason that it had given was none
		}
		a.visible++
		a.texts += c.texts
		a.answered = a.answered || c.answer
		a.reasoned = a.reasoned || !c.answer
	}
	for _, raw := range c.said {
		a.digest.add(raw)
	}
	if a.keeps != nil {
		a.keeps.add(c)
	}
	a.count(c)
	if c.stamped {
		a.r.Received = c.stamp.received
	}
	return nil
}

// arrived takes over a chunk that came as the latest event of a stream.
//
// An answer ends with its last chunk that has a choice, whether or not there is anything to see in it, or whose usage
// grew: the model was at work until then. The last chunk that has only a usage, and [DONE], are the server's own doing;
// so one that has only a usage waits until something comes after it.
func (a *account) arrived(c *chunk, text []byte, in *events) error {
	if err := a.add(c, text); err != nil {
		return err
	}
	tokens, grew := a.usage.chunk(c, bits.OnesCount64(a.begun) > 1)
	if c.choices == 0 && !grew {
		return nil
	}
	r, came := a.r, in.came()
	if a.waits {
		a.waits = false
		a.record(a.waiting)
	}
	latest := arrival{loadgen.Chunk{Hidden: !c.content, Tokens: tokens, Sent: c.stamp.sent}, in.read, in.readFrom}
	if c.choices == 0 {
		a.waits, a.waiting = true, latest
		return nil
	}
	if c.content || grew {
		came = a.record(latest)
	}
	if c.answer && r.FirstAnswer == 0 {
		r.FirstAnswer = came
	}
	if r.Choices++; r.Opened == 0 {
		r.Opened = came
	}
	r.Done = max(r.Done, came)
	return nil
}

// record records an arrival, and returns when it came.
func (a *account) record(c arrival) time.Duration {
	at := a.chunks.chunk(c.Chunk, c.read, c.from)
	a.r.Done = max(a.r.Done, at)
	return at
}

// count takes over what the server says of tokens.
func (a *account) count(c *chunk) {
	r := a.r
	// A usage without one of the counts leaves it unknown, which is not 0. With several answers, one in a chunk is of
	// the one that the chunk continues, and not of the request.
	switch several := !a.whole && c.choices > 0 && bits.OnesCount64(a.begun) > 1; {
	case several:
		r.Counted, r.Input, r.Output = false, 0, 0
	case c.prompt.known && c.completion.known:
		r.Counted, r.Input, r.Output = true, c.prompt.n, c.completion.n
		a.impossible = !c.prompt.possible() || !c.completion.possible()
		if c.media.possible() && c.media.n <= c.prompt.n {
			r.MediaTold, r.MediaTokens = true, c.media.n
		}
		if c.cached.possible() && c.cached.n <= c.prompt.n {
			r.CachedTold, r.Cached = true, c.cached.n
		}
	}
	if c.completion.possible() {
		a.most = max(a.most, c.completion.n)
	}
	switch {
	case c.accepted.possible() && c.rejected.possible():
		r.DraftTold, r.AcceptedDraft, r.RejectedDraft = true, c.accepted.n, c.rejected.n
	case c.draft.possible() && c.draftAccepted.possible() && c.draftAccepted.n <= c.draft.n:
		r.DraftTold, r.AcceptedDraft, r.RejectedDraft = true, c.draftAccepted.n, c.draft.n-c.draftAccepted.n
	}
}

// settle holds what the server counted against what came, at the end of the answer. It is not believed where it is no
// count of tokens, is less than the server had told before, or is less than the texts that came: then nothing is known,
// and the request is as good as it was. (A token may be cut in two where reasoning ends and the answer begins: that one
// is granted.)
func (a *account) settle() {
	a.chunks.end()
	a.r.Several = bits.OnesCount64(a.begun) > 1
	a.r.Text, a.r.Replaced = a.digest.hash, a.digest.replaced
	least := a.texts
	if a.reasoned && a.answered {
		least -= bits.OnesCount64(a.begun)
	}
	if r := a.r; r.Counted && (a.impossible || r.Output < max(a.most, least)) {
		r.Contradicted, r.Counted, r.Input, r.Output = true, false, 0, 0
		r.CachedTold, r.Cached = false, 0
		r.MediaTold, r.MediaTokens = false, 0
		r.DraftTold, r.AcceptedDraft, r.RejectedDraft = false, 0, 0
	}
}

// usageSoFar follows the usage of a stream that has it in every chunk (continuous_usage_stats).
type usageSoFar struct {
	told    bool // a chunk with a choice had one
	counted int  // output tokens up to the latest arrival
	broken  bool // a chunk of content had none, or one of no tokens: what follows cannot be told from it
}

// chunk returns how many tokens have come since the arrival before, 0 if that is not told, and whether that is told and
// is not 0. several is whether there are several choices. A usage that only the last chunk has says nothing of that
// chunk.
func (u *usageSoFar) chunk(c *chunk, several bool) (tokens int, grew bool) {
	switch {
	case several, c.content && (!c.completion.possible() || c.completion.n < max(u.counted, 1)):
		u.broken = true
	case !c.completion.possible() || c.completion.n < u.counted:
		return 0, false
	case !c.content && !u.told && (c.choices == 0 || c.finished != 0): // it is of all
		return 0, false
	}
	if u.broken {
		return 0, false
	}
	tokens = c.completion.n - u.counted
	u.told, u.counted = true, c.completion.n
	return tokens, tokens > 0
}
