package loadgentest

import "container/list"

// kvCache is the memory of an engine: a number of blocks, each for the keys and
// values of so many tokens. A running sequence holds blocks for all of its tokens.
// Those that hold nothing but a prompt can be found again by its hash, if caching
// is on: by a sequence that begins as another does, while that runs or, until the
// room is needed, when it is gone. A cached block that nobody holds is as good as
// free; the one that was let go first is taken first.
//
// As in vLLM what was generated is cached too, so that the next turn of a chat finds
// all of the turn before, but for the token generated last, which nothing was
// computed for.
type kvCache struct {
	total int // blocks; 0: no limit, and nothing is kept
	size  int // tokens of a block
	used  int // blocks that someone holds

	cached map[uint64]*block
	idle   list.List // of *block: cached, held by nobody, in the order in which they are to be taken

	queries, hits int // tokens, of first admissions
}

// block is one that can be found again.
type block struct {
	hash    uint64
	holders int
	idle    *list.Element // where holders is 0
}

// holding is what a job holds of a kvCache.
type holding struct {
	shared  []*block // in the prompt's order
	private int      // blocks that nobody else can find
}

func (h *holding) blocks() int { return len(h.shared) + h.private }

// blocksOf is how many blocks so many tokens take.
func blocksOf(tokens, size int) int { return (tokens + size - 1) / size }

// take takes n blocks, evicting what is cached, or none if there are not so many.
func (c *kvCache) take(n int) bool {
	if c.used+n > c.total {
		return false
	}
	c.used += n
	for c.used+c.idle.Len() > c.total {
		c.evict()
	}
	return true
}

// admit gives a job the blocks for all it has to read, and says what of it is
// cached, in tokens. At least one token is left to compute, or there would be
// nothing to take the next one from: a prompt that is cached to its end computes
// its last block again, for only whole ones can be found.
func (c *kvCache) admit(m *job) bool {
	if c.total == 0 {
		return true
	}
	found := 0
	revived := 0
	for most := min(len(m.hashes), (m.prefill-1)/c.size); found < most; found++ {
		b := c.cached[m.hashes[found]]
		if b == nil {
			break
		}
		if b.holders == 0 {
			revived++
		}
	}
	need := blocksOf(m.prefill, c.size) - found
	if c.used+revived+need > c.total {
		return false
	}
	for _, hash := range m.hashes[:found] {
		b := c.cached[hash]
		if b.holders == 0 {
			c.idle.Remove(b.idle)
			b.idle = nil
			c.used++
		}
		b.holders++
		m.holding.shared = append(m.holding.shared, b)
	}
	c.take(need)
	m.holding.private = need
	m.read = found * c.size
	if m.preempted == 0 {
		m.cached = m.read
		if m.hashes != nil {
			c.queries += m.prefill
			c.hits += m.cached
		}
	}
	return true
}

// grow gives a job that decodes the block that its newest token may need.
func (c *kvCache) grow(m *job) bool {
	if c.total == 0 || m.read < m.prefill {
		return true
	}
	n := blocksOf(m.input+m.done, c.size) - m.holding.blocks()
	if n > 0 && !c.take(n) {
		return false
	}
	m.holding.private += max(0, n)
	return true
}

// keep lets the blocks of a prompt be found that are whole once the current step
// has ended. As in vLLM that is so from the moment in which they are scheduled:
// who is admitted to the same step finds them too. A block that another has
// computed at the same time stays private.
func (c *kvCache) keep(m *job) {
	c.keepBlocks(m, m.read/c.size, (m.read+m.share)/c.size)
}

func (c *kvCache) keepBlocks(m *job, before, after int) {
	for i := before; i < min(after, len(m.hashes)); i++ {
		hash := m.hashes[i]
		if c.cached[hash] != nil {
			continue
		}
		b := &block{hash: hash, holders: 1}
		if c.cached == nil {
			c.cached = map[uint64]*block{}
		}
		c.cached[hash] = b
		m.holding.shared = append(m.holding.shared, b)
		m.holding.private--
	}
}

// keepAnswer is keep for a step that decodes: the tokens up to the one generated last are computed at its end.
func (c *kvCache) keepAnswer(m *job) {
	if computed := m.input + m.done; computed%c.size == 0 {
		c.keepBlocks(m, computed/c.size-1, computed/c.size)
	}
}

// release takes back all that a job holds. The end of a prompt goes before its
// beginning, without which it cannot be found.
func (c *kvCache) release(m *job) {
	h := &m.holding
	for i := len(h.shared) - 1; i >= 0; i-- {
		b := h.shared[i]
		if b.holders--; b.holders == 0 {
			b.idle = c.idle.PushBack(b)
			c.used--
		}
	}
	c.used -= h.private
	*h = holding{}
}

// reset forgets what is cached and held by nobody.
func (c *kvCache) reset() {
	for c.idle.Len() > 0 {
		c.evict()
	}
}

// evict forgets the block let go first.
func (c *kvCache) evict() {
	b := c.idle.Remove(c.idle.Front()).(*block)
	delete(c.cached, b.hash)
}
