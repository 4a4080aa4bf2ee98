package loadgen

import "sync"

// An inbox is what some goroutines have for one other, which takes all there is at once: so a wake and a lock are
// paid for many of them, where a channel has one for each.
type inbox struct {
	mu           sync.Mutex
	some, room   sync.Cond
	held, other  []outcome // other is the memory of what was taken before
	most, behind int       // behind: how many are with the taker
	closed       bool
}

// newInbox makes an inbox that holds up to so many, those with the taker included: who has more waits.
func newInbox(most int) *inbox {
	b := &inbox{most: most}
	b.some.L, b.room.L = &b.mu, &b.mu
	return b
}

func (b *inbox) put(o outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.held)+b.behind >= b.most {
		b.room.Wait()
	}
	b.held = append(b.held, o)
	if len(b.held) == 1 {
		b.some.Signal()
	}
}

// take returns what there is, as soon as there is something; nil when the inbox is closed and empty. It is good until
// the next take.
func (b *inbox) take() []outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.other)
	b.behind = 0
	b.room.Broadcast()
	for len(b.held) == 0 {
		if b.closed {
			return nil
		}
		b.some.Wait()
	}
	b.held, b.other = b.other[:0], b.held
	b.behind = len(b.other)
	return b.other
}

// close says that nothing more will be put in.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.some.Signal()
}
