// Package protocol runs experiments: which load, in which order, on a server restarted when, and what may be
// concluded from it.
//
// A [Design] is pure: from what has been measured it says what to do next. A [Plan] is the design of the page
// (levels × runs, with a server restart between runs), as data. A [Runner] carries a design out: it starts and stops
// the [Server], waits until it is ready, cools down, measures each [Step] and writes it to the journal before it
// goes on. The journal is the truth; [Analyze] derives everything else from it, and may be run again at any time.
//
// The server's restart is the unit of evidence. Requests of one run share a server, its compiled kernels and its
// caches, and so do runs on a server that was not restarted: their spread says nothing about the next start. So
// figures are taken per run, and the intervals are over runs; where the server was not demonstrably another one for
// each run, they are labelled within-server.
//
// A server is stopped and gone, and the memory of its GPUs free, before there is another; that it is another is
// proven by evidence ([Identity]), which is asked for again before and after each level. It is ready when it has
// answered a request.
//
// The package knows no HTTP. A [Client] speaks to the servers, and package server below has the kinds of them.
package protocol
