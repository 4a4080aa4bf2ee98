// Package fleet drives one level of load from many machines, as if it were one generator. A [Coordinator] offers the
// same Measure as a generator; each [Worker] is one shard of the level ([loadgen.Level.Shards]), with its own
// connections to the server. Work is split by arithmetic, and not by a message for each request: once a level runs,
// nothing that is measured waits for another machine.
//
// They speak over NATS: the user's own cluster, or a server inside the coordinator's process (package broker), for
// workers on one machine. What is needed of a cluster is JetStream. All that there is, for a fleet named F:
//
//	servegauge.F.order             what the coordinator wants, twice a second and whenever it changes
//	servegauge.F.beat.INSTANCE     what a worker is and does, likewise
//	servegauge.F.clock.INSTANCE    what a worker's clock says, asked some thirty times before a level and after it
//	servegauge.F.records.SESSION   requests that are over, for the coordinator's observers
//	servegauge.F.kept.…            in the stream servegauge-F: levels, and the results of their shards
//	servegauge-F (key-value)       who coordinates
//	servegauge-F-datasets          in the object store: datasets, by their SHA-256
//
// Orders and beats are states and no events: one that is lost is made good by the next, and one that comes twice or
// late changes nothing. An order is obeyed when its term, a revision of the key of who coordinates, is the latest.
//
// A worker that is not heard of for [Lost] is lost: the level is stopped everywhere and its result kept, with
// [WarnWorkerLost]. A worker that lost its connection stops as well. One whose coordinator has gone finishes its level
// within [Orphaned], so that a coordinator that starts again finds the result ([Job.ID]).
//
// Workers are no replicates: they are one load. A level that was measured by four of them was measured once.
package fleet
