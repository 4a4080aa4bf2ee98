// Package probe watches what is beside the client while a level runs: the server's own view ([ServerView]), and
// whatever else a func can ask for again and again ([Sampled]). Each probe is a [protocol.Probe], and its readings
// become series in the journal and figures of the level.
package probe
