package loadgen

// Stamps counts the chunks of content by the clock that stamped their arrival. A level may have both: the kernel
// where it gave a stamp, the client elsewhere; how many there are of each tells what that is worth. The zero Stamps
// says that no content came in a stream.
type Stamps struct {
	Kernel int `json:"kernel"` // by the kernel, on receipt: free of what the client's own scheduling adds
	Client int `json:"client"` // by the client, after its read had returned

	// Shared is how many of them came in one read with later content, and have the stamp of that: each may have come as
	// early as when the read before had got all that was there ([Chunk.Since]). Where that
	// changes a figure, the result says so ([WarnArrivalsUnsure]).
	Shared int `json:"shared,omitempty"`
}

// Add adds the counts of more.
func (s *Stamps) Add(more Stamps) {
	s.Kernel += more.Kernel
	s.Client += more.Client
	s.Shared += more.Shared
}

// Chunks is how many there are in all.
func (s Stamps) Chunks() int { return s.Kernel + s.Client }
