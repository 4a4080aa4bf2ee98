package loadgen

import (
	"sync"
	"time"
)

// An inbox is what some goroutines have for one other, which takes all there is at once, and at a high rate once a
// millisecond: so a wake and a lock are paid for many of them, where a channel has one for each.
type inbox struct {
	mu           sync.Mutex
	some, room   sync.Cond
	held, other  []outcome // other is the memory of what was taken before
	most, behind int       // behind: how many are with the taker
	closed       bool

	// Of the taker.
	took  time.Time
	nap   *time.Timer
	awake chan struct{} // ends a nap
}

const napLength = time.Millisecond

// newInbox makes an inbox that holds up to so many, those with the taker included: who has more waits.
func newInbox(most int) *inbox {
	b := &inbox{most: most, nap: time.NewTimer(0), awake: make(chan struct{}, 1)}
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
	if 2*len(b.held) == b.most {
		b.wake()
	}
}

// take returns what there is, as soon as there is something; nil when the inbox is closed and empty. It is good until
// the next take.
func (b *inbox) take() []outcome {
	b.done()
	if time.Since(b.took) < napLength {
		b.nap.Reset(napLength)
		select {
		case <-b.nap.C:
		case <-b.awake:
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.held) == 0 {
		if b.closed {
			return nil
		}
		b.some.Wait()
	}
	b.held, b.other = b.other[:0], b.held
	b.behind = len(b.other)
	b.took = time.Now()
	return b.other
}

// done says that the taker is done with what it took.
func (b *inbox) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.other)
	b.behind = 0
	b.room.Broadcast()
	if b.closed || 2*len(b.held) >= b.most {
		b.wake()
	}
}

// close says that nothing more will be put in.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.some.Signal()
	b.wake()
}

// wake ends a nap, now or as it begins.
func (b *inbox) wake() {
	select {
	case b.awake <- struct{}{}:
	default:
	}
}
