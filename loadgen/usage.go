package loadgen

// What servers tell of a request beside how many tokens it had, summed over the completed measured requests. Not every
// server tells it, nor of every request: each sum has its own count of the requests that it is of, because a request
// that was not told of is unknown, which is not 0.

// CachedTokens counts the input tokens that the server found in its prefix cache.
type CachedTokens struct {
	Requests int `json:"requests"` // that were told of
	Cached   int `json:"cached"`   // tokens found
	Input    int `json:"input"`    // all input tokens of these requests
}

// DraftTokens counts what became of the tokens that speculative decoding proposed.
type DraftTokens struct {
	Requests int `json:"requests"` // that were told of
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
}

// Chunking counts the chunks of content of the streamed requests whose output tokens are known.
type Chunking struct {
	Requests int `json:"requests"`
	Chunks   int `json:"chunks"`
	Tokens   int `json:"tokens"`

	// Empty is how many more chunks had a choice without content, but for two a request, which are a chat's first, with
	// the role, and the one that ends an answer. Their tokens decode to nothing.
	Empty int `json:"empty,omitempty"`
}

// Deviation is how far the server's counts are from what was asked for, over the requests in which they are.
type Deviation struct {
	Requests int `json:"requests"`
	Sum      int `json:"sum"`  // Σ (counted − asked), in tokens; ÷ Requests it is the mean
	Most     int `json:"most"` // the largest |counted − asked|
}

// add counts a request in which asked is known and differs.
func (d *Deviation) add(counted, asked int) {
	off := counted - asked
	d.Requests++
	d.Sum += off
	d.Most = max(d.Most, off, -off)
}

// Add adds the counts of e.
func (d *Deviation) Add(e Deviation) {
	d.Requests += e.Requests
	d.Sum += e.Sum
	d.Most = max(d.Most, e.Most)
}

// add counts a completed request.
func (t *Tokens) add(r *Record) {
	if r.DraftTold {
		t.Draft.Requests++
		t.Draft.Accepted += r.AcceptedDraft
		t.Draft.Rejected += r.RejectedDraft
	}
	if !r.Counted {
		t.Uncounted++
		return
	}
	t.Input += r.Input
	t.Output += r.Output
	input := r.AskedInput > 0 && r.Input != r.AskedInput
	output := r.AskedOutput > 0 && r.Output != r.AskedOutput
	if input {
		t.InputOff.add(r.Input, r.AskedInput)
	}
	if output {
		t.OutputOff.add(r.Output, r.AskedOutput)
	}
	if input || output {
		t.Mismatch++
	}
	if r.CachedTold {
		t.Cached.Requests++
		t.Cached.Cached += r.Cached
		t.Cached.Input += r.Input
	}
	if n := r.ChunkCount(); n > 0 {
		t.Chunking.Requests++
		t.Chunking.Chunks += n
		t.Chunking.Tokens += r.Output
		t.Chunking.Empty += max(r.Choices-n-2, 0)
	}
}

// Add adds the counts of u.
func (t *Tokens) Add(u Tokens) {
	t.Input += u.Input
	t.Output += u.Output
	t.Uncounted += u.Uncounted
	t.Mismatch += u.Mismatch
	t.InputOff.Add(u.InputOff)
	t.OutputOff.Add(u.OutputOff)
	t.Cached.Requests += u.Cached.Requests
	t.Cached.Cached += u.Cached.Cached
	t.Cached.Input += u.Cached.Input
	t.Draft.Requests += u.Draft.Requests
	t.Draft.Accepted += u.Draft.Accepted
	t.Draft.Rejected += u.Draft.Rejected
	t.Chunking.Requests += u.Chunking.Requests
	t.Chunking.Chunks += u.Chunking.Chunks
	t.Chunking.Tokens += u.Chunking.Tokens
	t.Chunking.Empty += u.Chunking.Empty
}

// manyTokens reports whether chunks held more than one token often enough that gaps between chunks are not gaps between
// tokens. One token a request is left out, because the one that ends an answer has no text to arrive with.
func (c Chunking) manyTokens() bool {
	return float64(c.Tokens-c.Requests) > tokensPerChunkLimit*float64(c.Chunks+c.Empty)
}
