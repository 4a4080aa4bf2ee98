package loadgentest

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// Counts is a consistent snapshot of what a server does and did. Only requests
// for a completion are counted, not those for /health and the like, and each as
// soon as it has been read: from then on it is in exactly one of Running, Waiting,
// Served, Cancelled and Rejected. All are numbers of requests, but for those that
// say otherwise.
type Counts struct {
	// Running is how many requests have a place and are being answered.
	Running int `json:"running"`
	// Waiting is how many requests stand in the queue for a place.
	Waiting int `json:"waiting"`
	// PeakRunning is the most that Running has been.
	PeakRunning int `json:"peak_running"`
	// Served is how many requests had all their tokens generated. A request
	// counts just before its last chunk is written.
	Served int `json:"served"`
	// Cancelled is how many requests ended before that, waiting or running: the
	// client went away.
	Cancelled int `json:"cancelled"`
	// Rejected is how many requests were answered with an error.
	Rejected int `json:"rejected"`

	// Preemptions is how many times a running request was sent back to the queue
	// because another needed its KV blocks; 0 without KVBlocks.
	Preemptions int `json:"preemptions,omitempty"`
	// KVBlocks is how many KV blocks running requests hold. What is cached and
	// held by nobody is not among them. 0 without KVBlocks.
	KVBlocks int `json:"kv_blocks,omitempty"`
	// PrefixQueries is how many prompt tokens were looked up in the prefix cache,
	// those of each request once, when it is first admitted; 0 without PrefixCache.
	PrefixQueries int `json:"prefix_queries,omitempty"`
	// PrefixHits is how many of those were found, in tokens.
	PrefixHits int `json:"prefix_hits,omitempty"`

	// Turns is how many messages of chats a Simulated was sent as its own, from before, and Strange how many of these
	// it would not have said there: another's answer, a cut one, one to a prompt that had more turns or less.
	Turns   int `json:"turns,omitempty"`
	Strange int `json:"strange,omitempty"`
}

// queue gives out the places of a server, first come, first served, and counts.
// x/sync's semaphore does the same but for two things that the truth needs: the
// moment that a place became free, and a number in the order of admission. The
// zero queue is ready.
type queue struct {
	mu      sync.Mutex
	counts  Counts    // but for those in waiting
	granted uint64    // places given out so far
	waiting list.List // of *place

	meter meter // has its own protection
}

// place is the right to run.
type place struct {
	queue  *queue
	number uint64    // of admission, from 1
	start  time.Time // when the place was this request's

	arrived time.Time
	ready   chan struct{} // closed when the place is granted
	left    bool
}

// enter waits for one of limit places (0: no limit) or for ctx to be done.
func (q *queue) enter(ctx context.Context, limit int) (*place, error) {
	p := &place{queue: q}
	q.mu.Lock()
	p.arrived = time.Now()
	if limit == 0 || q.counts.Running < limit { // then nobody waits: leave sees to it
		q.grant(p, p.arrived)
		q.mu.Unlock()
		return p, nil
	}
	p.ready = make(chan struct{})
	e := q.waiting.PushBack(p)
	q.mu.Unlock()

	select {
	case <-p.ready:
		return p, nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	if p.number == 0 {
		q.waiting.Remove(e)
		q.counts.Cancelled++
		q.mu.Unlock()
	} else { // granted in the same moment: it must be passed on
		q.mu.Unlock()
		p.leave(time.Now(), false)
	}
	return nil, context.Cause(ctx)
}

// grant gives p a place from start on. q.mu is held.
func (q *queue) grant(p *place, start time.Time) {
	q.granted++
	p.number = q.granted
	p.start = start
	q.counts.Running++
	q.counts.PeakRunning = max(q.counts.PeakRunning, q.counts.Running)
}

// leave frees the place as of at and hands it to who has waited longest. A place
// is left once; further calls do nothing, so that leave can be deferred too.
//
// The successor starts at at, not when leave is called: at is when the last token
// was due, leave is called when the timer at last went off. Were that lateness
// added to each request in turn, a saturated server would serve less than its
// Truth on a busy machine.
func (p *place) leave(at time.Time, served bool) {
	if p.left {
		return
	}
	p.left = true
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts.Running--
	if served {
		q.counts.Served++
	} else {
		q.counts.Cancelled++
	}
	if e := q.waiting.Front(); e != nil {
		next := q.waiting.Remove(e).(*place)
		if at.Before(next.arrived) {
			at = next.arrived
		}
		q.grant(next, at)
		close(next.ready)
	}
}

// turns counts messages that were the server's own, or were said to be.
func (q *queue) turns(own, strange int) {
	q.mu.Lock()
	q.counts.Turns += own
	q.counts.Strange += strange
	q.mu.Unlock()
}

// reject counts a request that was answered with an error.
func (q *queue) reject() {
	q.mu.Lock()
	q.counts.Rejected++
	q.mu.Unlock()
}

// snapshot returns the counts as they are now.
func (q *queue) snapshot() Counts {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.counts
	c.Waiting += q.waiting.Len() // one of the two is always 0: see engine
	return c
}
