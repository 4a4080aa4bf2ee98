package fleet

// Codes of the warnings about fleets.
const (
	// a worker went while the level lasted: it was stopped, and no figure may be used
	WarnWorkerLost  = "worker-lost"
	WarnStartSpread = "start-spread"   // workers started, or may have started, too far apart for a figure over a time
	WarnRecordsLost = "records-lost"   // observers here were not told of all requests; the result has them all
	WarnTakenUp     = "level-taken-up" // the level was begun by a coordinator that has gone
	// a worker was seen to sustain less than twice what its part of the level needed
	WarnHeadroom = "worker-headroom"
)

// Codes are those of all warnings that this package gives, each once, as [loadgen.Codes] are. An observer that panics
// is [loadgen.WarnObserverPanic] here as well.
func Codes() []string {
	return []string{WarnTakenUp, WarnRecordsLost, WarnStartSpread, WarnHeadroom, WarnWorkerLost}
}
