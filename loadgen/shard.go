package loadgen

import "fmt"

// own is what the shard has of l, as a level of its own, apart from which numbers and arrivals are its own: its share
// of the concurrency, of the requests and of the warmup. Of a whole level that is the level itself.
func (l Level) own() Level {
	if l.Shards > 1 {
		all, warmup := l.share(l.Warmup+l.bound()), l.share(l.Warmup)
		l.Concurrency, l.Warmup = l.ownSlots(l.Concurrency), warmup
		switch {
		case l.Requests > 0:
			l.Requests = all - l.Warmup
		case l.Sessions > 0:
			l.Sessions = all - l.Warmup
		}
	}
	l.Shard, l.Shards = 0, 0
	return l
}

// The level's requests go to its slots in turn, and its slots to the shards in turn: so a shard has as large a share
// of the requests as of the slots, and 7 slots are kept by 3 shards for as long as by one. Where there are no slots,
// as in an open loop without a bound, requests go to the shards in turn.

// turns is after how many requests it is the first slot's turn again.
func (l Level) turns() int { return max(l.Concurrency, l.Shards, 1) }

// ownSlots is how many of n slots are the shard's.
func (l Level) ownSlots(n int) int { return (n + l.Shards - 1 - l.Shard) / l.Shards }

// share is how many of the level's first n requests are the shard's.
func (l Level) share(n int) int {
	turns := l.turns()
	return n/turns*l.ownSlots(turns) + l.ownSlots(n%turns)
}

// number is the number in the whole level of the shard's j-th request.
func (l Level) number(j int) int {
	if l.Shards < 2 {
		return j
	}
	turns := l.turns()
	own := l.ownSlots(turns)
	return j/own*turns + l.slot(j%own)
}

// slot is the number in the whole level of the shard's j-th slot.
func (l Level) slot(j int) int { return j*max(l.Shards, 1) + l.Shard }

// owns reports whether request i of the level is the shard's.
func (l Level) owns(i int) bool { return l.Shards < 2 || i%l.turns()%l.Shards == l.Shard }

// validateShards returns an [*InvalidError] for a shard that cannot be, or that would have nothing to do.
func (l Level) validateShards() error {
	if l.Shards < 0 || l.Shards > MaxConcurrency {
		return &InvalidError{"shards", l.Shards, "a number from 0 (the whole level) to 100,000"}
	}
	if l.Shard < 0 || l.Shard >= max(l.Shards, 1) {
		return &InvalidError{"shard", l.Shard, "a number from 0 to one less than the shards; 0 for the whole level"}
	}
	measured := l.bound()
	if trace := len(l.Arrivals.Trace); trace > 0 && measured == 0 {
		measured = trace - l.Warmup
	}
	switch {
	case (!l.open() || l.Concurrency > 0) && l.Shards > l.Concurrency:
		return &InvalidError{"shards", l.Shards, "no more than the concurrency, of which each has a share"}
	case measured > 0 && l.Shards > measured:
		return &InvalidError{"shards", l.Shards, "no more than the requests, of which each has a share"}
	}
	if measured == 0 || measured >= l.turns() {
		return nil
	}
	for l.Shard = range l.Shards { // of fewer requests than slots a shard may have none, wherever the warmup ends
		if l.share(l.Warmup+measured) == l.share(l.Warmup) {
			return &InvalidError{"shards", l.Shards, fmt.Sprintf(
				"as many requests as the concurrency, or fewer shards: shard %d would have none to measure", l.Shard)}
		}
	}
	return nil
}
