package loadgen

import "time"

// A Part is what is kept of one generator's own result in one that was merged: what cannot be added up.
type Part struct {
	Shard      int           `json:"shard"`      // which of the level's generators it was, from 0
	Start      time.Duration `json:"start_ns"`   // after [Result.Start], by the clock that all generators go by
	Accounting Accounting    `json:"accounting"` // of the measured requests
	Makespan   time.Duration `json:"makespan_ns"`
	Chunks     int           `json:"chunks,omitempty"` // of the measured requests that completed

	Client *ClientWatch `json:"client,omitempty"`       // nil: nobody watched
	Clock  *ClockOffset `json:"clock_offset,omitempty"` // nil: nobody compared the clocks

	// Generator is who it was, where somebody knows: package fleet does. nil: nobody does.
	Generator *GeneratorIdentity `json:"generator,omitempty"`
}

// A GeneratorIdentity is a generator of several, as it presents itself, and what was seen of its clock.
type GeneratorIdentity struct {
	Name    string  `json:"name"`              // unlike any other of the level
	Version string  `json:"version,omitempty"` // of the program
	Build   string  `json:"build,omitempty"`   // a hash of the program; "": not known
	CPUs    float64 `json:"cpus,omitempty"`    // that it may use

	// Before and After are how its clock stood before the level and after it, and Drift what the second is more than
	// the first. Both errors are in the difference. nil: not compared.
	Before *ClockOffset  `json:"clock_before,omitempty"`
	After  *ClockOffset  `json:"clock_after,omitempty"`
	Drift  time.Duration `json:"clock_drift_ns,omitempty"`

	// Sustained and SustainedChunks are how many requests/s and chunks/s it was seen to do at most, on its machine; 0:
	// nobody measured that.
	Sustained       float64 `json:"sustained_requests_per_s,omitempty"`
	SustainedChunks float64 `json:"sustained_chunks_per_s,omitempty"`

	Lost bool `json:"lost,omitempty"` // it went while the level lasted, and its part is missing
}

// Headroom compares what the generator did with what it was seen to sustain; false where that is not known.
func (p *Part) Headroom() (h Headroom, ok bool) {
	if p.Generator == nil || p.Generator.Sustained <= 0 || p.Accounting.Completed == 0 || p.Makespan <= 0 {
		return Headroom{}, false
	}
	h.Requests = p.Generator.Sustained * p.Makespan.Seconds() / float64(p.Accounting.Completed)
	if p.Chunks > 0 {
		h.Chunks = p.Generator.SustainedChunks * p.Makespan.Seconds() / float64(p.Chunks)
	}
	return h, true
}

// Worst is the part whose client was nearest to being the limit: one that was, before one that was not; of these the
// one that used the greatest share of its CPUs. nil where no client was watched.
func (r *Result) Worst() *Part {
	var worst *Part
	most := -1.0
	for i := range r.Parts {
		p := &r.Parts[i]
		if p.Client == nil {
			continue
		}
		used, _ := p.Client.CPUs()
		if p.Client.CPUsAllowed > 0 {
			used /= p.Client.CPUsAllowed
		}
		if p.Client.Verdict.Bound {
			used += 1e6
		}
		if used > most {
			worst, most = p, used
		}
	}
	return worst
}
