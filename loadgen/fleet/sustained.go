package fleet

import (
	"sync"

	"github.com/servegauge/servegauge/loadgen"
)

// sustained is what a worker was seen to do at most.
type sustained struct {
	mu               sync.Mutex
	requests, chunks float64 // per second; 0: not known
}

func (s *sustained) get() (requests, chunks float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.chunks
}

func (s *sustained) atLeast(requests, chunks float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests, s.chunks = max(s.requests, requests), max(s.chunks, chunks)
}

// saw takes a level of a server that is no limit, whose other shards were measured on this machine at the same time,
// perhaps: what each has done there is what it can do beside them.
func (s *sustained) saw(r *loadgen.Result) {
	if seconds := r.Makespan.Seconds(); seconds > 0 {
		s.atLeast(float64(r.Accounting.Completed)/seconds, float64(r.Stamps.Chunks())/seconds)
	}
}
