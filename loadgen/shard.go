package loadgen

// own is what the shard has of l, as a level of its own, apart from which numbers and arrivals are its own: its share of
// the concurrency, of the requests and of the warmup. Of a whole level that is the level itself.
func (l Level) own() Level {
	if l.Shards > 1 {
		share := func(n int) int { return (n + l.Shards - 1 - l.Shard) / l.Shards } // how many of 0 … n−1 are the shard's
		l.Concurrency = share(l.Concurrency)
		all := share(l.Warmup + l.Requests)
		l.Warmup = share(l.Warmup)
		if l.Requests > 0 {
			l.Requests = all - l.Warmup
		}
	}
	l.Shard, l.Shards = 0, 0
	return l
}

// number is the number in the whole level of the j-th request, or slot, of the shard.
func (l Level) number(j int) int { return j*max(l.Shards, 1) + l.Shard }

// owns reports whether request i of the level is the shard's.
func (l Level) owns(i int) bool { return i%max(l.Shards, 1) == l.Shard }

// validateShards returns an [*InvalidError] for a shard that cannot be, or that would have nothing to do.
func (l Level) validateShards() error {
	if l.Shards < 0 || l.Shards > MaxConcurrency {
		return &InvalidError{"shards", l.Shards, "a number from 0 (the whole level) to 100,000"}
	}
	if l.Shard < 0 || l.Shard >= max(l.Shards, 1) {
		return &InvalidError{"shard", l.Shard, "a number from 0 to one less than the shards; 0 for the whole level"}
	}
	measured := l.Requests
	if trace := len(l.Arrivals.Trace); trace > 0 && measured == 0 {
		measured = trace - l.Warmup
	}
	switch {
	case (!l.open() || l.Concurrency > 0) && l.Shards > l.Concurrency:
		return &InvalidError{"shards", l.Shards, "no more than the concurrency, of which each has a share"}
	case measured > 0 && l.Shards > measured:
		return &InvalidError{"shards", l.Shards, "no more than the requests, of which each has a share"}
	}
	return nil
}
