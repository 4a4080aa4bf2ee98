package loadgen

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Whatever the chunks are, as many come out of the log as went in, and the same.
func TestChunkLog(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	sometimes := func(x int64) int64 { return x * random.Int64N(2) }
	var log chunkLog
	for n := range 50 {
		log.reset()
		var want []Chunk
		tokens := 0
		for range n {
			c := Chunk{
				Seen:    time.Duration(random.Int64() >> random.IntN(64)),
				Arrived: time.Duration(sometimes(random.Int64() >> random.IntN(64))),
				Shared:  random.IntN(2) == 0,
				Tokens:  int(sometimes(random.Int64N(1000))),
				Sent:    sometimes(random.Int64()),
				Since:   time.Duration(sometimes(random.Int64() >> random.IntN(64))),
				Hidden:  random.IntN(2) == 0,
			}
			want = append(want, c)
			tokens += c.Tokens
			log.add(c)
		}
		if got := slices.Collect(log.all()); !slices.Equal(got, want) {
			t.Fatalf("%d chunks: %+v, want %+v", n, got, want)
		}
		if n > 0 && (log.first != want[0] || log.last != want[n-1] || log.n != n || log.tokens != tokens) {
			t.Errorf("%+v", log)
		}
		for c := range log.all() { // a reader may stop
			if c != want[0] {
				t.Errorf("%+v", c)
			}
			break
		}
	}
}

// The log of a stream costs a quarter of what its chunks would, and nothing more once it has its memory.
func TestChunkLogIsSmall(t *testing.T) {
	const n = 500
	var log chunkLog
	fill := func() {
		log.reset()
		for i := range n {
			at := time.Duration(i) * 10 * time.Millisecond
			log.add(Chunk{Seen: at + 30*time.Microsecond, Arrived: at + time.Microsecond})
		}
	}
	fill()
	if each := float64(len(log.code)) / n; each > 10 {
		t.Errorf("%.1f bytes a chunk", each)
	}
	if allocs := testing.AllocsPerRun(10, fill); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
	sum := time.Duration(0)
	if allocs := testing.AllocsPerRun(10, func() {
		for c := range log.all() {
			sum += c.At()
		}
	}); allocs > 0 {
		t.Errorf("%v allocations to read", allocs)
	}
}
