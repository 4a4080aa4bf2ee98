package openai

import (
	"sync/atomic"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// WarnConnectionsNotKept is the code of the warning that the server ends its connections right after its answers,
// although it advertises that it keeps them.
const WarnConnectionsNotKept = "connections-not-kept"

// reuse is what has been seen of how a server treats connections that have carried an answer. Some servers say
// keep-alive and close right after a stream (llama.cpp's, some 50 µs later). A request that is sent meanwhile is lost:
// it has come, or it has not, and only the server could tell. So each connection to such a server is used once.
//
// One answer tells, since such servers end every connection: after the first one there is a short wait to see whether
// its connection ends. Those that end only now and then, as after a hundred requests, are told by how seldom they do.
type reuse struct {
	kept  atomic.Int64 // connections that carried another request after an answer, or outlasted the wait
	early atomic.Int64 // connections that ended right after an answer
	again atomic.Int64 // requests that were sent again because the server had taken in nothing of them
}

const (
	settling   = 5 * time.Millisecond   // the wait after the first answer
	rightAfter = 250 * time.Millisecond // an end that is found so soon after an answer is none of idleness
	keptFor    = 20                     // connections that are kept, for each that is not, where they are used again
)

// once reports whether each connection is to be used for one request alone.
func (u *reuse) once() bool {
	early := u.early.Load()
	return early > 0 && early*keptFor >= u.kept.Load()
}

// keeps reports whether a connection that has just carried an answer can be expected to carry another.
func (u *reuse) keeps(l *line) bool {
	if u.once() {
		return false
	}
	if l.answers > 1 {
		u.kept.Add(1)
	}
	if u.kept.Load() > 0 {
		return true
	}
	for begun := time.Now(); time.Since(begun) < settling; time.Sleep(settling / 20) {
		if l.stamped.Ended() {
			u.early.Add(1)
			return false
		}
	}
	u.kept.Add(1)
	return !u.once()
}

// ended notes that a connection that had been idle turned out to have ended.
func (u *reuse) ended(l *line) {
	if l.answers > 0 && time.Since(l.since) < rightAfter {
		u.early.Add(1)
	}
}

func (u *reuse) notes() []loadgen.Warning {
	if !u.once() {
		return nil
	}
	early := u.early.Load()
	return []loadgen.Warning{{Code: WarnConnectionsNotKept, Message: number.Sprintf("the server advertises that it keeps "+
		"connections, and ended %d of the first %d right after an answer; each was then used for one request (%d requests "+
		"were sent again, of which the server had taken in nothing). Connections are made between requests: their time is "+
		"in no latency, but in a "+
		"closed loop's throughput", early, early+u.kept.Load(), u.again.Load())}}
}
